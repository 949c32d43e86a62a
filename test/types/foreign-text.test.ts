// Foreign text turns into a string only through the cleaning function: the compiler refuses everything else.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

describe('foreign text', () => {
  it('does not compile where a string is meant', () => {
    const uses = [
      '`${foreign}`',
      "'' + foreign",
      "foreign + ''",
      'foreign satisfies string',
      'process.stdout.write(foreign)',
      'say(foreign)',
      'print(foreign)',
      "['a'].concat(foreign)",
      'foreign.slice(1)',
      'problem.detail satisfies string',
      '`${problem.detail}`',
      '`${failure.detail}`',
      '`${hello.agent} ${hello.probe.kind} ${hello.probe.firmware} ${hello.probe.serial}`',
      '`${customer.receipt}`',
      '`${plan.label}`',
    ];
    const good = [
      'cleanText(foreign)',
      '`${cleanText(problem.detail)}`',
      'say(cleanText(foreign))',
      '`${problem.code}`',
    ];
    const failed = linesThatFail([...uses, ...good]);
    assert.deepEqual(failed, uses);
  }).timeout(60_000);
});

/** Which of these expressions the compiler refuses. */
function linesThatFail(expressions: readonly string[]): string[] {
  const path = fileURLToPath(new URL('./sample-of-foreign-text.ts', import.meta.url));
  const head = [
    `import { cleanText, type ForeignText } from '../../shared/codec/foreign-text.ts';`,
    `import { decodePlan } from '../../shared/plan/plan.ts';`,
    `import type { CustomerCopy, Failure, Hello, Problem } from '../../shared/tunnel/bodies.ts';`,
    `import { print, say } from '../../cli/terminal/output.ts';`,
    `declare const foreign: ForeignText, problem: Problem, failure: Failure, hello: Hello, customer: CustomerCopy;`,
    `const plan = decodePlan(new Uint8Array());`,
  ];
  const text = [...head, ...expressions.map((expression) => `void (${expression});`)].join('\n');
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === path ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest);
  const program = ts.createProgram([path], options, host);
  const source = program.getSourceFile(path)!;
  const lines = program
    .getSemanticDiagnostics(source)
    .map(({ start = 0 }) => source.getLineAndCharacterOfPosition(start).line - head.length);
  return expressions.filter((_, line) => lines.includes(line));
}

function compilerOptions(): ts.CompilerOptions {
  const path = fileURLToPath(new URL('../../tsconfig.json', import.meta.url));
  const { options } = ts.getParsedCommandLineOfConfigFile(
    path,
    { noEmit: true },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => {},
    },
  )!;
  return options;
}
