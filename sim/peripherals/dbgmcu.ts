// Debug support registers on the private bus: identity, low-power debug bits, freeze bits. Cleared by power-on only,
// and reachable while system reset is asserted (docs/reference/stm32f4.md §1.1, §8.4;
// docs/reference/cortex-m-debug.md §5).
import type { ResetKind } from '../core-port.ts';
import { bit, RegisterBlock, type Context } from './part.ts';

const REG = { idcode: 0x00, cr: 0x04, apb1: 0x08, apb2: 0x0c } as const;
const WRITABLE: Readonly<Record<number, number>> = { [REG.cr]: 0xe7, [REG.apb1]: 0x06e01dff, [REG.apb2]: 0x00070003 };
/** DBGMCU_CR: DBG_SLEEP, DBG_STOP, DBG_STANDBY. */
const KEEPS = { sleep: 0, stop: 1, standby: 2 } as const;
const IWDG_STOP = 12;
/** Bits 15:12 of IDCODE as read on a bench. */
const IDCODE_FILLER = 0x6000;

export class Dbgmcu extends RegisterBlock<{ words: Record<number, number> }> {
  constructor(context: Context) {
    super(context, { words: {} });
  }
  reset(kind: ResetKind): void {
    if (kind === 'power') this.state.words = {};
  }
  get keepsSleepClocked(): boolean {
    return bit(this.#word(REG.cr), KEEPS.sleep);
  }
  get keepsStopClocked(): boolean {
    return bit(this.#word(REG.cr), KEEPS.stop);
  }
  get keepsStandbyPowered(): boolean {
    return bit(this.#word(REG.cr), KEEPS.standby);
  }
  get freezesIwdg(): boolean {
    return bit(this.#word(REG.apb1), IWDG_STOP);
  }
  override pure(): boolean {
    return true;
  }
  protected override wordOnly(): boolean {
    return true;
  }
  protected override load(offset: number): number {
    const { revId, devId } = this.context.chip;
    return offset === REG.idcode ? ((revId << 16) | IDCODE_FILLER | devId) >>> 0 : this.#word(offset);
  }
  protected override store(offset: number, value: number): void {
    const mask = WRITABLE[offset];
    if (mask !== undefined) this.state.words[offset] = (value & mask) >>> 0;
  }
  #word(offset: number): number {
    return this.state.words[offset] ?? 0;
  }
}
