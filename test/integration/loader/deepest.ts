// The loader's deepest paths, and how far its stacks reach on them (docs/loader.md, "Memory").
import assert from 'node:assert/strict';
import type { Board } from '../../../sim/board.ts';
import { PAGE_SHIFT } from '../../../sim/cpu/bus-map.ts';
import { installPlan, LoaderController, loaderPlan } from './loader-controller.ts';
import { runMs } from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';
import { image } from './prepared-boards.ts';
import { contentOf, fileFor, recipientOf, UpdateLine } from './update-line.ts';

/** Backup SRAM, 4 KB: what is secret, and the installer's stack. */
export const BACKUP = { start: 0x40024000, end: 0x40025000 } as const;
const START_MS = 60;

/** Follows the lowest address in [from, to) to which the core stores anything but 0, which is how it wipes. */
export function lowestStore(board: Board, from: number, to: number): () => number {
  let lowest = to;
  for (let page = from >>> PAGE_SHIFT; page <= (to - 1) >>> PAGE_SHIFT; page++) board.bus.writePages[page] = undefined;
  const write = board.bus.write.bind(board.bus);
  board.bus.write = (address, value, width, master) => {
    if (master === 'cpu' && value !== 0 && address >= from && address < to) lowest = Math.min(lowest, address);
    write(address, value, width, master);
  };
  return () => lowest;
}

/** Makes keys, enrols, installs `image` in a session and again from a file, with `look` after each step. */
export function walk(board: Board, look: () => void = () => {}): void {
  const link = new LoaderLink(board);
  runMs(board, START_MS);
  link.knock(3);
  look();
  const enrolment = new LoaderController(link, loaderPlan({ kind: 'enroll' }));
  enrolment.connect();
  look();
  enrolment.ask({ name: 'END' });
  const controller = new LoaderController(link, installPlan(image));
  controller.connect();
  controller.ask({ name: 'ERASE', sector: 4 });
  controller.send({ name: 'IMAGE', address: 0x08010040, data: image.slice(64, 64 + 4032) });
  for (let i = 0; i < 12; i++) {
    link.run(2);
    look();
  }
  controller.send({ name: 'IMAGE', address: 0x08010040 + 4032, data: image.slice(64 + 4032, 64 + 8064) });
  controller.send({ name: 'IMAGE', address: 0x08010040 + 8064, data: image.slice(64 + 8064) });
  controller.ask(controller.final(image));
  look();
  controller.ask({ name: 'END' });
  look();
  const file = fileFor([recipientOf(board)], contentOf(image));
  const line = new UpdateLine(link);
  line.open(file);
  for (const frame of file.frames) {
    look();
    line.frames([frame]);
  }
  look();
}

/** Where the installer's statics end: the base of the MPU region nobody may touch. */
export function staticsEnd(board: Board): number {
  runMs(board, START_MS / 2);
  board.bus.write(0xe000ed98, 3, 4, 'cpu');
  const base = (board.bus.read(0xe000ed9c, 4, 'cpu') & ~31) >>> 0;
  assert.ok(base > BACKUP.start && base < BACKUP.end, `0x${base.toString(16)}`);
  return base + 32;
}
