// Several instants of one part on one board timer: the board looks through all of its timers each time one of them
// moves, so a part that waits for many things at once keeps them together.
import type { BoardTime, BoardTimer } from '../board-time.ts';

/** Instants by what is due then, board time in ns; Infinity: nothing. */
export type Due<Name extends string> = Record<Name, number>;

export class DueTimes<Name extends string> {
  readonly #time: BoardTime;
  readonly #timer: BoardTimer;
  readonly #due: () => Due<Name>;
  readonly #handlers: Readonly<Record<Name, () => void>>;
  readonly #names: readonly Name[];

  /** @param due the instants, part of the owner's state, so that they are saved with it */
  constructor(time: BoardTime, name: string, due: () => Due<Name>, handlers: Readonly<Record<Name, () => void>>) {
    this.#time = time;
    this.#due = due;
    this.#handlers = handlers;
    this.#names = Object.keys(handlers) as Name[];
    this.#timer = time.timer(name, () => this.#fire());
  }

  at(name: Name): number {
    return this.#due()[name];
  }
  set(name: Name, atNs: number): void {
    const due = this.#due();
    if (due[name] === Infinity && atNs === Infinity) return;
    due[name] = atNs;
    this.#arm();
  }
  clear(name: Name): void {
    this.set(name, Infinity);
  }

  /** What is due by now, earliest first; ties in the order of the handlers. */
  #fire(): void {
    for (;;) {
      const due = this.#due();
      const [first, ...others] = this.#names;
      const nearest = others.reduce((best, name) => (due[name] < due[best] ? name : best), first!);
      if (due[nearest] > this.#time.now) break;
      due[nearest] = Infinity;
      this.#handlers[nearest]();
    }
    this.#arm();
  }
  #arm(): void {
    const due = this.#due();
    let nearest = Infinity;
    for (const name of this.#names) if (due[name] < nearest) nearest = due[name];
    if (nearest === this.#timer.dueNs) return;
    if (nearest === Infinity) this.#timer.clear();
    else this.#timer.set(nearest);
  }
}
