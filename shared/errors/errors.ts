// The one error class of the project, and questions about errors that the catalogue answers.
import { cleanText, type ForeignText } from '../codec/foreign-text.ts';
import {
  ERRORS,
  PARTS,
  type Audience,
  type ErrorCode,
  type ErrorRow,
  type PartName,
  type Wording,
} from './catalogue.ts';

export type { Audience, ErrorCode } from './catalogue.ts';

/** Whatever a person may see is built from the row of its code. */
export class BlindflashError extends Error {
  override readonly name = 'BlindflashError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly exitStatus: number;
  /** Particulars of this occurrence (numbers, ids, foreign text made harmless); never keys or image bytes. */
  readonly detail: string | undefined;

  constructor(code: ErrorCode, detail?: string | ForeignText, cause?: unknown) {
    const row: ErrorRow = ERRORS[code];
    const clean = detail === undefined ? undefined : cleanText(detail);
    super(withDetail(row.sentence, clean), cause === undefined ? undefined : { cause });
    this.code = code;
    this.remedy = row.remedy;
    this.exitStatus = exitStatusOf(code);
    this.detail = clean;
  }
}

/**
 * Builds (does not throw) the error of a code: `throw fail('BF-PROBE-NONE')`.
 * @param detail particulars for the sentence's end; it is cleaned, 300 characters are kept.
 * @param cause the error underneath, if there was one.
 */
export function fail(code: ErrorCode, detail?: string | ForeignText, cause?: unknown): BlindflashError {
  return new BlindflashError(code, detail, cause);
}

/** True for a BlindflashError, and with `code` only for that one. */
export function isBlindflashError(error: unknown, code?: ErrorCode): error is BlindflashError {
  return error instanceof BlindflashError && (code === undefined || error.code === code);
}

/** Any thrown thing as a BlindflashError; foreign ones become BF-INTERNAL with their message as detail. */
export function asBlindflashError(error: unknown): BlindflashError {
  if (error instanceof BlindflashError) return error;
  return fail('BF-INTERNAL', error instanceof Error ? error.message : String(error), error);
}

/** True if this version knows the code: the other side may be newer. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** The row of a code. */
export function errorRow(code: ErrorCode): ErrorRow {
  return ERRORS[code];
}

/** The part of Blindflash, or of the desk, that a code is about. */
export function partOf(code: ErrorCode): PartName {
  return ERRORS[code].part;
}

/** The particulars that the other side is told. */
export function detailForPeer({ code, detail = '' }: BlindflashError): string {
  return PARTS[partOf(code)].ownFiles ? '' : detail;
}

/** True if the code may be that side's word; otherwise what it says is told as its own. */
export function mayTell(side: 'agent' | 'vendor', code: ErrorCode): boolean {
  const row = errorRow(code);
  const teller = row.toldBy ?? PARTS[row.part].toldBy;
  return teller === 'either' || teller === side;
}

/** What a command that ends with this code exits with. */
export function exitStatusOf(code: ErrorCode): number {
  return PARTS[ERRORS[code].part].exitStatus;
}

/** True when another access to this part may go well where one failed with this error. */
export function mayRepeatAccess(error: unknown, part: 'probe' | 'target'): error is BlindflashError {
  return isBlindflashError(error) && ERRORS[error.code].retry === 'access' && partOf(error.code) === part;
}

/** True when another dial to the relay may succeed where one ended with this error. */
export function mayRedial(code: ErrorCode): boolean {
  return ERRORS[code].retry === 'link';
}

/** True when an agent that meets this error gives up its run; otherwise it reports it and waits for the controller. */
export function endsAgent(code: ErrorCode): boolean {
  return PARTS[ERRORS[code].part].endsAgent;
}

/** What the controller may start anew after this error of chip or agent; undefined when that heals nothing. */
export function restartAfter(code: ErrorCode): 'session' | 'board' | undefined {
  const { retry } = errorRow(code);
  if (retry === 'session' || retry === 'board') return retry;
  // Whoever made the access has repeated it already.
  return retry === 'access' && !endsAgent(code) ? 'board' : undefined;
}

/** Sentence and remedy of a code in the words for whoever reads them. */
export function wordingFor(code: ErrorCode, audience: Audience): Wording {
  const row = errorRow(code);
  const own = audience === 'operator' ? undefined : row[audience];
  return { sentence: own?.sentence ?? row.sentence, remedy: own?.remedy ?? remedyFor(row, audience) };
}

/** A remedy that is somebody else's to carry out says whose. */
function remedyFor({ acts, part, remedy }: ErrorRow, audience: Audience): string {
  const who = acts ?? PARTS[part].acts;
  return who === 'anybody' || who === audience ? remedy : `For the ${who} to do: ${remedy}`;
}

/** An error as one sentence for whoever reads it: what happened and, in brackets, the particulars. */
export function tell(error: BlindflashError, audience: Audience): string {
  return withDetail(wordingFor(error.code, audience).sentence, error.detail);
}

function withDetail(sentence: string, detail: string | undefined): string {
  return detail === undefined ? sentence : `${sentence} (${detail})`;
}
