// The content of a virtual board's flash in a file: main flash from its start, then the three option half-words.
// A plain image of the flash, shorter or as long as it, is taken too: the rest is erased, the
// options are the factory's.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fail } from '../../shared/errors/errors.ts';
import type { Board } from '../../sim/board.ts';

const OPTION_BYTES = 6;

export class FlashFile {
  readonly #path: string;
  readonly #board: Board;
  #changed = false;

  /** Loads `path` into `board`, which must be off; a missing file means an erased chip. @throws BF-USAGE-FILE */
  constructor(path: string, board: Board) {
    this.#path = path;
    this.#board = board;
    if (existsSync(path)) this.#load(this.#tried(() => readFileSync(path)));
    else this.#changed = true;
    board.flash.onOperation = () => {
      this.#changed = true;
    };
  }

  /** The option bytes were set by hand: the next `save` writes. */
  touch(): void {
    this.#changed = true;
  }

  /**
   * Writes the file if flash or options changed since the last time it could; the old file stays whole until the new
   * one is. @throws BF-USAGE-FILE
   */
  save(): void {
    if (!this.#changed) return;
    const { flash, options } = this.#board;
    const content = new Uint8Array(flash.bytes.length + OPTION_BYTES);
    content.set(flash.bytes);
    const view = new DataView(content.buffer, flash.bytes.length);
    const { user, wrp1, wrp2 } = options.words;
    [user, wrp1, wrp2].forEach((word, index) => view.setUint16(2 * index, word, true));
    this.#tried(() => writeFileSync(`${this.#path}.new`, content));
    this.#tried(() => renameSync(`${this.#path}.new`, this.#path));
    this.#changed = false;
  }

  #tried<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fail('BF-USAGE-FILE', this.#path, error);
    }
  }

  #load(content: Uint8Array): void {
    const { flash, options } = this.#board;
    const size = flash.bytes.length;
    if (content.length > size && content.length !== size + OPTION_BYTES) {
      throw fail('BF-USAGE-FILE', `${this.#path} holds ${content.length} bytes, this chip's flash ${size}`);
    }
    flash.bytes.set(content.subarray(0, size));
    if (content.length <= size) return;
    const view = new DataView(content.buffer, content.byteOffset + size);
    const [user, wrp1, wrp2] = [0, 2, 4].map((at) => view.getUint16(at, true)) as [number, number, number];
    options.words = { user, wrp1, wrp2 };
  }
}
