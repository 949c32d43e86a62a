// What OPTSTRT starts: the bytes the registers ask for, what refuses them, and how long they take
// (docs/reference/stm32f4.md §4, §5.1, §6). Pure.
import type { FlashNeighbours, FlashState } from './flash-state.ts';
import { psizeOf } from './flash-rules.ts';
import { massEraseNs, optionNs } from './flash-timing.ts';
import { dropsPcrop, rdpLevelOf, wordsOf, type OptionMasks, type OptionByteWords } from './option-bytes.ts';

export interface OptionWrite {
  readonly next: OptionByteWords;
  /** Leaving read protection level 1 erases flash first, for so long; 0 otherwise. */
  readonly wipeNs: number;
  readonly totalNs: number;
}

/** The option write that the registers ask for, or undefined when the chip refuses it (WRPERR). */
export function optionWrite(
  { optcr, optcr1, cr }: FlashState,
  { options, protection, timing }: FlashNeighbours,
  masks: OptionMasks,
): OptionWrite | undefined {
  // Write protection bits of sectors that the part lacks stay unprogrammed.
  const next = wordsOf(optcr | (~masks.optcr & 0x0fff0000), optcr1 | (~masks.optcr1 & 0x0fff0000));
  const regress = options.rdpLevel === 1 && rdpLevelOf(next.user) === 0;
  if (options.rdpLevel === 2 || protection.level === 2) return undefined;
  if (dropsPcrop(options.words, next) && !regress) return undefined;
  const wipeNs = regress ? massEraseNs(timing, psizeOf(cr)) : 0;
  return { next, wipeNs, totalNs: wipeNs + optionNs(timing) };
}
