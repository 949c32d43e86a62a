// Every test file is run by `npm test` or by a command of its own that the whole check runs: none is left out of both.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

interface Suites {
  readonly HERE: readonly string[];
  readonly ELSEWHERE: readonly string[];
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const load = createRequire(import.meta.url);
const read = (path: string): string => readFileSync(ROOT + path, 'utf8');
const all = readdirSync(`${ROOT}test`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => `test/${path}`);

/** A pattern of files with `*`, folders of any depth, and `{one,another}`. */
const asExpression = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replaceAll('.', '\\.')
      .replaceAll('**/', '(?:.+/)?')
      .replaceAll('*', '[^/]*')
      .replaceAll(/\{([^}]*)\}/g, (_, names: string) => `(?:${names.replaceAll(',', '|')})`)}$`,
  );
const matches = (patterns: readonly string[]): string[] =>
  patterns.map(asExpression).flatMap((expression) => all.filter((path) => expression.test(path)));

/** Test files that mocha is given in a script of package.json, or in the shell script that one runs. */
function filesOf(script: string): string[] {
  const shell = /^bash (\S+)$/.exec(script)?.[1];
  const lines = shell === undefined ? [script] : read(shell).split('\n');
  const words = lines.flatMap((line) => /(?:^|[ /])mocha (.*)$/.exec(line)?.[1]?.split(' ') ?? []);
  // Of a pattern mocha expands braces only when it has a star, too.
  const files = words
    .map((word) => word.replaceAll("'", ''))
    .filter((word) => !word.includes('{') || word.includes('*'));
  return matches(files);
}

describe('every test', () => {
  it('is run by the whole check, and by its own command where npm test leaves it out', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
    const steps = [...read('.ci/run').matchAll(/npm run --silent ([\w:-]+)/g)].map(([, name = '']) => name);
    const { HERE, ELSEWHERE } = load('../fixtures/suites.cjs') as Suites;
    const elsewhere = new Set(matches(ELSEWHERE));
    const run = new Set([
      ...matches(HERE).filter((path) => !elsewhere.has(path)),
      ...steps.flatMap((step) => filesOf(scripts[step] ?? '')),
    ]);
    assert.ok(all.length > 150 && elsewhere.size > 10, 'the patterns match');
    assert.deepEqual(
      all.filter((path) => !run.has(path)),
      [],
    );
  });
});
