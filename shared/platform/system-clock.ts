// Edge: the machine's own time behind the Clock port (shared/ports.ts); the same in Node and in a browser.
import type { Clock } from '../ports.ts';

/**
 * Timers of the machine hold at most this many milliseconds (a signed 32-bit number); longer waits are cut in pieces.
 */
const LONGEST_TIMER_MS = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, run) => {
    let timer: ReturnType<typeof setTimeout>;
    const wait = (leftMs: number): void => {
      const piece = Math.min(leftMs, LONGEST_TIMER_MS);
      timer = setTimeout(() => (leftMs > piece ? wait(leftMs - piece) : run()), piece);
    };
    wait(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
