// The declarations of the commands: README.md and docs/commands.md say the same, and each
// declaration makes sense in itself.
import assert from 'node:assert/strict';
import { COMMANDS } from '../../../cli/commands.ts';
import yargs from 'yargs';
import { asYargsCommand, command, type CommandDeclaration, type OptionRow } from '../../../cli/command.ts';
import { JSON_EVENTS, type JsonSpeaker } from '../../../cli/json-events.ts';
import { commandsDocument, readmeWithCommands } from '../../../scripts/commands-doc.ts';
import { readDocument } from '../../../scripts/generated-text.ts';

const below = (declaration: CommandDeclaration, before = ''): [string, CommandDeclaration][] => {
  const name = `${before}${declaration.name}`;
  return [[name, declaration], ...declaration.subcommands.flatMap((part) => below(part, `${name} `))];
};
const all = COMMANDS.flatMap((declaration) => below(declaration));
const options = all.flatMap(([command, { options }]) =>
  Object.entries(options).map(([name, row]): [string, OptionRow] => [`${command} --${name}`, row]),
);

describe('commands', () => {
  it('are listed in README.md and docs/commands.md as they are declared', () => {
    const remedy = 'run: node --import=tsx scripts/commands-doc.ts';
    assert.equal(readDocument('README.md'), readmeWithCommands(readDocument('README.md')), remedy);
    assert.equal(readDocument('docs/commands.md'), commandsDocument(), remedy);
  });

  it('have a name of their own each, and a handler or commands below them', () => {
    const names = all.map(([name]) => name);
    assert.equal(new Set(names).size, names.length);
    for (const [name, { load, subcommands }] of all) assert.equal(load === undefined, subcommands.length > 0, name);
  });

  it('bring their handlers', async () => {
    for (const [name, { load }] of all) assert.equal(typeof (await load?.()), load ? 'function' : 'undefined', name);
  });

  it('have defaults and examples that the option itself allows', () => {
    for (const [name, row] of options) {
      if ('choices' in row) {
        if (row.default !== undefined) assert.ok(row.choices.includes(row.default), name);
      } else if (row.type === 'number') {
        const values = [row.default, row.example].filter((value) => value !== undefined).map(Number);
        const allowed = (value: number): boolean => value >= (row.least ?? 0) && value <= (row.most ?? Infinity);
        assert.ok(values.every(allowed), name);
      }
    }
  });

  it('get words for a choice of words, also one that looks like a number, and numbers for one of numbers', async () => {
    const got: unknown[] = [];
    const declared = command({
      name: 'try',
      who: 'vendor',
      summary: 'what is given',
      options: {
        width: { choices: ['8', '16', 'any'], describe: 'words' },
        level: { choices: [0, 1], describe: 'numbers' },
      },
      load: () =>
        Promise.resolve(({ width, level }: { width?: string | undefined; level?: number | undefined }) =>
          got.push(width, level),
        ),
    });
    await yargs(['try', '--width', '16', '--level', '1'])
      .command(asYargsCommand(declared))
      .fail((message, error) => assert.fail(error ?? message))
      .parseAsync();
    assert.deepEqual(got, ['16', 1]);
  });

  it('print events only under names that exist', () => {
    const names = new Set(all.map(([name]) => name));
    for (const { commands } of Object.values<JsonSpeaker>(JSON_EVENTS).slice(1)) {
      for (const command of commands) assert.ok(names.has(command), command);
    }
  });
});
