// What each trust mode stops and what it does not: the words people are shown by sheet, command line and receipt.
import type { PlanMode } from './plan.ts';

export interface TrustRow {
  readonly setUp: string;
  readonly stops: readonly string[];
  readonly doesNotStop: readonly string[];
  /** What a receipt of this mode proves, and what not. */
  readonly receipt: string;
}

export const TRUST: Readonly<Record<PlanMode, TrustRow>> = {
  'host-blind': {
    setUp: 'A program in the chip’s RAM makes a fresh key on the chip; read protection is off during the job.',
    stops: [
      'the relay and the network reading along',
      'recordings: logs, memory and disk of the laptop, captured USB or SWD traffic',
      'a curious person at the laptop who only looks',
    ],
    doesNotStop: [
      'a person or a program, malware included, that can drive the probe: it can stop the chip, read RAM or flash, or pretend to be a chip',
      'anybody with a probe after the job, unless the plan locked the chip and the board was switched off and on',
    ],
    receipt:
      'Whoever completed this session reported this digest for this plan. In the mode host-blind this does not prove ' +
      'that a chip exists, which chip it was, or how many there are.',
  },
};

/** How strong the modes are, weakest first; a firmware policy names the weakest it allows. */
export const MODE_ORDER = ['open', 'host-blind', 'lock-then-load', 'seeded', 'hardened'] as const;
export type AnyMode = (typeof MODE_ORDER)[number];

/** True if `mode` is at least as strong as `policy` asks. */
export function satisfiesPolicy(mode: AnyMode, policy: AnyMode): boolean {
  return MODE_ORDER.indexOf(mode) >= MODE_ORDER.indexOf(policy);
}

export const LOCK_TEXTS = {
  none: 'This image can be read out afterwards: the plan does not lock the chip.',
  'level 1': 'Lock programmed: effective after a power cycle. Switch the board off and on.',
} as const;

/** Said on every sheet of a job that writes: what consent to an image means. */
export const IMAGE_RULES_TEXT =
  'Once the image starts, the vendor’s program rules the chip: it can erase it, lock it for ever, burn one-time memory and drive every pin.';
