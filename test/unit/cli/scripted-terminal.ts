// A terminal whose keys a test presses: its line discipline as the kernel has it. In cooked mode a line is handed out
// whole, when it is finished; in raw mode every key is, with those that waited.
import { PassThrough } from 'node:stream';

export class ScriptedTerminal extends PassThrough {
  readonly isTTY = true;
  /** Every change of mode. */
  readonly modes: ('raw' | 'cooked')[] = [];
  /** Everything that was shown. */
  shown = '';
  #line = '';

  get raw(): boolean {
    return this.modes.at(-1) === 'raw';
  }

  /** What a shell would get if the program ended now. */
  get left(): string {
    return `${(this.read() as Buffer | string | null)?.toString() ?? ''}${this.#line}`;
  }

  setRawMode(on: boolean): this {
    this.modes.push(on ? 'raw' : 'cooked');
    if (on) this.#hand(this.#line);
    return this;
  }

  press(keys: string): void {
    for (const key of keys) {
      this.#line += key;
      if (this.raw || key === '\n') this.#hand(this.#line);
    }
  }

  /** Where questions go. */
  readonly screen = { write: (text: string): void => void (this.shown += text) };

  #hand(text: string): void {
    this.#line = '';
    if (text !== '') this.write(text);
  }
}
