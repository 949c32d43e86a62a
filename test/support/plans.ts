// A plan to start from, for tests that need one.
import type { Plan } from '../../shared/plan/plan.ts';
import { seededRandom } from './seeded.ts';

export const FLASH = 0x08000000;

/** Sector 0 with the boot words, `bytes` of image in it. */
export function smallPlan(change: Partial<Plan> = {}, bytes = 8192): Plan {
  return {
    kind: 'flash',
    mode: 'host-blind',
    job: seededRandom(3).bytes(16),
    devId: 0x419,
    flashKiB: 2048,
    idleLimitMs: 60_000,
    sectors: [0],
    bootAddress: FLASH,
    widest: 'x32',
    lock: 'none',
    finalAction: 'run',
    ranges: [{ address: FLASH, length: bytes, use: 'program' }],
    label: 'test',
    ...change,
  };
}
