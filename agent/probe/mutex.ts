// A queue of one: whoever comes later waits for whoever came earlier, failed or not.

export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `task` after every earlier one has settled; its result or error is the caller's. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(task);
    this.#tail = mine.catch(() => {});
    return mine;
  }
}
