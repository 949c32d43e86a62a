// Option bytes as stored in the two configuration sectors, and their shape in FLASH_OPTCR/OPTCR1
// (docs/reference/stm32f4.md §4).
import type { Device } from '../bus.ts';
import type { ChipRow } from '../chips/stm32f4.ts';
import { lane } from './part.ts';
import { nextWord, type RandomState } from './random.ts';

/** The three programmed half-words. */
export interface OptionByteWords {
  /** RDP@15:8, USER@7:0, at 0x1FFFC000. */
  user: number;
  /** SPRMOD@15, DB1M@14, nWRP 0-11, at 0x1FFFC008. */
  wrp1: number;
  /** nWRP 12-23, at 0x1FFEC008. */
  wrp2: number;
}

const FACTORY_OPTIONS = { user: 0xaaef, wrp1: 0x0fff, wrp2: 0x0fff } as const satisfies OptionByteWords;
/** What several people found after a reset or a power cut inside an option write (docs/simulation.md). */
const ALL_ONES: OptionByteWords = { user: 0xffff, wrp1: 0xcfff, wrp2: 0x0fff };
export type CutOptions = 'torn' | 'ones' | 'dead';
const RDP_CODE = { 0: 0xaa, 1: 0x55, 2: 0xcc } as const;
const OPTCR_FIELDS = 0xcffffffc;
const OPTCR1_FIELDS = 0x0fff0000;

/** Bits of FLASH_OPTCR and OPTCR1 that a part has; OPTCR1 is absent with one bank. */
export interface OptionMasks {
  readonly optcr: number;
  readonly optcr1: number;
}

/**
 * DB1M, BFB2: parts with two banks; SPRMOD: parts with PCROP; nWRP: existing sectors (docs/reference/stm32f4.md §3.1).
 */
export function optionMasks({ flashRegisters: { secondBank, pcrop, wrpBits } }: ChipRow): OptionMasks {
  const wrp = ((1 << wrpBits) - 1) << 16;
  const dual = secondBank ? 0x40000010 : 0;
  return { optcr: (0x0000ffec | wrp | dual | (pcrop ? 0x80000000 : 0)) >>> 0, optcr1: secondBank ? OPTCR1_FIELDS : 0 };
}

export type RdpLevel = 0 | 1 | 2;

export class OptionBytes {
  words: OptionByteWords = { ...FACTORY_OPTIONS };
  /** Option writes run and change nothing. */
  dead = false;

  get rdpLevel(): RdpLevel {
    return rdpLevelOf(this.words.user);
  }
  set rdpLevel(level: RdpLevel) {
    this.words.user = (this.words.user & 0xff) | (RDP_CODE[level] << 8);
  }
  /** 0 level 3 … 3 off. */
  get borLevel(): number {
    return (this.words.user >>> 2) & 3;
  }
  get hardwareWatchdog(): boolean {
    return (this.words.user & 0x20) === 0;
  }
  get resetOnStandby(): boolean {
    return (this.words.user & 0x80) === 0;
  }
  get resetOnStop(): boolean {
    return (this.words.user & 0x40) === 0;
  }
  /** Starts in system memory, whose code looks for a program in bank 2. */
  get bootsBank2(): boolean {
    return (this.words.user & 0x10) !== 0;
  }
  /** DB1M: parts of 1 MB have two banks. */
  get splits(): boolean {
    return (this.words.wrp1 & 0x4000) !== 0;
  }
  get sprmod(): boolean {
    return (this.words.wrp1 & 0x8000) !== 0;
  }
  /** Sector `index` may not be erased or programmed (write protected, or PCROP). */
  isWriteProtected(index: number): boolean {
    return this.#nwrp(index) === this.sprmod;
  }
  /** Sector `index` may be fetched only. */
  isPcrop(index: number): boolean {
    return this.sprmod && this.#nwrp(index);
  }
  #nwrp(index: number): boolean {
    const word = index < 12 ? this.words.wrp1 : this.words.wrp2;
    return ((word >>> (index % 12)) & 1) === 1;
  }
  /** FLASH_OPTCR without its lock and start bits. */
  get optcr(): number {
    return (((this.words.wrp1 << 16) | this.words.user) & OPTCR_FIELDS) >>> 0;
  }
  get optcr1(): number {
    return ((this.words.wrp2 << 16) & OPTCR1_FIELDS) >>> 0;
  }
  /** Sets the programmed bytes to what these register values ask for. */
  load(optcr: number, optcr1: number): void {
    this.words = wordsOf(optcr, optcr1);
  }
  /**
   * An option write that did not finish. `torn`: RDP reads as neither 0xAA nor 0xCC, the rest is old or new by chance.
   * `ones`: erased and not written again. `dead`: erased, and no later option write takes.
   */
  interrupt(next: OptionByteWords, random: RandomState, cut: CutOptions): void {
    if (cut !== 'torn') {
      this.words = { ...ALL_ONES };
      this.dead = cut === 'dead';
      return;
    }
    const chance = nextWord(random);
    const rdp = (chance >>> 8) & 0xff;
    const user = (chance & 1 ? next : this.words).user & 0xff;
    this.words = {
      user: ((rdp === 0xaa || rdp === 0xcc ? 0xff : rdp) << 8) | user,
      wrp1: (chance & 2 ? next : this.words).wrp1,
      wrp2: (chance & 4 ? next : this.words).wrp2,
    };
  }
}

export function rdpLevelOf(user: number): RdpLevel {
  const rdp = (user >>> 8) & 0xff;
  return rdp === 0xaa ? 0 : rdp === 0xcc ? 2 : 1;
}

/** What the registers ask the option bytes to become. */
export function wordsOf(optcr: number, optcr1: number): OptionByteWords {
  return { user: (optcr & 0xfffc) | 3, wrp1: (optcr >>> 16) & 0xcfff, wrp2: (optcr1 >>> 16) & 0x0fff };
}

/** True when `next` gives up PCROP on some sector (docs/reference/stm32f4.md §6). */
export function dropsPcrop(old: OptionByteWords, next: OptionByteWords): boolean {
  if (!(old.wrp1 & 0x8000)) return false;
  if (!(next.wrp1 & 0x8000)) return true;
  return (old.wrp1 & ~next.wrp1 & 0xfff) !== 0 || (old.wrp2 & ~next.wrp2 & 0xfff) !== 0;
}

/**
 * A 16-byte option area on the bus: two half-words at offsets 0 and 8, ones elsewhere. Reads may be refused by `check`.
 */
export function optionArea(
  read: () => readonly [first: number, second: number],
  check: Device['read'],
  write: Device['write'],
): Device {
  return {
    read: (offset, width, master) => {
      check(offset, width, master);
      const [first, second] = read();
      const word = offset < 4 ? 0xffff0000 | first : offset >= 8 && offset < 12 ? 0xffff0000 | second : 0xffffffff;
      return lane(word >>> 0, offset, width);
    },
    write,
  };
}
