// Edge: the only way to a terminal (lint refuses process.stdout and process.stderr elsewhere): whatever a line was made
// of, no control character, bidirectional control or line separator of anybody's comes out (docs/protocol.md §6). The
// bar of progress.ts has sequences of its own and passes nothing through.
import { asciiJson, cleanLines } from '../../shared/codec/foreign-text.ts';
import { rowsOf } from './rows.ts';
import type { JsonEvent } from '../json-events.ts';

/** Where text goes; a stream fits. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Of a terminal. */
  readonly columns?: number;
}

/** Of a terminal that does not say how wide it is: 0, as one has it that nobody gave a size. */
const USUAL_COLUMNS = 80;

/** Text cleaned but for its line feeds, on a terminal in rows that fit: for questions, which have no end. */
export function writeText(sink: TextSink, text: string): void {
  const clean = cleanLines(text);
  const { isTTY = false, columns } = sink;
  const inRows = (line: string) => (isTTY && columns !== undefined ? rowsOf(line, columns || USUAL_COLUMNS) : [line]);
  sink.write(clean.split('\n').flatMap(inRows).join('\n'));
}

/** Whole lines, likewise. */
export function writeLines(sink: TextSink, ...lines: readonly string[]): void {
  if (lines.length > 0) writeText(sink, `${lines.join('\n')}\n`);
}

/** One declared event (cli/json-events.ts) as a line of printable ASCII; foreign text in it is cleaned. */
export function writeJson(sink: TextSink, event: JsonEvent): void {
  sink.write(`${asciiJson(event)}\n`);
}

/** Lines for a person, beside the result: standard error. */
export function say(...lines: readonly string[]): void {
  writeLines(process.stderr, ...lines);
}

/** One line of ours that people copy as a whole, unbroken: standard error. */
export function sayUnbroken(line: string): void {
  process.stderr.write(`${cleanLines(line)}\n`);
}

/** The result, in lines: standard output. */
export function print(...lines: readonly string[]): void {
  writeLines(process.stdout, ...lines);
}

/** The `--json` voice of every command: standard output. */
export function printJson(event: JsonEvent): void {
  writeJson(process.stdout, event);
}

/** A piece of a text that comes bit by bit: standard output. */
export function printPiece(text: string): void {
  writeText(process.stdout, text);
}

/** Columns to write help in. */
export function helpColumns(): number {
  return Math.min(100, process.stdout.columns || 100);
}

/** Standard output for results and errors of programs, standard error for people. */
export const STREAMS = { stdout: process.stdout, stderr: process.stderr } as const;
