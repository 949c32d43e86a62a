// A board with an image, and noise or rubbish on its serial line from the first instant on: how late the image starts
// (docs/loader.md, "Entering and leaving the installer").
import type { Board } from '../../sim/board.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import {
  complete,
  LOCKED,
  planted,
  plantedFlash,
  record,
  spinning,
  SPINS_AT,
} from '../integration/loader/loader-fixture.ts';

const LISTEN_MS = 50;
/** A start without the digest, and what the installer waits for a knock before it goes back by a reset. */
const BOOT_MS = 5;
const VISIT_MS = 200;
/** What the installer may take besides: until it listens, and its last look at the clock. */
const SLACK_MS = 20;
const STEP_NS = 100_000;
const PULSES = { fewest: 10, most: 20_000 } as const;
const RATES = [9600, 115_200, 460_800, 921_600] as const;
const BURST = 64;
const OFF_NS = 1e6;

/** The latest an image may start, ms: what was heard took boot into the installer, and nobody knocked there. */
export const LATEST_MS = BOOT_MS + LISTEN_MS + VISIT_MS + BOOT_MS + SLACK_MS;

export interface Starts {
  starts: number;
  /** Starts in which the noise passed for the beginning of a knock. */
  visits: number;
  latestMs: number;
  /** All of it, ms of the board's time. */
  totalMs: number;
}

const image = spinning(1024);
const banks = [[record('BANK', 1), complete(2, image)], []] as const;
const flash = plantedFlash({ image, banks, config: { listenMs: LISTEN_MS } });
const wordOf = (random: ReturnType<typeof seededRandom>): number =>
  new DataView(random.bytes(4).buffer).getUint32(0, true);

/** One start with disturbances by chance: pulses, rubbish at some bit rate, bytes of the measured pattern among it. */
function start(board: Board, random: ReturnType<typeof seededRandom>): { ms: number; visited: boolean } {
  const peer = board.serial('USART1');
  const kind = wordOf(random) % 3;
  const pulses = PULSES.fewest * (PULSES.most / PULSES.fewest) ** (wordOf(random) / 2 ** 32);
  peer.noise = kind === 0 ? { pulsesPerSecond: pulses } : {};
  peer.bitRate = RATES[wordOf(random) % RATES.length]!;
  board.powerOn();
  while (board.inReset) board.runTo(board.time.now + STEP_NS);
  const begun = board.time.now;
  let visited = false;
  while (board.core.regs[15] !== SPINS_AT && board.time.now < begun + 2 * LATEST_MS * 1e6) {
    if (kind !== 0 && peer.sentBy <= board.time.now) {
      peer.send(kind === 1 ? random.bytes(BURST) : random.bytes(BURST).map((byte) => (byte & 1 ? 0x55 : byte)));
    }
    board.runTo(board.time.now + STEP_NS);
    visited ||= board.core.regs[15]! >>> 16 === 0x2000;
  }
  return { ms: (board.time.now - begun) / 1e6, visited };
}

/** Starts again and again until `totalMs` of the board's time are over. */
export function startsUnderNoise(totalMs: number, seed: number): Starts {
  const random = seededRandom(seed);
  const board = planted({}, LOCKED, flash);
  board.serial('USART1').pins = { tx: 'PA9', rx: 'PA10' };
  const sum: Starts = { starts: 0, visits: 0, latestMs: 0, totalMs: 0 };
  while (sum.totalMs < totalMs) {
    board.powerOff();
    board.runTo(board.time.now + OFF_NS);
    const { ms, visited } = start(board, random);
    sum.starts++;
    sum.visits += visited ? 1 : 0;
    sum.latestMs = Math.max(sum.latestMs, ms);
    sum.totalMs += ms;
  }
  return sum;
}
