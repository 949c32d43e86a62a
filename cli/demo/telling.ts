// What the demos have in common: how they tell what happens, the examples they flash, and what eavesdroppers found.
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readImage, type Image } from '../../controller/image/image.ts';
import { concat } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { print } from '../terminal/output.ts';
import type { LeakScanner } from './leak-scan.ts';
import type { DemoProcess, Told } from './processes.ts';

/** Starts our own binary under a name. */
export type Start = (name: string, words: readonly string[], env?: Readonly<Record<string, string>>) => DemoProcess;

export const say = (text = ''): void => print(text);
export const step = (text: string): void => say(`\n▸ ${text}`);

export function isEvent(name: string): (told: Told) => boolean {
  return (told) => told['event'] === name;
}

/** How long the board is listened to after a start, ms of wall time. */
const LISTEN_MS = 1500;
const LINES = 8;

/** Prints what the board says on its serial port. */
export async function listen(board: DemoProcess, from: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LISTEN_MS));
  showLines(board.told.slice(from));
}

/** The first lines of the board's serial port among what was told. */
export function showLines(told: readonly Told[]): void {
  const lines = told.filter(isEvent('uart'));
  for (const line of lines.slice(0, LINES)) say(`  UART │ ${String(line['text'])}`);
  if (lines.length > LINES) say(`  UART │ … ${lines.length - LINES} more lines`);
  if (lines.length === 0) say('  nothing on USART1 (this image may not use it)');
}

/** One of the prebuilt examples, from the sources or from an installed package. @throws BF-IMAGE-READ */
export function example(name: 'combined.elf' | 'behind-loader.elf'): string {
  for (const up of ['../..', '../../..']) {
    const path = fileURLToPath(new URL(`${up}/examples/bootloader/prebuilt/${name}`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw fail('BF-IMAGE-READ', `examples/bootloader/prebuilt/${name}`);
}

/** @throws BF-IMAGE-* */
export async function imageOf(path: string, base: string | undefined): Promise<Image> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fail('BF-IMAGE-READ', path, error);
  });
  return readImage(new Uint8Array(bytes), { name: path, base: base === undefined ? undefined : Number(base) });
}

/** Shows that the scan finds a piece of the image that is put among what was carried. @throws BF-INTERNAL */
export function requireCanary(scanner: LeakScanner, image: Uint8Array, carried: Uint8Array): void {
  const middle = image.length >> 1;
  const canary = concat(carried.slice(0, 1000), image.slice(middle, middle + 64), carried.slice(1000, 2000));
  const isFound = scanner.windows === 0 || scanner.find(canary, 1).length > 0;
  say(`  planted canary         ${isFound ? 'found by the same scan' : 'NOT found: the scan is broken'}`);
  if (!isFound) throw fail('BF-INTERNAL', 'the scan finds nothing');
}

/** Says how much of the image is in what somebody got hold of; returns how many runs. */
export function tellFound(scanner: LeakScanner, where: string, carried: Uint8Array): number {
  const found = scanner.find(carried).length;
  say(`  ${where.padEnd(22)} ${carried.length} bytes; of ${scanner.windows} telling runs of the image: ${found} found`);
  return found;
}
