// What is added to a table in a scratch copy is missed by the compiler exactly where code of its own has to be written
// (docs/architecture.md, "One place for each addition").
import assert from 'node:assert/strict';
import { join } from 'node:path';
import ts from 'typescript';
import { type Addition, ADDITIONS, read, ROOT, SOURCES } from '../repo/places.ts';

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
});
