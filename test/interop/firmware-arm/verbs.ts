// The line protocol of crypto-lines (firmware/pc) spoken with the shipped ARM code: each verb becomes calls of the
// stub's own functions, so that every suite of test/interop/firmware-host can be asked here too.

import { type Answers, type Program, type Ref } from './program.ts';

const TAG = 16;
const NONCE = 24;
/** Room for the C structures, more than they have. */
const ROOM = { salsa20: 128, sha512: 512, hmac: 1024 } as const;
/** Words of bf_salsa20 that count blocks. */
const COUNTER = { low: 8 * 4, high: 9 * 4 } as const;
const STREAM_CHUNK = 16384;
const REPEAT_CHUNK = 16384;

/** Gives the answer line once the machine has run. */
export type Render = (answers: Answers) => string;
type Verb = (p: Program, args: readonly string[]) => Render;

function bytes(text: string): Uint8Array {
  return text === '-' ? new Uint8Array(0) : Uint8Array.from(Buffer.from(text, 'hex'));
}
function hex(data: Uint8Array): string {
  return data.length === 0 ? '-' : Buffer.from(data).toString('hex');
}
function le32(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
function int(text: string | undefined): number {
  return Number(text);
}

/** Calls `name(out, ...inputs)` and shows the output. */
function simple(name: string, length: number, inputs: (p: Program, args: readonly string[]) => number[]): Verb {
  return (p, args) => {
    const given = inputs(p, args);
    const out = p.output(length);
    p.call(name, out, ...given);
    const got = p.take(out, length);
    return (a) => hex(a.guarded(got));
  };
}

const x25519: Verb = (p, [scalar, u]) => {
  const [k, point, out] = [p.put(bytes(scalar!)), p.put(bytes(u!)), p.output(32)];
  const zero = p.call('bf_x25519', out, k, point);
  const got = p.take(out, 32);
  return (a) => `${a.value(zero)} ${hex(a.guarded(got))}`;
};

const x25519Base: Verb = (p, [scalar]) => {
  const k = p.put(bytes(scalar!));
  p.call('bf_x25519_base', k, k);
  const got = p.read(k, 32);
  return (a) => hex(a.bytes(got));
};

/** The three buffers change roles instead of being copied. */
const x25519Iterate: Verb = (p, [scalar, u, count]) => {
  let [k, point, spare] = [p.put(bytes(scalar!)), p.put(bytes(u!)), p.put(new Uint8Array(32))];
  for (let i = int(count); i > 0; i--) {
    p.call('bf_x25519', spare, k, point);
    [k, point, spare] = [spare, k, point];
  }
  const got = p.read(k, 32);
  return (a) => hex(a.bytes(got));
};

/** A + K*B, A - B, A*B as far as the stub has these as functions, each as it stands; `?` for one that was inlined. */
const field: Verb = (p, [a, b, k]) => {
  const place = p.place;
  p.place = 0;
  const [x, y] = [p.put(bytes(a!)), p.put(bytes(b!))];
  const one = (name: string, ...more: number[]): Ref | undefined => {
    if (!p.has(name)) return undefined;
    const out = p.output(32);
    p.call(name, out, x, y, ...more);
    return p.take(out, 32);
  };
  const refs = [one('bf_field_add_times', int(k)), one('bf_field_sub'), one('bf_field_mul')];
  p.place = place;
  return (got) => refs.map((ref) => (ref === undefined ? '?' : hex(got.guarded(ref)))).join(' ');
};

const seal: Verb = (p, [message, nonce, key]) => {
  const m = bytes(message!);
  const [from, n, k] = [p.put(m), p.put(bytes(nonce!)), p.put(bytes(key!))];
  const [apart, inPlace] = [p.output(m.length + TAG), p.output(m.length + TAG)];
  p.call('bf_secretbox_seal', apart, from, m.length, n, k);
  const first = p.take(apart, m.length + TAG);
  p.write(inPlace + TAG, m);
  p.call('bf_secretbox_seal', inPlace, inPlace + TAG, m.length, n, k);
  const second = p.take(inPlace, m.length + TAG);
  return (a) => {
    const box = hex(a.guarded(first));
    return box === hex(a.guarded(second)) ? box : 'differ';
  };
};

/** Opens apart, in place, moved down by 5 and moved to the start; all must agree, and a failure must write nothing. */
const open: Verb = (p, [sealed, nonce, key]) => {
  const box = bytes(sealed!);
  const length = Math.max(0, box.length - TAG);
  const [n, k, c, m] = [p.put(bytes(nonce!)), p.put(bytes(key!)), p.put(box), p.output(length)];
  const apart = p.call('bf_secretbox_open', m, c, box.length, n, k);
  const [plain, kept] = [p.take(m, length), p.read(c, box.length)];
  const shifts = box.length < TAG ? [] : [TAG, TAG - 5, 0];
  const moved = shifts.map((shift) => {
    p.write(c, box);
    const failed = p.call('bf_secretbox_open', c + shift, c, box.length, n, k);
    return { shift, failed, after: p.read(c, box.length) };
  });
  return (a) => {
    const failed = a.value(apart);
    const want = hex(a.guarded(plain));
    const same = moved.every((one) => {
      if (a.value(one.failed) !== failed) return false;
      const after = a.bytes(one.after);
      return failed ? hex(after) === hex(box) : hex(after.slice(one.shift, one.shift + length)) === want;
    });
    if (!same || hex(a.bytes(kept)) !== hex(box)) return 'differ';
    if (failed) return a.untouched(plain) ? `${failed} -` : 'touched';
    return `0 ${want}`;
  };
};

const salsa20Core: Verb = (p, [input, key]) => {
  const [i, k] = [p.put(bytes(input!)), p.put(bytes(key!))];
  const [state, block] = [p.structure(ROOM.salsa20), p.structure(64)];
  p.call('bf_salsa20_init', state, k, i);
  p.call('bf_salsa20_next', block, state);
  const got = p.read(block, 64);
  return (a) => hex(a.bytes(got));
};

/** Keystream in pieces that are whole blocks; the state carries on between them. */
const stream: Verb = (p, [nonce, key, low, high, length]) => {
  const n = bytes(nonce!);
  const [at, k, state] = [p.put(n), p.put(bytes(key!)), p.structure(ROOM.salsa20)];
  if (n.length === NONCE) p.call('bf_xsalsa20_init', state, at, k);
  else p.call('bf_salsa20_init', state, k, p.put(Uint8Array.from({ length: 16 }, (_, i) => n[i] ?? 0)));
  p.write(state + COUNTER.low, le32(int(low)));
  p.write(state + COUNTER.high, le32(int(high)));
  const out = p.room(STREAM_CHUNK);
  const pieces: Ref[] = [];
  for (let left = int(length); left > 0; left -= STREAM_CHUNK) {
    const now = Math.min(left, STREAM_CHUNK);
    p.steps.push({ op: 'fill', at: out, length: now, byte: 0 });
    p.call('bf_salsa20_xor', state, out, out, now);
    pieces.push(p.read(out, now));
  }
  return (a) => hex(Buffer.concat(pieces.map((ref) => a.bytes(ref))));
};

function digest(p: Program, update: (state: number) => void): Render {
  const [state, out] = [p.structure(ROOM.sha512), p.output(64)];
  p.call('bf_sha512_init', state);
  update(state);
  p.call('bf_sha512_final', state, out);
  const got = p.take(out, 64);
  return (a) => hex(a.guarded(got));
}

const sha512: Verb = (p, parts) =>
  digest(p, (state) => {
    for (const part of parts.map(bytes)) p.call('bf_sha512_update', state, p.put(part), part.length);
  });

const sha512Repeat: Verb = (p, [byte, count, chunk]) =>
  digest(p, (state) => {
    const piece = Math.min(int(chunk), REPEAT_CHUNK);
    const at = p.put(new Uint8Array(piece).fill(bytes(byte!)[0]!));
    for (let left = int(count); left > 0; left -= piece) p.call('bf_sha512_update', state, at, Math.min(left, piece));
  });

/** An array of bf_part. */
function parts(p: Program, list: readonly string[]): number {
  const all = list.map(bytes).flatMap((part) => [part.length === 0 ? 0 : p.put(part), part.length]);
  const at = p.structure(4 * all.length);
  p.write(at, le32(...all));
  return at;
}

const hmac: Verb = (p, [key, ...list]) => {
  const k = bytes(key!);
  const [at, array, out] = [p.put(k), parts(p, list), p.output(64)];
  p.call('bf_hmac_parts', out, at, k.length, array, list.length);
  const got = p.take(out, 64);
  return (a) => hex(a.guarded(got));
};

const hkdfExpand: Verb = (p, [prk, length, ...list]) => {
  const key = bytes(prk!);
  const [at, array, out] = [p.put(key), parts(p, list), p.output(int(length))];
  const failed = p.call('bf_hkdf_expand', out, int(length), at, key.length, array, list.length);
  const got = p.take(out, int(length));
  return (a) => {
    if (a.value(failed)) return a.untouched(got) ? '1 -' : 'touched';
    return `0 ${hex(a.guarded(got))}`;
  };
};

const equal: Verb = (p, [a, b]) => {
  const [x, y] = [p.put(bytes(a!)), p.put(bytes(b!))];
  const same = p.call('bf_equal', x, y, bytes(a!).length);
  return (got) => String(got.value(same));
};

const wipe: Verb = (p, [text]) => {
  const all = bytes(text!);
  const at = p.put(all);
  p.call('bf_wipe', at + 1, all.length - 2);
  const got = p.read(at, all.length);
  return (a) => hex(a.bytes(got));
};

const place: Verb = (p, [offset]) => {
  p.place = int(offset);
  return () => 'ok';
};

interface Row {
  readonly run: Verb;
  /** Functions the shipped stub must have for this verb; all of them or the verb is not available. */
  readonly needs: readonly string[];
}

const VERBS: Readonly<Record<string, Row>> = {
  place: { run: place, needs: [] },
  x25519: { run: x25519, needs: ['bf_x25519'] },
  'x25519-base': { run: x25519Base, needs: ['bf_x25519_base'] },
  'x25519-iterate': { run: x25519Iterate, needs: ['bf_x25519'] },
  fe: { run: field, needs: [] },
  seal: { run: seal, needs: ['bf_secretbox_seal'] },
  open: { run: open, needs: ['bf_secretbox_open'] },
  poly1305: {
    run: simple('bf_poly1305', 16, (p, [m, k]) => [p.put(bytes(m!)), bytes(m!).length, p.put(bytes(k!))]),
    needs: ['bf_poly1305'],
  },
  hsalsa20: {
    run: simple('bf_hsalsa20', 32, (p, [i, k]) => [p.put(bytes(i!)), p.put(bytes(k!))]),
    needs: ['bf_hsalsa20'],
  },
  'salsa20-core': { run: salsa20Core, needs: ['bf_salsa20_init', 'bf_salsa20_next'] },
  stream: { run: stream, needs: ['bf_salsa20_init', 'bf_xsalsa20_init', 'bf_salsa20_xor'] },
  sha512: { run: sha512, needs: ['bf_sha512_init', 'bf_sha512_update', 'bf_sha512_final'] },
  'sha512-repeat': { run: sha512Repeat, needs: ['bf_sha512_init', 'bf_sha512_update', 'bf_sha512_final'] },
  hmac: { run: hmac, needs: ['bf_hmac_parts'] },
  'hkdf-expand': { run: hkdfExpand, needs: ['bf_hkdf_expand'] },
  equal: { run: equal, needs: ['bf_equal'] },
  wipe: { run: wipe, needs: ['bf_wipe'] },
};

/** Functions that `line` needs and the stub lacks. */
export function missing(p: Program, line: string): string[] {
  const row = VERBS[line.split(' ', 1)[0]!];
  if (row === undefined) throw new Error(`unknown verb in ${line.slice(0, 40)}`);
  return row.needs.filter((name) => !p.has(name));
}

/** Adds the steps of one request line to `p`. */
export function speak(p: Program, line: string): Render {
  const [verb, ...args] = line.split(' ');
  p.clear();
  return VERBS[verb!]!.run(p, args);
}
