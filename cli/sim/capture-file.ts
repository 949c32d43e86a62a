// A tap on both wires of the virtual probe: what USB and SWD carried, as raw bytes appended to a file, so that anybody
// can search them for what must not be there (docs/simulation.md, "Driving it").
import { closeSync, openSync, writeSync } from 'node:fs';
import type { ExchangeRecord } from '../../sim/stlink/virtual-stlink.ts';
import type { SwdRecord } from '../../sim/stlink/swd-wire.ts';

const BUFFER_SIZE = 1 << 16;

/**
 * Appends to a file. An exchange adds its command (16 bytes), OUT data and reply when it ends; the SWD words (4 bytes
 * each, little endian, reads and writes, acknowledged ones only) that it caused stand before them.
 */
export class CaptureFile {
  readonly #file: number;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #filled = 0;

  /** @throws the file system's error when `path` cannot be written. */
  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  readonly onExchange = ({ command, dataOut, reply }: ExchangeRecord): void => {
    for (const bytes of [command, dataOut, reply]) if (bytes !== undefined) this.#append(bytes);
  };

  readonly onSwd = ({ ack, value }: SwdRecord): void => {
    if (ack !== 'ok') return;
    if (this.#filled + 4 > BUFFER_SIZE) this.flush();
    for (let shift = 0; shift < 32; shift += 8) this.#buffer[this.#filled++] = value >>> shift;
  };

  /** Hands what is held back to the file. */
  flush(): void {
    for (let done = 0; done < this.#filled;) done += writeSync(this.#file, this.#buffer, done, this.#filled - done);
    this.#filled = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }

  #append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      if (this.#filled === BUFFER_SIZE) this.flush();
      const part = bytes.subarray(done, done + BUFFER_SIZE - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
    }
  }
}
