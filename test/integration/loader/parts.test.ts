// The loader on every part it is for (docs/loader.md, "Parts"): it starts an image, makes keys, enrols, installs and
// changes banks there as on the F427, within what that part has; and on a part of another loader it makes no keys.
import assert from 'node:assert/strict';
import { LOADER_MAP } from '../../../controller/loader/config.ts';
import type { Board } from '../../../sim/board.ts';
import { installed, installPlan, LoaderController, loaderPlan } from './loader-controller.ts';
import {
  BANKS,
  complete,
  FLASH,
  IMAGE,
  inInstaller,
  LOADER_PARTS,
  LOCKED,
  planted,
  plantedFlash,
  record,
  runMs,
  runToPc,
  spinning,
  SPINS_AT,
  uses,
  type LoaderPart,
} from './loader-fixture.ts';
import { LoaderLink } from './loader-link.ts';

const START_MS = 60;
const SLOT_BYTES = 2016;
const OPTCR1 = 0x40023c18;
const FLASH_OPTIONS = [0x40023c08, 0x40023c0c] as const;
const UNITS = 0x4000 / 32;
/** The most of SRAM boot takes, with the digest. */
const BOOT_MOST = 1280;

const linkedTo = (board: Board): LoaderLink => {
  runMs(board, START_MS);
  const link = new LoaderLink(board);
  link.knock();
  return link;
};
const slotsOf = (board: Board): Uint8Array =>
  board.flash.bytes.slice(LOADER_MAP.slots - FLASH, LOADER_MAP.slots - FLASH + SLOT_BYTES);
const hasKeys = (board: Board): boolean => slotsOf(board).some((byte) => byte !== 0xff);
const kindAt = (board: Board, address: number): string =>
  String.fromCharCode(...board.flash.bytes.slice(address - FLASH, address - FLASH + 4));

