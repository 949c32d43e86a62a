// A peripheral nobody modelled: remembers what was written and says once that it is only pretending.
import type { Master } from '../bus.ts';
import { RegisterBlock, type Context } from './part.ts';

export class RegisterStore extends RegisterBlock<{ words: Map<number, number> }> {
  readonly #name: string;
  readonly #base: number;

  constructor(context: Context, name: string, base: number) {
    super(context, { words: new Map() });
    this.#name = name;
    this.#base = base;
  }
  reset(): void {
    if (this.state.words.size > 0) this.state.words.clear();
  }
  protected override load(offset: number): number {
    this.#admit(offset);
    return this.state.words.get(offset) ?? 0;
  }
  protected override store(offset: number, value: number, _master: Master): void {
    this.#admit(offset);
    this.state.words.set(offset, value);
  }
  #admit(offset: number): void {
    this.context.complain(this.#base + offset, `${this.#name} is not modelled: it only remembers what is written`);
  }
}
