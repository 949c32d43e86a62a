// The trust modes, weakest first, one row each: what a mode stops and what it does not, in the words people are shown
// by sheet, command line and receipt (docs/product.md, docs/protocol.md §7). The names for the program on the chip are
// generated from this table.

/** A mode this version has. */
export interface ModeRow {
  /** Its byte in the plan. */
  readonly number: number;
  /**
   * Where the secret half of the chip's key lies, by the number M1 names (docs/protocol.md §8): 1 in RAM,
   * 2 in the device's flash.
   */
  readonly keyKind: number;
  readonly setUp: string;
  readonly stops: readonly string[];
  readonly doesNotStop: readonly string[];
  /**
   * What a receipt of this mode proves, and what not, by where its digest comes from (docs/protocol.md §10, `source`).
   */
  readonly receipt: { readonly stub: string; readonly vendor: string };
}

/** A mode that a firmware policy may ask for and that this version does not have. */
interface NamedMode {
  readonly number: undefined;
}

const STOPPED_BY_SEALING = [
  'the relay and the network reading along',
  'recordings: logs, captured serial traffic, the disk and the memory of the laptop',
] as const;

/** What a locked chip with a key of its own leaves open. */
const NOT_STOPPED_BY_LOCK = [
  'glitching: read protection of this family is beaten by people with some equipment, one unit at a time',
  'a probe that resets the chip at chosen instants: it still gains one piece of the image (4 KB) for each session it breaks off; the vendor is asked after 8; and from several broken installs of one update file perhaps all of its image',
] as const;

/** The same, where a receipt says what it proves. */
const NOT_PROVED_BY_LOCK =
  'It does not rule out that this unit was glitched or opened, nor that a probe gained a piece of the image (4 KB) for ' +
  'each session that was broken off.';

/** Their order is their strength. */
export const MODES = {
  open: { number: undefined },
  'host-blind': {
    number: 1,
    keyKind: 1,
    setUp: 'A program in the chip’s RAM makes a fresh key on the chip; read protection is off during the job.',
    stops: [
      'the relay and the network reading along',
      'recordings: logs, captured USB or SWD traffic, the disk of the laptop, and its memory but for the moment named below',
      'a curious person at the laptop who only looks',
    ],
    doesNotStop: [
      'a person or a program, malware included, that can drive the probe: it can stop the chip, read RAM or flash, or pretend to be a chip',
      'whoever reads the live memory of the laptop between the moment it shows the code and the chip’s first answer, which is as long as you read; with a vendor who asks for the code only once, its disk and memory until the job is over',
      'whoever holds the relay and has exchanged the invite, when the vendor waives the code',
      'anybody with a probe after the job, unless the plan locked the chip and the board was switched off and on',
    ],
    receipt: {
      stub:
        'Whoever completed this session reported this for this plan. In the mode host-blind this does not prove ' +
        'that a chip exists, which chip it was, or how many there are.',
      vendor:
        'Whoever completed this session answered “equal” to the digest of this plan, which is the vendor’s own. In the ' +
        'mode host-blind this does not prove that a chip exists, which chip it was, or how many there are.',
    },
  },
  'lock-then-load': {
    number: 2,
    keyKind: 2,
    setUp:
      'A loader that stays in the flash of the locked chip made the chip’s keys there; the vendor has had them on record ' +
      'since the device was enrolled on a customer’s desk (trust on first use), and writes to that chip alone.',
    stops: [
      ...STOPPED_BY_SEALING,
      'reading out the image with a probe, during the job and after it',
      'another chip in the device’s place, or somebody who gets at laptop or board later: the key is the one enrolled',
    ],
    doesNotStop: [
      'an emulator or a dishonest laptop on the day the loader was planted and the device enrolled: the key on record may be nobody’s chip',
      ...NOT_STOPPED_BY_LOCK,
    ],
    receipt: {
      stub:
        'Whoever holds the key that was enrolled for this device on a customer’s desk reported this for this plan; it was ' +
        'not on record from a bench, so the key may be an emulator’s. Read protection was in effect, by the same word. ' +
        NOT_PROVED_BY_LOCK,
      vendor:
        'Whoever holds the key that was enrolled for this device on a customer’s desk answered “equal” to the digest of ' +
        'this plan, which is the vendor’s own. Read protection was in effect, by the same word. ' +
        NOT_PROVED_BY_LOCK,
    },
  },
  seeded: {
    number: 3,
    keyKind: 2,
    setUp:
      'A loader that stays in the flash of the locked chip made the chip’s keys there, at a bench whose computer, probe and ' +
      'people the vendor trusted at that hour; he writes to that chip alone.',
    stops: [
      ...STOPPED_BY_SEALING,
      'reading out the image with a probe, during the job and after it',
      'pretending to be a chip, another chip in the device’s place, replaying an old job, and making more units than were enrolled',
    ],
    doesNotStop: ['a bench that was dishonest at that hour', ...NOT_STOPPED_BY_LOCK],
    receipt: {
      stub:
        'Whoever holds the key that was enrolled for this device at the vendor’s bench reported this for this plan. Read ' +
        'protection was in effect, by the same word. It is worth what that bench was worth at that hour. ' +
        NOT_PROVED_BY_LOCK,
      vendor:
        'Whoever holds the key that was enrolled for this device at the vendor’s bench answered “equal” to the digest of ' +
        'this plan, which is the vendor’s own. It is worth what that bench was worth at that hour. ' +
        NOT_PROVED_BY_LOCK,
    },
  },
  hardened: { number: undefined },
} as const satisfies Record<string, ModeRow | NamedMode>;

