// `blindflash update FILE.bfu`: installs an update file on the board of this desk. No vendor, no network, no probe.
// Design: docs/product.md §3, §4.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { toHex } from '../../shared/codec/bytes.ts';
import { asBlindflashError, fail } from '../../shared/errors/errors.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import type { EventOf } from '../json-events.ts';
import { SHEET_WIDTH } from '../../agent/consent/plain-text.ts';
import type { UpdateSheet } from '../../agent/consent/update-sheet.ts';
import {
  runUpdate,
  type UpdateBoard,
  type UpdateCustomer,
  type UpdateOutcome,
} from '../../agent/session/update-session.ts';
import { updateFile, UPDATE_FILE_MOST, type UpdateFile } from '../../agent/update/update-file.ts';
import { printJson, say } from '../terminal/output.ts';
import { createProgress, progressMode, type Progress } from '../terminal/progress.ts';
import { createPrompt, type Prompt } from '../terminal/prompt.ts';
import { onInterrupt } from './agent.ts';
import { namedPort, requirePortName } from './serial-port.ts';

export interface UpdateArguments {
  readonly file: string;
  readonly serial?: string | undefined;
  readonly probe?: string | undefined;
  readonly yes?: string | undefined;
  readonly 'record-out'?: string | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** Digits of a header hash, all of them. */
const HASH_DIGITS = 128;
const LABEL = 'image';

/** Installs a file. @throws what a person has to be told; the exit status is that of the error. */
export async function runUpdateCommand(args: UpdateArguments): Promise<void> {
  const { serial } = args;
  if (serial === undefined) throw fail('BF-USAGE', 'update needs --serial: the port the board’s loader is at');
  requirePortName(serial);
  const agreed = headerHashOf(args.yes);
  const file = await readUpdateFile(args.file);
  const json = args.json ?? false;
  const log = createLog(args['log-level'] ?? 'silent', 'update');
  const prompt = createPrompt({ program: json });
  const progress = createProgress(progressMode(json), systemClock);
  const customer = new UpdateTerminal({ prompt, progress, json, agreed });
  const stop = new AbortController();
  const forget = onInterrupt(customer, stop);
  try {
    const source = await namedPort(serial, args.probe, { clock: systemClock, log: log.child({ part: 'probe' }) });
    const [clock, random, { signal }] = [systemClock, systemRandom, stop];
    const outcome = await runUpdate({ source, file, customer, clock, random, log, signal });
    customer.finish(file, outcome);
    await keepRecord(args['record-out'], file, outcome);
    if (outcome.error !== undefined) throw outcome.error;
    if (outcome.result === 'declined') throw fail('BF-JOB-DECLINED');
  } finally {
    forget();
    progress.stop();
    await prompt.close();
  }
}

/** @throws BF-USAGE-FILE, BF-UPDATE-MALFORMED, BF-UPDATE-VERSION */
async function readUpdateFile(path: string): Promise<UpdateFile> {
  const unreadable = (error: unknown): never => {
    throw fail('BF-USAGE-FILE', path, error);
  };
  const { size } = await stat(path).catch(unreadable);
  if (size > UPDATE_FILE_MOST) throw fail('BF-UPDATE-MALFORMED', `${size} bytes`);
  return updateFile(basename(path), new Uint8Array(await readFile(path).catch(unreadable)));
}

function headerHashOf(yes: string | undefined): string | undefined {
  const digits = yes?.replace(/\s/g, '').toLowerCase();
  if (digits !== undefined && !new RegExp(`^[0-9a-f]{${HASH_DIGITS}}$`).test(digits)) {
    throw fail('BF-USAGE', `--yes expects the header hash that inspect shows, all ${HASH_DIGITS} hexadecimal digits`);
  }
  return digits;
}

interface TerminalOptions {
  readonly prompt: Prompt;
  readonly progress: Progress;
  readonly json: boolean;
  /** Header hash agreed to beforehand, hexadecimal. */
  readonly agreed: string | undefined;
}

class UpdateTerminal implements UpdateCustomer {
  readonly #options: TerminalOptions;
  #started = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  say(text: string): void {
    this.#options.progress.stop();
    this.#started = false;
    this.#tell({ event: 'say', text }, text);
  }

  showSheet({ lines, headerHash, word }: UpdateSheet): void {
    const rule = '─'.repeat(SHEET_WIDTH);
    const record = { event: 'sheet', headerHash: toHex(headerHash), word, lines: [...lines] } as const;
    this.#tell(record, ['', rule, ...lines, rule].join('\n'));
  }

  async askConsent({ headerHash, word }: UpdateSheet): Promise<boolean> {
    const { agreed, prompt } = this.#options;
    if (agreed === undefined) {
      return prompt.askWord(`Do you agree to this? Type the word of this sheet, ${word}, for yes, or no: `, word);
    }
    const covered = agreed === toHex(headerHash);
    this.say(covered ? 'This is the file agreed to beforehand with --yes.' : NOT_COVERED_TEXT);
    return covered;
  }

  progress(doneBytes: number, totalBytes: number): void {
    const { progress } = this.#options;
    if (!this.#started) progress.start(LABEL, totalBytes);
    this.#started = true;
    progress.update(doneBytes);
  }

  finish(file: UpdateFile, outcome: UpdateOutcome): void {
    this.#options.progress.stop();
    this.#tell(
      { event: 'end', ...factsOf(file, outcome) },
      [ENDINGS[outcome.result], BOARDS[outcome.board]].join('\n'),
    );
  }

  #tell(record: EventOf<'update'>, text: string): void {
    if (this.#options.json) printJson(record);
    else this.#options.prompt.beside(() => say(text));
  }
}

function factsOf({ header, headerHash, hash }: UpdateFile, { result, board, error, before, after }: UpdateOutcome) {
  const { product, version } = header.plan.release;
  const known = before === undefined ? {} : { uid: toHex(before.uid), loaderHash: toHex(before.loaderHash) };
  return {
    result,
    board,
    ...(error === undefined ? {} : { code: error.code }),
    ...known,
    ...(before === undefined ? {} : { versionBefore: before.imageVersion }),
    ...(after === undefined ? {} : { versionAfter: after.imageVersion }),
    product,
    version,
    headerHash: toHex(headerHash),
    fileHash: toHex(hash),
  };
}

/** What this computer saw; nobody has signed it, for nobody else was there. */
async function keepRecord(path: string | undefined, file: UpdateFile, outcome: UpdateOutcome): Promise<void> {
  if (path === undefined) return;
  const at = new Date(systemClock.wall()).toISOString();
  const record = { record: 'blindflash update', at, file: file.name, ...factsOf(file, outcome) };
  await writeFile(path, `${JSON.stringify(record, null, 2)}\n`).catch((error: unknown) => {
    throw fail('BF-USAGE-FILE', `${path}: ${asBlindflashError(error).detail ?? ''}`, error);
  });
}

const NOT_COVERED_TEXT = 'This is not the file that --yes agrees to. The answer is no.';

const ENDINGS = {
  done: 'Done.',
  declined: 'You said no; nothing was changed.',
  failed: 'The file was not installed.',
} as const satisfies Record<UpdateOutcome['result'], string>;

const BOARDS = {
  untouched: 'Board: as it was.',
  incomplete: 'Board: it may have no program now; its loader waits for the file.',
  written: 'Board: the image is installed and complete, by the word of its loader.',
} as const satisfies Record<UpdateBoard, string>;
