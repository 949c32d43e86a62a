// The jobs the bench runs, and what each has to reach (docs/performance.md, "Targets").
import type { MeasuredJob, JobSpec } from './job/measure.ts';
import type { Network } from './job/network.ts';

export interface Check {
  readonly what: string;
  readonly got: number;
  readonly most: number;
}

export interface Row extends JobSpec {
  /** Also run in CI (`--quick`). */
  readonly quick?: boolean;
  /** Where its time above the floor goes is shown. */
  readonly detail?: boolean;
  /** Belongs to the plot. */
  readonly plot?: boolean;
  readonly checks: (result: MeasuredJob) => readonly Check[];
}

/** A job that is done again, or gone on with at its end, on a board that holds the image, ms. */
export const AGAIN_MOST_MS = 2000;
const TEN_MBIT = 10e6;
const network = (rttMs: number, more: Partial<Network> = {}): Network => ({ rttMs, bitsPerSecond: TEN_MBIT, ...more });

const flashing = ({ flashing, floor }: MeasuredJob): Check => ({
  what: 'first erase to last word / floor',
  got: flashing / floor.total,
  most: 1.02,
});
const rest = ({ rest, spec }: MeasuredJob): Check => ({
  what: 'rest, ms',
  got: rest,
  most: 2 * spec.network.rttMs + 600,
});
const trips = ({ roundTrips }: MeasuredJob): Check => ({ what: 'round trips', got: roundTrips, most: 6 });
/** A chip that is blank: nothing but words between the first and the last. Of small images TCP's slow start is more. */
const virginFlashing = ({ flashing, floor }: MeasuredJob): Check => ({
  what: 'virgin chip, 1 MB, first word to last word / words',
  got: flashing / floor.words,
  most: 1.05,
});
const virginWhole = ({ total }: MeasuredJob): Check => ({
  what: 'virgin chip, 1 MB, yes to receipt, ms',
  got: total,
  most: 5300,
});
const atOnce = ({ flashing, floor }: MeasuredJob): Check => ({
  what: 'all sectors, first erase to last word / (mass erase + words)',
  got: flashing / floor.total,
  most: 1.03,
});
const whole = ({ total, floor }: MeasuredJob): Check => ({
  what: 'yes to receipt / floor',
  got: total / floor.total,
  most: 1.15,
});
const lossy = ({ total, floor, transfer = 0, spec }: MeasuredJob): Check => ({
  what: 'yes to receipt where messages are lost, ms',
  got: total,
  most: 1.15 * Math.max(floor.total, transfer) + 3 * spec.network.rttMs,
});
/** Digests, the boot sector, FINAL. */
const again = ({ total }: MeasuredJob): Check => ({
  what: 'yes to receipt, image there already, ms',
  got: total,
  most: AGAIN_MOST_MS,
});
/** What differs costs its sectors and the digests of the others, beyond the rest of any job. */
const differing = ({ total, floor, digesting, spec }: MeasuredJob): Check => ({
  what: 'yes to receipt, one sector differs, ms',
  got: total,
  most: 1.02 * floor.total + 2 * spec.network.rttMs + 600 + digesting,
});
const all =
  (...checks: ((result: MeasuredJob) => Check)[]) =>
  (result: MeasuredJob): readonly Check[] =>
    checks.map((check) => check(result));
const normal = all(flashing, rest, trips);

