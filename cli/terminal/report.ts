// Edge: what a person or a program sees when a command fails, and the exit status. Design: docs/product.md §4.
import {
  asBlindflashError,
  exitStatusOf,
  wordingFor,
  type Audience,
  type BlindflashError,
} from '../../shared/errors/errors.ts';
import { asciiJson, cleanLines } from '../../shared/codec/foreign-text.ts';
import type { EventOf } from '../json-events.ts';
import { STREAMS, writeLines, type TextSink } from './output.ts';

export interface ReportOptions {
  /** One JSON object for a program instead of lines for a person. */
  readonly json?: boolean;
  /** Adds the stack, for developers. */
  readonly debug?: boolean;
  /** Whose command it was: sentence and remedy are in the words for them. The vendor's unless given. */
  readonly reader?: Audience;
}

/** Where a report goes. */
export interface ReportStreams {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

/**
 * An error as text: `error BF-…: sentence`, the detail, `→ remedy`; or one line of JSON. Clean; ends with a newline.
 */
export function describeError(error: unknown, options: ReportOptions = {}): string {
  const known = asBlindflashError(error);
  return options.json
    ? `${asciiJson(asRecord(known, options))}\n`
    : cleanLines(`${asLines(known, options).join('\n')}\n`);
}

function asRecord(error: BlindflashError, options: ReportOptions): EventOf<'everybody'> {
  const { sentence, remedy } = wordingFor(error.code, options.reader ?? 'vendor');
  return {
    event: 'error',
    code: error.code,
    sentence,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    remedy,
    exitStatus: error.exitStatus,
    ...(options.debug ? { stack: stackOf(error) } : {}),
  };
}

function asLines(error: BlindflashError, options: ReportOptions): string[] {
  const { sentence, remedy } = wordingFor(error.code, options.reader ?? 'vendor');
  const hint = error.code === 'BF-INTERNAL' && !options.debug ? ['  Run it again with --debug to see where.'] : [];
  return [
    `error ${error.code}: ${sentence}`,
    ...(error.detail === undefined ? [] : [`  ${error.detail}`]),
    `→ ${remedy}`,
    ...hint,
    ...(options.debug ? [stackOf(error)] : []),
  ];
}

function stackOf(error: BlindflashError): string {
  const source = error.code === 'BF-INTERNAL' && error.cause instanceof Error ? error.cause : error;
  return source.stack ?? String(source);
}

/** Writes the report (JSON to stdout, text to stderr) and returns the exit status. */
export function reportError(error: unknown, options: ReportOptions = {}, streams: ReportStreams = STREAMS): number {
  const text = describeError(error, options);
  if (options.json) streams.stdout.write(text);
  else writeLines(streams.stderr, ...text.trimEnd().split('\n'));
  return asBlindflashError(error).exitStatus;
}

/** Runs `work` and gives the exit status: 0, or that of the error it reports. */
export async function runReported(
  work: () => Promise<unknown>,
  options: ReportOptions = {},
  streams: ReportStreams = STREAMS,
): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    return reportError(error, options, streams);
  }
}

/**
 * A reader that went away (`blindflash … | head`), or a terminal, ends the program quietly instead of with a stack; one
 * that had not come to its end does not say that all went well.
 */
export function surviveClosedPipes(): void {
  for (const stream of [STREAMS.stdout, STREAMS.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
      if (stopInOrder === undefined) process.exit(process.exitCode ?? exitStatusOf('BF-JOB-INTERRUPTED'));
      stopInOrder();
    });
  }
}

/** What is done instead when nobody reads any more: the command has something to put in order before it ends. */
let stopInOrder: (() => void) | undefined;

/** @param stop called for every write that finds nobody. Returns what takes it back. */
export function stopWhenNobodyReads(stop: () => void): () => void {
  stopInOrder = stop;
  return () => {
    stopInOrder = undefined;
  };
}
