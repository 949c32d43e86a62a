// Edge: what the vendor sees of a job: lines and a bar for a person, one JSON object an event for a program.
import { CHIP_PROVED } from '../../controller/store/job-record.ts';
import type { CodeAsked, JobEvent, JobResult } from '../../controller/job/ports.ts';
import { findChip, optionLines, type OptionWords } from '../../shared/chips/index.ts';
import { isoTime } from '../../shared/codec/iso-time.ts';
import { hexNumber, toHex } from '../../shared/codec/bytes.ts';
import { isForeignText, quotable, type ForeignText } from '../../shared/codec/foreign-text.ts';
import type { EventOf, JsonEvent } from '../json-events.ts';
import { printJson, say, sayUnbroken } from '../terminal/output.ts';
import type { Prompt } from '../terminal/prompt.ts';
import { PLACE_TEXTS } from '../../shared/registry/states.ts';
import { timesText } from '../terminal/times.ts';
import { createProgress, progressMode, type Progress } from '../terminal/progress.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import type { SpentReason } from '../../shared/tunnel/invite-state.ts';
import { BOARD_STATES, type Hello } from '../../shared/tunnel/bodies.ts';
import type { Receipt } from '../../shared/plan/receipt.ts';

export class JobView {
  readonly #json: boolean;
  readonly #prompt: Pick<Prompt, 'beside'>;
  readonly #progress: Progress;
  #running = false;
  #full = false;

  /** @param prompt asks on the same terminal: its open question stays in sight */
  constructor(json: boolean, prompt: Pick<Prompt, 'beside'>) {
    this.#json = json;
    this.#prompt = prompt;
    this.#progress = createProgress(json ? 'none' : progressMode(false), systemClock);
  }

