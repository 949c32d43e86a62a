// The flash interface's data cache, 8 lines of 128 bits (docs/reference/stm32f4.md §3.7). The bus reads `bytes`
// directly, so a stale line is shown by lying there: its cached data is put into `bytes` while the array's true content
// is kept aside.

const LINES = 8;
const LINE_BYTES = 16;

interface CacheState {
  enabled: boolean;
  /** Least recently used first. */
  lines: { line: number; data: Uint8Array }[];
  /** True content of lines whose stale copy currently shows in `bytes`. */
  hidden: Map<number, Uint8Array>;
}

export class DataCache {
  #state: CacheState = { enabled: false, lines: [], hidden: new Map() };
  readonly #bytes: Uint8Array;
  readonly #changed: (offset: number, length: number) => void;

  /** @param changed told which bytes of the view changed. */
  constructor(bytes: Uint8Array, changed: (offset: number, length: number) => void) {
    this.#bytes = bytes;
    this.#changed = changed;
  }
  /** Reads through the cache at `offset`; true on a hit. Call only while enabled. */
  touch(offset: number): boolean {
    const { lines } = this.#state;
    const line = Math.floor(offset / LINE_BYTES);
    const at = lines.findIndex((entry) => entry.line === line);
    if (at >= 0) {
      lines.push(...lines.splice(at, 1));
      return true;
    }
    if (lines.length === LINES) this.#evict();
    lines.push({ line, data: this.#slice(line) });
    return false;
  }
  /** Lets `change` alter the true array content in [offset, offset + length). */
  mutate(offset: number, length: number, change: () => void): void {
    this.#unveil();
    change();
    this.#veil();
    this.#changed(offset, length);
  }
  /** Programming puts the written value, not the resulting array content, into a cached line. */
  written(offset: number, data: Uint8Array): void {
    if (!this.#state.enabled) return;
    const cached = this.#state.lines.find((entry) => entry.line === Math.floor(offset / LINE_BYTES));
    if (cached === undefined) return;
    this.#unveil();
    cached.data.set(data, offset % LINE_BYTES);
    this.#veil();
  }
  setEnabled(enabled: boolean): void {
    if (this.#state.enabled === enabled) return;
    this.#unveil();
    this.#state.enabled = enabled;
    this.#veil();
  }
  /** Forgets every line. Call only while disabled (DCRST) or from a reset. */
  clear(): void {
    this.#unveil();
    this.#state.lines = [];
  }
  snapshot(): unknown {
    return structuredClone(this.#state);
  }
  restore(state: unknown): void {
    this.#state = structuredClone(state as CacheState);
  }

  #slice(line: number): Uint8Array {
    return this.#bytes.slice(line * LINE_BYTES, (line + 1) * LINE_BYTES);
  }
  #evict(): void {
    this.#unveil();
    this.#state.lines.shift();
    this.#veil();
  }
  #unveil(): void {
    for (const [line, truth] of this.#state.hidden) this.#show(line, truth);
    this.#state.hidden.clear();
  }
  #veil(): void {
    if (!this.#state.enabled) return;
    for (const { line, data } of this.#state.lines) {
      const truth = this.#slice(line);
      if (data.every((byte, i) => byte === truth[i])) continue;
      this.#state.hidden.set(line, truth);
      this.#show(line, data);
    }
  }
  #show(line: number, data: Uint8Array): void {
    this.#bytes.set(data, line * LINE_BYTES);
    this.#changed(line * LINE_BYTES, LINE_BYTES);
  }
}
