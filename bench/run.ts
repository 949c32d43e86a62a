// `npm run bench`: whole jobs in virtual time, other tools beside them (docs/performance.md). Exit status 1 when a target is missed.
//   --quick        the small rows only, no other tools
//   --only TEXT    rows whose name contains TEXT
//   --no-tools     no OpenOCD
//   --tools-only   nothing else
import { mkdirSync, writeFileSync } from 'node:fs';
import { measureJob, type JobResult } from './job/measure.ts';
import { measureResume, type ResumeResult } from './job/resume.ts';
import { againTable, checkLine, itemTable, jobTable, toolTable } from './report/table.ts';
import { plotSvg } from './report/plot.ts';
import { AGAIN_MOST_MS, ROWS, type Check, type Row } from './rows.ts';
import { measureOpenocd, type ToolResult, type ToolSpec } from './tools/openocd.ts';

const OUT = new URL('out/', import.meta.url);
const TIMES_FASTER = 2;

const V21 = { probe: 'v2-1', swdKHz: 4000, commandMs: 1 } as const;
const TOOL_ROWS: readonly ToolSpec[] = [
  { ...V21, kiB: 1024, rttMs: 0 },
  { ...V21, kiB: 256, rttMs: 0 },
  { ...V21, kiB: 64, rttMs: 50 },
  { ...V21, kiB: 64, rttMs: 150 },
  { ...V21, kiB: 64, rttMs: 300 },
];

const flags = process.argv.slice(2);
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : undefined;
const quick = flags.includes('--quick');
const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** What the simulation itself costs: wall seconds for each virtual second of the whole job, yes to the agent's leaving. */
function wallLine({ wallSeconds, left }: JobResult): string {
  const each = wallSeconds / (left / 1000);
  return `${wallSeconds.toFixed(1)} s of this machine's time, ${each.toFixed(2)} s for a virtual second`;
}

interface Checked {
  readonly name: string;
  readonly check: Check;
}

async function jobs(): Promise<{ results: JobResult[]; checked: Checked[] }> {
  const results: JobResult[] = [];
  const checked: Checked[] = [];
  for (const row of ROWS.filter(wanted)) {
    const result = await measureJob(row);
    results.push(result);
    for (const check of row.checks(result)) checked.push({ name: row.name, check });
    process.stderr.write(`${row.name}: ${wallLine(result)}\n`);
  }
  return { results, checked };
}

function wanted(row: Row): boolean {
  if (flags.includes('--tools-only')) return false;
  return only === undefined ? !quick || row.quick === true : row.name.includes(only);
}

async function tools(): Promise<ToolResult[]> {
  if (quick || only !== undefined || flags.includes('--no-tools')) return [];
  const results: ToolResult[] = [];
  for (const spec of TOOL_ROWS) {
    const result = await measureOpenocd(spec);
    if (result === undefined) return [];
    if (!result.good) throw new Error('OpenOCD wrote something else');
    results.push(result);
    process.stderr.write(`OpenOCD ${spec.kiB} KB, ${spec.rttMs} ms\n`);
  }
  return results;
}

/** Ours on the same desk: controller, relay and agent a millisecond apart. */
function againstTools(ours: readonly JobResult[], theirs: readonly ToolResult[]): Checked[] {
  return theirs.flatMap(({ kiB, rttMs, write, verify }) => {
    const own = ours.find(
      ({ spec }) => spec.kiB === kiB && spec.network.rttMs === Math.max(1, rttMs) && spec.probe === 'v2-1',
    );
    if (own === undefined) return [];
    const check = { what: 'our time / OpenOCD’s', got: own.total / (write + verify), most: 1 / TIMES_FASTER };
    return [{ name: `${kiB} KB, ${rttMs} ms`, check }];
  });
}

async function resume(): Promise<ResumeResult[]> {
  if (flags.includes('--tools-only') || (only !== undefined && only !== 'resume')) return [];
  const measured: ResumeResult[] = [];
  for (const kiB of quick ? [64] : [256, 1024])
    measured.push(await measureResume({ kiB, probe: 'v2-1', network: { rttMs: 150, bitsPerSecond: 10e6 } }));
  return measured;
}

const { results, checked } = await jobs();
const resumed = await resume();
const others = await tools();
for (const { name, ms } of resumed) checked.push({ name, check: { what: 'ms', got: ms, most: AGAIN_MOST_MS } });
checked.push(...againstTools(results, others));
const plain = results.filter(({ spec }) => spec.delta === undefined);
const again = results.filter(({ spec }) => spec.delta !== undefined);
if (plain.length > 0) print(`${jobTable(plain)}\n\n${itemTable(plain)}\n`);
if (again.length + resumed.length > 0) print(`${againTable(again, resumed)}\n`);
if (others.length > 0) print(`${toolTable(others)}\n`);
for (const { name, check } of checked) print(checkLine(name, check));
mkdirSync(OUT, { recursive: true });
writeFileSync(new URL('bench.json', OUT), JSON.stringify({ results, resumed, others, checked }, undefined, 1));
const plotted = results.filter(({ spec }) => ROWS.some((row) => row.name === spec.name && row.plot === true));
if (plotted.length > 1) writeFileSync(new URL('bench.svg', OUT), plotSvg(plotted));
process.exitCode = checked.every(({ check }) => check.got <= check.most) ? 0 : 1;
