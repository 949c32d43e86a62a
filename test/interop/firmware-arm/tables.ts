// Tables of test:stub: printed, and quoted word for word by docs/stub.md between two marks.

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CoreFindings, Finding, QemuFindings } from './constant-time.ts';
import type { Figure } from './budgets.ts';
import { ROOT } from './shipped.ts';

const DOCUMENT = resolve(ROOT, 'docs/stub.md');
const marks = (name: string) => ({ begin: `<!-- test:stub ${name} -->`, end: `<!-- end ${name} -->` });

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

export function withinBudget({ measured, budget }: Figure): boolean {
  return budget === undefined || measured <= budget;
}

export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((one) => [
    one.what,
    `${number(one.measured)} ${one.unit}`,
    one.budget === undefined ? '' : `${number(one.budget)}${withinBudget(one) ? '' : ' **missed**'}`,
    one.aim === undefined ? '' : `${number(one.aim)}${one.measured <= one.aim ? ' met' : ''}`,
    one.how,
  ]);
  return table(['what', 'measured', 'budget', 'aim', 'how'], rows);
}

/** What each method says of one case. */
export interface Judged {
  readonly name: string;
  readonly taint: Finding;
  readonly core: CoreFindings;
  readonly qemu: QemuFindings;
  readonly gate: Finding;
}

export function constantTimeTable(all: readonly Judged[]): string {
  const say = (finding: Finding) => (finding === undefined ? 'silent' : '**found**');
  const rows = all.map(({ name, taint, core, qemu, gate }) => [
    name,
    ...[taint, core.trace, qemu.trace, core.cycles, gate].map(say),
    number(core.instructions),
  ]);
  const head = ['call', 'taint (host)', 'trace (core)', 'trace (QEMU)', 'cycles (core)', 'gate', 'instructions'];
  return table(head, rows);
}

export function pitfallTable(
  rows: readonly { readonly pitfall: string; readonly checks: readonly string[] }[],
): string {
  return table(
    ['pitfall', 'checks'],
    rows.map(({ pitfall, checks }) => [pitfall, checks.map((name) => `"${name}"`).join(', ')]),
  );
}

function block(name: string, text: string): string {
  const { begin, end } = marks(name);
  return `${begin}\n<!-- prettier-ignore-start -->\n\n${text}\n\n<!-- prettier-ignore-end -->\n${end}`;
}

/** True when docs/stub.md quotes `text` under `name`. */
export function quoted(name: string, text: string): boolean {
  return readFileSync(DOCUMENT, 'utf8').includes(block(name, text));
}

/** Puts `text` between the marks of `name` in docs/stub.md. */
export function quote(name: string, text: string): void {
  const { begin, end } = marks(name);
  const old = readFileSync(DOCUMENT, 'utf8');
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/stub.md has no marks for ${name}`);
  writeFileSync(DOCUMENT, old.slice(0, from) + block(name, text) + old.slice(to + end.length));
}
