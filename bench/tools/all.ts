// Other people's tools beside ours: which, on what, and how ours compares (docs/performance.md, "Other tools").
import type { MeasuredJob } from '../job/measure.ts';
import type { Check } from '../rows.ts';
import { measureOpenocd, openocdLacks, type ToolResult, type ToolSpec } from './openocd.ts';
import { measureStFlash, stFlashLacks } from './st-flash.ts';

const TIMES_FASTER = 2;
const TIMES_FASTER_VIRGIN = 5;
const V21 = { probe: 'v2-1', swdKHz: 4000, commandMs: 1 } as const;

interface Tool {
  readonly name: string;
  /** What this machine lacks for it, in words. */
  readonly lacks: () => string | undefined;
  readonly measure: (spec: ToolSpec) => Promise<ToolResult>;
  readonly rows: readonly ToolSpec[];
}

const TOOLS: readonly Tool[] = [
  {
    name: 'OpenOCD',
    lacks: openocdLacks,
    measure: measureOpenocd,
    rows: [
      { ...V21, kiB: 1024, rttMs: 0 },
      { ...V21, kiB: 1024, rttMs: 0, virgin: true },
      { ...V21, kiB: 256, rttMs: 0 },
      { ...V21, kiB: 64, rttMs: 50 },
      { ...V21, kiB: 64, rttMs: 150 },
      { ...V21, kiB: 64, rttMs: 300 },
    ],
  },
  {
    name: 'st-flash',
    lacks: stFlashLacks,
    measure: measureStFlash,
    rows: [
      { ...V21, kiB: 1024, rttMs: 0 },
      { ...V21, kiB: 1024, rttMs: 0, virgin: true },
      { ...V21, kiB: 256, rttMs: 0 },
    ],
  },
];

export interface ToolRun {
  readonly results: readonly ToolResult[];
  /** A sentence for each tool that is not there. */
  readonly missing: readonly string[];
  /** A sentence for each row that failed, or wrote something else. */
  readonly failed: readonly string[];
}

/** The tools' own time limits run on the wall clock; on a busy machine one may fire. */
const ATTEMPTS = 3;

async function withRetry(measure: Tool['measure'], spec: ToolSpec): Promise<ToolResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await measure(spec);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** Runs every tool there is. @param told after each row */
export async function measureTools(told: (line: string) => void): Promise<ToolRun> {
  const results: ToolResult[] = [];
  const missing: string[] = [];
  const failed: string[] = [];
  for (const { name, lacks, measure, rows } of TOOLS) {
    const lack = lacks();
    if (lack !== undefined) missing.push(`${name} is not measured: ${lack}`);
    for (const spec of lack === undefined ? rows : []) {
      const row = `${name} ${spec.kiB} KB, ${spec.rttMs} ms${spec.virgin === true ? ', virgin chip' : ''}`;
      try {
        const result = await withRetry(measure, spec);
        if (result.good) results.push(result);
        else failed.push(`${row}: something else was written`);
      } catch (error) {
        failed.push(`${row}: ${String(error)}`);
      }
      told(row);
    }
  }
  return { results, missing, failed };
}

/** Our job on the same desk (controller, relay and agent a millisecond apart) or over the same link. */
export function oursBeside(
  { kiB, rttMs, probe, virgin }: ToolResult,
  ours: readonly MeasuredJob[],
): MeasuredJob | undefined {
  return ours.find(
    ({ spec }) =>
      spec.kiB === kiB &&
      (spec.virgin === true) === (virgin === true) &&
      spec.network.rttMs === Math.max(1, rttMs) &&
      spec.probe === probe &&
      spec.delta === undefined &&
      spec.lock === undefined,
  );
}

/** Ours has to be so many times as fast as OpenOCD. */
export function toolChecks(
  ours: readonly MeasuredJob[],
  theirs: readonly ToolResult[],
): { name: string; check: Check }[] {
  return theirs.flatMap((result) => {
    const own = oursBeside(result, ours);
    if (own === undefined || result.tool !== 'OpenOCD') return [];
    const got = own.total / (result.write + result.verify);
    const virgin = result.virgin === true;
    const what = virgin ? 'our time / OpenOCD’s, virgin chip' : 'our time / OpenOCD’s';
    const check = { what, got, most: 1 / (virgin ? TIMES_FASTER_VIRGIN : TIMES_FASTER) };
    return [{ name: `${result.kiB} KB, ${result.rttMs} ms${virgin ? ', virgin chip' : ''}`, check }];
  });
}
