// Skips polling loops: an iteration that ends in exactly the state it began with will do so again until a timer fires
// or somebody else writes. Such a loop is advanced by a whole number of iterations up to the next timer, cycle-exactly.
import type { BoardTime } from '../board-time.ts';
import type { Width } from '../bus.ts';
import type { BusMap } from './bus-map.ts';
import { EXTRA } from './cycles.ts';
import type { AccessObserver, DataPort } from './data-port.ts';
import type { CpuState, Op } from './state.ts';

/** A backward branch that may close an idle loop; looks again after `countdown` more turns. */
interface Site {
  readonly head: number;
  countdown: number;
  backoff: number;
}

const FIRST_LOOK = 4;
const LONGEST_BACKOFF = 1 << 13;
const LONGEST_ITERATION = 64;

export interface IdleHooks {
  /** Executes one instruction; false when it faulted or something needs attention. */
  stepOne(): boolean;
  /** No watchpoint, single step or other observer needs every iteration. */
  allowed(): boolean;
}

export class IdleSkipper implements AccessObserver {
  enabled = true;
  /** Iterations skipped so far, for tests and benches. */
  skipped = 0;
  readonly #s: CpuState;
  readonly #time: BoardTime;
  readonly #bus: BusMap;
  readonly #port: DataPort;
  readonly #hooks: IdleHooks;
  #candidate: Site | undefined;
  #steady = true;
  readonly #fpuWords: Int32Array;
  readonly #before: Int32Array;
  readonly #after: Int32Array;

  constructor(
    parts: { s: CpuState; time: BoardTime; bus: BusMap; port: DataPort; fpuWords: Int32Array },
    hooks: IdleHooks,
  ) {
    this.#s = parts.s;
    this.#time = parts.time;
    this.#bus = parts.bus;
    this.#port = parts.port;
    this.#hooks = hooks;
    this.#fpuWords = parts.fpuWords;
    this.#before = new Int32Array(CORE_LENGTH + parts.fpuWords.length);
    this.#after = this.#before.slice();
  }

  /** The taken side of a backward branch to `head`. */
  branch(head: number): Op {
    const site: Site = { head, countdown: FIRST_LOOK, backoff: FIRST_LOOK };
    const s = this.#s;
    const time = this.#time;
    return () => {
      time.cycles += EXTRA.takenBranch;
      s.afterMemory = -1;
      if (--site.countdown < 0) this.#suspect(site);
      return head;
    };
  }

  #suspect(site: Site): void {
    site.countdown = site.backoff;
    if (!this.enabled) return;
    this.#candidate = site;
    this.#s.attention = true;
  }

  /** Called at an instruction boundary without pending exceptions: looks at the loop noticed last, if any. */
  look(): void {
    const site = this.#candidate;
    this.#candidate = undefined;
    if (site === undefined || this.#s.r[15] !== site.head || !this.#hooks.allowed()) return;
    const cycles = this.#observe(site.head);
    if (cycles === 0) {
      site.backoff = Math.min(site.backoff * 2, LONGEST_BACKOFF);
      site.countdown = site.backoff;
      return;
    }
    site.backoff = FIRST_LOOK;
    site.countdown = 0;
    const turns = Math.floor((this.#time.limit - this.#time.cycles) / cycles);
    if (turns <= 0) return;
    this.#time.cycles += turns * cycles;
    this.skipped += turns;
  }

  read(address: number): void {
    if (!this.#bus.isPure(address)) this.#steady = false;
  }
  /** Only a store of what memory holds anyway leaves the state alone. */
  write(address: number, width: Width, value: number): void {
    const view = this.#bus.viewAt(address);
    if (view === undefined || view.store.memory.writes !== undefined || view.gate.closed) this.#steady = false;
    else if (this.#bus.read(address, width, 'cpu') !== (width === 4 ? value >>> 0 : value)) this.#steady = false;
  }

  /** Runs one iteration; its length in cycles when it changed nothing, else 0. */
  #observe(head: number): number {
    const s = this.#s;
    const start = this.#time.cycles;
    this.#steady = true;
    capture(s, this.#fpuWords, this.#before);
    this.#port.observe(this);
    try {
      for (let i = 0; i < LONGEST_ITERATION && this.#steady; i++) {
        if (this.#time.cycles >= this.#time.limit || !this.#hooks.stepOne()) return 0;
        if (s.r[15] === head) break;
      }
    } finally {
      this.#port.unobserve(this);
    }
    if (!this.#steady || s.r[15] !== head) return 0;
    capture(s, this.#fpuWords, this.#after);
    return equal(this.#before, this.#after) ? this.#time.cycles - start : 0;
  }
}

const CORE_LENGTH = 22;

function equal(before: Int32Array, after: Int32Array): boolean {
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) return false;
  return true;
}

/** Everything an instruction can change besides memory and devices. */
function capture(s: CpuState, fpuWords: Int32Array, into: Int32Array): void {
  into.set(s.r);
  into[16] = s.xpsr;
  into[17] = s.otherSp;
  into[18] = s.control;
  into[19] = s.primask | (s.faultmask << 1) | (s.basepri << 8);
  into[20] = s.exclusive | (s.eventRegister << 1);
  into[21] = s.afterMemory;
  into.set(fpuWords, CORE_LENGTH);
}
