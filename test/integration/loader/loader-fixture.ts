// A virtual board with the prebuilt loader in its flash, as a planted board has it, and what such a board may have in
// its journal. The journal is written here as docs/loader.md tells, apart from the firmware's code.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { assembleLoader, LOADER_MAP, type LoaderConfig } from '../../../controller/loader/config.ts';
import { concat } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { Board, type BoardOptions } from '../../../sim/board.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { crc32, words } from '../firmware/sealed-controller.ts';

export const FLASH = 0x08000000;
export const BANKS = [0x08008000, 0x0800c000] as const;
export const IMAGE = LOADER_MAP.image;
const UNIT = 32;

/** Parts with a loader: the one for it, what the plan has to say of it, and where its boot has its stack. */
export const LOADER_PARTS = {
  stm32f427: { loader: 'stm32f42x', devId: 0x419, flashKiB: 2048, bootSramEnd: 0x20030000, sramEnd: 0x20030000 },
  stm32f405: { loader: 'stm32f4', devId: 0x413, flashKiB: 1024, bootSramEnd: 0x20020000, sramEnd: 0x20020000 },
  stm32f469: { loader: 'stm32f42x', devId: 0x434, flashKiB: 2048, bootSramEnd: 0x20030000, sramEnd: 0x20050000 },
} as const;
export type LoaderPart = keyof typeof LOADER_PARTS;

export const loaderImage = (loader: (typeof LOADER_PARTS)[LoaderPart]['loader'] = 'stm32f42x'): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../firmware/prebuilt/loader-${loader}.bin`, import.meta.url)));

/** The vendor's key pair for sessions. */
export const vendorKeys = exchangeKeyPairFrom('sealed', seededRandom(77).bytes(32));

export const CONFIG: LoaderConfig = {
  product: 0x1234,
  keys: [{ publicKey: vendorKeys.publicKey, roles: ['sessions', 'files'] }],
  uart: 1,
  tx: { port: 0, pin: 9 },
  rx: { port: 0, pin: 10 },
  baudMost: 921600,
  listenMs: 0,
  debugPinsOff: false,
  digest: false,
};

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const padded = (bytes: Uint8Array, unit: number): Uint8Array =>
  concat(bytes, new Uint8Array((unit - (bytes.length % unit)) % unit));

export interface RecordFacts {
  readonly product: number;
  readonly version: number;
  readonly floor: number;
  readonly mask: number;
}
export const FACTS: RecordFacts = { product: 0x1234, version: 7, floor: 3, mask: 0 };

/** A record of the journal with what follows it. */
export function record(
  kind: string,
  sequence: number,
  facts = FACTS,
  follows: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const { product, version, floor, mask } = facts;
  const head = concat(ascii(kind), words(sequence, product, version, floor, mask, follows.length));
  return concat(head, words(crc32(head, follows)), follows);
}

export const sha512 = (...parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(
    createHash('sha512')
      .update(concat(...parts))
      .digest(),
  );

/** root (docs/protocol.md §8) of one range, and of more behind it. */
export function rootOf(
  address: number,
  bytes: Uint8Array,
  ...more: readonly (readonly [number, Uint8Array])[]
): Uint8Array {
  const ranges = [[address, bytes] as const, ...more];
  const parts = ranges.map(([at, content]) => concat(words(at, content.length), sha512(content)));
  return sha512(ascii('blindflash/2 root'), words(ranges.length), ...parts);
}

/** COMPLETE for an image of one range. */
export function complete(sequence: number, image: Uint8Array, facts = FACTS): Uint8Array {
  const root = concat(rootOf(IMAGE, image), words(1, 0, IMAGE, image.length));
  return record('CMPL', sequence, facts, padded(root, UNIT));
}

/** A unit of use words: those given, the rest free. */
export function uses(...given: readonly number[]): Uint8Array {
  return concat(ascii('USES'), words(...given, ...Array.from({ length: 7 - given.length }, () => 0xffffffff)));
}

/** An image that spins at its first instruction, its stack at the end of the F42x's SRAM unless given. */
export function spinning(bytes = 1024, seed = 3, stack = 0x20030000): Uint8Array {
  const image = seededRandom(seed).bytes(bytes);
  const view = new DataView(image.buffer);
  view.setUint32(0, stack, true);
  view.setUint32(4, IMAGE + 0x201, true);
  view.setUint16(0x200, 0xe7fe, true);
  return image;
}
export const SPINS_AT = IMAGE + 0x200;

export interface Planted {
  /** The part whose loader and flash it is; the F427 unless given. */
  readonly part?: LoaderPart;
  /** The loader's bytes, unless they are the prebuilt ones. */
  readonly loader?: Uint8Array;
  readonly config?: Partial<LoaderConfig>;
  readonly image?: Uint8Array;
  /** Units of the two banks. */
  readonly banks?: readonly [readonly Uint8Array[], readonly Uint8Array[]];
  readonly slots?: Uint8Array;
}

/** Flash of a board with the loader. */
export function plantedFlash({
  part = 'stm32f427',
  loader,
  config = {},
  image,
  banks = [[], []],
  slots,
}: Planted = {}): Uint8Array {
  const { loader: name, flashKiB } = LOADER_PARTS[part];
  const flash = new Uint8Array(flashKiB * 1024).fill(0xff);
  flash.set(assembleLoader(loader ?? loaderImage(name), { ...CONFIG, ...config }, name));
  banks.forEach((units, index) => flash.set(concat(...units), BANKS[index]! - FLASH));
  if (image !== undefined) flash.set(image, IMAGE - FLASH);
  if (slots !== undefined) flash.set(slots, LOADER_MAP.slots - FLASH);
  return flash;
}

export const LOCKED: BoardOptions = { rdp: 1 };
const POWER_ON_NS = 1.5e6;

/** A board with the loader, powered, at the instant its core leaves reset. */
export function planted(what: Planted, options: BoardOptions = LOCKED, flash = plantedFlash(what)): Board {
  const board = new Board({ chip: what.part ?? 'stm32f427', ...options, flash });
  board.powerOn();
  board.runTo(board.time.now + POWER_ON_NS);
  return board;
}

export const runMs = (board: Board, ms: number): void => board.runTo(board.time.now + ms * 1e6);

/** Runs until the core is at `pc`; how long that took, ms. Throws after `limitMs`. */
export function runToPc(board: Board, pc: number, limitMs: number): number {
  const begun = board.time.now;
  while (board.core.regs[15] !== pc) {
    if (board.time.now > begun + limitMs * 1e6) {
      throw new Error(`not at 0x${pc.toString(16)} but at 0x${board.core.regs[15]!.toString(16)}`);
    }
    board.runTo(board.time.now + 20_000);
  }
  return (board.time.now - begun) / 1e6;
}

/** The installer is in charge: the core runs in SRAM. */
export const inInstaller = (board: Board): boolean => board.core.regs[15]! >>> 16 === 0x2000;
