// Option bytes in words, for the vendor's `info`, the doctor, the sheet and the plan (RM0090 §3.9.10; DS9405,
// brown-out levels).
import type { Chip } from './chip.ts';
import { OPTCR, sectorProtection, USER_BITS, writeProtectionBits, type OptionWords } from './option-bits.ts';
import { sectorsOf } from './chip.ts';

/** BOR_LEV as it lies in OPTCR, weakest first: what the vendor types, and what it means. */
export const BROWN_OUT_LEVELS = {
  off: { bits: 0x0c, text: 'off (the chip runs from 1.8 V on)' },
  '1': { bits: 0x08, text: 'level 1 (reset below 2.1 V)' },
  '2': { bits: 0x04, text: 'level 2 (reset below 2.4 V)' },
  '3': { bits: 0x00, text: 'level 3 (reset below 2.7 V)' },
} as const satisfies Record<string, { readonly bits: number; readonly text: string }>;
export type BrownOutLevel = keyof typeof BROWN_OUT_LEVELS;

/** One-bit settings of OPTCR: what a set bit and a clear one mean. */
const OPTION_SWITCHES = {
  watchdog: { mask: OPTCR.softwareWatchdog, set: 'started by the program', clear: 'started by the chip at reset' },
  'Stop mode': { mask: OPTCR.noResetInStop, set: 'allowed', clear: 'entering it resets the chip' },
  'Standby mode': { mask: OPTCR.noResetInStandby, set: 'allowed', clear: 'entering it resets the chip' },
} as const satisfies Record<string, { readonly mask: number; readonly set: string; readonly clear: string }>;

/** Every setting in a line of its own: name, then meaning. */
export function optionLines(
  chip: Chip,
  flashKiB: number,
  words: OptionWords,
): (readonly [name: string, text: string])[] {
  if (isCutWrite(chip, words)) return [['option bytes', CUT_WRITE_TEXT]];
  return [
    ...settingLines(words, { optcr: USER_BITS, optcr1: 0 }),
    ['protection', protectionText(chip, flashKiB, words)],
    ...((words.optcr & OPTCR.bank2Boot) !== 0 && chip.banks === 2 ? [['start', 'from bank 2 (BFB2)'] as const] : []),
    ...((words.optcr & OPTCR.dualBank) !== 0 && chip.banks === 2
      ? [['banks', 'two, also with 1 MB (DB1M)'] as const]
      : []),
  ];
}

/** The settings of OPTCR whose bits are in the mask. */
export function settingLines({ optcr }: OptionWords, mask: OptionWords): (readonly [name: string, text: string])[] {
  const levels = Object.values(BROWN_OUT_LEVELS);
  const level = levels.find(({ bits }) => bits === (optcr & OPTCR.brownOut));
  return [
    ...((mask.optcr & OPTCR.brownOut) === 0 ? [] : [['brown-out reset', level?.text ?? ''] as const]),
    ...Object.entries(OPTION_SWITCHES)
      .filter(([, row]) => (mask.optcr & row.mask) !== 0)
      .map(([name, row]) => [name, (optcr & row.mask) === 0 ? row.clear : row.set] as const),
  ];
}

/** What a plan of these bits makes of sectors: `write-protected`, `not write-protected`. */
export function protectionChanges(mask: OptionWords, value: OptionWords): (readonly [name: string, text: string])[] {
  const named = (isSet: boolean) =>
    Array.from({ length: 24 }, (_, sector) => sector).filter((sector) => {
      const { optcr, optcr1 } = writeProtectionBits([sector]);
      const inMask = ((optcr & mask.optcr) | (optcr1 & mask.optcr1)) !== 0;
      return inMask && (((optcr & value.optcr) | (optcr1 & value.optcr1)) !== 0) === isSet;
    });
  const line = (sectors: readonly number[], text: string) =>
    sectors.length === 0 ? [] : [[sectorRuns(sectors), text] as const];
  return [...line(named(false), 'write-protected'), ...line(named(true), 'not write-protected')];
}

/** `sector 5`, `sectors 0-3, 17`. */
export function sectorRuns(sectors: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const sector of sectors) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === sector - 1) last[1] = sector;
    else runs.push([sector, sector]);
  }
  const text = runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
  return `${sectors.length === 1 ? 'sector' : 'sectors'} ${text}`;
}

/** All ones: what an option write leaves that was cut off by a reset or by power (docs/reference/stm32f4.md §4). */
export function isCutWrite(chip: Chip, { optcr }: OptionWords): boolean {
  const all = writeProtectionBits(sectorsOf(chip).map(({ index }) => index)).optcr;
  const bank = chip.banks === 2 ? OPTCR.codeProtection | OPTCR.dualBank | OPTCR.bank2Boot : 0;
  const ones = (all | bank | OPTCR.readProtection | USER_BITS) >>> 0;
  return (optcr & ones) >>> 0 === ones;
}

const CUT_WRITE_TEXT = 'erased: writing them was cut off; the chip runs nothing until it is unlocked';

function protectionText(chip: Chip, flashKiB: number, words: OptionWords): string {
  const { how, sectors } = sectorProtection(chip, flashKiB, words);
  if (sectors.length === 0) return 'no sector is write-protected';
  return `${sectorRuns(sectors)} ${how === 'write' ? 'write-protected (nWRP)' : 'protected against reading and writing (PCROP)'}`;
}
