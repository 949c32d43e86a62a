// What docs/architecture.md, "One place for each addition", says, and rows that are added to the tables it names.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = new URL('../../', import.meta.url).pathname;
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The product's own sources: no tests, no documents, and not the simulator, which transcribes its own facts. */
export const SOURCES = execFileSync('git', ['ls-files', 'agent', 'controller', 'shared', 'relay', 'cli', 'scripts'], {
  cwd: ROOT,
})
  .toString()
  .split('\n')
  .filter((path) => path.endsWith('.ts') && existsSync(join(ROOT, path)));

/** Rows of the table of places: what is added, and the paths it names. */
export const TABLE = new Map(
  (read('docs/architecture.md').split('## One place for each addition')[1] ?? '')
    .split(/^## /m)[0]!
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| to add') && !line.startsWith('| ---'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, what, where]): [string, string[]] => [
      what!,
      [...where!.matchAll(/`([\w./-]+)`/g)].map((match) => match[1]!),
    ]),
);

/** A copy of the first row of a table under another name, put in front of it. */
export interface Addition {
  readonly table: string;
  /** The line in front of which the new row goes. */
  readonly before: string;
  readonly row: string;
  /** Files in which the compiler then misses something. */
  readonly misses: readonly string[];
}

export const ADDITIONS: Readonly<Record<string, Addition>> = {
  'a kind of plan': {
    table: 'shared/plan/kinds.ts',
    before: '  verify: {',
    row: `  scratch: { number: 99, forVendor: 'x', forCustomer: 'x', stub: true, loader: false, enrols: false, clearsKeys: false, writes: false, image: false, boots: false, sectors: 'none',
      programs: 'none', digests: 'some', flags: [], options: 'kept', anyFlash: false, finalAction: 'run', hasFinalAction: true, outcome: undefined,
      complete: undefined },`,
    misses: ['controller/job/work.ts'],
  },
  'a trust mode': {
    table: 'shared/plan/modes.ts',
    before: "  'lock-then-load': {",
    row: `  scratch: { number: 99, keyKind: 1, setUp: 'x', stops: ['x'], doesNotStop: ['x'], receipt: { stub: 'x', vendor: 'x' } },`,
    misses: [],
  },
  'an error': {
    table: 'shared/errors/catalogue.ts',
    before: "  'BF-USAGE-FILE': {",
    row: `  'BF-USAGE-EXTRA': { sentence: 'x', remedy: 'x', part: 'usage', retry: 'never', endsJob: false },`,
    misses: [],
  },
};