export const ROWS: readonly Row[] = [
  {
    name: 'V2-1, 64 KB',
    kiB: 64,
    probe: 'v2-1',
    network: network(150),
    quick: true,
    plot: true,
    checks: all(rest, trips),
  },
  { name: 'V2-1, 64 KB, 50 ms RTT', kiB: 64, probe: 'v2-1', network: network(50), checks: all(trips) },
  { name: 'V2-1, 64 KB, 300 ms RTT', kiB: 64, probe: 'v2-1', network: network(300), checks: all(trips) },
  { name: 'V2-1, 256 KB', kiB: 256, probe: 'v2-1', network: network(150), plot: true, checks: normal },
  { name: 'V2-1, 1 MB', detail: true, kiB: 1024, probe: 'v2-1', network: network(150), plot: true, checks: normal },
  { name: 'V2-1, 1 MB, 2 ms a command', kiB: 1024, probe: 'v2-1', network: network(150), commandMs: 2, checks: normal },
  {
    name: 'V2-1, 1 MB, 3 ms a command',
    detail: true,
    kiB: 1024,
    probe: 'v2-1',
    network: network(150),
    commandMs: 3,
    checks: normal,
  },
  { name: 'V2-1, 2 MB', kiB: 2048, probe: 'v2-1', network: network(150), plot: true, checks: all(atOnce, rest, trips) },
  { name: 'V2, 256 KB', kiB: 256, probe: 'v2', network: network(150), checks: normal },
  { name: 'V3, 256 KB', kiB: 256, probe: 'v3', network: network(150), checks: normal },
  { name: 'V3, 1 MB', detail: true, kiB: 1024, probe: 'v3', network: network(150), checks: normal },
  {
    name: 'V2-1, 256 KB, half of it FF',
    kiB: 256,
    probe: 'v2-1',
    network: network(150),
    ff: 0.5,
    checks: all(rest, trips),
  },
  {
    name: 'V2-1, 256 KB, virgin chip',
    kiB: 256,
    probe: 'v2-1',
    network: network(150),
    virgin: true,
    checks: all(trips),
  },
  {
    name: 'V2-1, 1 MB, virgin chip, 1 ms RTT',
    kiB: 1024,
    probe: 'v2-1',
    network: network(1),
    virgin: true,
    checks: all(virginFlashing, trips),
  },
  {
    name: 'V2-1, 1 MB, virgin chip',
    kiB: 1024,
    probe: 'v2-1',
    network: network(150),
    virgin: true,
    detail: true,
    checks: all(virginFlashing, virginWhole, trips),
  },
  { name: 'V2-1, 256 KB, 1 ms RTT', kiB: 256, probe: 'v2-1', network: network(1), plot: true, checks: normal },
  { name: 'V2-1, 1 MB, 1 ms RTT', kiB: 1024, probe: 'v2-1', network: network(1), checks: normal },
  { name: 'V2-1, 256 KB, 50 ms RTT', kiB: 256, probe: 'v2-1', network: network(50), plot: true, checks: normal },
  {
    name: 'V2-1, 256 KB, 300 ms RTT',
    kiB: 256,
    probe: 'v2-1',
    network: network(300),
    plot: true,
    checks: all(flashing, trips),
  },
  {
    name: 'V2-1, 256 KB, jitter 30 ms',
    kiB: 256,
    probe: 'v2-1',
    network: network(150, { jitterMs: 30 }),
    checks: all(flashing, trips),
  },
  { name: 'V2-1, 256 KB, 600 ms RTT', kiB: 256, probe: 'v2-1', network: network(600), plot: true, checks: all(trips) },
  {
    name: 'V2-1, 1 MB, 600 ms RTT',
    detail: true,
    kiB: 1024,
    probe: 'v2-1',
    network: network(600),
    checks: all(whole, trips),
  },
  {
    name: 'V2-1, 64 KB, 600 ms RTT, 2 % loss',
    kiB: 64,
    probe: 'v2-1',
    network: network(600, { loss: 0.02 }),
    transfer: true,
    quick: true,
    // One message lost more or less decides it: docs/performance.md, "Targets and figures".
    checks: all(),
  },
  {
    name: 'V2-1, 1 MB, 600 ms RTT, 2 % loss',
    kiB: 1024,
    probe: 'v2-1',
    network: network(600, { loss: 0.02 }),
    transfer: true,
    checks: all(lossy),
  },
  {
    name: 'V2-1, 256 KB, locks',
    kiB: 256,
    probe: 'v2-1',
    network: network(150),
    lock: true,
    checks: all(flashing, rest, trips),
  },
  {
    name: '64 KB, --delta, same image',
    kiB: 64,
    probe: 'v2-1',
    network: network(150),
    delta: { changed: [] },
    quick: true,
    checks: all(again, trips),
  },
  {
    name: '256 KB, --delta, same image',
    kiB: 256,
    probe: 'v2-1',
    network: network(150),
    delta: { changed: [] },
    checks: all(again, trips),
  },
  {
    name: '1 MB, --delta, same image',
    kiB: 1024,
    probe: 'v2-1',
    network: network(150),
    delta: { changed: [] },
    checks: all(again, trips),
  },
  {
    name: '256 KB, --delta, 16 KB sector differs',
    kiB: 256,
    probe: 'v2-1',
    network: network(150),
    delta: { changed: [2] },
    checks: all(differing, trips),
  },
  {
    name: '1 MB, --delta, 128 KB sector differs',
    kiB: 1024,
    probe: 'v2-1',
    network: network(150),
    delta: { changed: [8] },
    checks: all(differing, trips),
  },
];
