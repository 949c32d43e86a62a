// How a command of the binary is declared: one value with its name, who runs it, options, positionals and the way to
// its handler. From it are made what yargs reads, `--help`, the table in README.md and docs/commands.md.
// A declaration imports no code of agent, controller or sim, so that the relay's image, which has
// none, can list them all.
import type { Argv, CommandModule, Options, PositionalOptions } from 'yargs';

/** The people a command is for. */
export type Who = 'anyone' | 'customer' | 'vendor' | 'operator' | 'developer';

interface CommonOptionRow {
  readonly describe: string;
  /** A value as somebody would type it. */
  readonly example?: string;
  /** Heading of the help under which it stands, when not under the options. */
  readonly group?: string;
}
interface TextOptionRow extends CommonOptionRow {
  readonly type: 'string';
  readonly default?: string;
  /** Takes all words up to the next option. */
  readonly list?: true;
}
interface NumberOptionRow extends CommonOptionRow {
  readonly type: 'number';
  readonly unit?: string;
  /** Bounds, both allowed; the handler or what it calls refuses others. */
  readonly least?: number;
  readonly most?: number;
  readonly default?: number;
}
interface SwitchOptionRow extends CommonOptionRow {
  readonly type: 'boolean';
  readonly default?: boolean;
}
interface ChoiceOptionRow extends CommonOptionRow {
  readonly choices: readonly (string | number)[];
  readonly default?: string | number;
}
export type OptionRow = TextOptionRow | NumberOptionRow | SwitchOptionRow | ChoiceOptionRow;
/** Options by name, in the order of the help. */
export type OptionTable = Readonly<Record<string, OptionRow>>;

export interface PositionalRow {
  readonly describe?: string;
  readonly required?: true;
  /** All remaining words. */
  readonly list?: true;
  /** Taken only to be refused with a better sentence than yargs has. */
  readonly hidden?: true;
}
/** Positionals by name, in the order of the command line. */
export type PositionalTable = Readonly<Record<string, PositionalRow>>;

/** A shell line and what it does; `$0` stands for the program. */
export type Example = readonly [line: string, does: string];

interface CommandHead {
  /** The word typed. */
  readonly name: string;
  readonly who: Who;
  /** One half sentence for lists. */
  readonly summary: string;
}

/** A command as it is written down; `Options` and `Positionals` type what its handler is given. */
export interface CommandDefinition<
  Options extends OptionTable,
  Positionals extends PositionalTable,
> extends CommandHead {
  readonly options?: Options;
  readonly positionals?: Positionals;
  readonly examples?: readonly Example[];
  readonly epilogue?: string;
  /** Brings the handler; called only when the command is. */
  readonly load: () => Promise<(args: ArgumentsOf<Options> & WordsOf<Positionals>) => unknown>;
}

/** A command as yargs and documents read it. */
export interface CommandDeclaration extends CommandHead {
  readonly options: OptionTable;
  readonly positionals: PositionalTable;
  readonly examples: readonly Example[];
  readonly epilogue: string | undefined;
  readonly load: (() => Promise<(args: never) => unknown>) | undefined;
  /** The words one of which must follow; empty for a command that does something itself. */
  readonly subcommands: readonly CommandDeclaration[];
}

type ValueOf<Row> = Row extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : Row extends { readonly type: 'string'; readonly list: true }
    ? readonly string[]
    : Row extends { readonly type: 'string' }
      ? string
      : Row extends { readonly type: 'number' }
        ? number
        : boolean;
type ArgumentsOf<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends { readonly default: unknown }
    ? ValueOf<Table[Name]>
    : ValueOf<Table[Name]> | undefined;
};
type WordOf<Row> = Row extends { readonly list: true } ? readonly string[] : string;
type WordsOf<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends { readonly required: true }
    ? WordOf<Table[Name]>
    : WordOf<Table[Name]> | undefined;
};

/** Declares a command. The compiler holds the handler against options and positionals. */
export function command<
  const Options extends OptionTable = Record<never, never>,
  const Positionals extends PositionalTable = Record<never, never>,
>(definition: CommandDefinition<Options, Positionals>): CommandDeclaration {
  return { options: {}, positionals: {}, examples: [], epilogue: undefined, subcommands: [], ...definition };
}

/** Declares a command that only leads to others. */
export function commandGroup(head: CommandHead, subcommands: readonly CommandDeclaration[]): CommandDeclaration {
  return { options: {}, positionals: {}, examples: [], epilogue: undefined, load: undefined, ...head, subcommands };
}

/** Name and positionals as the help and yargs write them: `flash <image>`. */
function usageOf({ name, positionals }: CommandDeclaration): string {
  const words = Object.entries(positionals).map(([word, { required, list }]) => {
    const inside = list === true ? `${word}..` : word;
    return required === true ? `<${inside}>` : `[${inside}]`;
  });
  return [name, ...words].join(' ');
}

/** The same for people: without the words that are taken only to be refused. */
export function shownUsage(declaration: CommandDeclaration): string {
  const shown = Object.entries(declaration.positionals).filter(([, { hidden }]) => hidden !== true);
  return usageOf({ ...declaration, positionals: Object.fromEntries(shown) });
}

/** A declaration as yargs wants it. `describe` of a command of the first level also says who runs it. */
export function asYargsCommand(declaration: CommandDeclaration, isSubcommand = false): CommandModule {
  const { who, summary, load } = declaration;
  return {
    command: usageOf(declaration),
    describe: isSubcommand ? summary : `${summary} (${who})`,
    builder: (yargs) => addParts(yargs, declaration),
    handler: async (args) => {
      await (
        await load?.()
      )?.(args as never);
    },
  };
}

function addParts(yargs: Argv, { positionals, options, examples, epilogue, subcommands }: CommandDeclaration): Argv {
  for (const [name, row] of Object.entries(positionals)) yargs.positional(name, asYargsPositional(row));
  for (const [name, row] of Object.entries(options)) yargs.option(name, asYargsOption(row));
  for (const [line, does] of examples) yargs.example(line, does);
  for (const subcommand of subcommands) yargs.command(asYargsCommand(subcommand, true));
  if (subcommands.length > 0) yargs.demandCommand(1, subcommands.map(({ name }) => name).join(' or '));
  return epilogue === undefined ? yargs : yargs.epilogue(epilogue);
}

function asYargsPositional({ describe, required, list, hidden }: PositionalRow): PositionalOptions & Options {
  return {
    type: 'string',
    ...(describe === undefined ? {} : { describe }),
    ...(required === undefined ? {} : { demandOption: required }),
    ...(list === undefined ? {} : { array: list }),
    ...(hidden === undefined ? {} : { hidden }),
  };
}

function choicesOf(choices: readonly (string | number)[]): Options {
  return choices.every((choice) => typeof choice === 'string') ? { choices, string: true } : { choices };
}

function asYargsOption(row: OptionRow): Options {
  const { describe, group, default: preset } = row;
  return {
    // A choice that looks like a number is a word all the same, unless all are numbers.
    ...('choices' in row ? choicesOf(row.choices) : { type: row.type }),
    ...('list' in row ? { array: row.list } : {}),
    describe,
    group: group ?? 'Options:',
    ...(preset === undefined ? {} : { default: preset }),
  };
}
