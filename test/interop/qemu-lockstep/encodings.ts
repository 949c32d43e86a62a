// Raw encodings: bit patterns of every class with random bits, so that undefined neighbours are met too. An encoding
// that the architecture calls UNPREDICTABLE (ARMv7-M A5.1.2), and that the core and QEMU answer differently, is named
// in a table and left out.
import type { Dice } from './dice.ts';

const REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14];

/** Loads and stores go through r10 only; branches, hints and system registers are the templates' business. */
const INTEGER = [
  '000xxxxxxxxxxxxx',
  '001xxxxxxxxxxxxx',
  '010000xxxxxxxxxx',
  '10100xxxxxxxxxxx',
  '10101xxxxxxxxxxx',
  '10110010xxxxxxxx',
  '10111010xxxxxxxx',
  '10111000xxxxxxxx',
  '11011110xxxxxxxx',
  '0100010x0mmmm0xx',
  '1110101xxxxxnnnn0xxxddddxxxxmmmm',
  '111010100001nnnn0xxx1111xxxxmmmm',
  '111010101001nnnn0xxx1111xxxxmmmm',
  '111010110001nnnn0xxx1111xxxxmmmm',
  '111010111011nnnn0xxx1111xxxxmmmm',
  '1110101xxxxx11110xxxddddxxxxmmmm',
  '11110x0xxxxxnnnn0xxxddddxxxxxxxx',
  '11110x000001nnnn0xxx1111xxxxxxxx',
  '11110x001001nnnn0xxx1111xxxxxxxx',
  '11110x010001nnnn0xxx1111xxxxxxxx',
  '11110x011011nnnn0xxx1111xxxxxxxx',
  '11110x0xxxxx11110xxxddddxxxxxxxx',
  '11110x1xxxxxnnnn0xxxddddxxxxxxxx',
  '11110x1xxxxx11110xxxddddxxxxxxxx',
  '11111010xxxxnnnnxxxxddddxxxxmmmm',
  '11111010xxxxnnnn1111ddddxxxxmmmm',
  '11111010xxxx11111111dddd1xxxmmmm',
  '111110110xxxnnnnaaaaddddxxxxmmmm',
  '111110110xxxnnnn1111ddddxxxxmmmm',
  '111110111xxxnnnnaaaaddddxxxxmmmm',
  '1111101110x1nnnn1111dddd1111mmmm',
  '1111100x0xxx1010tttt1xxx000xxxxx',
  '1111100x1xxx1010tttt0000000xxxxx',
  '1111100x00x110101111110000xxxxxx',
  '1110100010x11010000x00xxxxxxxxxx',
  '1110100100x11010000x00xxxxxxxxxx',
  '1110100010x01010000x00xxxxxxxxxx',
  '1110100xx1xx1010ttttdddd000xxxxx',
  '111x11xxxxxxnnnntttt0xxxxxxxxxxx',
] as const;
const FLOAT = [
  '11101110xxxxxxxxxxxx1010xxx0xxxx',
  '11101110xxxxxxxxxxxx1010xxx0xxxx',
  '111011101x11xxxxxxxx1010x1x0xxxx',
  '11101110xxxxxxxxxxxx1011xxx0xxxx',
  '11101110xxxxxxxxtttt101xxxx1xxxx',
  '111011101110xxxxtttt101000010000',
  '111011000x0xddddtttt101xxxxxxxxx',
  '11101101xx001010xxxx1010000xxxxx',
  '11101101xx011010xxxx1010000xxxxx',
  '1110110010xx1010xxxx10100000xxxx',
  '1111111xxxxxxxxxxxxx101xxxxxxxxx',
] as const;
export const ENCODING_KINDS = { integer: INTEGER, float: FLOAT } as const;

interface Unpredictable {
  readonly why: string;
  /** True for encodings of this row; a half-word stands in bits 31:16 with 0 below. */
  readonly is: (code: number) => boolean;
}

const field = (code: number, high: number, low: number): number => (code >>> low) & ((2 << (high - low)) - 1);
const masked = (mask: number, value: number) => (code: number) => (code & mask) >>> 0 === value >>> 0;

