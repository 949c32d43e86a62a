// `npm run bench`: whole jobs in virtual time, other tools beside them (docs/performance.md). Exit status 1 when a
// target is missed.
//   --quick        the small rows only, no other tools
//   --only TEXT    rows whose name contains TEXT
//   --no-tools     no OpenOCD, no st-flash
//   --tools-only   nothing else
//   --doc          writes the tables into docs/performance.md
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { measureJob, type MeasuredJob } from './job/measure.ts';
import { measureResume, type ResumeResult } from './job/resume.ts';
import { withTable } from './report/document.ts';
import { againTable, checkLine, itemTable, jobTable, targetTable, toolTable } from './report/table.ts';
import { plotSvg } from './report/plot.ts';
import { AGAIN_MOST_MS, ROWS, type Check, type Row } from './rows.ts';
import { measureTools, toolChecks, type ToolRun } from './tools/all.ts';

const OUT = new URL('out/', import.meta.url);
const DOCUMENT = new URL('../docs/performance.md', import.meta.url);

const flags = process.argv.slice(2);
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : undefined;
const quick = flags.includes('--quick');
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const told = (text: string): void => void process.stderr.write(`${text}\n`);

/**
 * What the simulation itself costs: processor seconds for each virtual second of the whole job,
 * yes to the agent's leaving.
 */
function costLine({ processorSeconds, left }: MeasuredJob): string {
  const each = processorSeconds / (left / 1000);
  return `${processorSeconds.toFixed(1)} s of processor time, ${each.toFixed(2)} s for a virtual second`;
}

interface Checked {
  readonly name: string;
  readonly check: Check;
}

async function jobs(): Promise<{ results: MeasuredJob[]; checked: Checked[] }> {
  const results: MeasuredJob[] = [];
  const checked: Checked[] = [];
  for (const row of ROWS.filter(wanted)) {
    const result = await measureJob(row);
    results.push(result);
    for (const check of row.checks(result)) checked.push({ name: row.name, check });
    told(`${row.name}: ${costLine(result)}`);
  }
  return { results, checked };
}

function wanted(row: Row): boolean {
  if (flags.includes('--tools-only')) return false;
  return only === undefined ? !quick || row.quick === true : row.name.includes(only);
}

async function tools(): Promise<ToolRun> {
  const left = quick || only !== undefined || flags.includes('--no-tools');
  return left ? { results: [], missing: [], failed: [] } : measureTools(told);
}

async function resume(): Promise<ResumeResult[]> {
  if (flags.includes('--tools-only') || (only !== undefined && only !== 'resume')) return [];
  const measured: ResumeResult[] = [];
  for (const kiB of quick ? [64] : [256, 1024]) {
    measured.push(await measureResume({ kiB, probe: 'v2-1', network: { rttMs: 150, bitsPerSecond: 10e6 } }));
  }
  return measured;
}

function rowOf({ spec }: MeasuredJob): Row | undefined {
  return ROWS.find(({ name }) => name === spec.name);
}

const { results, checked } = await jobs();
const resumed = await resume();
const others = await tools();
for (const { name, ms } of resumed) {
  checked.push({ name, check: { what: 'tunnel to receipt, ms', got: ms, most: AGAIN_MOST_MS } });
}
checked.push(...toolChecks(results, others.results));
const plain = results.filter(({ spec }) => spec.delta === undefined);
const again = results.filter(({ spec }) => spec.delta !== undefined);
const detailed = only === undefined && !quick ? plain.filter((result) => rowOf(result)?.detail === true) : plain;
const tables: Readonly<Record<string, string>> = {
  ...(plain.length > 0 && { jobs: jobTable(plain), items: itemTable(detailed) }),
  ...(again.length + resumed.length > 0 && { again: againTable(again, resumed) }),
  ...(others.results.length > 0 && { tools: toolTable(others.results, results) }),
  ...(checked.length > 0 && { targets: targetTable(checked) }),
};
for (const table of Object.values(tables)) print(`${table}\n`);
for (const { name, check } of checked) print(checkLine(name, check));
for (const sentence of [...others.missing, ...others.failed]) print(sentence);
mkdirSync(OUT, { recursive: true });
writeFileSync(new URL('bench.json', OUT), JSON.stringify({ results, resumed, others, checked }, undefined, 1));
const plotted = results.filter((result) => rowOf(result)?.plot === true);
if (plotted.length > 1) writeFileSync(new URL('bench.svg', OUT), plotSvg(plotted));
if (flags.includes('--doc')) {
  const before = readFileSync(DOCUMENT, 'utf8');
  const after = Object.entries(tables).reduce((text, [name, table]) => withTable(text, name, table), before);
  writeFileSync(DOCUMENT, after);
}
const lacking = others.missing.length > 0 && process.env['CI'] !== undefined;
process.exitCode =
  !lacking && others.failed.length === 0 && checked.every(({ check }) => check.got <= check.most) ? 0 : 1;
