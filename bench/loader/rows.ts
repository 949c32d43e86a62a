// The jobs over the serial line that `npm run bench:loader` runs (docs/performance.md, "Over the serial line").
import type { LoaderJobSpec, MeasuredLoaderJob } from './measure.ts';

export interface LoaderRow extends LoaderJobSpec {
  /** Also run in CI (`--quick`). */
  readonly quick?: boolean;
  /** May take no longer than mostOf() says; where packets are lost, which ones decides it. */
  readonly limited: boolean;
  /** Where its time goes is shown. */
  readonly detail?: boolean;
}

const LIMIT = { share: 1.15, roundTrips: 2, restMs: 1000 } as const;

/** From yes to receipt, ms: line or flash, whichever takes longer, and a little besides. */
export function mostOf({ wire, floor, spec }: MeasuredLoaderJob): number {
  return LIMIT.share * Math.max(wire, floor.total) + LIMIT.roundTrips * spec.network.rttMs + LIMIT.restMs;
}

const network = (rttMs: number, loss = 0) => ({ rttMs, bitsPerSecond: 10e6, loss });
const NORMAL = network(150);

export const LOADER_ROWS: readonly LoaderRow[] = [
  { name: 'seeded, 64 KB', kiB: 64, place: 'bench', network: NORMAL, quick: true, limited: true, detail: true },
  { name: 'seeded, 64 KB, over old data', kiB: 64, place: 'bench', network: NORMAL, old: true, limited: true },
  { name: 'seeded, 64 KB, 600 ms RTT', kiB: 64, place: 'bench', network: network(600), limited: true },
  { name: 'lock-then-load, 64 KB', kiB: 64, place: 'customer', network: NORMAL, limited: true },
  {
    name: 'seeded, 1 MB, over old data',
    kiB: 1024,
    place: 'bench',
    network: NORMAL,
    old: true,
    limited: true,
    detail: true,
  },
  { name: 'lock-then-load, 1 MB', kiB: 1024, place: 'customer', network: NORMAL, limited: true, detail: true },
  { name: 'seeded, 64 KB, 2 % loss', kiB: 64, place: 'bench', network: network(150, 0.02), limited: false },
  {
    name: 'seeded, 64 KB, bad line',
    kiB: 64,
    place: 'bench',
    network: NORMAL,
    damaged: 0.02,
    quick: true,
    limited: false,
  },
  {
    name: 'seeded, 256 KB, bad line',
    kiB: 256,
    place: 'bench',
    network: NORMAL,
    damaged: 0.02,
    limited: false,
    detail: true,
  },
];
