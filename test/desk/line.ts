// The serial line at its fastest while flash erases, and how long the core holds its interrupts then.
import { concat, u32le } from '../../shared/codec/bytes.ts';
import { encodePacket } from '../../shared/serial/framing.ts';
import type { Board } from '../../sim/board.ts';
import { installed, installPlan, LoaderController } from '../integration/loader/loader-controller.ts';
import { IMAGE, LOCKED, planted, runMs, spinning } from '../integration/loader/loader-fixture.ts';
import { LoaderLink } from '../integration/loader/loader-link.ts';

const RATE = 921_600;
/** Flash is written a byte at a time below 2.5 V. */
const VOLTS_X8 = 2.3;
const START_MS = 80;
const PATTERN = new Uint8Array(8).fill(0x55);
const END = Uint8Array.of(0);
const SECTORS = { small: 4, big: 5 } as const;
const DATA_MOST = 4032;
const BOOT_BYTES = 64;
const IMAGE_BYTES = BOOT_BYTES + 13 * DATA_MOST;
/** Up to how many bits a character comes late. */
const JITTER = 0.5;
/** Between two looks at the core, ns. */
const LOOK_NS = 500;
/** Of each so many ns a part is looked at. */
const ROUND_NS = 10e6;
const ERASED_MS = 6000;
const QUESTION_MS = 5;

export interface Line {
  /** The longest time in which no interrupt could be taken, at most, ns. */
  readonly heldNs: number;
  readonly looks: number;
  /** How long the erase took, ms. */
  readonly eraseMs: number;
  /** Packets that were dropped by the chip, and that came from it damaged. */
  readonly dropped: number;
  readonly damaged: number;
  /** Loads that waited for flash during the erase. */
  readonly stalls: number;
  /** The image is in flash as it was sent. */
  readonly right: boolean;
}

/** Looks at the core in a part of the time that its board runs. A load that waits for flash holds interrupts, too. */
class HeldInterrupts {
  longestNs = 0;
  looks = 0;
  readonly #board: Board;
  readonly #runTo: (ns: number) => void;
  readonly #part: number;

  constructor(board: Board, part: number) {
    this.#board = board;
    this.#runTo = board.runTo.bind(board);
    this.#part = part;
    board.runTo = (ns) => this.#follow(ns);
  }
  end(): void {
    this.#board.runTo = this.#runTo;
  }
  #follow(ns: number): void {
    const { time } = this.#board;
    while (time.now < ns) {
      const round = Math.floor(time.now / ROUND_NS) * ROUND_NS;
      const lookedAt = round + this.#part * ROUND_NS;
      if (time.now < lookedAt) this.#look(Math.min(ns, lookedAt));
      else this.#runTo(Math.min(ns, round + ROUND_NS));
    }
  }
  #look(ns: number): void {
    const { time, core } = this.#board;
    for (let freeAt = time.now; time.now < ns; this.looks++) {
      this.#runTo(time.now + LOOK_NS);
      const free = core.nvic.executionPriority > 0;
      if (!free || time.now - freeAt > 2 * LOOK_NS) this.longestNs = Math.max(this.longestNs, time.now - freeAt);
      if (free) freeAt = time.now;
    }
  }
}

/** Goes up to RATE. */
function hurry(link: LoaderLink): void {
  link.send('baud', u32le(RATE));
  link.run(20);
  link.peer.bitRate = RATE;
  for (let i = 0; i < 4; i++) {
    link.raw(concat(PATTERN, END, encodePacket('askIdent')));
    link.run(20);
    if (link.take('ident') !== undefined) return;
    link.run(40);
  }
  throw new Error('the loader does not follow');
}

/** An erase of 128 KB with the line full: first as many commands as there is room for, then questions. */
function eraseUnderLoad(link: LoaderLink, controller: LoaderController, image: Uint8Array): { eraseMs: number } {
  const { board } = link;
  const begun = board.time.now;
  controller.send({ name: 'ERASE', sector: SECTORS.big });
  for (let at = BOOT_BYTES; at < image.length; at += DATA_MOST) {
    controller.send({ name: 'IMAGE', address: IMAGE + at, data: image.slice(at, at + DATA_MOST) });
  }
  while (!link.waiting.includes('reply')) {
    link.again(0x84);
    link.run(QUESTION_MS);
    if (board.time.now - begun > ERASED_MS * 1e6) throw new Error('the erase does not end');
  }
  return { eraseMs: (board.time.now - begun) / 1e6 };
}

/** @param hsiDeviation of the chip's clock; @param part of the time that the core is looked at, 0 to 1 */
export function lineUnderErase(hsiDeviation: number, part: number): Line {
  const board = planted({}, { ...LOCKED, hsiDeviation, supplyVolts: VOLTS_X8, flashTiming: 'typ' });
  const link = new LoaderLink(board);
  const image = spinning(IMAGE_BYTES, 31);
  runMs(board, START_MS);
  link.knock(3);
  hurry(link);
  link.peer.noise = { jitter: JITTER };
  const controller = new LoaderController(link, installPlan(image, { sectors: [SECTORS.small, SECTORS.big] }));
  controller.connect();
  controller.ask({ name: 'ERASE', sector: SECTORS.small });
  const before = board.flash.stalls;
  const held = new HeldInterrupts(board, part);
  const { eraseMs } = eraseUnderLoad(link, controller, image);
  held.end();
  const stalls = board.flash.stalls - before;
  controller.reply();
  controller.ask(controller.final(image), 60_000);
  const { dropped } = controller.status();
  controller.ask({ name: 'END' });
  const right = Buffer.from(installed(link, IMAGE_BYTES)).equals(image);
  return { heldNs: held.longestNs, looks: held.looks, eraseMs, dropped, damaged: link.damaged, stalls, right };
}
