// Waiting with an end, over the Clock port: the WebUSB surface has no time-outs of its own
// (docs/reference/stlink.md §7).
import type { Clock } from '../../shared/ports.ts';

/**
 * Result of `work`, or the error made by `late` after `ms` milliseconds. The work itself is not stopped: whoever calls
 * this has to make its late result harmless.
 */
export function within<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()));
    work.then(resolve, reject).finally(cancel);
  });
}

/** Resolves after `ms` milliseconds. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