/** Every mode a policy may name. */
export type AnyMode = keyof typeof MODES;

/** The modes a plan can have. */
export type PlanMode = {
  readonly [Mode in AnyMode]: (typeof MODES)[Mode] extends ModeRow ? Mode : never;
}[AnyMode];

/** All of them, weakest first. */
export const MODE_ORDER = Object.keys(MODES) as readonly AnyMode[];

/** Those a plan can have, weakest first. */
export const PLAN_MODES: readonly PlanMode[] = MODE_ORDER.filter(isPlanMode);

/** The mode of a plan that asks for none. */
export const DEFAULT_MODE: PlanMode = 'host-blind';

/** True if this version has the mode. */
export function isPlanMode(mode: AnyMode): mode is PlanMode {
  return MODES[mode].number !== undefined;
}

/** The row of a mode. */
export function modeRow(mode: PlanMode): ModeRow {
  return MODES[mode];
}

/** What does the work of a sealed session on the chip. */
export type ProgramOnChip = 'stub' | 'loader';

/** True for the modes in which a loader in the chip's flash keeps its key and does the work, in place of a stub. */
export function hasLoader(mode: PlanMode): boolean {
  return MODES[mode].keyKind === LOADER_KEY_KIND;
}
const LOADER_KEY_KIND = 2;

/** True if `mode` is at least as strong as `policy` asks. */
export function satisfiesPolicy(mode: AnyMode, policy: AnyMode): boolean {
  return MODE_ORDER.indexOf(mode) >= MODE_ORDER.indexOf(policy);
}

/** What one code for a whole job is worth; on screen, in the help and in the receipt. */
export const CODE_ONCE_TEXT =
  'The code was asked for once: until the job is over, the memory and the disk of the customer’s computer are worth the image.';

/** What no code at all is worth. */
export const CODE_WAIVED_TEXT = 'The code was waived: relay and a replaced invite together then get the image.';

/** The statement of a receipt. @param once one code was asked for the whole job */
export function receiptStatement(mode: PlanMode, source: 'stub' | 'vendor', once: boolean): string {
  const statement = modeRow(mode).receipt[source];
  return once ? `${statement} ${CODE_ONCE_TEXT}` : statement;
}

/** What a plan says of its lock, before the job. */
export const LOCK_TEXTS = {
  none: 'This image can be read out afterwards: the plan does not lock the chip.',
  'level 1': 'The plan locks the chip: from then on the board does not run until it was switched off and on.',
  'level 1, sector 0':
    'The plan locks the chip and protects its sector 0 from being written: from then on the board does not run until it was switched ' +
    'off and on.',
} as const;

/** What a plan means for reading out the image afterwards. */
export function lockText({ mode, lock }: { readonly mode: PlanMode; readonly lock: keyof typeof LOCK_TEXTS }): string {
  return hasLoader(mode)
    ? 'The chip is locked, and stays so: a probe cannot read the image out, but for what the mode does not stop.'
    : LOCK_TEXTS[lock];
}

/** Said to the customer once the lock is programmed. */
export const LOCKED_TEXT = 'Lock programmed. Switch the board off and on; until then it does not run.';

/** Said on every sheet of a job that writes: what consent to an image means. */
export const IMAGE_RULES_TEXT =
  'Once the image starts, the vendor’s program rules the chip: it can read all that is in it, erase it, lock it for ever, burn one-time memory and drive every pin.';
