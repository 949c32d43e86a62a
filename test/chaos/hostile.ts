// The attackers of a chaos run: a relay that does with DATA what it likes, and an agent that lies in its tunnel and in
// the mailbox (docs/threat-model.md, "Attacks"). Each trick is a row; a run switches some of them on.
import { utf8 } from '../../shared/codec/bytes.ts';
import { controlAddress, COMMAND_RING, MEMORY } from '../fixtures/f42x.ts';
import type { Dice } from './dice.ts';
import type { Attacker } from './net.ts';
import type { Tampering } from './probe-tap.ts';

const DATA = 0x10;
const PEER = 0x04;
const MOST_KEPT = 64;

type Arrival = ReturnType<Attacker>[number];
type RelayTrick = (message: Uint8Array, dice: Dice, kept: readonly Uint8Array[]) => readonly Arrival[];

const soon = (message: Uint8Array, delayMs = 0): Arrival => ({ message, delayMs });

export const RELAY_TRICKS = {
  drop: () => [],
  duplicate: (message, dice) => [soon(message), soon(message, dice.int(3000))],
  delay: (message, dice) => [soon(message, dice.int(5000))],
  reorder: (message, dice) => [soon(message, dice.int(60))],
  replay: (message, dice, kept) => [soon(message), ...(kept.length > 0 ? [soon(dice.pick(kept), dice.int(500))] : [])],
  inject: (message, dice) => [
    soon(
      Uint8Array.of(
        DATA,
        dice.pick([1, 2, 3, 0x10, 0x11, 0x12, 0x77]),
        ...dice.bytes(dice.pick([12, 16, 64, 96, 112, 200])),
      ),
    ),
    soon(message),
  ],
  flip: (message, dice) => [soon(Uint8Array.of(message[0]!, ...dice.flipped(message.subarray(1))))],
  cut: (message, dice) => [soon(message.slice(0, 2 + dice.int(message.length - 1)))],
  peerLie: (message, dice) => [soon(Uint8Array.of(PEER, dice.int(2))), soon(message)],
} as const satisfies Record<string, RelayTrick>;
export type RelayTrickName = keyof typeof RELAY_TRICKS;

/** A relay with some tricks, one message in `oneIn`. It tampers with what it delivers to the sides. */
export function hostileRelay(
  dice: Dice,
  tricks: readonly RelayTrickName[],
  oneIn: number,
  told: (trick: string) => void,
): Attacker {
  const kept: Uint8Array[] = [];
  return (message, { toRelay }) => {
    if (toRelay || message[0] !== DATA) return [soon(message)];
    kept.push(message);
    if (kept.length > MOST_KEPT) kept.splice(dice.int(MOST_KEPT), 1);
    if (!dice.oneIn(oneIn)) return [soon(message)];
    const name = dice.pick(tricks);
    told(name);
    return (RELAY_TRICKS[name] as RelayTrick)(message, dice, kept);
  };
}

// ── the agent's tunnel ────────────────────────────────────────────────────────────────────────────────────────────

const TYPES = {
  ack: 0,
  hello: 1,
  consent: 3,
  sealed1: 4,
  sealed3: 6,
  reply: 8,
  credit: 9,
  progress: 10,
  problem: 11,
  left: 14,
} as const;
const HEAD = 5;

type Lie = (body: Uint8Array, dice: Dice, earlier: readonly Uint8Array[]) => Uint8Array;
interface LieRow {
  readonly of: readonly number[];
  readonly tell: Lie;
}

const typed = (type: number, body: Uint8Array): Uint8Array => Uint8Array.of(type, ...body);
const again: Lie = (body, dice, earlier) => (earlier.length > 0 ? dice.pick(earlier) : body);
const digits: Lie = (body, dice) => {
  const at = [...body.keys()].filter((index) => body[index]! >= 0x30 && body[index]! <= 0x39);
  const copy = body.slice();
  if (at.length > 0) copy[dice.pick(at)] = 0x30 + dice.int(10);
  return copy;
};
const CODES = [
  'BF-STUB-SILENT',
  'BF-STUB-AUTHENTICATION',
  'BF-TARGET-NO-POWER',
  'BF-JOB-VERIFY',
  'BF-NOT-A-CODE',
  'BF-JOB-EXPIRED',
];
const BOARDS = ['untouched', 'incomplete', 'written', 'running', 'waiting', 'unknown'];
const chatter = [TYPES.ack, TYPES.progress, TYPES.credit];

