// The loader's sizes, stacks, ladder and starts (docs/loader.md, "Memory"): by the linker, and on the virtual board.
// The symbols are those of an ELF file built here; they hold for the prebuilt bytes because the rebuilt ones are equal.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import nacl from 'tweetnacl';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import type { Board } from '../../sim/board.ts';
import { seededRandom } from '../../test/fixtures/seeded.ts';
import { lowestStore, staticsEnd, walk, BACKUP } from '../../test/integration/loader/deepest.ts';
import {
  complete,
  FLASH,
  loaderImage,
  planted,
  record,
  runToPc,
  spinning,
  SPINS_AT,
  type Planted,
} from '../../test/integration/loader/loader-fixture.ts';
import { BoardMachine } from '../../test/interop/firmware-arm/board-machine.ts';
import { functionsOf } from '../../test/interop/firmware-arm/shipped.ts';
import type { Check } from '../rows.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILD = `${ROOT}test/interop/build/loader`;
const MIB = 0x100000;
const SRAM_END = 0x20030000;
const BACKUP_BYTES = BACKUP.end - BACKUP.start;
const KEY_BYTES = 32;
const INSTALLER_MOST = 0x8000;
/** Boot's part of the end of SRAM, as its linker has it. */
const BOOT_BYTES = 2048 - 4;
/** Behind the installer's code: arguments of a call. */
const ARENA = 0x20010000;
const NOISE_BYTES = 56;
/** Cycles of the ladder: a device's key is used at most twice a session. */
const LADDER_MOST = 2_500_000;
/** A start may take so long, and with the digest so much longer a MiB, ms. */
const START = { plain: 5, digestMiB: 800 } as const;
/** None takes longer, ms. */
const LONGEST_START = 1500;

export interface LoaderFigure extends Check {
  readonly unit: string;
  readonly how: string;
}

/** Every figure. @throws Error when the rebuilt loader is not the prebuilt one */
export function loaderFigures(): LoaderFigure[] {
  build();
  return [...sizes(), ...stacks(), ladder(), ...starts()];
}

function build(): void {
  execFileSync('make', ['-s', '-C', `${ROOT}firmware/loader`, 'TARGET=stm32f42x', `BUILD=${BUILD}`, 'all']);
  if (!readFileSync(`${BUILD}/loader-stm32f42x.bin`).equals(loaderImage())) {
    throw new Error('the rebuilt loader is not that of firmware/prebuilt: make -C firmware/loader prebuilt');
  }
}

/** Where the linker puts things, by name. */
function symbolsOf(elf: string): (name: string) => number {
  const lines = execFileSync('arm-none-eabi-nm', [elf], { encoding: 'utf8' }).split('\n');
  const values = new Map(lines.map((line) => [line.split(' ')[2], Number.parseInt(line, 16)]));
  return (name) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`the linker knows no ${name}`);
    return value;
  };
}

const otherLoader = (): number => readFileSync(`${ROOT}firmware/prebuilt/loader-stm32f4.bin`).length;

function sizes(): LoaderFigure[] {
  const symbol = symbolsOf(`${BUILD}/installer.elf`);
  const statics = symbol('strip_start') - symbol('secret_start');
  const taken = symbol('stack_top') - symbol('secret_start');
  const installer = readFileSync(`${BUILD}/installer.bin`).length;
  return [
    figure('loader', loaderImage().length, LOADER_MAP.config - FLASH, 'bytes', 'size of the prebuilt file'),
    figure(
      'loader of the target stm32f4',
      otherLoader(),
      LOADER_MAP.config - FLASH,
      'bytes',
      'size of the prebuilt file',
    ),
    figure('of the loader the installer', installer, INSTALLER_MOST, 'bytes', 'what boot copies to SRAM'),
    figure('backup SRAM, statics', statics, BACKUP_BYTES, 'bytes', 'by the linker'),
    figure('backup SRAM, all of it', taken, BACKUP_BYTES, 'bytes', 'by the linker: statics, strip, stack'),
  ];
}

function figure(what: string, got: number, most: number, unit: string, how: string): LoaderFigure {
  return { what, got, most, unit, how };
}

/** The lowest store of anything but 0, which is how stacks are wiped. */
const BY_STORES = 'lowest store on the virtual board';

function stacks(): LoaderFigure[] {
  const board = planted({});
  const bottom = staticsEnd(board);
  const lowest = lowestStore(board, bottom, BACKUP.end);
  walk(board);
  const used = figure('its stack', BACKUP.end - lowest(), BACKUP.end - bottom, 'bytes', `${BY_STORES}: ${WALKED}`);
  return [used, bootStack(false), bootStack(true)];
}
const WALKED = 'keys made, an enrolment, an install';

function bootStack(digest: boolean): LoaderFigure {
  const board = planted(installed(4096, digest));
  const lowest = lowestStore(board, SRAM_END - BOOT_BYTES - 4, SRAM_END);
  runToPc(board, SPINS_AT, LONGEST_START);
  const what = `boot’s stack${digest ? ', with the digest' : ''}`;
  return figure(what, SRAM_END - lowest(), BOOT_BYTES, 'bytes', BY_STORES);
}

/** A call of the installer's own code at the address it runs at; the point has to be on the curve, 9 is. */
function ladder(): LoaderFigure {
  const board = new BoardMachine(new Uint8Array(readFileSync(`${BUILD}/installer.bin`)));
  const { address } = functionsOf(`${BUILD}/installer.elf`).get('bf_x25519_blinded')!;
  const random = seededRandom(25519);
  const secret = random.bytes(KEY_BYTES);
  const [out, scalar, point, noise] = [0, 64, 128, 192].map((at) => ARENA + at) as [number, number, number, number];
  board.write(scalar, secret);
  board.write(point, Uint8Array.of(9, ...new Uint8Array(KEY_BYTES - 1)));
  board.write(noise, random.bytes(NOISE_BYTES));
  board.call(address | 1, [out, scalar, point, noise]);
  if (!equalBytes(board.read(out, KEY_BYTES), nacl.scalarMult.base(secret))) throw new Error('the ladder is wrong');
  return figure('ladder of d', board.cycles, LADDER_MOST, 'cycles', 'virtual core’s counter, no wait states');
}

/** An image of so many bytes whose record is complete. */
function installed(bytes: number, digest: boolean): Planted {
  const image = spinning(bytes);
  return { image, banks: [[record('BANK', 1), complete(2, image)], []], config: { digest } };
}

function start(bytes: number, digest: boolean): number {
  const board: Board = planted(installed(bytes, digest));
  return runToPc(board, SPINS_AT, LONGEST_START);
}

function starts(): LoaderFigure[] {
  const plain = start(MIB, false);
  const whole = start(MIB, true);
  const how = 'virtual board: from the end of reset to the image’s first instruction';
  return [
    figure('start', plain, START.plain, 'ms', how),
    figure('what the digest adds, 1 MiB', whole - plain, START.digestMiB, 'ms', how),
  ];
}
