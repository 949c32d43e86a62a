// A whole job recorded for power cuts: what flash did when, and snapshots of the board from which every instant can be reached
// again without the probe. Between two writes of the agent the chip works alone, so a fork of the board repeats the record.
import type { Image } from '../../controller/image/image.ts';
import { MEMORY } from './f42x.ts';
import { Board, type BoardSnapshot } from '../../sim/board.ts';
import type { FlashJournalEntry } from '../../sim/peripherals/flash-controller.ts';
import { randomState } from '../../sim/peripherals/random.ts';
import { World, type FlashOptions, type Outcome, type WorldOptions } from './world.ts';

export interface PowerRecord {
  readonly world: World;
  readonly outcome: Outcome;
  readonly journal: readonly FlashJournalEntry[];
  /** Ascending in time; each is taken when the agent has just written to the mailbox. */
  readonly snapshots: readonly BoardSnapshot[];
  readonly options: WorldOptions;
}

/** Runs a job on a board that holds `old` and records it. */
export async function recordJob(options: WorldOptions, image: Image, job: FlashOptions = {}): Promise<PowerRecord> {
  const world = new World(options);
  const journal: FlashJournalEntry[] = [];
  const snapshots: BoardSnapshot[] = [];
  world.board.flash.onOperation = (entry) => journal.push(entry);
  const tap = world.stlink.onExchange;
  world.stlink.onExchange = (record) => {
    tap?.(record);
    if (writesMailbox(record.command)) snapshots.push(world.board.snapshot());
  };
  const outcome = await world.flash(image, job);
  return { world, outcome, journal, snapshots, options };
}

/** WRITEMEM of the frame ring, or of a control word: opcodes F2 08 and F2 35 (stlink sheet §2.2). */
function writesMailbox(command: Uint8Array): boolean {
  if (command[0] !== 0xf2 || (command[1] !== 0x08 && command[1] !== 0x35)) return false;
  const address = new DataView(command.buffer, command.byteOffset).getUint32(2, true);
  return address >= MEMORY.frames.address && address < MEMORY.control.address + MEMORY.control.size;
}

/** Forks one record again and again: cuts the power at an instant and tells what flash holds then. */
export class PowerCutter {
  readonly board: Board;
  readonly #record: PowerRecord;
  readonly #times: readonly number[];

  constructor(record: PowerRecord) {
    this.#record = record;
    this.board = new Board({ seed: record.options.seed ?? 1, ...record.options.board });
    this.#times = record.snapshots.map(({ time }) => time.baseNs + (time.cycles - time.baseCycles) * time.nsPerCycle);
  }

  /** First and last instant that can be cut at. */
  get first(): number {
    return this.#times[0] ?? Infinity;
  }

  /**
   * Brings the fork to `atNs` and cuts; returns the flash operations it made on the way.
   * @param chance seed of what an operation broken off leaves behind: the snapshots alone would leave the same every time.
   */
  cut(atNs: number, chance: number): readonly FlashJournalEntry[] {
    const index = this.#times.findLastIndex((time) => time < atNs);
    const from = this.#record.snapshots[index];
    if (from === undefined) throw new Error(`no snapshot before ${atNs}`);
    const { board } = this;
    const made: FlashJournalEntry[] = [];
    board.flash.onOperation = (entry) => made.push(entry);
    board.restore(withChance(from, chance));
    board.cutPowerAt(atNs);
    board.runTo(atNs + 1000);
    board.flash.onOperation = undefined;
    return made;
  }

  /** What the record says the fork must have done between its snapshot and `atNs`. */
  expected(atNs: number): readonly FlashJournalEntry[] {
    const from = this.#times.findLast((time) => time < atNs) ?? 0;
    return this.#record.journal.filter((entry) => entry.atNs > from && entry.atNs <= atNs);
  }
}

/** The same board with other luck in its flash. */
function withChance(from: BoardSnapshot, chance: number): BoardSnapshot {
  const soc = from.soc as { parts: Record<string, Record<string, unknown>> };
  const flash = { ...soc.parts['flash'], random: randomState(chance, 'flash') };
  return { ...from, soc: { ...soc, parts: { ...soc.parts, flash } } };
}

/** Where the core went after power-up. */
export interface Run {
  /** Addresses of instructions that were executed without a fault, in order. */
  readonly executed: readonly number[];
  readonly faulted: boolean;
  readonly lockedUp: boolean;
}

/** Powers the board up and follows the core instruction by instruction. */
export function powerUp(board: Board, instructions = 200): Run {
  board.powerOn();
  while (board.inReset) board.runTo(board.time.now + 10_000);
  board.core.idleSkip = false;
  const executed: number[] = [];
  let faulted = false;
  for (let count = 0; count < instructions && !board.core.lockedUp; count++) {
    const pc = board.core.regs[15]! >>> 0;
    const before = board.core.xpsr & 0x1ff;
    board.runTo(board.time.now + 1);
    const fault = board.core.lockedUp || (before === 0 && (board.core.xpsr & 0x1ff) !== 0);
    faulted ||= fault;
    if (!fault) executed.push(pc);
  }
  board.core.idleSkip = true;
  return { executed, faulted, lockedUp: board.core.lockedUp };
}
