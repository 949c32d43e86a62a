// What an attacker on a wire does to one message of a job, by its position on that wire.
import type { Meddle } from './links.ts';

export const ATTACKS = ['drop', 'replay', 'swap', 'truncate', 'splice'] as const;
export type Attack = (typeof ATTACKS)[number];

/** A meddler with one deed, and whether it came to it. */
export interface Meddler {
  readonly meddle: Meddle;
  readonly done: boolean;
}

/**
 * Does `attack` to the message that passes as number `position` (from 0, both directions counted).
 * @param foreign the same wire of another job, for splices.
 */
export function attackAt(position: number, attack: Attack, foreign: readonly Uint8Array[]): Meddler {
  let passed = 0;
  let done = false;
  let held: { readonly message: Uint8Array; readonly direction: string } | undefined;
  const meddle: Meddle = (message, direction) => {
    const mine = passed++ === position;
    if (!mine) {
      const before = held;
      if (before?.direction !== direction) return [message];
      held = undefined;
      return [message, before.message];
    }
    done = true;
    switch (attack) {
      case 'drop':
        return [];
      case 'replay':
        return [message, message];
      case 'swap':
        held = { message, direction };
        return [];
      case 'truncate':
        return [message.slice(0, -1)];
      case 'splice':
        return [spliced(message, foreign[position] ?? new Uint8Array(64))];
    }
  };
  return {
    meddle,
    get done() {
      return done;
    },
  };
}

/** Head of one message, tail of another. */
function spliced(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const cut = Math.ceil(head.length / 2);
  const joined = head.slice();
  joined.set(tail.subarray(Math.max(0, tail.length - (head.length - cut))), cut);
  return joined;
}

/** Every bit of `bytes` flipped, one after the other; `stride` takes every n-th only. */
export function* bitFlips(
  bytes: Uint8Array,
  stride = 1,
): Generator<{ readonly bit: number; readonly flipped: Uint8Array }> {
  for (let bit = 0; bit < 8 * bytes.length; bit += stride) {
    const flipped = bytes.slice();
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    yield { bit, flipped };
  }
}
