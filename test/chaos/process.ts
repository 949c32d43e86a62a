// One process of a chaos run: it can be killed (everything it was about to do is gone) and put to sleep with its
// computer (everything it was about to do waits). Its clock, probe and links are handed out here and die with it.
import type { Probe } from '../../agent/probe/probe.ts';
import type { Clock, Link } from '../../shared/ports.ts';
import type { EventQueue } from '../../sim/event-queue.ts';

interface Timer {
  readonly run: () => void;
  dueNs: number;
  cancel: () => void;
}

export class VirtualProcess {
  readonly name: string;
  alive = true;
  /** Most timers at one time: part of "memory bounded". */
  mostTimers = 0;
  readonly clock: Clock;
  readonly #queue: EventQueue;
  readonly #timers = new Set<Timer>();
  readonly #links = new Set<Link>();
  #asleep: { readonly sinceNs: number; readonly held: (() => void)[] } | undefined;
  #sleptNs = 0;
  /** The monotonic clock goes on while the computer sleeps: so on macOS and Windows, not on Linux. */
  readonly #countsSleep: boolean;

  constructor(name: string, queue: EventQueue, countsSleep = true) {
    this.name = name;
    this.#queue = queue;
    this.#countsSleep = countsSleep;
    this.clock = {
      now: () => (queue.nowNs - this.#sleptNs) / 1e6,
      wall: () => queue.wall(),
      after: (delayMs, run) => this.#after(delayMs, run),
    };
  }

  /** kill -9: the operating system closes what was open, nothing else happens. */
  kill(): void {
    this.alive = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const link of this.#links) link.close(1006, 'killed');
  }

  sleep(): void {
    if (this.#asleep !== undefined || !this.alive) return;
    this.#asleep = { sinceNs: this.#queue.nowNs, held: [] };
    for (const timer of this.#timers) timer.cancel();
  }

  wake(): void {
    const asleep = this.#asleep;
    if (asleep === undefined) return;
    this.#asleep = undefined;
    const sleptNs = this.#queue.nowNs - asleep.sinceNs;
    if (!this.#countsSleep) this.#sleptNs += sleptNs;
    for (const timer of [...this.#timers]) {
      if (!this.#countsSleep) timer.dueNs += sleptNs;
      this.#arm(timer);
    }
    for (const run of asleep.held) this.deliver(run);
  }

  get asleep(): boolean {
    return this.#asleep !== undefined;
  }

  /** Runs `run` in this process: now, after it woke up, or never. */
  deliver(run: () => void): void {
    if (!this.alive) return;
    if (this.#asleep !== undefined) this.#asleep.held.push(run);
    else run();
  }

  /** A result that arrives only while the process is there to take it. */
  results<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.deliver(() => resolve(value)),
        (error: unknown) => this.deliver(() => reject(error instanceof Error ? error : new Error(String(error)))),
      );
    });
  }

  /** The probe as this process sees it. */
  probe(inner: Probe): Probe {
    return new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...words: unknown[]) =>
          this.alive
            ? this.results((value as (...w: unknown[]) => Promise<unknown>).apply(target, words))
            : new Promise(() => {});
      },
    });
  }

  /** A link as this process sees it. */
  link(inner: Link): Link {
    const { deliver } = this;
    const outer: Link = {
      onMessage: () => {},
      onClose: () => {},
      get buffered() {
        return inner.buffered;
      },
      send: (message) => {
        if (this.alive) inner.send(message);
      },
      pause: () => inner.pause(),
      resume: () => inner.resume(),
      close: (code, reason) => {
        this.#links.delete(inner);
        if (this.alive) inner.close(code, reason);
      },
    };
    inner.onMessage = (message) => deliver.call(this, () => outer.onMessage(message));
    inner.onClose = (code, reason) => deliver.call(this, () => outer.onClose(code, reason));
    this.#links.add(inner);
    if (!this.alive) inner.close(1006, 'killed');
    return outer;
  }

  #after(delayMs: number, run: () => void): () => void {
    if (!this.alive) return () => {};
    const timer: Timer = { run, dueNs: this.#queue.nowNs + Math.max(0, delayMs) * 1e6, cancel: () => {} };
    this.#timers.add(timer);
    this.mostTimers = Math.max(this.mostTimers, this.#timers.size);
    if (this.#asleep === undefined) this.#arm(timer);
    return () => {
      timer.cancel();
      this.#timers.delete(timer);
    };
  }

  #arm(timer: Timer): void {
    timer.cancel = this.#queue.at(timer.dueNs, () => {
      this.#timers.delete(timer);
      timer.run();
    });
  }
}
