// The binary (docs/product.md §4): the commands of cli/commands.ts, each loaded only when it is called (a relay image
// carries no USB library).
import { readFileSync } from 'node:fs';
import yargs, { type Argv } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { fail, isBlindflashError, type Audience } from '../shared/errors/errors.ts';
import { asYargsCommand } from './command.ts';
import { COMMANDS } from './commands.ts';
import { refuseSecrets } from './secret-words.ts';
import { runReported, surviveClosedPipes } from './terminal/report.ts';
import { overview } from './overview.ts';
import { helpColumns, print } from './terminal/output.ts';
import { LOG_LEVELS } from '../shared/platform/node/logger.ts';

const EPILOGUE = [
  'Exit status: 0 done · 2 command line · 10 probe · 11 target · 12 stub · 20 image · 21 plan',
  '             22 keys · 23 job · 26 update · 30 invite · 31 relay · 32 link · 33 tunnel · 34 version',
  '             70 internal · 130 interrupted',
  'README.md shows how to begin; docs/errors.md explains every error code.',
].join('\n');

/** Options of every command: below its own. */
const OF_ALL = ['json', 'log-level', 'help', 'version'];

/** The whole command line over these words. */
function commandLine(words: readonly string[]): Argv {
  const cli = yargs([...words])
    .scriptName('blindflash')
    .usage('$0 COMMAND\n\nFlash the chip on someone else’s desk without showing them the firmware.')
    .option('json', { type: 'boolean', global: true, describe: 'one JSON object a line on stdout, for programs' })
    .option('log-level', { choices: LOG_LEVELS, global: true, describe: 'log to stderr; most commands are silent' })
    .option('debug', { type: 'boolean', global: true, hidden: true, describe: 'stacks with errors' });
  for (const declaration of COMMANDS) cli.command(asYargsCommand(declaration));
  return cli
    .group(OF_ALL, 'Of every command:')
    .completion('completion', 'print what makes bash or zsh complete commands and options (anyone)')
    .demandCommand(1, 'Name a command.')
    .strict()
    .recommendCommands()
    .version(version())
    .alias('help', 'h')
    .wrap(helpColumns())
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
async function main(words: readonly string[]): Promise<number> {
  const has = (flag: string): boolean => words.includes(flag);
  const reader = readerOf(words);
  const work = async (): Promise<unknown> => {
    refuseSecrets(words);
    if (words.length === 0) return print(...overview(COMMANDS));
    return commandLine(words).parseAsync();
  };
  return runReported(work, { json: has('--json'), debug: has('--debug'), reader });
}

/** Who reads what the command among these words has to say: whoever it is for, and the vendor otherwise. */
function readerOf(words: readonly string[]): Audience {
  const who = COMMANDS.find(({ name }) => words.includes(name))?.who;
  return who === 'customer' || who === 'operator' ? who : 'vendor';
}

/** Time for the last output to be taken; milliseconds. */
const LINGER_MS = 2000;

surviveClosedPipes();
process.exitCode = await main(hideBin(process.argv));
// A handle somebody forgot may not keep a finished program alive.
setTimeout(() => process.exit(), LINGER_MS).unref();
