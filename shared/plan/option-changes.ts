// What a plan makes of the option bytes, in words: one line each, for plan and sheet.
import { OPTCR, protectionChanges, settingLines } from '../chips/index.ts';
import type { Plan } from './plan.ts';

/** Name and what it becomes; none for a plan that keeps the option bytes. */
export function optionChangeLines({ options: { mask, value } }: Plan): (readonly [name: string, text: string])[] {
  const has = (bit: number): boolean => (mask.optcr & bit) !== 0;
  return [
    ...(has(OPTCR.readProtection) ? [['read protection', 'level 0: the chip erases its whole flash'] as const] : []),
    ...(has(OPTCR.codeProtection) ? [['PCROP', 'off'] as const] : []),
    ...(has(OPTCR.bank2Boot) ? [['start', 'from bank 1'] as const] : []),
    ...(has(OPTCR.dualBank) ? [['banks', 'one on parts of 1 MB'] as const] : []),
    ...settingLines(value, mask),
    ...protectionChanges(mask, value),
  ];
}
