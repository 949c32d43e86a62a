// The journal over many changes of banks (docs/loader.md, "Journal"): the next bank counts, what was said before is
// still so, and nothing is ever programmed outside of it; what boot and the installer make of what it says.
import assert from 'node:assert/strict';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { STATES } from '../../../shared/mailbox/layout.ts';
import type { Board } from '../../../sim/board.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { installPlan, LoaderController, loaderPlan } from './loader-controller.ts';
import {
  BANKS,
  complete,
  FACTS,
  FLASH,
  IMAGE,
  inInstaller,
  planted,
  record,
  runMs,
  runToPc,
  spinning,
  SPINS_AT,
  uses,
  vendorKeys,
} from './loader-fixture.ts';
import type { LoaderLink } from './loader-link.ts';
import { image, linked, session } from './prepared-boards.ts';

const UNITS = 0x4000 / 32;
const ORDERLY = uses(0, 0, 0, 0, 0, 0, 0);

/** Units of a bank that is full: those given, then use words. */
function full(...units: readonly Uint8Array[]): Uint8Array[] {
  const taken = units.reduce((sum, unit) => sum + unit.length, 0) / 32;
  return [...units, ...Array.from({ length: UNITS - taken }, () => ORDERLY)];
}
const word = (board: Board, address: number): number =>
  new DataView(board.flash.bytes.buffer).getUint32(address - FLASH, true);
/** Kind and sequence of the record at an address. */
function recordAt(board: Board, address: number): [string, number] {
  const kind = board.flash.bytes.slice(address - FLASH, address - FLASH + 4);
  return [String.fromCharCode(...kind), word(board, address + 4)];
}
/** All free units of the bank become use words with an orderly end. */
function fill(board: Board, bank: number): void {
  const bytes = board.flash.bytes.subarray(bank - FLASH, bank - FLASH + 0x4000);
  for (let at = 0; at < bytes.length; at += 32) {
    const unit = bytes.subarray(at, at + 32);
    if (unit.every((byte) => byte === 0xff) || String.fromCharCode(...unit.slice(0, 4)) === 'USES') unit.set(ORDERLY);
  }
}
/** The newest use word of a bank that was begun. */
function lastUse(board: Board, bank: number): number {
  const words = Array.from({ length: UNITS }, (_, unit) => bank + 32 * unit)
    .filter((at) => recordAt(board, at)[0] === 'USES')
    .flatMap((at) => Array.from({ length: 7 }, (_, index) => word(board, at + 4 * (index + 1))));
  return words.filter((use) => use !== 0xffffffff).at(-1) ?? Number.NaN;
}
function enrol(link: LoaderLink, keys = vendorKeys): void {
  const controller = new LoaderController(link, loaderPlan({ kind: 'enroll' }), { keys });
  controller.connect();
  assert.equal(controller.ask({ name: 'END' }, 20_000).name, 'ENDED');
}

