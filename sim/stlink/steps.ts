// Work that takes board time: a generator that yields the board time it must wait for. Whoever drives it brings the
// board there, at once (VirtualStlink.exchange) or by events of the virtual run (virtual-usb.ts), and then resumes it.

/** Yields absolute board times, ns, never falling. */
export type Steps<T> = Generator<number, T, void>;

/** Runs `steps` to the end, bringing the board to each time on the way. */
export function runSteps<T>(steps: Steps<T>, runTo: (ns: number) => void): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    runTo(step.value);
  }
}