  /** A line for a person; programs do not get it. */
  say(...lines: readonly string[]): void {
    if (!this.#json && lines.length > 0) this.#prompt.beside(() => say(...lines));
  }

  /** A line for a person to copy. */
  sayUnbroken(line: string): void {
    if (!this.#json) this.#prompt.beside(() => sayUnbroken(line));
  }

  /** A record for a program; persons do not get it. */
  record(event: JsonEvent): void {
    if (this.#json) printJson(event);
  }

  show(event: JobEvent): void {
    if (this.#json) return printJson(asRecord(event));
    // The bar must not move while the vendor is asked.
    if (event.type === 'code') return this.#stopBar();
    if (event.type === 'sealed') this.#full = false;
    if (event.type === 'progress') return this.#bar(event.doneBytes, event.totalBytes);
    const lines = linesFor(event);
    if (lines.length > 0) this.#stopBar();
    this.say(...lines);
  }

  finish(result: JobResult): void {
    this.#stopBar();
    if (this.#json) return printJson({ event: 'done', ...printed(result) });
    if (result.receipt !== undefined) this.say('', ...receiptLines(JSON.parse(result.receipt.text) as Receipt));
    this.say(`Done in ${timesText(result.times)}.`, ...boardLines(result));
  }

  stop(): void {
    this.#stopBar();
  }

  /** One bar a sealed session: once it is full nothing starts it again. */
  #bar(doneBytes: number, totalBytes: number): void {
    if (this.#full || totalBytes === 0) return;
    if (!this.#running) this.#progress.start('image', totalBytes);
    this.#running = true;
    this.#progress.update(doneBytes);
    this.#full = doneBytes === totalBytes;
    if (this.#full) this.#stopBar();
  }

  #stopBar(): void {
    if (this.#running) this.#progress.stop();
    this.#running = false;
  }
}

/** Sentences for the events a person wants to hear about. */
function linesFor(event: JobEvent): string[] {
  switch (event.type) {
    case 'peer':
      return [event.present ? 'The customer’s computer is there.' : 'Waiting for the customer’s computer.'];
    case 'tunnel':
      return [`Tunnel ${event.number} with somebody who holds the invite, ${isoTime(event.at)}.`];
    case 'codeVoid':
      return ['The question for the code is void.'];
    case 'spent':
      return SPENT_LINES[event.why];
    case 'hello':
      return helloLines(event.hello);
    case 'sheet':
      return ['The customer is reading what would be done.'];
    case 'consent':
      return ['The customer agrees.'];
    case 'enrolled':
      return [`Device ${event.uid}: ${ENROLLED_TEXTS[event.outcome]}`];
    case 'sealed':
      return [`Sealed session with the chip ${event.uid}.`];
    case 'sector':
      return event.skipped ? [`Sector ${event.sector} holds the image already.`] : [];
    case 'written':
      return ['Written and verified by the chip.'];
    case 'locked':
      return ['Lock programmed. The board does not run until it has been switched off and on.'];
    case 'optionBytes':
      return optionsLine(event);
    case 'left':
      return [`The agent has let go of the board and says: ${BOARD_STATES[event.agentSays]}.`];
    case 'problem':
      return [
        `The agent reports ${event.problem.code}: “${quotable(event.problem.detail)}”${event.restarting ? '; trying again' : ''}`,
      ];
    default:
      return [];
  }
}

function optionsLine({ before, after }: Extract<JobEvent, { type: 'optionBytes' }>): string[] {
  const words = ({ optcr, optcr1 }: OptionWords) => `${hexNumber(optcr)}, ${hexNumber(optcr1)}`;
  return [`The agent says: OPTCR, OPTCR1 were ${words(before)} and are ${words(after)}.`];
}

/** What became of an enrolment. */
const ENROLLED_TEXTS = {
  new: 'it is on record now (`blindflash devices show UID`).',
  known: 'it was on record with these keys already.',
  waiting:
    'ANOTHER KEY than the one on record. It is kept without provenance and not used: find out whether the board was planted anew, ' +
    'and decide with `blindflash devices accept`.',
} as const satisfies Record<Extract<JobEvent, { type: 'enrolled' }>['outcome'], string>;

/** Why an invite is spent, in words for the vendor. */
const SPENT_LINES: Readonly<Record<SpentReason, string[]>> = {
  answers: [
    'WARNING: the invite was tried 32 times and nobody showed that he is the customer. It is spent.',
    'Somebody on the way may be guessing. Send the next invite another way.',
  ],
  codes: ['The third code was wrong. The invite is spent: whoever read it to you may not be connected to you.'],
  'second holder': [
    'WARNING: two seem to hold the way back to this job. The invite is spent.',
    'Somebody has copied it from the customer’s computer, or has the invite, or the relay held a message back.',
  ],
  vendor: [],
};

/** The question for the code; names the invite and the customer, never the code. */
export function codeQuestion({ invite, customer, again, triesLeft }: CodeAsked): string {
  const left = `${triesLeft} wrong ${triesLeft === 1 ? 'one' : 'ones'} more and the invite is spent`;
  const why = again === undefined ? '' : again === 'wrong' ? `That is not the code; ${left}.\n` : `${MALFORMED}\n`;
  const whose = customer === '' ? '' : ` (“${quotable(customer)}”)`;
  return `${why}Invite ${invite}${whose}: type the code that the customer reads to you: `;
}

const MALFORMED = 'A code has six characters, such as ABC-DEF.';

/** What the chip has proved and, apart, what the agent says. */
export function boardLines({ chipProved, agentSays }: Pick<JobResult, 'chipProved' | 'agentSays'>): string[] {
  const said = agentSays === undefined ? 'has not said how it left the board' : `says: ${BOARD_STATES[agentSays]}`;
  return [`The board: ${CHIP_PROVED[chipProved]}.`, `The agent ${said}.`];
}

export function helloLines({ probe, target, agent }: Hello): string[] {
  const volts = probe.millivolts === null ? 'supply unknown' : `${(probe.millivolts / 1000).toFixed(2)} V`;
  const size = target.flashKiB === 0 ? 'flash size not read' : `${target.flashKiB} KiB of flash`;
  const id = /^0+$/.test(target.uid) ? 'not read' : target.uid;
  const [kind, firmware, serial] = [probe.kind, probe.firmware, probe.serial].map((text) => `“${quotable(text)}”`);
  return [
    `agent    “${quotable(agent)}”`,
    `probe    ${kind} ${firmware} ${serial}, ${volts}`,
    `chip     DEV_ID 0x${target.devId.toString(16)}, revision 0x${target.revId.toString(16)}, ${size}, ` +
      `RDP level ${target.rdp}, unique id ${id}`,
    ...optionBytesOf(target),
  ];
}

/** In words, as the agent read them; a line each. */
function optionBytesOf({ devId, flashKiB, optcr, optcr1 }: Hello['target']): string[] {
  const chip = findChip(devId);
  if (chip === undefined) return [];
  const registers = `OPTCR ${hexNumber(optcr)}${chip.banks === 2 ? `, OPTCR1 ${hexNumber(optcr1)}` : ''}`;
  const known = chip.flashKiB.includes(flashKiB) ? flashKiB : 0;
  return [
    `options  ${registers}`,
    ...optionLines(chip, known, { optcr, optcr1 }).map(([name, text]) => `         ${name}: ${text}`),
  ];
}

function receiptLines(receipt: Receipt): string[] {
  return [
    `receipt  ${receipt.outcome}, ${receipt.sealedAt}`,
    `job      ${receipt.job}`,
    `unit     ${receipt.uid}`,
    `digest   ${receipt.imageDigest ?? 'none'}`,
    `code     ${receipt.code}`,
    ...deviceLines(receipt),
    receipt.statement,
  ];
}

function deviceLines({ device }: Receipt): string[] {
  if (device === undefined) return [];
  const { enrolled, lock, sessions } = device;
  return [`device   enrolled: ${PLACE_TEXTS[enrolled]}; lock ${lock}; sessions with parts of the image: ${sessions}`];
}

/** A value as it is printed: byte strings become hexadecimal digits. */
type Printed<T> = T extends Uint8Array
  ? string
  : T extends ForeignText
    ? T
    : T extends object
      ? { readonly [Name in keyof T]: Printed<T[Name]> }
      : T;

/** The job tells its events' names in `type`, programs read them in `event`. */
type PrintedEvent<E> = E extends { readonly type: infer Name }
  ? { readonly event: Name } & Printed<Omit<E, 'type'>>
  : never;

/**
 * An event as programs read it. The compiler sees a field that is missing, not one that the table does not declare: a
 * test holds the events of a whole job against the table.
 */
export function asRecord({ type, ...fields }: JobEvent): EventOf<'job'> {
  return { event: type, ...printed(fields) } as PrintedEvent<JobEvent>;
}

function printed<T>(value: T): Printed<T> {
  return plain(value) as Printed<T>;
}

/** Byte strings as hexadecimal, everything else as JSON has it. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || isForeignText(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}