export const LIES = {
  credit: {
    of: chatter,
    tell: (_, dice) =>
      typed(TYPES.credit, dice.pick([Uint8Array.of(255, 255, 255, 255), dice.bytes(4), new Uint8Array(4)])),
  },
  progress: { of: chatter, tell: (_, dice) => typed(TYPES.progress, dice.bytes(8)) },
  hello: { of: [TYPES.hello], tell: digits },
  helloAgain: { of: chatter, tell: again },
  consent: { of: [TYPES.consent], tell: (body, dice) => typed(TYPES.consent, dice.flipped(body.subarray(1))) },
  sealed1: { of: [TYPES.sealed1], tell: (body, dice) => typed(TYPES.sealed1, dice.flipped(body.subarray(1))) },
  sealed1Garbage: {
    of: [TYPES.sealed1],
    tell: (body, dice) => Uint8Array.of(...body.subarray(0, 65), ...dice.bytes(body.length - 65)),
  },
  sealed3: { of: [TYPES.sealed3], tell: (body, dice) => typed(TYPES.sealed3, dice.bytes(body.length - 1)) },
  reply: { of: [TYPES.reply], tell: (body, dice) => typed(TYPES.reply, dice.flipped(body.subarray(1))) },
  replay: { of: [...chatter, TYPES.reply, TYPES.sealed1, TYPES.sealed3], tell: again },
  problem: {
    of: chatter,
    tell: (_, dice) =>
      typed(
        TYPES.problem,
        utf8(JSON.stringify({ code: dice.pick(CODES), detail: 'so it says', board: dice.pick(BOARDS) })),
      ),
  },
  left: { of: chatter, tell: (_, dice) => typed(TYPES.left, utf8(JSON.stringify({ board: dice.pick(BOARDS) }))) },
  silence: {
    of: [TYPES.reply, TYPES.credit, TYPES.sealed1, TYPES.sealed3, TYPES.problem],
    tell: () => Uint8Array.of(TYPES.ack),
  },
} as const satisfies Record<string, LieRow>;
export type LieName = keyof typeof LIES;

/** An agent that says something else, one fitting message in `oneIn`. The ack of the box stays as it is. */
export function lyingAgent(dice: Dice, lies: readonly LieName[], oneIn: number, told: (lie: string) => void) {
  const earlier: Uint8Array[] = [];
  return (plaintext: Uint8Array): Uint8Array => {
    const body = plaintext.slice(4);
    const name = dice.pick(lies);
    const row: LieRow = LIES[name];
    const fits = row.of.includes(plaintext[4]!);
    const lie = fits && dice.oneIn(oneIn) ? row.tell(body, dice, earlier) : undefined;
    if (body[0] !== TYPES.ack && earlier.length < MOST_KEPT) earlier.push(body);
    if (lie === undefined) return plaintext;
    told(name);
    return Uint8Array.of(...plaintext.subarray(0, HEAD - 1), ...lie);
  };
}

// ── the agent's mailbox ───────────────────────────────────────────────────────────────────────────────────────────

const frames = MEMORY.commands;
const inFrames = (address: number): boolean => address >= frames.address && address < frames.address + frames.size;
const slotOf = (address: number): number => Math.floor((address - frames.address) / FRAME_SLOT);
const FRAME_SLOT = frames.size / COMMAND_RING.slots;
const COMMAND = controlAddress('COMMAND');
const REPLY_ACK = controlAddress('REPLY_ACK');
const M2 = controlAddress('M2');

type Piece = readonly [number, Uint8Array];
type MailboxTrick = (
  address: number,
  bytes: Uint8Array,
  dice: Dice,
  kept: Uint8Array[],
) => readonly Piece[] | undefined;

export const MAILBOX_TRICKS = {
  flipSlot: (address, bytes, dice) => (inFrames(address) ? [[address, dice.flipped(bytes)]] : undefined),
  /** Good first, something else before the stub has looked. */
  race: (address, bytes, dice) =>
    inFrames(address)
      ? [
          [address, bytes],
          [address, dice.flipped(bytes)],
        ]
      : undefined,
  replaySlot: (address, bytes, dice, kept) => {
    if (!inFrames(address)) return undefined;
    kept.push(bytes.slice());
    const old = dice.pick(kept);
    const end = frames.address + (slotOf(address) + 1) * FRAME_SLOT;
    return [
      [end - old.length, old],
      [address, bytes],
    ];
  },
  renumber: (address, bytes, dice) => {
    if (!inFrames(address)) return undefined;
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(copy.length - 4, dice.int(50), true);
    return [[address, copy]];
  },
  otherSlot: (address, bytes, dice) =>
    inFrames(address)
      ? [
          [frames.address + (dice.int(COMMAND_RING.slots) + 1) * FRAME_SLOT - bytes.length, bytes],
          [address, bytes],
        ]
      : undefined,
  command: (address, _bytes, dice) =>
    address === COMMAND ? [[COMMAND, Uint8Array.of(dice.int(6), 0, 0, 0)]] : undefined,
  replyAck: (address, _bytes, dice) => (address === REPLY_ACK ? [[REPLY_ACK, dice.bytes(4)]] : undefined),
  m2: (address, bytes, dice) => (address === M2 ? [[M2, dice.flipped(bytes)]] : undefined),
  job: (address, bytes, dice) => (address === MEMORY.job.address ? [[address, dice.flipped(bytes)]] : undefined),
} as const satisfies Record<string, MailboxTrick>;
export type MailboxTrickName = keyof typeof MAILBOX_TRICKS;

/** An agent that writes other things into the mailbox, and claims to have read others, one access in `oneIn`. */
export function tamperingAgent(
  dice: Dice,
  tricks: readonly MailboxTrickName[],
  oneIn: number,
  told: (trick: string) => void,
): Tampering {
  const kept: Uint8Array[] = [];
  return {
    write: (address, bytes) => {
      if (!dice.oneIn(oneIn)) return undefined;
      const name = dice.pick(tricks);
      const pieces = (MAILBOX_TRICKS[name] as MailboxTrick)(address, bytes, dice, kept);
      if (pieces !== undefined) told(`mailbox ${name}`);
      return pieces;
    },
    read: (address, bytes) => {
      const lies = tricks.includes('replyAck') && address >= MEMORY.control.address && dice.oneIn(oneIn * 20);
      return lies ? dice.flipped(bytes) : bytes;
    },
  };
}