describe('loader: a change of banks', () => {
  it('a vendor key that is taken no more stays so', () => {
    const other = exchangeKeyPairFrom('sealed', seededRandom(79).bytes(32));
    const keys = [
      { publicKey: vendorKeys.publicKey, roles: ['sessions'] },
      { publicKey: other.publicKey, roles: ['sessions', 'keys', 'spare'] },
    ] as const;
    const units = full(record('BANK', 1), complete(2, image), record('MASK', 3, { ...FACTS, mask: 1 }));
    const start = (): LoaderLink => linked({ config: { keys: [...keys] }, banks: [units, []] }, 'mask');
    const stateOfFirst = (link: LoaderLink): number => {
      const controller = new LoaderController(link, installPlan(image, { words: [FACTS.product, 8, 8] }));
      link.send('job', controller.job());
      link.run(400);
      return controller.status().state;
    };
    assert.equal(stateOfFirst(start()), STATES.refused);
    const link = start();
    enrol(link, other);
    assert.deepEqual(recordAt(link.board, BANKS[1]), ['BANK', 4]);
    assert.equal(stateOfFirst(link), STATES.refused);
  });

  it('the record that comes along is the newest, and the next bank counts again, through both banks', () => {
    const link = linked({ banks: [full(record('BANK', 1), complete(2, image)), []] }, 'change');
    for (const [bank, sequence] of [
      [BANKS[1], 3],
      [BANKS[0], 5],
      [BANKS[1], 7],
    ] as const) {
      enrol(link);
      assert.deepEqual(recordAt(link.board, bank), ['BANK', sequence]);
      assert.deepEqual(recordAt(link.board, bank + 32), ['CMPL', sequence + 1]);
      fill(link.board, bank);
    }
    link.board.flash.bytes.set(image, IMAGE - FLASH);
    link.board.powerOff();
    link.board.powerOn();
    runToPc(link.board, SPINS_AT, 20);
  });

  it('a bank whose record came along with a low sequence is left, too', () => {
    const first = full(record('BANK', 9), complete(6, image));
    const link = linked({ banks: [[], first] }, 'low');
    link.board.flash.bytes.set(image, IMAGE - FLASH);
    enrol(link);
    assert.deepEqual(recordAt(link.board, BANKS[0]), ['BANK', 10]);
    assert.deepEqual(recordAt(link.board, BANKS[0] + 32), ['CMPL', 11]);
    assert.deepEqual(link.board.flash.bytes.slice(IMAGE - FLASH, IMAGE - FLASH + image.length), image);
  });

  it('in a session leaves its use open until its end: a cut leaves it to boot, and an orderly end forgives', () => {
    const [open, orderly] = [0xffff0000, 0];
    const units = full(record('BANK', 1), complete(2, image));
    units[units.length - 1] = uses(0, 0, 0, 0, 0, 0, 0xffffffff);
    const link = linked({ banks: [units, []] }, 'one use word free');
    const { board } = link;
    const seen: number[] = [];
    board.flash.onOperation = ({ kind, address }) => {
      if (kind === 'erase' && address >= IMAGE) seen.push(lastUse(board, BANKS[1]));
    };
    session(link, installPlan(image, { words: [FACTS.product, 8, 0] })).install(image);
    assert.deepEqual([[...new Set(seen)], lastUse(board, BANKS[1])], [[open], orderly]);
  });

  it('a bank that cannot be taken into use ends the session: nothing is programmed behind the one that is full', () => {
    const link = linked({ banks: [[], full(record('BANK', 1), complete(2, image))] }, 'stuck');
    const { board } = link;
    const sp = IMAGE - FLASH;
    board.flash.bytes.set(image, sp);
    board.flash.onOperation = ({ kind, address }) => {
      if (kind === 'program' && address === BANKS[0] + 8) board.flash.bytes[BANKS[0] + 8 - FLASH]! &= 0xfb;
    };
    const controller = new LoaderController(link, loaderPlan({ kind: 'enroll' }));
    link.send('m2', controller.answer(controller.offer()));
    link.run(1500);
    assert.equal(controller.status().state, STATES.aborted);
    assert.deepEqual(board.flash.bytes.slice(sp, sp + image.length), image);
  });
});

describe('loader: what the journal says of a use', () => {
  it('a write that was cut leaves a word that is closed at the next start, and stays so', () => {
    for (const torn of [0x005a0000, 0x5affffff, 0xffff5a00, 0x00005a00]) {
      const units = [record('BANK', 1), complete(2, image), uses(0, torn)];
      const board = planted({ image, banks: [units, []] });
      runToPc(board, SPINS_AT, 20);
      const backup = board.soc.backupSram.bytes;
      for (let start = 0; start < 2; start++) {
        const flash = board.flash.bytes.slice();
        backup.fill(0xa5);
        board.pressButton();
        runMs(board, 1);
        board.releaseButton();
        runToPc(board, SPINS_AT, 20);
        assert.ok(
          backup.every((byte) => byte === 0xa5),
          torn.toString(16),
        );
        assert.deepEqual(board.flash.bytes, flash);
      }
    }
  });
});

describe('loader: an image that boot does not start', () => {
  const long = spinning(0x8000);
  const bad = long.slice();
  bad[0x3fff]! &= ~(bad[0x3fff]! & -bad[0x3fff]!);

  it('though its record says it is complete: the installer is entered once and stays', () => {
    const board = planted({
      image: bad,
      banks: [[record('BANK', 1), complete(2, long)], []],
      config: { digest: true },
    });
    let entered = 0;
    for (let inside = false, ms = 0; ms < 1000; ms++) {
      runMs(board, 1);
      if (inInstaller(board) && !inside) entered++;
      inside = inInstaller(board);
    }
    assert.equal(entered, 1);
  });

  it('is replaced by one that is right, which starts at the end', () => {
    const link = linked(
      { image: bad, banks: [[record('BANK', 1), complete(2, long)], []], config: { digest: true } },
      'bad',
    );
    const controller = session(link, installPlan(image, { finalAction: 'run' }));
    assert.equal(controller.install(image).name, 'WRITTEN');
    runToPc(link.board, SPINS_AT, 300);
  });
});
