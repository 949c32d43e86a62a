// `npm run bench:loader`: jobs over the serial line in virtual time, and the loader's own figures. Exit status 1 when a
// target is missed, or when docs/loader.md has other figures of the loader. Needs arm-none-eabi-gcc.
//   --quick        the small jobs only
//   --only TEXT    jobs whose name contains TEXT; `figures`: no job
//   --doc          writes the loader's figures into docs/loader.md, those of jobs into docs/performance.md: all
//                  rows that were run on this loader, now or earlier (bench/out)
import { readFileSync, writeFileSync } from 'node:fs';
import { withTable } from '../report/document.ts';
import { checkLine, markdown, seconds } from '../report/table.ts';
import type { Check } from '../rows.ts';
import { loaderFigures, type LoaderFigure } from './figures.ts';
import { keepResult, keptResults } from './kept.ts';
import { measureLoaderJob, type MeasuredLoaderJob } from './measure.ts';
import { LOADER_ROWS, mostOf } from './rows.ts';

const JOBS = new URL('../../docs/performance.md', import.meta.url);
const FIGURES = new URL('../../docs/loader.md', import.meta.url);

const flags = process.argv.slice(2);
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : undefined;
const quick = flags.includes('--quick');
const writes = flags.includes('--doc');
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const told = (text: string): void => void process.stderr.write(`${text}\n`);
const detailed = new Set(LOADER_ROWS.filter(({ detail }) => detail).map(({ name }) => name));
const checked: { readonly name: string; readonly check: Check }[] = [];

const COLUMNS: readonly { readonly head: string; readonly cell: (result: MeasuredLoaderJob) => string }[] = [
  { head: 'job', cell: ({ spec }) => spec.name },
  { head: 'flash s', cell: ({ floor }) => seconds(floor.total) },
  { head: 'line s', cell: ({ wire }) => seconds(wire) },
  { head: 'in all s', cell: ({ total }) => seconds(total) },
  { head: 'at most s', cell: (result) => seconds(mostOf(result)) },
  { head: 'bit/s', cell: ({ rate }) => String(rate) },
  { head: 'agent sent KB', cell: ({ sent }) => (sent / 1024).toFixed(0) },
  { head: 'packets damaged', cell: ({ damagedPackets }) => String(damagedPackets) },
];

async function jobs(): Promise<MeasuredLoaderJob[]> {
  const results: MeasuredLoaderJob[] = [];
  const rows = LOADER_ROWS.filter((row) => (only === undefined ? !quick || row.quick : row.name.includes(only)));
  for (const row of rows) {
    const result = await measureLoaderJob(row);
    results.push(result);
    keepResult(result);
    if (row.limited) checked.push({ name: row.name, check: timeCheck(result) });
    told(`${row.name}: ${result.processorSeconds.toFixed(1)} s of processor time`);
  }
  return results;
}

const timeCheck = (result: MeasuredLoaderJob): Check => ({
  what: 'yes to receipt, ms',
  got: result.total,
  most: mostOf(result),
});

function jobTable(results: readonly MeasuredLoaderJob[]): string {
  return markdown(
    COLUMNS.map(({ head }) => head),
    results.map((result) => COLUMNS.map(({ cell }) => cell(result))),
  );
}

function itemTable(results: readonly MeasuredLoaderJob[]): string {
  const rows = results[0]!.items.map(({ what }, at) => [what, ...results.map(({ items }) => items[at]!.ms.toFixed(1))]);
  return markdown(['ms', ...results.map(({ spec }) => spec.name)], rows);
}

const number = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });

function figureTable(figures: readonly LoaderFigure[]): string {
  const rows = figures.map(({ what, got, most, unit, how }) => [what, `${number(got)} ${unit}`, number(most), how]);
  return markdown(['what', 'measured', 'at most', 'how'], rows);
}

/** What a table says: prettier pads its cells. */
const plain = (text: string): string => text.replace(/ +|-{3,}/g, ' ').replace(/ +/g, ' ');

function write(document: URL, name: string, table: string): void {
  writeFileSync(document, withTable(readFileSync(document, 'utf8'), name, table));
}

const figures = only === undefined || only === 'figures' ? loaderFigures() : [];
for (const figure of figures) checked.push({ name: 'loader', check: figure });
const ownFigures = figureTable(figures);
if (figures.length > 0) print(`${ownFigures}\n`);
const results = await jobs();
if (results.length > 0) print(`${jobTable(results)}\n\n${itemTable(results)}\n`);
for (const { name, check } of checked) print(checkLine(name, check));
if (writes) {
  if (figures.length > 0) write(FIGURES, 'figures', ownFigures);
  const kept = LOADER_ROWS.flatMap(({ name }) => keptResults().filter(({ spec }) => spec.name === name));
  if (kept.length > 0) {
    write(JOBS, 'serial jobs', jobTable(kept));
    write(JOBS, 'serial items', itemTable(kept.filter(({ spec }) => detailed.has(spec.name))));
  }
  print(`${kept.length} of ${LOADER_ROWS.length} rows were run on this loader`);
}
const current = writes || figures.length === 0 || plain(readFileSync(FIGURES, 'utf8')).includes(plain(ownFigures));
if (!current) print('docs/loader.md has other figures of the loader: npm run bench:loader -- --only figures --doc');
process.exitCode = current && checked.every(({ check }) => check.got <= check.most) ? 0 : 1;
