// Registers of a core at random instants. Somebody with the reset line has r0 to r12 of one instant of a session and
// no more of that session; to read them here without ending it gives what so many sessions that are broken off give.
import type { Random } from '../../shared/ports.ts';
import type { Board } from '../../sim/board.ts';

/** r0 to r12: what a system reset leaves. */
export const REGISTERS = 13;

export interface RegisterSnapshot {
  /** Board time, ns. */
  readonly at: number;
  readonly registers: Uint32Array;
}

export class Sampler {
  readonly taken: RegisterSnapshot[] = [];
  #on = false;

  /** @param everyNs mean time between two instants; each time is drawn from an exponential distribution */
  constructor(board: Board, random: Random, everyNs: number) {
    const run = board.runTo.bind(board);
    let next = 0;
    board.runTo = (ns) => {
      while (this.#on && next < ns) {
        if (next > board.time.now) run(next);
        else next = board.time.now;
        this.taken.push({ at: board.time.now, registers: registersOf(board) });
        next += exponential(random) * everyNs;
      }
      run(ns);
    };
  }

  /** From now on. */
  start(): void {
    this.#on = true;
  }
  stop(): void {
    this.#on = false;
  }
}

export const registersOf = (board: Board): Uint32Array => Uint32Array.from(board.core.regs.slice(0, REGISTERS));

function exponential(random: Random): number {
  const [a, b, c] = random.bytes(3);
  return -Math.log((((a! << 16) | (b! << 8) | c!) + 1) / (1 << 24));
}
