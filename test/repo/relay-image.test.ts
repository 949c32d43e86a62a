// The relay's image carries only some folders and no USB library: everything the relay command can reach is among them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Modules a source imports when it runs; those of `import()` only where `follow` says so. */
function imports(path: string, follow: boolean): string[] {
  const compiled = ts.transpileModule(read(path), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true },
  });
  const file = ts.createSourceFile(path, compiled.outputText, ts.ScriptTarget.ES2023, true, ts.ScriptKind.JS);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text);
    }
    if (follow && ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      found.push((node.arguments[0] as ts.StringLiteral).text);
    }
    node.forEachChild(visit);
  };
  visit(file);
  return found;
}

/** Every file and package reached from `start`; of the commands only the relay's is loaded. */
function reached(start: string): { files: string[]; packages: string[] } {
  const files = new Set([start]);
  const packages = new Set<string>();
  for (const path of files) {
    const isOtherCommand = path.endsWith('commands.ts') && path !== 'cli/relay/commands.ts';
    for (const module of imports(path, !isOtherCommand)) {
      if (module.startsWith('.')) files.add(relative(ROOT, join(ROOT, dirname(path), module)));
      else if (!module.startsWith('node:')) packages.add(module.split('/')[0]!);
    }
  }
  return { files: [...files], packages: [...packages] };
}

const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
const copied = dockerfile.flatMap((line) => /^COPY --from=build \/src\/dist\/(\S+) dist\/\1$/.exec(line)?.[1] ?? []);
const built = dockerfile.flatMap((line) => /^COPY ([a-z]+) \1$/.exec(line)?.[1] ?? []);
const removed = dockerfile.flatMap((line) => [...line.matchAll(/node_modules\/([\w@-]+)/g)].map(([, name]) => name!));

describe('repository: the relay’s image', () => {
  const { files, packages } = reached('cli/main.ts');

  it('has every folder that the relay command reaches, and no other', () => {
    const folders = new Set(files.map((file) => file.split('/')[0]));
    assert.deepEqual([...folders].sort(), [...copied].sort());
    assert.ok(files.includes('relay/server.ts'));
  });

  it('has every package that the relay command reaches', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    for (const name of packages) {
      assert.ok(name in dependencies && !removed.includes(name), name);
      assert.ok(!builtinModules.includes(name), `${name} is written node:${name}`);
    }
    for (const name of ['usb', 'serialport', '@photostructure']) {
      assert.ok(removed.includes(name) && !packages.includes(name), name);
    }
  });

  it('has one base, which whoever builds it can pin, and is documented to run without privileges', () => {
    const bases = dockerfile.flatMap((line) => /^FROM (\S+)/.exec(line)?.[1] ?? []);
    assert.ok(bases.length >= 2 && bases.every((base) => base === '${BASE}'));
    assert.equal(dockerfile.filter((line) => line.startsWith('ARG BASE=')).length, 1);
    assert.ok(dockerfile.some((line) => /^# +docker run .*--read-only --cap-drop ALL\b/.test(line)));
    assert.ok(dockerfile.includes('USER node'));
  });

  it('is built from every folder the compiler wants', () => {
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
    assert.deepEqual([...built].sort(), include.map((pattern) => pattern.split('/')[0]!).sort());
  });
});
