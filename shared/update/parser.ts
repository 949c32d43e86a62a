// Takes an update file apart as it arrives: header, entries, frames, each whole and once, from pieces of any length.
// Knows no keys: what it hands on is what the file claims. Holds one part at a time, 4 KiB at most.
import { concat, copyOf } from '../codec/bytes.ts';
import { decodeHeader, headerLength, isFrameLength, malformed, UPDATE_BYTES, type UpdateHeader } from './format.ts';

/** What the parts of a file are given to, in their order. Whatever it throws ends the parsing. */
export interface UpdateParts {
  /** @param bytes the header as it stands in the file */
  header(header: UpdateHeader, bytes: Uint8Array): void;
  /** @param entry 160 bytes. @param index from 0 */
  entry(entry: Uint8Array, index: number): void;
  /** @param box 224 or 4096 bytes. @param number from 1 */
  frame(box: Uint8Array, number: number): void;
}

/** What comes next in a file. */
type Stage = 'header length' | 'header' | 'entry' | 'frame length' | 'frame' | 'end';

export class UpdateParser {
  readonly #parts: UpdateParts;
  #stage: Stage = 'header length';
  /** Bytes of the stage that are not complete yet. */
  #held: Uint8Array = new Uint8Array(0);
  #wanted: number = UPDATE_BYTES.headLength;
  #header: UpdateHeader | undefined;
  #entries = 0;
  #frames = 0;

  constructor(parts: UpdateParts) {
    this.#parts = parts;
  }

  /** Takes the next bytes of the file. @throws BF-UPDATE-MALFORMED, BF-UPDATE-VERSION, and what the parts throw */
  push(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#stage === 'end') throw malformed('there is more behind the last frame');
      const end = Math.min(piece.length, at + this.#wanted - this.#held.length);
      const bytes = concat(this.#held, copyOf(piece, at, end));
      at = end;
      if (bytes.length < this.#wanted) this.#held = bytes;
      else this.#complete(bytes);
    }
  }

  /** The file has ended. @throws BF-UPDATE-MALFORMED when something is missing */
  end(): void {
    if (this.#stage !== 'end') throw malformed(`it ends in the middle (${this.#stage})`);
  }

  #complete(bytes: Uint8Array): void {
    this.#held = new Uint8Array(0);
    switch (this.#stage) {
      case 'header length':
        this.#held = bytes;
        return this.#await('header', headerLength(bytes));
      case 'header':
        return this.#takeHeader(bytes);
      case 'entry':
        return this.#takeEntry(bytes);
      case 'frame length':
        return this.#takeLength(bytes);
      case 'frame':
        return this.#takeFrame(bytes);
      case 'end':
    }
  }

  #await(stage: Stage, bytes: number): void {
    this.#stage = stage;
    this.#wanted = bytes;
  }

  #takeHeader(bytes: Uint8Array): void {
    this.#header = decodeHeader(bytes);
    this.#await('entry', UPDATE_BYTES.entry);
    this.#parts.header(this.#header, bytes);
  }

  #takeEntry(bytes: Uint8Array): void {
    const index = this.#entries++;
    const count = 2 ** (this.#header?.entriesLog2 ?? 0);
    if (this.#entries === count) this.#await('frame length', UPDATE_BYTES.frameLength);
    this.#parts.entry(bytes, index);
  }

  #takeLength([low = 0, high = 0]: Uint8Array): void {
    const length = low + 256 * high;
    if (!isFrameLength(length)) throw malformed(`a frame of ${length} bytes`);
    this.#await('frame', length);
  }

  #takeFrame(bytes: Uint8Array): void {
    const number = ++this.#frames;
    if (number === this.#header?.frames) this.#await('end', 0);
    else this.#await('frame length', UPDATE_BYTES.frameLength);
    this.#parts.frame(bytes, number);
  }
}
