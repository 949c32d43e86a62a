// How long a job takes on the chip: erase and program times of its data sheet (shared/chips), before the network.
import { eraseTime, sectorNumber, type Chip, type Width } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';

const BYTES_PER_UNIT = { x8: 1, x16: 2, x32: 4 } as const satisfies Record<Width, number>;

/** Milliseconds. */
export interface Duration {
  readonly typical: number;
  readonly most: number;
}

export interface Estimate {
  readonly erase: Duration;
  readonly program: Duration;
}

/**
 * Time for erasing and programming at the plan's widest programming; what reads FF is not
 * programmed and not known here.
 */
export function estimate(plan: Plan, chip: Chip): Estimate {
  const erases = plan.sectors.map((index) => eraseTime(chip, sectorNumber(chip, index, plan.flashKiB), plan.widest));
  const bytes = plan.ranges.filter(({ use }) => use === 'program').reduce((sum, { length }) => sum + length, 0);
  const units = bytes / BYTES_PER_UNIT[plan.widest];
  const sum = (which: keyof Duration) => erases.reduce((total, time) => total + time[which], 0);
  const programMs = (microseconds: number) => Math.round((units * microseconds) / 1000);
  return {
    erase: { typical: sum('typical'), most: sum('most') },
    program: { typical: programMs(chip.programUs.typical), most: programMs(chip.programUs.most) },
  };
}
