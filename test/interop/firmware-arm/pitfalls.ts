// The pitfalls of docs/reference/crypto.md §5, each with the tests that would see it. A row names checks by the words
// they are printed with; a name no check of this run had is a failure. What no other part covers is checked here.

import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { FirmwareFixture } from '../../integration/firmware/firmware-fixture.ts';
import nacl from 'tweetnacl';
import { disassemble } from './gate.ts';
import { Program } from './program.ts';
import { ROOT, type Shipped } from './shipped.ts';
import type { TracingCore } from './tracing-core.ts';

export const PITFALLS: readonly { readonly pitfall: string; readonly checks: readonly string[] }[] = [
  {
    pitfall: 'Salsa20 nonce and counter word order',
    checks: ['xsalsa20 and salsa20 streams', 'hsalsa20 and salsa20 core', 'secretbox against tweetnacl'],
  },
  {
    pitfall: 'SHA-512 padding at length 111 and 112 modulo 128',
    checks: ['sha512 padding at 111 and 112 modulo 128', 'sha512, FIPS 180-4, every length'],
  },
  {
    pitfall: 'Poly1305: final reduction, clamping of r, last partial block',
    checks: [
      'poly1305 at 2^130 - 5, clamping, short last block',
      'poly1305, NaCl, RFC 8439',
      'poly1305 against BigInt',
    ],
  },
  {
    pitfall: 'X25519: bit 255 of u, clamped scalar, non-canonical u',
    checks: ['x25519: bit 255 of u, clamping, non-canonical u', 'x25519, Wycheproof', 'x25519, RFC 7748'],
  },
  { pitfall: 'secretbox layout: tag first', checks: ['secretbox and box, NaCl', 'secretbox against tweetnacl'] },
  { pitfall: 'HSalsa20 words, no feed-forward', checks: ['hsalsa20 and salsa20 core'] },
  {
    pitfall: 'bytes read as words: LDM or LDRD at odd addresses',
    checks: ['misalignment 0..7', 'every pair of misalignments'],
  },
  {
    pitfall: 'plaintext made before the tag is checked',
    checks: ['nothing is decrypted before the tag is checked', 'tampered boxes fail and leave the buffer untouched'],
  },
  {
    pitfall: 'wiping that the optimiser removes',
    checks: ['leaves no secret on the stack', 'every function with secrets calls the wipe'],
  },
  {
    pitfall: 'RNG without a clock: a wait without end',
    checks: ['the wait for random words ends', 'works without a crystal'],
  },
  {
    pitfall: "the controller's static key used for something else",
    checks: ['agreement is made in one place only', "the stub's X25519 has one caller"],
  },
];

/** undefined: good; else what is wrong. */
export type Verdict = string | undefined;
export interface Check {
  readonly name: string;
  readonly run: () => Verdict;
}

const LENGTH = 300;
const TAG = 16;

/** In the trace of a good open: all of the box has been read before the first store into the message. */
function verifiesFirst(shipped: Shipped, core: TracingCore): Verdict {
  const program = new Program(shipped.functions);
  const [nonce, key] = [new Uint8Array(24).fill(1), new Uint8Array(32).fill(2)];
  const box = nacl.secretbox(new Uint8Array(LENGTH).fill(3), nonce, key);
  const [out, c] = [program.output(LENGTH), program.put(box)];
  program.call('bf_secretbox_open', out, c, box.length, program.put(nonce), program.put(key));
  const { words } = core.traces(program.steps)[0]!;
  const unread = new Set(Array.from({ length: box.length - TAG }, (_, i) => c + TAG + i));
  for (let i = 0; i < words.length; i++) {
    if ((words[i]! & 1) === 0) continue;
    const [mark, at] = [words[i]!, words[i + 1]!];
    i++;
    if ((mark & 0x100) !== 0) {
      for (let byte = 0; byte < ((mark >> 4) & 7); byte++) unread.delete(at + byte);
    } else if (at >= out && at < out + LENGTH) {
      return unread.size === 0 ? undefined : `${unread.size} bytes not yet verified`;
    }
  }
  return 'nothing was decrypted';
}

