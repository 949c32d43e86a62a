// Writes the table of commands in README.md and docs/commands.md from cli/commands.ts:
// `node --import=tsx scripts/commands-doc.ts`. A test compares them.
import { writeFileSync } from 'node:fs';
import { shownUsage, type CommandDeclaration, type OptionRow, type PositionalRow } from '../cli/command.ts';
import { COMMANDS } from '../cli/commands.ts';
import { isStarted, readDocument, table, withPart, wrap } from './generated-text.ts';

const INTRO = `# Commands

Every command, its options and their values. \`--json\`, \`--log-level\` and \`--help\` belong to all of them. This file is
written from the declarations in \`cli/\` by \`scripts/commands-doc.ts\`.`;

/** A command as it is typed, and those below it. */
interface Listed {
  readonly usage: string;
  readonly declaration: CommandDeclaration;
}

/** The commands that do something, those below others included. */
function listed(): Listed[] {
  return COMMANDS.flatMap((declaration): Listed[] =>
    declaration.subcommands.length === 0
      ? [{ usage: shownUsage(declaration), declaration }]
      : declaration.subcommands.map((below) => ({
          usage: `${declaration.name} ${shownUsage(below)}`,
          declaration: below,
        })),
  );
}

/** The text of README.md with its table of commands. */
export function readmeWithCommands(readme: string): string {
  const rows = listed().map(({ usage, declaration }) => [`\`${usage}\``, declaration.who, declaration.summary]);
  return withPart(readme, 'commands', table([['command', 'who', 'what'], ...rows]));
}

/** The text of docs/commands.md. */
export function commandsDocument(): string {
  const intro = INTRO.split('\n\n').map((part) => wrap(part));
  return `${[...intro, ...listed().map(section)].join('\n\n')}\n`;
}

function section({ usage, declaration }: Listed): string {
  const { who, summary, positionals, options, examples } = declaration;
  const words = Object.entries(positionals).filter(([, { hidden }]) => hidden !== true);
  const rows = [...words.map(positionalLine), ...Object.entries(options).map(optionLine)];
  return [
    `## \`${usage}\``,
    wrap(`For ${who === 'anyone' ? 'anyone' : `the ${who}`}: ${summary}.`),
    ...(rows.length === 0 ? [] : [rows.join('\n')]),
    ...(examples.length === 0 ? [] : ['Examples:', examples.map(exampleLine).join('\n')]),
  ].join('\n\n');
}

function positionalLine([name, { describe }]: [string, PositionalRow]): string {
  return wrap(`- \`${name}\`: ${describe ?? 'a file'}`, '  ');
}

function optionLine([name, row]: [string, OptionRow]): string {
  return wrap(`- \`--${name}\`${valueText(row)}: ${row.describe}${remarks(row)}`, '  ');
}

/** What is typed after the option. */
function valueText(row: OptionRow): string {
  if ('choices' in row) return ` ${row.choices.map((choice) => `\`${choice}\``).join(' or ')}`;
  if (row.type === 'boolean') return '';
  if (row.type === 'string') return ' _text_';
  const range = row.least === undefined ? '' : `, ${row.least} to ${row.most}`;
  return ` _number${row.unit === undefined ? '' : ` of ${row.unit}`}${range}_`;
}

function remarks({ default: preset, example }: OptionRow): string {
  const parts = [
    ...(preset === undefined || preset === false ? [] : [`default \`${preset}\``]),
    ...(example === undefined ? [] : [`such as \`${example}\``]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

function exampleLine([line, does]: readonly [string, string]): string {
  return wrap(`- \`${line.replace('$0', 'blindflash')}\`: ${does}`, '  ');
}

if (isStarted(import.meta.url)) {
  writeFileSync(new URL('../README.md', import.meta.url), readmeWithCommands(readDocument('README.md')));
  writeFileSync(new URL('../docs/commands.md', import.meta.url), commandsDocument());
}
