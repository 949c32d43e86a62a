// Runs a virtual board beside the wall clock, on the machine's timers. USB requests charge their own cost; in between
// board time passes as fast as the wall, in slices short enough for requests to get through (docs/reference/stlink.md
// §5.2).
import type { SharedProbe } from '../stlink/server-session.ts';
import type { Steps } from '../stlink/steps.ts';
import type { VirtualStlink } from '../stlink/virtual-stlink.ts';

/** Wall time one slice may take, ms. */
const SLICE_MS = 4;
/** Pause between slices while the board keeps up, ms. */
const REST_MS = 2;
/** Board time of one step inside a slice, ns. */
const STEP_NS = 100e3;
/**
 * Wall time that may be owed, ms; what lies further back is dropped. Enough for a busy machine to leave this process
 * alone for a while without the board falling behind: st-flash gives a block 500 ms.
 */
const DEBT_MAX_MS = 250;

interface PendingCommand {
  readonly steps: Steps<Uint8Array>;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

export class WallDriver implements SharedProbe {
  readonly identity;
  readonly serial: string;
  readonly #stlink: VirtualStlink;
  readonly #jobs: PendingCommand[] = [];
  #owedMs = 0;
  #lastMs = 0;
  #cancel: (() => void) | undefined;
  #running = false;

  constructor(stlink: VirtualStlink, serial?: string) {
    this.#stlink = stlink;
    this.identity = stlink.identity;
    this.serial = serial ?? stlink.identity.serial;
  }

  opened(): void {
    this.#stlink.opened();
  }

  dataLength(command: Uint8Array): number {
    return this.#stlink.dataLength(command);
  }

  /** Queues one exchange behind those already waiting. */
  exchange(command: Uint8Array, dataOut: Uint8Array | undefined, asked: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ steps: this.#stlink.run(command, dataOut, asked), resolve, reject });
      if (this.#running) this.#soon();
    });
  }

  /** The probe loses its supply and gets it back; exchanges not yet done fail, the board keeps its state. */
  powerCycle(): void {
    for (const { reject } of this.#jobs.splice(0)) reject(new Error('the probe lost its supply'));
    this.#stlink.powerCycle();
  }

  start(): void {
    this.#running = true;
    this.#lastMs = performance.now();
    this.#soon();
  }

  /** Stops the board's time; exchanges still waiting are never answered. */
  stop(): void {
    this.#running = false;
    this.#cancel?.();
  }

  #soon(): void {
    this.#cancel?.();
    const handle = setImmediate(() => this.#slice());
    this.#cancel = () => clearImmediate(handle);
  }

  #later(): void {
    this.#cancel?.();
    const handle = setTimeout(() => this.#slice(), REST_MS);
    this.#cancel = () => clearTimeout(handle);
  }

  #slice(): void {
    const until = performance.now() + SLICE_MS;
    if (this.#jobs.length > 0) this.#work(until);
    else this.#idle(until);
    if (!this.#running) return;
    if (this.#jobs.length > 0 || this.#owedMs > 0) this.#soon();
    else this.#later();
  }

  /** Goes on with the first exchange; the wall time this takes is not the board's, what was owed before still is. */
  #work(until: number): void {
    const job = this.#jobs[0]!;
    this.#owe();
    try {
      while (performance.now() < until) {
        const step = job.steps.next();
        if (step.done === true) {
          this.#jobs.shift();
          job.resolve(step.value);
          break;
        }
        this.#stlink.board.runTo(step.value);
      }
    } catch (error) {
      this.#jobs.shift();
      job.reject(error);
    }
    this.#lastMs = performance.now();
  }

  /** Adds the wall time since the last slice to what the board owes. */
  #owe(): void {
    const now = performance.now();
    this.#owedMs = Math.min(this.#owedMs + now - this.#lastMs, DEBT_MAX_MS);
    this.#lastMs = now;
  }

  /** Lets as much board time pass as wall time did. */
  #idle(until: number): void {
    this.#owe();
    const { board } = this.#stlink;
    while (this.#owedMs > 0 && performance.now() < until) {
      const step = Math.min(STEP_NS, this.#owedMs * 1e6);
      board.runTo(board.time.now + step);
      this.#owedMs = Math.max(0, this.#owedMs - step / 1e6);
    }
  }
}
