// Which program on the chip does a plan's work (docs/protocol.md §7, §8).
import { KINDS } from './kinds.ts';
import { hasLoader, type ProgramOnChip } from './modes.ts';
import type { Plan } from './plan.ts';

/** Undefined for kinds the agent does alone. */
export function programOf({ kind, mode }: Pick<Plan, 'kind' | 'mode'>): ProgramOnChip | undefined {
  const { stub, loader } = KINDS[kind];
  if (hasLoader(mode)) return loader ? 'loader' : undefined;
  return stub ? 'stub' : undefined;
}
