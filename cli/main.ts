// The binary: one row a command, loaded only when it is called (a relay image carries no USB library).
// Design: docs/product.md §4.
import { readFileSync } from 'node:fs';
import yargs, { type Argv, type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { fail, isBlindflashError } from '../shared/errors/errors.ts';
import { runReported, surviveClosedPipes } from './terminal/cli.ts';
import { LOG_LEVELS } from '../shared/platform/node/logger.ts';

/** A command as the help lists it; `load` brings its options and its work. */
interface CommandRow {
  /** As yargs reads it: name and positionals. */
  readonly command: string;
  readonly describe: string;
  readonly load: () => Promise<LoadedCommand>;
}

/** What a command file exports; its own flags are its own affair. */
interface LoadedCommand {
  readonly builder?: unknown;
  readonly handler: (args: never) => unknown;
}

const COMMANDS: readonly CommandRow[] = [
  {
    command: 'demo [image]',
    describe: 'show the whole job on this machine, with a virtual board (anyone)',
    load: async () => (await import('./demo/demo.ts')).demoCommand,
  },
  {
    command: 'agent [words..]',
    describe: 'let the vendor flash the board on this desk; asks for the invite (customer)',
    load: async () => (await import('./customer/agent.ts')).agentCommand,
  },
  {
    command: 'doctor',
    describe: 'find out what is wrong with probe, wires or board (customer)',
    load: async () => (await import('./customer/doctor.ts')).doctorCommand,
  },
  {
    command: 'flash <image>',
    describe: 'write an image to the chip on the customer’s desk (vendor)',
    load: async () => (await import('./vendor/flash.ts')).flashCommand,
  },
  {
    command: 'verify <image>',
    describe: 'compare the chip with an image, without changing it (vendor)',
    load: async () => (await import('./vendor/verify.ts')).verifyCommand,
  },
  {
    command: 'erase',
    describe: 'erase sectors of the chip (vendor)',
    load: async () => (await import('./vendor/erase.ts')).eraseCommand,
  },
  {
    command: 'info',
    describe: 'say which probe and chip the customer has (vendor)',
    load: async () => (await import('./vendor/look.ts')).infoCommand,
  },
  {
    command: 'reset',
    describe: 'reset the chip and let it run (vendor)',
    load: async () => (await import('./vendor/look.ts')).resetCommand,
  },
  {
    command: 'plan <image>',
    describe: 'show what a flash job would do, without a network (vendor)',
    load: async () => (await import('./vendor/plan.ts')).planCommand,
  },
  {
    command: 'invite',
    describe: 'make an invite for a later job (vendor)',
    load: async () => (await import('./vendor/invite.ts')).inviteCommand,
  },
  {
    command: 'keygen',
    describe: 'make the vendor’s keys, one pair for each purpose (vendor)',
    load: async () => (await import('./vendor/keygen.ts')).keygenCommand,
  },
  {
    command: 'receipt',
    describe: 'check and list receipts (vendor)',
    load: async () => (await import('./vendor/receipt.ts')).receiptCommand,
  },
  {
    command: 'relay',
    describe: 'serve as the meeting place between agents and controllers (operator)',
    load: async () => (await import('./relay/relay.ts')).relayCommand,
  },
  {
    command: 'sim',
    describe: 'run a virtual ST-LINK with a virtual STM32F427 (developer)',
    load: async () => (await import('./sim/sim.ts')).simCommand,
  },
];

const EPILOGUE = [
  'Exit status: 0 done · 2 command line · 10 probe · 11 target · 12 stub · 20 image · 21 plan',
  '             22 keys · 23 job · 30 invite · 31 relay · 32 link · 33 tunnel · 34 version',
  '             70 internal · 130 interrupted',
  'README.md shows how to begin; docs/errors.md explains every error code.',
].join('\n');

/** A row as yargs wants it: options and work arrive from its file when the command is the one called. */
function commandModule(row: CommandRow): CommandModule {
  return {
    command: row.command,
    describe: row.describe,
    builder: async (cli: Argv) => {
      const { builder } = await row.load();
      return typeof builder === 'function' ? (builder as (cli: Argv) => Argv)(cli) : cli;
    },
    handler: async (args) => {
      await (await row.load()).handler(args as never);
    },
  };
}

/** The whole command line over these words. */
function commandLine(words: readonly string[]): Argv {
  const cli = yargs([...words])
    .scriptName('blindflash')
    .usage('$0 COMMAND\n\nFlash the chip on someone else’s desk without showing them the firmware.')
    .option('json', { type: 'boolean', global: true, describe: 'one JSON object a line on stdout, for programs' })
    .option('log-level', { choices: LOG_LEVELS, global: true, describe: 'log to stderr; most commands are silent' })
    .option('debug', { type: 'boolean', global: true, hidden: true, describe: 'stacks with errors' });
  for (const row of COMMANDS) cli.command(commandModule(row));
  return cli
    .demandCommand(1, 'Name a command.')
    .strict()
    .recommendCommands()
    .version(version())
    .alias('help', 'h')
    .wrap(Math.min(100, process.stdout.columns ?? 100))
    .epilogue(EPILOGUE)
    .exitProcess(false)
    .fail(asUsageError);
}

/** What yargs complains about is a usage error; what a command throws stays what it is. */
function asUsageError(message: string | null, error: Error | undefined): never {
  if (isBlindflashError(error)) throw error;
  if (error !== undefined && error.name !== 'YError') throw error;
  throw fail('BF-USAGE', message ?? error?.message);
}

function version(): string {
  const manifest = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .map(readManifest)
    .find((text) => text !== undefined);
  return String((JSON.parse(manifest ?? '{}') as { version?: unknown }).version ?? 'unknown');
}

/** Sources lie one folder below the manifest, the compiled program two. */
function readManifest(url: URL): string | undefined {
  try {
    return readFileSync(url, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Runs one command line.
 * @returns the exit status.
 */
export async function main(words: readonly string[]): Promise<number> {
  const has = (flag: string): boolean => words.includes(flag);
  return runReported(() => commandLine(words).parseAsync(), { json: has('--json'), debug: has('--debug') });
}

/** Time for the last output to be taken; milliseconds. */
const LINGER_MS = 2000;

surviveClosedPipes();
process.exitCode = await main(hideBin(process.argv));
// A handle somebody forgot may not keep a finished program alive.
setTimeout(() => process.exit(), LINGER_MS).unref();
