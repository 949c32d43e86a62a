// The board's own time: core cycles on a clock that may change, and the timers of its peripherals. One
// event queue outside (sim/event-queue.ts) tells the board how far to go; inside, the nearest timer bounds
// how long the core may run.

/** A named, re-armable board timer. Names make snapshots possible: no closure is stored. */
export interface BoardTimer {
  /** Arms (or re-arms) at absolute board time. */
  set(atNs: number): void;
  clear(): void;
  /** Infinity when not armed. */
  readonly dueNs: number;
}

interface Slot {
  readonly name: string;
  readonly fire: () => void;
  dueNs: number;
}

export interface BoardTimeSnapshot {
  cycles: number;
  baseNs: number;
  baseCycles: number;
  nsPerCycle: number;
  due: Record<string, number>;
}

export class BoardTime {
  /** Core clock cycles so far. The core adds to it as it executes. */
  cycles = 0;
  /** The core returns to the board when `cycles` reaches this. */
  limit = 0;
  #baseNs = 0;
  #baseCycles = 0;
  #nsPerCycle = 1e9 / 16e6;
  #stopCycles = 0;
  /** Board time of the nearest timer, kept so that looking for it costs nothing. */
  #nearestNs = Infinity;
  readonly #slots: Slot[] = [];

  /** Board time, ns. */
  get now(): number {
    return this.#baseNs + (this.cycles - this.#baseCycles) * this.#nsPerCycle;
  }
  /** First cycle count at which board time is `ns` or later. */
  cyclesAt(ns: number): number {
    const count = Math.ceil((ns - this.#baseNs) / this.#nsPerCycle);
    // Rounding of the quotient may land one cycle short of `ns`, which would never be reached.
    const short = this.#baseNs + count * this.#nsPerCycle < ns ? 1 : 0;
    return Math.max(this.cycles, this.#baseCycles + count + short);
  }
  get hz(): number {
    return 1e9 / this.#nsPerCycle;
  }
  /** Changes the core clock from this cycle on. */
  setClock(hz: number): void {
    const now = this.now;
    const stopNs = this.#baseNs + (this.#stopCycles - this.#baseCycles) * this.#nsPerCycle;
    this.#baseNs = now;
    this.#baseCycles = this.cycles;
    this.#nsPerCycle = 1e9 / hz;
    this.#stopCycles = this.cyclesAt(stopNs);
    this.#bound();
  }
  /** Creates a timer; `name` must be unique on the board. */
  timer(name: string, fire: () => void): BoardTimer {
    if (this.#slots.some((slot) => slot.name === name)) throw new Error(`board timer ${name} exists`);
    const slot: Slot = { name, fire, dueNs: Infinity };
    this.#slots.push(slot);
    return {
      set: (atNs) => {
        const wasNearest = slot.dueNs === this.#nearestNs;
        slot.dueNs = atNs;
        if (atNs <= this.#nearestNs) this.#nearestNs = atNs;
        else if (wasNearest) this.#findNearest();
        this.#bound();
      },
      clear: () => {
        if (slot.dueNs === Infinity) return;
        const wasNearest = slot.dueNs === this.#nearestNs;
        slot.dueNs = Infinity;
        if (wasNearest) this.#findNearest();
      },
      get dueNs() {
        return slot.dueNs;
      },
    };
  }
  /** Board time of the nearest timer, Infinity when none is armed. */
  nextDue(): number {
    return this.#nearestNs;
  }
  /** Fires every timer due by now, in order of time, ties in order of creation. */
  fireDue(): void {
    while (this.#nearestNs <= this.now) {
      const first = this.#slots.find((slot) => slot.dueNs === this.#nearestNs)!;
      first.dueNs = Infinity;
      this.#findNearest();
      first.fire();
    }
  }
  #findNearest(): void {
    let nearest = Infinity;
    for (const slot of this.#slots) if (slot.dueNs < nearest) nearest = slot.dueNs;
    this.#nearestNs = nearest;
  }
  /**
   * Moves to `untilNs`, running `core` for as long as it is runnable and firing timers on the way.
   * `run` executes until `cycles >= limit` or the core stops being runnable.
   */
  advance(untilNs: number, core: { readonly runnable: boolean; run(): void }): void {
    while (this.now < untilNs) {
      this.#stopCycles = this.cyclesAt(untilNs);
      this.#bound();
      if (core.runnable) core.run();
      else this.cycles = Math.max(this.cycles, this.limit);
      this.fireDue();
    }
  }
  /** The core waits on the bus: time passes, timers fire, no instruction runs. */
  stallUntil(untilNs: number): void {
    while (this.now < untilNs) {
      this.cycles = this.cyclesAt(Math.min(untilNs, this.nextDue()));
      this.fireDue();
    }
  }
  #bound(): void {
    this.limit = Math.min(this.#stopCycles, this.cyclesAt(this.nextDue()));
  }

  snapshot(): BoardTimeSnapshot {
    const due: Record<string, number> = {};
    for (const slot of this.#slots) if (slot.dueNs !== Infinity) due[slot.name] = slot.dueNs;
    return {
      cycles: this.cycles,
      baseNs: this.#baseNs,
      baseCycles: this.#baseCycles,
      nsPerCycle: this.#nsPerCycle,
      due,
    };
  }
  restore(from: BoardTimeSnapshot): void {
    this.cycles = from.cycles;
    this.#baseNs = from.baseNs;
    this.#baseCycles = from.baseCycles;
    this.#nsPerCycle = from.nsPerCycle;
    this.limit = 0;
    for (const slot of this.#slots) slot.dueNs = from.due[slot.name] ?? Infinity;
    this.#findNearest();
  }
}
