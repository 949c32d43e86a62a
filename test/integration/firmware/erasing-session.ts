// A session on a board whose flash operations are written down, for the tests of erasing.
import type { Plan } from '../../../shared/plan/plan.ts';
import type { BoardOptions } from '../../../sim/board.ts';
import type { FlashJournalEntry } from '../../../sim/peripherals/flash-operation.ts';
import type { FirmwareFixture } from './firmware-fixture.ts';
import { active, smallPlan } from './sample-jobs.ts';
import type { SealedController } from './sealed-controller.ts';

/** Every sector of a chip of 2 MB. */
export const ALL: readonly number[] = Array.from({ length: 24 }, (_, sector) => sector);
/** What an erase of everything takes, typical at x32. */
export const MS_ALL = 8000;

/** A chip full of old data. */
export const used = () => new Uint8Array(0x200000).fill(0x5a);
export const blank = () => new Uint8Array(0x200000).fill(0xff);
/** Over every sector of 2 MB. */
export const wholeChip = (change: Partial<Plan> = {}) => smallPlan({ sectors: ALL, ...change }, 1024);

export interface ErasingSession {
  readonly fixture: FirmwareFixture;
  readonly controller: SealedController;
  readonly entries: readonly FlashJournalEntry[];
  /** Sectors in the order in which the hardware erased them; undefined: by an erase of everything. */
  readonly erases: readonly (number | undefined)[];
}

/** An active session on a board that holds `flash`, and all that is done to its flash from now on. */
export function erasingSession(plan: Plan, flash: Uint8Array, options: BoardOptions = {}): ErasingSession {
  const { fixture, controller } = active(plan, { strict: true, ...options }, flash.slice(0, plan.flashKiB * 1024));
  const entries: FlashJournalEntry[] = [];
  const erases: (number | undefined)[] = [];
  fixture.board.flash.onOperation = (entry) => {
    entries.push(entry);
    if (entry.kind === 'erase' && entry.phase === 'start') erases.push(entry.sector);
  };
  return { fixture, controller, entries, erases };
}
