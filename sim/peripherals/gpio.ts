// One GPIO port: registers, atomic set and reset, inputs that read back what outputs drive (RM0090 chapter 8).
import { bit, RegisterBlock, type Context } from './part.ts';

const REG = {
  moder: 0x00,
  ospeedr: 0x08,
  pupdr: 0x0c,
  idr: 0x10,
  odr: 0x14,
  bsrr: 0x18,
  afrl: 0x20,
  last: 0x24,
} as const;
const MODE_ALTERNATE = 2;
/** Ports whose debug pins start as alternate functions. */
const RESET_WORDS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  A: { [REG.moder]: 0xa8000000, [REG.ospeedr]: 0x0c000000, [REG.pupdr]: 0x64000000 },
  B: { [REG.moder]: 0x00000280, [REG.ospeedr]: 0x000000c0, [REG.pupdr]: 0x00000100 },
};

const NO_WIRES: ReadonlyMap<number, PinWire> = new Map();

interface GpioState {
  words: Record<number, number>;
  /** Levels outside, for pins that are not outputs. */
  inputs: number;
}

/** A wire of somebody else's that ends at a pin: its level now, and whether that may change by itself. */
export interface PinWire {
  readonly level: () => 0 | 1;
  readonly busy: () => boolean;
}

export class Gpio extends RegisterBlock<GpioState> {
  /** Wires to pins that are not outputs, by pin; undefined where none is soldered now. */
  wires: () => ReadonlyMap<number, PinWire> = () => NO_WIRES;
  readonly #letter: string;
  constructor(context: Context, letter: string) {
    super(context, { words: { ...RESET_WORDS[letter] }, inputs: 0 });
    this.#letter = letter;
  }
  reset(): void {
    this.state.words = { ...RESET_WORDS[this.#letter] };
  }
  /** Levels applied from outside, bit per pin. */
  set inputs(levels: number) {
    this.state.inputs = levels & 0xffff;
  }
  /** Number of the alternate function `pin` has; undefined while it is an input, an output or analog. */
  alternate(pin: number): number | undefined {
    if (((this.#word(REG.moder) >>> (2 * pin)) & 3) !== MODE_ALTERNATE) return undefined;
    return (this.#word(REG.afrl + (pin >> 3) * 4) >>> (4 * (pin & 7))) & 15;
  }
  override pure(offset: number): boolean {
    return offset !== REG.idr || ![...this.wires().values()].some(({ busy }) => busy());
  }
  protected override mergeBase(offset: number): number {
    return offset === REG.bsrr ? 0 : this.load(offset);
  }
  protected override load(offset: number): number {
    if (offset === REG.idr) return this.#inputLevels();
    return offset === REG.bsrr ? 0 : this.#word(offset);
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.bsrr) {
      this.state.words[REG.odr] = (this.#word(REG.odr) & ~(value >>> 16)) | (value & 0xffff);
    } else if (offset !== REG.idr && offset <= REG.last) {
      this.state.words[offset] = offset === REG.odr ? value & 0xffff : value;
    }
  }
  #inputLevels(): number {
    const wires = this.wires();
    let levels = 0;
    for (let pin = 0; pin < 16; pin++) {
      const output = ((this.#word(REG.moder) >>> (2 * pin)) & 3) === 1;
      const outside = wires.get(pin)?.level() ?? (bit(this.state.inputs, pin) ? 1 : 0);
      if (output ? bit(this.#word(REG.odr), pin) : outside === 1) levels |= 1 << pin;
    }
    return levels;
  }
  #word(offset: number): number {
    return this.state.words[offset] ?? 0;
  }
}
