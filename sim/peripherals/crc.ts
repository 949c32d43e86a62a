// CRC unit: polynomial 0x04C11DB7, initial value all ones, whole words, most significant bit first (RM0090 chapter 4).
import { RegisterBlock, type Context } from './part.ts';

const POLYNOMIAL = 0x04c11db7;
const REG = { dr: 0x00, idr: 0x04, cr: 0x08 } as const;

export class Crc extends RegisterBlock<{ crc: number; scratch: number }> {
  constructor(context: Context) {
    super(context, { crc: 0xffffffff, scratch: 0 });
  }
  reset(): void {
    this.state = { crc: 0xffffffff, scratch: 0 };
  }
  override pure(): boolean {
    return true;
  }
  protected override load(offset: number): number {
    if (offset === REG.dr) return this.state.crc;
    return offset === REG.idr ? this.state.scratch : 0;
  }
  protected override store(offset: number, value: number): void {
    if (offset === REG.dr) this.state.crc = crcOfWord(this.state.crc, value);
    if (offset === REG.idr) this.state.scratch = value & 0xff;
    if (offset === REG.cr && value & 1) this.state.crc = 0xffffffff;
  }
}

function crcOfWord(crc: number, word: number): number {
  let sum = crc ^ word;
  for (let i = 0; i < 32; i++) sum = sum & 0x80000000 ? (sum << 1) ^ POLYNOMIAL : sum << 1;
  return sum >>> 0;
}
