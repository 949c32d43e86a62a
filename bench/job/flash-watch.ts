// What the flash of a virtual board did and when, and why it stood still in between
// (docs/performance.md, "Where the time goes").
import { ACTIVITIES, parseStatus } from '../../shared/mailbox/layout.ts';
import { controlAddress, COMMAND_RING } from '../../test/fixtures/f42x.ts';
import type { Board } from '../../sim/board.ts';
import type { EventQueue } from '../../sim/event-queue.ts';

/**
 * Why the flash stands still between two operations. nextWord: the stub takes the end interrupt and starts the next
 * word; frame: the next sealed command is there but not opened yet; digest: the stub digests a range; empty: the next
 * sealed command is not in the ring.
 */
export type IdleCause = 'nextWord' | 'frame' | 'digest' | 'empty';

/** All in milliseconds of virtual time. */
export interface FlashTimes {
  /** Start of the first erase or, where none was needed, of the first word. */
  readonly first: number;
  /** End of the last word of the IMAGE commands; the boot words come later. */
  readonly lastWord: number;
  readonly lastBootWord: number;
  readonly erases: number;
  readonly words: number;
  /** Time the hardware was erasing and programming up to lastWord. */
  readonly erasing: number;
  readonly programming: number;
  /** Time it stood still between `first` and lastWord, by cause. */
  readonly idle: Readonly<Record<IdleCause, number>>;
}

/** Between two words of one sealed command nothing takes longer, microseconds. */
const NEXT_WORD_US = 10;
const BOOT_WORDS = 16;

interface Operation {
  readonly erase: boolean;
  readonly start: number;
  readonly end: number;
  readonly cause: IdleCause;
  /** Stood still before it, ms. */
  readonly gap: number;
}

export class FlashWatch {
  readonly #board: Board;
  readonly #operations: Operation[] = [];
  #started = 0;
  #cause: IdleCause = 'nextWord';
  #gap = 0;
  #ended: number | undefined;
  #sawDigest = false;
  #sawEmpty = false;
  #digesting = 0;
  /** Since when the stub has been seen digesting, without a break. */
  #digestingSince: number | undefined;

  constructor(board: Board, queue: EventQueue) {
    this.#board = board;
    board.soc.flash.onOperation = ({ kind, phase, atNs }) => {
      if (kind === 'option') return;
      if (phase === 'start') this.#start(atNs / 1e6);
      else this.#end(kind === 'erase', atNs / 1e6);
    };
    queue.follow({
      followTo: () => {
        this.#countDigesting(queue.now());
        this.#sample();
      },
    });
  }

  /** Time the stub has said it was digesting, ms; as exact as probe and network wake the queue often. */
  get digesting(): number {
    return this.#digesting;
  }

  /** Undefined when nothing was programmed. */
  get times(): FlashTimes | undefined {
    const all = this.#operations;
    const first = all[0];
    const words = all.filter(({ erase }) => !erase);
    const last = words.at(-1 - BOOT_WORDS);
    if (first === undefined || last === undefined) return undefined;
    const within = all.filter(({ start, end }) => start >= first.start && end <= last.end);
    const busy = (erase: boolean): number =>
      within.filter((one) => one.erase === erase).reduce((sum, { start, end }) => sum + end - start, 0);
    const idle = { nextWord: 0, frame: 0, digest: 0, empty: 0 };
    for (const { cause, gap } of within.slice(1)) idle[cause] += gap;
    return {
      first: first.start,
      lastWord: last.end,
      lastBootWord: words.at(-1)?.end ?? last.end,
      erases: within.filter(({ erase }) => erase).length,
      words: words.length,
      erasing: busy(true),
      programming: busy(false),
      idle,
    };
  }

  #countDigesting(now: number): void {
    const digesting = this.#activity() === ACTIVITIES.digesting;
    if (this.#digestingSince !== undefined) this.#digesting += now - this.#digestingSince;
    this.#digestingSince = digesting ? now : undefined;
  }

  #activity(): number {
    return this.#word(controlAddress('ACTIVITY')) & 0xff;
  }

  #start(now: number): void {
    this.#started = now;
    this.#gap = this.#ended === undefined ? 0 : now - this.#ended;
    if (this.#gap * 1e3 <= NEXT_WORD_US) this.#cause = 'nextWord';
    else if (this.#sawDigest) this.#cause = 'digest';
    else this.#cause = this.#sawEmpty ? 'empty' : 'frame';
  }

  #end(erase: boolean, now: number): void {
    this.#operations.push({ erase, start: this.#started, end: now, cause: this.#cause, gap: this.#gap });
    this.#ended = now;
    this.#sawDigest = this.#sawEmpty = false;
  }

  /** Looks at the mailbox while the flash stands still; probe and network wake the queue often enough. */
  #sample(): void {
    if (this.#ended === undefined || this.#board.soc.flash.busy) return;
    if (this.#activity() === ACTIVITIES.digesting) this.#sawDigest = true;
    const next = parseStatus(this.#word(controlAddress('STATUS'))).accepted + 1;
    const slotEnd = COMMAND_RING.address + ((next % COMMAND_RING.slots) + 1) * COMMAND_RING.slotSize;
    if (this.#word(slotEnd - 4) !== next) this.#sawEmpty = true;
  }

  #word(address: number): number {
    const ram = this.#board.soc.memories.ram.find(
      ({ base, bytes }) => address >= base && address < base + bytes.length,
    );
    if (ram === undefined) return 0;
    return new DataView(ram.bytes.buffer, ram.bytes.byteOffset).getUint32(address - ram.base, true);
  }
}