/** Functions of the shipped code that call `name`. */
function callersOf(shipped: Shipped, name: string): Set<string> {
  const branches = disassemble(shipped.elf).filter(({ operands }) => operands.endsWith(`<${name}>`));
  return new Set(branches.map((one) => one.in).filter((caller) => caller !== name));
}

const WIPERS = [
  'bf_x25519',
  'bf_secretbox_open',
  'bf_secretbox_seal',
  'bf_sha512_final',
  'bf_hmac_parts',
  'bf_hkdf_expand',
] as const;

/**
 * The wipe is a call or a run of its own volatile stores: here, that it is reached from each function that has secrets.
 */
function callsWipe(shipped: Shipped): Verdict {
  const reached = new Set([...callersOf(shipped, 'bf_wipe'), ...callersOf(shipped, 'bf_wipe_stack'), 'bf_wipe_stack']);
  for (let before = -1; before !== reached.size;) {
    before = reached.size;
    for (const name of [...reached]) for (const caller of callersOf(shipped, name)) reached.add(caller);
  }
  const without = WIPERS.filter((name) => shipped.functions.has(name) && !reached.has(name));
  return without.length === 0 ? undefined : `${without.join(', ')} do not`;
}

/** All of boot, random words among it, must end within this. */
const BOOT_LIMIT_MS = 1000;

function waitEnds(): Verdict {
  for (const fault of ['stuck', 'no-clock', 'seed-error'] as const) {
    const fixture = new FirmwareFixture();
    fixture.board.rng.fault = fault;
    fixture.start();
    fixture.runMs(BOOT_LIMIT_MS);
    if (fixture.state !== 'refused') return `${fault}: state ${fixture.state} after ${BOOT_LIMIT_MS} ms`;
  }
  return undefined;
}

function withoutCrystal(): Verdict {
  const fixture = new FirmwareFixture({ hseHz: 0 });
  fixture.start();
  fixture.runMs(BOOT_LIMIT_MS);
  return fixture.state === 'waiting' ? undefined : `state ${fixture.state}`;
}

function typescript(folder: string): string[] {
  return readdirSync(resolve(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`);
}

/**
 * `nacl.box` nowhere; X25519 with a secret and a point in the key schedule, what makes a public
 * half where keys are drawn.
 */
function agreementInOnePlace(): Verdict {
  const allowed = ['shared/crypto/schedule.ts', 'shared/crypto/keys.ts'];
  const drawn = ['shared/sealed/handshake.ts', 'shared/tunnel/handshake.ts'];
  const found = ['shared', 'controller', 'agent', 'relay'].flatMap(typescript).filter((path) => {
    const code = readFileSync(resolve(ROOT, path), 'utf8');
    const agreement = drawn.includes(path) ? /\bscalarMult\b(?!\.base)/ : /\bscalarMult\b/;
    return /\bnacl\.box\b/.test(code) || (agreement.test(code) && !allowed.includes(path));
  });
  return found.length === 0 ? undefined : found.join(', ');
}

function oneCaller(shipped: Shipped): Verdict {
  const callers = [...callersOf(shipped, 'bf_x25519')].filter((name) => !shipped.crypto.has(name));
  return callers.length === 1 ? undefined : `callers: ${callers.join(', ')}`;
}

/** The checks that belong to no other part. */
export function pitfallChecks(shipped: Shipped, core: TracingCore): Check[] {
  return [
    { name: 'nothing is decrypted before the tag is checked', run: () => verifiesFirst(shipped, core) },
    { name: 'every function with secrets calls the wipe', run: () => callsWipe(shipped) },
    { name: 'the wait for random words ends', run: waitEnds },
    { name: 'works without a crystal', run: withoutCrystal },
    { name: 'agreement is made in one place only', run: agreementInOnePlace },
    { name: "the stub's X25519 has one caller", run: () => oneCaller(shipped) },
  ];
}
