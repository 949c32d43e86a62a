// Registers of a board while its loader opens one of several IMAGE commands that are on their way, instruction after
// instruction; and what of these commands somebody who has all that went over the line can open with one snapshot.
import { deriveKey } from '../../shared/crypto/hash.ts';
import { openBox, epochOf, type BoxPlace } from '../../shared/crypto/box.ts';
import { KEY_LABELS } from '../../shared/crypto/labels.ts';
import { u32le } from '../../shared/codec/bytes.ts';
import { SEALED_SUITES } from '../../shared/sealed/protocol.ts';
import type { Board } from '../../sim/board.ts';
import { installPlan, LoaderController } from '../integration/loader/loader-controller.ts';
import { IMAGE, record, spinning } from '../integration/loader/loader-fixture.ts';
import { linked } from '../integration/loader/prepared-boards.ts';
import { blocksIn } from './chain-key.ts';
import { firstBlock, keyIn, streamKey } from './salsa20-key.ts';
import { registersOf } from './sampler.ts';

const DATA = 4032;
const FRAMES = 6;
const BOOT_BYTES = 64;
const TAG = 16;
/** Kind of IMAGE, which its plaintext begins with. */
const IMAGE_KIND = 1;
/** HMAC's pads. */
const PADS = [0x36, 0x5c] as const;
/** Of a core at 168 MHz, ns. */
const CYCLE_NS = 6;
/** How long it takes to open a command, ns. */
const OPENING_NS = 1.5e6;

/** A box of the session as it went over the line. */
interface Frame {
  readonly sequence: number;
  readonly box: Uint8Array;
}
export interface Opening {
  readonly frames: readonly Frame[];
  readonly epochBoxes: number;
  /** Registers, one after the other, while the box `opened` was opened; each differs from the one before. */
  readonly snapshots: readonly Uint32Array[];
}

/**
 * The opening of the third of six commands.
 * @param stride cycles from one snapshot to the next
 * @param loader its bytes, unless it is the prebuilt one
 */
export function opening(epochBoxes: number, stride: number, loader?: Uint8Array): Opening {
  const image = spinning(BOOT_BYTES + FRAMES * DATA);
  const banks = [[record('BANK', 1)], []] as const;
  const link = linked(loader === undefined ? { banks } : { banks, loader }, `frames ${loader?.length}`);
  const suites = { ...SEALED_SUITES, device: { ...SEALED_SUITES.device, epochBoxes } };
  const controller = new LoaderController(link, installPlan(image), { suites });
  controller.connect();
  controller.ask({ name: 'ERASE', sector: 4 });
  const frames: Frame[] = [];
  const snapshots: Uint32Array[] = [];
  for (let i = 0; i < FRAMES; i++) {
    const at = BOOT_BYTES + i * DATA;
    controller.send({ name: 'IMAGE', address: IMAGE + at, data: image.slice(at, at + DATA) }, (box) =>
      frames.push({ sequence: controller.sent + 1, box: box.slice() }),
    );
    if (i === 2) step(link.board, stride, snapshots);
    controller.settle();
  }
  return { frames, epochBoxes, snapshots };
}

function step(board: Board, stride: number, snapshots: Uint32Array[]): void {
  const end = board.time.now + OPENING_NS;
  let last: Uint32Array = new Uint32Array();
  while (board.time.now < end) {
    board.runTo(board.time.now + stride * CYCLE_NS);
    const now = registersOf(board);
    if (now.every((word, i) => word === last[i])) continue;
    snapshots.push(now);
    last = now;
  }
}

const placeOf = (sequence: number, epochBoxes: number): BoxPlace => ({
  direction: 'r2i',
  purpose: SEALED_SUITES.device.boxPurpose,
  sequence,
  epoch: epochOf(sequence, epochBoxes),
});

/** Words 6 to 9 of Salsa20's input: the nonce's first 16 bytes, and then its last eight, with the counter behind. */
function nonceWords({ sequence, epoch, purpose }: BoxPlace): { start: number[]; end: number[] } {
  return { start: [2 | (purpose << 8), 0, epoch, 0], end: [sequence, 0] };
}

const isImage = (plain: Uint8Array): boolean =>
  plain[0] === IMAGE_KIND && plain[1] === 0 && plain.slice(8, 16).every((byte) => byte === 0);

/** Sequences of the frames that a key of a stream opens. */
function openedByStream(key: Uint32Array, { frames, epochBoxes }: Opening): number[] {
  return frames
    .filter(({ sequence, box }) => {
      const block = new Uint8Array(64);
      block.set(box.subarray(TAG, TAG + 32), 32);
      return isImage(firstBlock(key, nonceWords(placeOf(sequence, epochBoxes)).end, block).slice(32));
    })
    .map(({ sequence }) => sequence);
}

/** Sequences of the frames that one snapshot opens by way of Salsa20's registers. */
export function openedByBoxKey(registers: Uint32Array, all: Opening): number[] {
  for (const { sequence } of all.frames) {
    const { start, end } = nonceWords(placeOf(sequence, all.epochBoxes));
    const boxKey = keyIn(registers, start);
    if (boxKey !== undefined) return openedByStream(streamKey(boxKey, start), all);
    for (let counter = 0; counter < 64; counter++) {
      const stream = keyIn(registers, [...end, counter, 0]);
      if (stream !== undefined) return openedByStream(stream, all);
    }
  }
  return [];
}

/** The frames that a chain opens, where it is that of `epoch`. */
function openedFrom(chain: Uint8Array, epoch: number, { frames, epochBoxes }: Opening): number[] {
  let key = deriveKey(chain, KEY_LABELS.boxKey, u32le(epoch));
  let [now, next] = [epoch, deriveKey(chain, KEY_LABELS.nextChain, u32le(epoch))];
  const opened = [];
  for (const { sequence, box } of frames) {
    const place = placeOf(sequence, epochBoxes);
    if (place.epoch < epoch) continue;
    while (now < place.epoch) {
      now++;
      key = deriveKey(next, KEY_LABELS.boxKey, u32le(now));
      next = deriveKey(next, KEY_LABELS.nextChain, u32le(now));
    }
    if (openBox(key, place, box) === undefined) break;
    opened.push(sequence);
  }
  return opened;
}

/** Sequences of the frames that one snapshot opens by way of SHA-512's registers. */
export function openedByChain(registers: Uint32Array, all: Opening): number[] {
  for (const block of blocksIn(registers)) {
    for (const pad of PADS) {
      const chain = block.map((byte) => byte ^ pad);
      for (const epoch of new Set(all.frames.map(({ sequence }) => placeOf(sequence, all.epochBoxes).epoch))) {
        const opened = openedFrom(chain, epoch, all);
        if (opened.length > 0) return opened;
      }
    }
  }
  return [];
}
