// One place for each addition (docs/architecture.md): the table of places names what exists, and what is added to a
// table in a scratch copy is missed by the compiler exactly where code of its own has to be written.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

import { DRIVERS } from '../../agent/probe/drivers.ts';
import { ERRORS } from '../../shared/errors/catalogue.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { MODES } from '../../shared/plan/modes.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The product's own sources: no tests, no documents, and not the simulator, which transcribes its own facts. */
const SOURCES = execFileSync('git', ['ls-files', 'agent', 'controller', 'shared', 'relay', 'cli', 'scripts'], {
  cwd: ROOT,
})
  .toString()
  .split('\n')
  .filter((path) => path.endsWith('.ts') && existsSync(join(ROOT, path)));

const places = (pattern: RegExp): string[] => SOURCES.filter((path) => pattern.test(read(path)));
const escaped = (name: string): string => name.replace(/[-.]/g, '\\$&');

/** Rows of the table of places: what is added, and the paths it names. */
const TABLE = new Map(
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

describe('one place for each addition: the table of places', () => {
  it('names paths that exist', () => {
    assert.ok(TABLE.size >= 9);
    for (const [what, paths] of TABLE) {
      assert.ok(paths.length > 0, what);
      for (const path of paths) assert.ok(existsSync(join(ROOT, path)), `${what}: ${path}`);
    }
  });
});

/** A copy of the first row of a table under another name, put in front of it. */
interface Addition {
  readonly table: string;
  /** The line in front of which the new row goes. */
  readonly before: string;
  readonly row: string;
  /** Files in which the compiler then misses something. */
  readonly misses: readonly string[];
}

const ADDITIONS: Readonly<Record<string, Addition>> = {
  'a kind of plan': {
    table: 'shared/plan/kinds.ts',
    before: '  verify: {',
    row: `  scratch: { number: 99, vendor: 'x', customer: 'x', stub: true, writes: false, image: false, boots: false, sectors: 'none',
      programs: 'none', digests: 'some', flags: [], options: 'kept', anyFlash: false, finalAction: 'run', finishes: true, outcome: undefined,
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

/** Files of the product the compiler complains about when these rows are there. */
function complaints(additions: readonly Addition[]): string[] {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config.config, include: [] }, ts.sys, ROOT);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const fromDisk = host.getSourceFile.bind(host);
  host.getSourceFile = (path, target) => {
    const addition = additions.find(({ table }) => path === join(ROOT, table));
    if (addition === undefined) return fromDisk(path, target);
    const text = read(addition.table);
    assert.equal(text.split(`\n${addition.before}`).length, 2, `${addition.table}: ${addition.before}`);
    return ts.createSourceFile(path, text.replace(addition.before, `${addition.row}\n${addition.before}`), target);
  };
  const roots = SOURCES.filter((path) => !path.startsWith('scripts/')).map((path) => join(ROOT, path));
  const program = ts.createProgram(roots, { ...options, noEmit: true }, host);
  const found = ts.getPreEmitDiagnostics(program).map(({ file }) => file?.fileName.slice(ROOT.length) ?? 'no file');
  return [...new Set(found)].sort();
}

describe('one place for each addition: a row more', function () {
  this.timeout(300_000);

  it('is missed by the compiler only where a handler has to be written', () => {
    const additions = Object.values(ADDITIONS);
    const misses = additions.flatMap((addition) => addition.misses);
    assert.deepEqual(complaints(additions), misses.sort());
  });

  it('goes where the table of places says', () => {
    for (const [what, { table, misses }] of Object.entries(ADDITIONS)) {
      for (const path of [table, ...misses]) assert.ok(TABLE.get(what)?.includes(path), `${what}: ${path}`);
    }
  });
});

/** Where the name of a kind or a mode is written out beside its table, and why. */
const NAMED_ELSEWHERE: Readonly<Record<string, string>> = {
  'controller/plan/compile.ts': 'what the plan of each kind is made of',
  'cli/vendor/commands.ts': 'the command that asks for it',
  'cli/vendor/erase.ts': 'the command that asks for it',
  'cli/vendor/flash.ts': 'the command that asks for it',
  'cli/vendor/look.ts': 'the commands that ask for it',
  'cli/vendor/plan.ts': 'the command that shows the plan of one kind',
  'cli/vendor/verify.ts': 'the command that asks for it',
  'cli/demo/demo.ts': 'the command lines it runs',
};
/** The same words meaning something else: levels of the log, states of a socket or of a tunnel, commands of a probe. */
const OTHER_WORDS = [
  ...['agent/session/tunnel-event-queue.ts', 'cli/demo/tap.ts', 'cli/relay/relay.ts', 'shared/tunnel/tunnel.ts'],
  ...['shared/platform/node/logger.ts', 'shared/platform/node/ws-link.ts', 'shared/plan/modes.ts'],
  ...['agent/probe/stlink/webusb-transport.ts'],
];

describe('one place for each addition: names', () => {
  const names = [...Object.keys(KINDS), ...Object.keys(MODES)];

  it('of kinds and modes are written out only in their tables and where something of their own is done', () => {
    const written = places(new RegExp(`'(${names.map(escaped).join('|')})'`));
    const home = ['shared/plan/kinds.ts', 'shared/plan/modes.ts'];
    const elsewhere = written.filter((path) => !home.includes(path) && !OTHER_WORDS.includes(path));
    assert.deepEqual(elsewhere.sort(), Object.keys(NAMED_ELSEWHERE).sort());
  });

  it('of errors are declared once, in the catalogue', () => {
    const declared = (code: string): string[] => places(new RegExp(`^ {2}'${escaped(code)}': \\{`, 'm'));
    for (const code of Object.keys(ERRORS)) assert.deepEqual(declared(code), ['shared/errors/catalogue.ts'], code);
  });

  it('no code decides by a set or a pattern of error codes what a column of the catalogue says', () => {
    const allowed = ['cli/json-events.ts', 'shared/tunnel/bodies.ts'];
    const found = places(/Set<ErrorCode>|readonly ErrorCode\[\] = |\/\^BF-|startsWith\('BF-/);
    assert.deepEqual(found.sort(), allowed);
  });
});

describe('one place for each addition: ports', () => {
  it('a probe driver is declared in a folder of its own and listed once', () => {
    const declaring = places(/^export const \w+: ProbeDriver = /m);
    const count = declaring.flatMap((path) => read(path).match(/^export const \w+: ProbeDriver = /gm) ?? []).length;
    assert.equal(count, DRIVERS.length);
    for (const path of declaring) {
      assert.match(path, /^agent\/probe\/\w+\//);
      const module = path.slice('agent/probe/'.length);
      const using = SOURCES.filter((other) => new RegExp(`from '.*${escaped(module)}'`).test(read(other)));
      assert.deepEqual(using, ['agent/probe/drivers.ts'], path);
    }
  });

  it('an implementation of a relay port is chosen in one place, apart from the one that stands for none', () => {
    for (const folder of ['relay/neighbours', 'relay/control']) {
      const port = `${folder}/${folder.split('/')[1]}.ts`;
      const others = SOURCES.filter(
        (path) => path.startsWith(`${folder}/`) && path !== port && !path.endsWith('/none.ts'),
      );
      for (const path of others) {
        const module = path.slice('relay/'.length);
        const using = SOURCES.filter((other) => new RegExp(`from '.*${escaped(module)}'`).test(read(other)));
        assert.deepEqual(using, ['cli/relay/relay.ts'], path);
      }
    }
  });
});