/** UNPREDICTABLE encodings, or such that the two sides may answer as they like. */
const UNPREDICTABLE: readonly Unpredictable[] = [
  { why: 'HLT (undefined in v7-M; QEMU takes it as a semihosting call)', is: masked(0xffc00000, 0xba800000) },
  {
    why: 'PC as first operand of a data-processing instruction',
    is: (code) =>
      (masked(0xfe0f0000, 0xea0f0000)(code) || masked(0xfa0f8000, 0xf00f0000)(code)) && (field(code, 24, 22) & 7) !== 1,
  },
  {
    why: 'exclusive store whose status register is its value',
    is: (code) =>
      masked(0xfff00000, 0xe8400000)(code) && [field(code, 15, 12), field(code, 19, 16)].includes(field(code, 11, 8)),
  },
  {
    why: 'LDREX with bits 11:8 not ones',
    is: (code) => masked(0xfff00000, 0xe8500000)(code) && field(code, 11, 8) !== 15,
  },
  {
    why: 'saturation or bit field with bit 26 or 5 set, or from PC',
    is: (code) =>
      masked(0xfb008000, 0xf3000000)(code) &&
      ((code & 0x04000020) !== 0 || (field(code, 19, 16) === 15 && !masked(0xfbf00000, 0xf3600000)(code))),
  },
  { why: 'extension with bit 6 set', is: masked(0xff80f0c0, 0xfa00f0c0) },
  { why: 'PC as first operand of a DSP instruction', is: masked(0xff8f0000, 0xfa8f0000) },
  {
    why: 'MLS or SMMLS without accumulator',
    is: (code) => masked(0xfff0f0f0, 0xfb00f010)(code) || masked(0xfff0f000, 0xfb60f000)(code),
  },
  {
    why: 'division with bits 15:12 not ones',
    is: (code) => masked(0xffd00000, 0xfb900000)(code) && field(code, 15, 12) !== 15,
  },
  {
    why: 'long multiply into one register',
    is: (code) => masked(0xff800000, 0xfb800000)(code) && field(code, 15, 12) === field(code, 11, 8),
  },
  {
    why: 'float transfer with bits set that should be zero',
    is: (code) =>
      masked(0xff000f10, 0xee000a10)(code)
        ? (code & 0x6f) !== 0
        : masked(0xff000f1f, 0xee000b10)(code & ~15) && (code & 15) !== 0,
  },
  {
    why: 'VCMP with zero, operand field not zero',
    is: (code) => masked(0xffbf0e50, 0xeeb50a40)(code) && (code & 0x2f) !== 0,
  },
  {
    why: 'VMOV immediate with bit 7 or 5 set',
    is: (code) => masked(0xffb00e50, 0xeeb00a00)(code) && (code & 0xa0) !== 0,
  },
  {
    why: 'VCVT with a negative number of fraction bits',
    is: (code) => masked(0xffba0ed0, 0xeeba0a40)(code) && ((code & 15) << 1) + field(code, 5, 5) > 16,
  },
  {
    why: 'VMOV of a pair beyond S31, or into one register twice',
    is: (code) =>
      masked(0xffe00ed0, 0xec400a10)(code) &&
      ((code & 0x12f) === 0x2f || (field(code, 20, 20) === 1 && field(code, 19, 16) === field(code, 15, 12))),
  },
  { why: 'table branch with bits 15:8 of the second half-word not 0xF0', is: masked(0xfff000e0, 0xe8d00000) },
  {
    why: 'SP, LR with PC, or too few registers in a load or store multiple',
    is: (code) => masked(0xfe400000, 0xe8000000)(code) && popCount(field(code, 15, 0)) < 2,
  },
];

function popCount(x: number): number {
  return x.toString(2).replaceAll('0', '').length;
}

/** How often rows of the table were met, for the report. */
export const leftOut = new Map<string, number>();

function draw(dice: Dice, bits: string): number {
  const letters = new Map<string, string>();
  let text = '';
  const counts = new Map<string, number>();
  for (const bit of bits) {
    if (bit === '0' || bit === '1') {
      text += bit;
    } else if (bit === 'x') {
      text += dice.below(2);
    } else {
      const value = letters.get(bit) ?? dice.pick(REGISTERS).toString(2).padStart(4, '0');
      letters.set(bit, value);
      const at = counts.get(bit) ?? 0;
      text += value[at]!;
      counts.set(bit, at + 1);
    }
  }
  return Number.parseInt(text.padEnd(32, '0'), 2);
}

/** One instruction of a random class in assembler syntax. */
export function encodingLine(dice: Dice, patterns: readonly string[]): string {
  for (;;) {
    const bits = dice.pick(patterns);
    const code = draw(dice, bits);
    const row = UNPREDICTABLE.find(({ is }) => is(code));
    if (row === undefined) {
      return bits.length === 16 ? `.inst.n 0x${(code >>> 16).toString(16)}` : `.inst.w 0x${code.toString(16)}`;
    }
    leftOut.set(row.why, (leftOut.get(row.why) ?? 0) + 1);
  }
}
