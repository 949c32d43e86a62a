// The bench's figures as text: one line a job, its targets, and where the time above the floor went.
import type { Check } from '../rows.ts';
import type { MeasuredJob } from '../job/measure.ts';
import type { ResumeResult } from '../job/resume.ts';
import { oursBeside } from '../tools/all.ts';
import type { ToolResult } from '../tools/openocd.ts';

export const seconds = (ms: number): string => (ms / 1000).toFixed(2);
const kilobytes = (bytes: number): string => (bytes / 1024).toFixed(0);

const COLUMNS: readonly { readonly head: string; readonly cell: (result: MeasuredJob) => string }[] = [
  { head: 'job', cell: ({ spec }) => spec.name },
  { head: 'floor s', cell: ({ floor }) => seconds(floor.total) },
  { head: 'flashing s', cell: ({ flashing }) => seconds(flashing) },
  { head: 'ratio', cell: ({ flashing, floor }) => (flashing / floor.total).toFixed(4) },
  { head: 'rest ms', cell: ({ rest }) => rest.toFixed(0) },
  { head: 'in all s', cell: ({ total }) => seconds(total) },
  { head: 'board left s', cell: ({ left }) => seconds(left) },
  { head: 'round trips', cell: ({ roundTrips }) => String(roundTrips) },
  { head: 'USB', cell: ({ usbCommands }) => String(usbCommands) },
  { head: 'SWD kHz', cell: ({ swdKHz }) => String(swdKHz) },
  { head: 'leg KB', cell: ({ legs }) => legs.map(({ up, down }) => `${kilobytes(up)}/${kilobytes(down)}`).join(' ') },
];

/** One line a job. */
export function jobTable(results: readonly MeasuredJob[]): string {
  return markdown(
    COLUMNS.map(({ head }) => head),
    results.map((result) => COLUMNS.map(({ cell }) => cell(result))),
  );
}

/**
 * Jobs on a board that holds most of it already: under `--delta` from the customer's yes, under
 * `--resume` from the new tunnel.
 */
export function againTable(results: readonly MeasuredJob[], resumed: readonly ResumeResult[]): string {
  const line = (
    name: string,
    ms: number,
    trips: string,
    { erased, floor, digesting }: MeasuredJob | ResumeResult,
  ): string[] => [name, erased.join(' '), seconds(floor.total), seconds(digesting), seconds(ms), trips];
  return markdown(
    ['job', 'sectors erased', 'floor s', 'digests s', 'in all s', 'round trips'],
    [
      ...results.map((result) => line(result.spec.name, result.total, String(result.roundTrips), result)),
      ...resumed.map((result) => line(result.name, result.ms, '–', result)),
    ],
  );
}

/** Where every millisecond above the floor went. */
export function itemTable(results: readonly MeasuredJob[]): string {
  const names = [...new Set(results.flatMap(({ above }) => above.map(({ what }) => what)))];
  const rows = names.map((name) => [
    name,
    ...results.map(({ above }) => (above.find(({ what }) => what === name)?.ms ?? Number.NaN).toFixed(1)),
  ]);
  return markdown(['ms above the floor', ...results.map(({ spec }) => spec.name)], rows);
}

export function checkLine(name: string, { what, got, most }: Check): string {
  return `${got <= most ? 'met   ' : 'MISSED'} ${name}: ${what} ${figure(got, most)}, at most ${figure(most, most)}`;
}

function figure(value: number, most: number): string {
  return most < 10 ? value.toFixed(4) : value.toFixed(0);
}

/** Other tools, and our whole job beside each. */
export function toolTable(results: readonly ToolResult[], ours: readonly MeasuredJob[]): string {
  return markdown(
    ['tool', 'KB', 'RTT ms', 'erase and write s', 'verify s', 'commands', 'ours, in all s'],
    results.map((result) => {
      const own = oursBeside(result, ours);
      return [
        `${result.tool}${result.virgin === true ? ', virgin chip' : ''}`,
        String(result.kiB),
        String(result.rttMs),
        seconds(result.write),
        seconds(result.verify),
        String(result.commands),
        own === undefined ? '–' : seconds(own.total),
      ];
    }),
  );
}

/** One line a target: on how many jobs it is looked at, and the one nearest to its limit. */
export function targetTable(checked: readonly { readonly name: string; readonly check: Check }[]): string {
  const targets = [...new Set(checked.map(({ check }) => check.what))];
  const rows = targets.map((what) => {
    const all = checked.filter(({ check }) => check.what === what);
    const nearest = all.reduce((a, b) => (b.check.got / b.check.most > a.check.got / a.check.most ? b : a));
    const { got, most } = nearest.check;
    const met = all.filter(({ check }) => check.got <= check.most).length;
    return [what, `${met} of ${all.length}`, nearest.name, figure(got, most), figure(most, most)];
  });
  return markdown(['target', 'met', 'nearest to its limit', 'figure', 'at most'], rows);
}

/** A table in Markdown. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