for (const part of Object.keys(LOADER_PARTS) as LoaderPart[]) {
  const { bootSramEnd, sramEnd } = LOADER_PARTS[part];
  const image = spinning(9000, 3, sramEnd);
  const banks = [[record('BANK', 1), complete(2, image)], []] as const;

  describe(`loader: on an ${part}`, () => {
    it('boot starts the image with its digest checked, and takes no SRAM but the end of what is its own', () => {
      const board = planted({ part, image, banks, config: { digest: true } });
      const ram = board.soc.memories.ram.map(({ base, bytes }) => ({ base, bytes, before: bytes.slice() }));
      runToPc(board, SPINS_AT, 40);
      assert.equal(board.core.regs[13]! >>> 0, sramEnd);
      for (const { base, bytes, before } of ram) {
        bytes.forEach((byte, index) => {
          const at = base + index;
          if (byte !== before[index]) assert.ok(at >= bootSramEnd - BOOT_MOST && at < bootSramEnd, at.toString(16));
        });
      }
      assert.deepEqual(board.warnings, []);
    });

    it('boot starts none whose stack begins behind the SRAM', () => {
      const bad = spinning(1024, 3, sramEnd + 4);
      const board = planted({ part, image: bad, banks: [[record('BANK', 1), complete(2, bad)], []] });
      runMs(board, 20);
      assert.ok(inInstaller(board));
    });

    it('makes keys, enrols, installs to the last sector, and the image starts from the installer and from power', () => {
      const board = planted({ part }, { ...LOCKED, strict: true });
      const touched: number[] = [];
      board.bus.watch(OPTCR1, OPTCR1 + 4, ({ address }) => void touched.push(address));
      board.bus.watch(FLASH_OPTIONS[0], FLASH_OPTIONS[1], ({ address }) => void touched.push(address));
      const link = linkedTo(board);
      const enrolment = new LoaderController(link, loaderPlan({ part, kind: 'enroll' }));
      enrolment.connect();
      const slot = slotsOf(board);
      assert.deepEqual(enrolment.facts.deviceKey, slot.slice(36, 68));
      assert.deepEqual(enrolment.facts.fileKey, slot.slice(100, 132));
      assert.equal(enrolment.ask({ name: 'END' }).name, 'ENDED');

      const last = 0x080e0000;
      const tail = { address: last, length: 4096, use: 'program' } as const;
      const ranges = [{ address: IMAGE, length: image.length, use: 'program' } as const, tail];
      const plan = installPlan(image, { part, sectors: [4, 11], ranges, finalAction: 'run' });
      const controller = new LoaderController(link, plan);
      controller.connect();
      for (const sector of [4, 11]) controller.ask({ name: 'ERASE', sector });
      controller.sendImage(image);
      const end = new Uint8Array(4096).fill(0x5a);
      for (const at of [0, 2048]) controller.send({ name: 'IMAGE', address: last + at, data: end.slice(0, 2048) });
      assert.equal(controller.ask(controller.final(image, [last, end])).name, 'WRITTEN');
      assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
      assert.deepEqual(installed(link, image.length), image);
      assert.deepEqual(board.flash.bytes.slice(last - FLASH, last - FLASH + 4096), end);
      runToPc(board, SPINS_AT, 300);
      board.powerOff();
      board.powerOn();
      runToPc(board, SPINS_AT, 20);
      assert.deepEqual(board.warnings, []);
      if (part === 'stm32f405') assert.deepEqual(touched, [], 'there is no OPTCR1, and options are nobody’s to write');
    });

    // The others have the buffers of the F427, which the tests of the link fill.
    if (part !== 'stm32f405') return;
    it('takes all it says there is room for while a sector is erased', () => {
      const link = linkedTo(planted({ part }, { ...LOCKED, strict: true }));
      const long = spinning(0x10000, 5, sramEnd);
      const controller = new LoaderController(link, installPlan(long, { part }));
      controller.connect();
      const credit = controller.status().credit;
      controller.send({ name: 'ERASE', sector: 4 });
      for (let at = 64; controller.sent < credit; at += 4032) {
        controller.send({ name: 'IMAGE', address: IMAGE + at, data: long.slice(at, at + 4032) });
      }
      assert.equal(controller.reply().name, 'ERASED');
      controller.settle();
      assert.equal(link.damaged, 0);
      const bytes = 4032 * (credit - 1);
      assert.deepEqual(installed(link, 64 + bytes).slice(64), long.slice(64, 64 + bytes));
    });

    it('changes the journal’s banks in sectors 2 and 3, and nothing else changes', () => {
      const full = [...banks[0], ...Array.from({ length: UNITS - 5 }, () => uses(0, 0, 0, 0, 0, 0, 0))];
      const board = planted({ part, image, banks: [full, []], config: { listenMs: 200 } });
      const link = new LoaderLink(board);
      link.run(20);
      link.knock();
      const before = board.flash.bytes.slice();
      const enrolment = new LoaderController(link, loaderPlan({ part, kind: 'enroll' }));
      enrolment.connect();
      assert.equal(enrolment.ask({ name: 'END' }, 20_000).name, 'ENDED');
      assert.deepEqual([kindAt(board, BANKS[1]), kindAt(board, BANKS[1] + 32)], ['BANK', 'CMPL']);
      const outside = (bytes: Uint8Array): Uint8Array[] => [bytes.slice(0, 0x8000), bytes.slice(0x10000)];
      assert.deepEqual(outside(board.flash.bytes), outside(before));
    });
  });
}

describe('loader: on a part it is not for', () => {
  const strangers = [
    ['stm32f405', 'stm32f427'],
    ['stm32f427', 'stm32f405'],
    ['stm32f427', 'stm32f446'],
  ] as const;
  for (const [of, chip] of strangers) {
    it(`that of the ${of} on an ${chip} makes no keys and answers nobody`, () => {
      const flash = plantedFlash({ part: of }).slice(0, chip === 'stm32f446' ? 0x80000 : 0x100000);
      const board = planted({ part: of }, { ...LOCKED, chip }, flash);
      runMs(board, START_MS);
      const link = new LoaderLink(board);
      assert.throws(() => link.knock(), /nobody answers/);
      assert.ok(!hasKeys(board));
    });
  }
});
