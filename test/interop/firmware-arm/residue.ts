// What a finished call leaves on the stack: a search for its secrets there, and the same search in the middle of the
// call, which must find them, or it would prove nothing.

import nacl from 'tweetnacl';
import { Chance } from '../firmware-host/random.ts';
import { Answers, Program } from './program.ts';
import { type BoardMachine, STACK } from './board-machine.ts';
import { type Shipped } from './shipped.ts';
import { speak } from './verbs.ts';

/** A secret is found by any of its words. */
const WINDOW = 4;
const SETS = 4;
const STOPS = 20;
/** And this many more, so many cycles apart, before the end: the result of X25519 is on the stack for a moment only. */
const LATE = { stops: 10, apart: 500 } as const;

interface Wiped {
  readonly name: string;
  readonly call: string;
  readonly build: (p: Program) => readonly number[];
  readonly secrets: Readonly<Record<string, Uint8Array>>;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What the shipped code answers to one request line. */
function said(shipped: Shipped, board: BoardMachine, line: string): Uint8Array {
  const program = new Program(shipped.functions);
  const render = speak(program, line);
  return Uint8Array.from(Buffer.from(render(new Answers(board.run(program.steps))), 'hex'));
}

function x25519(chance: Chance): Wiped {
  const [scalar, u] = [chance.bytes(32), nacl.scalarMult.base(chance.bytes(32))];
  return {
    name: 'X25519',
    call: 'bf_x25519',
    build: (p) => [p.output(32), p.put(scalar), p.put(u)],
    secrets: { scalar: scalar.subarray(4, 28), result: nacl.scalarMult(scalar, u) },
  };
}

/** The subkey and the Poly1305 key, by the functions whose vectors vouch for them. */
function boxSecrets(shipped: Shipped, board: BoardMachine, key: Uint8Array, nonce: Uint8Array) {
  return {
    key,
    subkey: said(shipped, board, `hsalsa20 ${hex(nonce.subarray(0, 16))} ${hex(key)}`),
    keystream: said(shipped, board, `stream ${hex(nonce)} ${hex(key)} 0 0 64`),
  };
}

function box(shipped: Shipped, board: BoardMachine, chance: Chance): Wiped[] {
  const [key, nonce, message] = [chance.bytes(32), chance.bytes(24), chance.bytes(200)];
  const secrets = { ...boxSecrets(shipped, board, key, nonce), plaintext: message };
  const sealed = nacl.secretbox(message, nonce, key);
  const spoilt = sealed.map((byte, i) => (i === 3 ? byte ^ 1 : byte));
  const open = (name: string, given: Uint8Array): Wiped => ({
    name,
    call: 'bf_secretbox_open',
    build: (p) => [p.output(200), p.put(given), given.length, p.put(nonce), p.put(key)],
    secrets,
  });
  const seal: Wiped = {
    name: 'secretbox seal',
    call: 'bf_secretbox_seal',
    build: (p) => [p.output(216), p.put(message), 200, p.put(nonce), p.put(key)],
    secrets,
  };
  return [open('secretbox open', sealed), open('secretbox open of a wrong box', spoilt), seal];
}

function parts(p: Program, data: Uint8Array): number {
  const [at, array] = [p.put(data), p.structure(8)];
  p.write(array, new Uint8Array(Uint32Array.of(at, data.length).buffer));
  return array;
}

function keyed(chance: Chance): Wiped[] {
  const [key, data] = [chance.bytes(64), chance.bytes(90)];
  const secrets = { key, 'inner key': key.map((b) => b ^ 0x36), 'outer key': key.map((b) => b ^ 0x5c), message: data };
  return [
    {
      name: 'HMAC-SHA-512',
      call: 'bf_hmac_parts',
      build: (p) => [p.output(64), p.put(key), 64, parts(p, data), 1],
      secrets,
    },
    {
      name: 'HKDF-Expand',
      call: 'bf_hkdf_expand',
      build: (p) => [p.output(64), 64, p.put(key), 64, parts(p, data), 1],
      secrets,
    },
  ];
}

/** Names of the secrets that any WINDOW bytes of, starting at a multiple of 4, are in `where`. */
function found(where: Buffer, secrets: Wiped['secrets']): string[] {
  return Object.keys(secrets).filter((name) => {
    const secret = secrets[name]!;
    for (let at = 0; at + WINDOW <= secret.length; at += 4) {
      if (where.includes(Buffer.from(secret.subarray(at, at + WINDOW)))) return true;
    }
    return false;
  });
}

export interface Residue {
  readonly name: string;
  /** Secrets seen on the stack at some moment of the call. */
  readonly during: readonly string[];
  /** Secrets on the stack after it. */
  readonly after: readonly string[];
  /** Addresses of words on the stack after it that differ when the secrets do. */
  readonly dependent: readonly number[];
}

interface Looked {
  readonly name: string;
  readonly during: readonly string[];
  readonly after: readonly string[];
  readonly stack: Buffer;
}

/** Cycles after which a call that takes `whole` is looked at. */
function moments(whole: number): number[] {
  const even = Array.from({ length: STOPS - 1 }, (_, i) => Math.floor((whole * (i + 1)) / STOPS));
  const late = Array.from({ length: LATE.stops }, (_, i) => whole - LATE.apart * (i + 1));
  return [...even, ...late.filter((moment) => moment > 0)];
}

function look(shipped: Shipped, board: BoardMachine, one: Wiped): Looked {
  const program = new Program(shipped.functions);
  const args = one.build(program);
  program.call(one.call, ...args);
  const call = program.steps.at(-1)!;
  if (call.op !== 'call') throw new Error('not a call');
  const stack = () => Buffer.from(board.read(STACK.base, STACK.top - STACK.base));
  const clear = () => board.write(STACK.base, new Uint8Array(STACK.top - STACK.base));
  clear();
  board.run(program.steps);
  const left = stack();
  const whole = board.cycles;
  const during = new Set<string>();
  for (const moment of moments(whole)) {
    clear();
    board.run(program.steps.slice(0, -1));
    board.callPartly(call.entry, call.args, moment);
    for (const name of found(stack(), one.secrets)) during.add(name);
  }
  return { name: one.name, during: [...during], after: found(left, one.secrets), stack: left };
}

function differing(a: Buffer, b: Buffer): number[] {
  const places = Array.from({ length: a.length / 4 }, (_, i) => 4 * i);
  return places.filter((at) => a.readUInt32LE(at) !== b.readUInt32LE(at)).map((at) => STACK.base + at);
}

/**
 * Every function that promises to leave nothing (firmware/common/crypto/README.md, "Rules"), with several sets of
 * secrets of the same lengths at the same places: what is left on the stack must be the same each time.
 */
export function residues(shipped: Shipped, board: BoardMachine, seed: number): Residue[] {
  const [first, ...others] = Array.from({ length: SETS }, (_, set) => {
    const chance = new Chance(seed + set);
    return [x25519(chance), ...box(shipped, board, chance), ...keyed(chance)].map((one) => look(shipped, board, one));
  });
  return first!.map(({ name, during, after, stack }, i) => ({
    name,
    during,
    after: [...new Set([after, ...others.map((set) => set[i]!.after)].flat())],
    dependent: [...new Set(others.flatMap((set) => differing(stack, set[i]!.stack)))],
  }));
}
