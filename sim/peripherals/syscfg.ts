// System configuration: which memory shows at address 0, and plain EXTI routing registers
// (docs/reference/stm32f4.md §2.5).
import { RegisterBlock, type Context } from './part.ts';

/** What the boot pins choose. */
export type BootMode = 'flash' | 'system' | 'sram';

const MODES: Readonly<Record<number, BootMode>> = { 0: 'flash', 1: 'system', 3: 'sram' };
const CODES = { flash: 0, system: 1, sram: 3 } as const;
const FB_MODE = 0x100;
const BASE = 0x40013800;

export class Syscfg extends RegisterBlock<{ words: Record<number, number> }> {
  readonly #remap: (mode: BootMode) => void;

  /** @param remap shows the chosen memory at address 0. */
  constructor(context: Context, remap: (mode: BootMode) => void) {
    super(context, { words: {} });
    this.#remap = remap;
  }
  reset(): void {
    this.state.words = {};
  }
  /** Boot pins sampled. */
  boot(mode: BootMode): void {
    this.state.words[0] = CODES[mode];
    this.#remap(mode);
  }
  override restore(state: unknown): void {
    super.restore(state);
    this.#remap(MODES[(this.state.words[0] ?? 0) & 7] ?? 'flash');
  }
  override pure(): boolean {
    return true;
  }
  protected override load(offset: number): number {
    if (offset === 0x20) return 0x100;
    return this.state.words[offset] ?? 0;
  }
  protected override store(offset: number, value: number): void {
    if (offset > 0x20) return;
    if (offset === 0) this.#storeRemap(value);
    this.state.words[offset] = value;
  }
  #storeRemap(value: number): void {
    if (value & FB_MODE) this.context.complain(BASE, 'SYSCFG FB_MODE (bank swap) is not modelled');
    const mode = MODES[value & 7];
    if (mode === undefined) return this.context.complain(BASE, `SYSCFG MEM_MODE ${value & 7} is not modelled`);
    this.#remap(mode);
  }
}
