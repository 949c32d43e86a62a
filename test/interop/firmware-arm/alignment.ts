// Every pair of misalignments of source and destination, for each function of the shipped stub that takes bytes: a word
// access merged into LDRD or LDM would fault on the virtual core.

import { createHash, createHmac } from 'node:crypto';
import nacl from 'tweetnacl';
import { Chance } from '../firmware-host/random.ts';
import { Answers, type Machine, Program, type Ref } from './program.ts';
import type { Shipped } from './shipped.ts';

const OFFSETS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const LENGTH = 203;

interface Asked {
  readonly what: string;
  readonly got: Ref;
  readonly want: string;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Calls with inputs `from` past a 16-byte border and outputs `to` past one. */
function pair(p: Program, chance: Chance, from: number, to: number): Asked[] {
  const input = (bytes: Uint8Array) => {
    p.place = from;
    return p.put(bytes);
  };
  const output = (length: number) => {
    p.place = to;
    return p.output(length);
  };
  const [m, nonce, key] = [chance.bytes(LENGTH), chance.bytes(24), chance.bytes(32)];
  const box = nacl.secretbox(m, nonce, key);
  const [sealed, opened, digest, mac] = [output(box.length), output(LENGTH), output(64), output(64)];
  p.call('bf_secretbox_seal', sealed, input(m), LENGTH, input(nonce), input(key));
  p.call('bf_secretbox_open', opened, input(box), box.length, input(nonce), input(key));
  const [state, array] = [p.structure(512), p.structure(8)];
  p.call('bf_sha512_init', state);
  p.call('bf_sha512_update', state, input(m), LENGTH);
  p.call('bf_sha512_final', state, digest);
  p.write(array, new Uint8Array(Uint32Array.of(input(m), LENGTH).buffer));
  p.call('bf_hmac_parts', mac, input(key), 32, array, 1);
  return [
    { what: 'seal', got: p.take(sealed, box.length), want: hex(box) },
    { what: 'open', got: p.take(opened, LENGTH), want: hex(m) },
    { what: 'sha512', got: p.take(digest, 64), want: createHash('sha512').update(m).digest('hex') },
    { what: 'hmac', got: p.take(mac, 64), want: createHmac('sha512', key).update(m).digest('hex') },
  ];
}

function x25519(p: Program, chance: Chance, from: number, to: number): Asked {
  const [scalar, u] = [chance.bytes(32), chance.bytes(32)];
  p.place = to;
  const out = p.output(32);
  p.place = from;
  p.call('bf_x25519', out, p.put(scalar), p.put(u));
  return { what: 'x25519', got: p.take(out, 32), want: hex(nacl.scalarMult(scalar, u)) };
}

/** A sentence for each of the pairs that gave something else; and how many calls were judged. */
export function misaligned(
  machine: Machine,
  { functions }: Shipped,
  seed: number,
): { cases: number; failures: string[] } {
  const chance = new Chance(seed);
  const failures: string[] = [];
  let cases = 0;
  for (const from of OFFSETS) {
    for (const to of OFFSETS) {
      const program = new Program(functions);
      const asked = pair(program, chance, from, to);
      asked.push(x25519(program, chance, from, to));
      const answers = new Answers(machine.run(program.steps));
      cases += asked.length;
      for (const { what, got, want } of asked) {
        if (hex(answers.guarded(got)) !== want) failures.push(`${what} from ${from} to ${to}`);
      }
    }
  }
  return { cases, failures };
}
