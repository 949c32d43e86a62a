// The loader's boot (docs/loader.md, "What happens at a start"): which of image and installer runs, how soon, and what
// the image finds.
import assert from 'node:assert/strict';
import type { Board } from '../../../sim/board.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { watchStores } from '../firmware/bus-watch.ts';
import {
  BANKS,
  complete,
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
  type Planted,
} from './loader-fixture.ts';

const image = spinning();
const BANK = record('BANK', 1);
const OPEN = 0xffff0000;
const RCC_CFGR = 0x40023808;
const SWS = 0xc;
const PPRE1 = 0x1c00;
const IWDG_KR = 0x40003000;
const IWDG_RELOAD = 0xaaaa;
const BROKEN = 0x00ff0000;
/** Boot without the digest, ms. */
const SOON = 5;

const withJournal = (...units: readonly Uint8Array[]): Planted => ({ image, banks: [units, []] });
const installed = withJournal(BANK, complete(2, image));

/** What the board does with flash as it is. */
function outcome(what: Planted): 'image' | 'installer' {
  const board = planted(what);
  runMs(board, 2 * SOON);
  if (board.core.regs[15] === SPINS_AT) return 'image';
  assert.ok(inInstaller(board), `at 0x${board.core.regs[15]!.toString(16)}`);
  return 'installer';
}
/** Everything the peripherals of the chip hold, by name; a register that was written with 0 is as one never written. */
function partsOf(board: Board): Record<string, unknown> {
  const { parts } = board.soc.snapshot() as { parts: Record<string, { words?: Record<number, number> }> };
  for (const part of Object.values(parts)) {
    if (part.words === undefined) continue;
    part.words = Object.fromEntries(Object.entries(part.words).filter(([, value]) => value !== 0));
  }
  return parts;
}

describe('loader: boot', () => {
  it('starts an image whose record is complete, in 5 ms', () => {
    const board = planted(installed);
    assert.ok(runToPc(board, SPINS_AT, 20) <= SOON);
  });

  it('starts none without a journal, without its record, or behind a newer BEGIN', () => {
    assert.equal(outcome({ image }), 'installer');
    assert.equal(outcome(withJournal(BANK)), 'installer');
    assert.equal(outcome(withJournal(BANK, complete(2, image), record('BEGN', 3))), 'installer');
    assert.equal(outcome(withJournal(BANK, record('BEGN', 2), complete(3, image))), 'image');
  });

  it('takes no record with a wrong checksum, and looks behind it', () => {
    for (let at = 0; at < 128; at += 5) {
      const torn = complete(3, image);
      torn[at]! ^= 1;
      assert.equal(outcome(withJournal(BANK, torn)), 'installer', `byte ${at}`);
    }
    const torn = record('BEGN', 3);
    torn[31]! ^= 0x80;
    assert.equal(outcome(withJournal(BANK, complete(2, image), torn)), 'image');
  });

  it('takes the bank with the higher sequence, and none whose first record is torn', () => {
    const old = [record('BANK', 5), complete(6, image)];
    const next = [record('BANK', 9), record('BEGN', 10)];
    assert.equal(outcome({ image, banks: [old, next] }), 'installer');
    assert.equal(outcome({ image, banks: [next, old] }), 'installer');
    const torn = concatFirst(next);
    assert.equal(outcome({ image, banks: [old, torn] }), 'image');
  });

  it('starts no image whose vectors point elsewhere', () => {
    const change = (at: number, value: number): Uint8Array => {
      const other = image.slice();
      new DataView(other.buffer).setUint32(at, value, true);
      return other;
    };
    for (const bad of [change(0, 0x20030004), change(0, 0x20000000), change(0, 0x20001002), change(4, IMAGE + 0x200)]) {
      assert.equal(outcome({ image: bad, banks: [[BANK, complete(2, bad)], []] }), 'installer');
    }
    const elsewhere = change(4, FLASH + 0x201);
    assert.equal(outcome({ image: elsewhere, banks: [[BANK, complete(2, elsewhere)], []] }), 'installer');
  });

  it('leaves the chip as a reset leaves it, but for what the image is told to expect', () => {
    const board = planted(installed);
    const before = partsOf(board);
    runToPc(board, SPINS_AT, 20);
    assert.deepEqual(partsOf(board), before);
    assert.equal(board.bus.read(0xe000ed08, 4, 'debugger'), IMAGE, 'VTOR');
    assert.deepEqual([...board.core.regs.slice(0, 12)], Array(12).fill(0));
    assert.equal(board.core.regs[13], 0x20030000);
  });

  it('leaves SRAM to the image but for 256 bytes at its end, and backup SRAM whole', () => {
    const board = planted(installed);
    const ram = board.soc.memories.ram.map(({ base, bytes }) => ({ base, bytes, before: bytes.slice() }));
    const backup = board.soc.backupSram.bytes.slice();
    runToPc(board, SPINS_AT, 20);
    for (const { base, bytes, before } of ram) {
      const changed = before.findIndex((byte, index) => byte !== bytes[index]);
      if (changed >= 0) assert.ok(base + changed >= 0x20030000 - 256, `0x${(base + changed).toString(16)}`);
    }
    assert.deepEqual(board.soc.backupSram.bytes, backup);
  });

  it('a use word that is open: backup SRAM is cleared, the word closed as broken, the image starts', () => {
    const board = planted(withJournal(BANK, complete(2, image), uses(0, BROKEN, OPEN)));
    runToPc(board, SPINS_AT, 20);
    assert.ok(board.soc.backupSram.bytes.every((byte) => byte === 0));
    const word = BANKS[0] - FLASH + 32 + complete(2, image).length + 12;
    assert.equal(new DataView(board.flash.bytes.buffer).getUint32(word, true), BROKEN);
  });

  it('a use word that is closed leaves backup SRAM alone', () => {
    const board = planted(withJournal(BANK, complete(2, image), uses(0, BROKEN)));
    const backup = board.soc.backupSram.bytes.slice();
    runToPc(board, SPINS_AT, 20);
    assert.deepEqual(board.soc.backupSram.bytes, backup);
  });

  it('with the digest: an image of which a bit fell is not started, one that is whole is, in 0.8 s a MiB', () => {
    const long = spinning(0x40000);
    const config = { digest: true };
    const banks = [[BANK, complete(2, long)], []] as const;
    const board = planted({ image: long, banks, config });
    assert.ok(runToPc(board, SPINS_AT, 300) <= 0.8e3 / 4);
    const bad = long.slice();
    bad[0x3ffff]! &= ~(bad[0x3ffff]! & -bad[0x3ffff]!);
    const broken = planted({ image: bad, banks, config });
    runMs(broken, 250);
    assert.ok(inInstaller(broken));
  });

  it('with the digest, too, the chip is left as a reset leaves it', () => {
    const board = planted({ ...installed, config: { digest: true } });
    const before = partsOf(board);
    runToPc(board, SPINS_AT, 20);
    assert.deepEqual(partsOf(board), before);
  });

  it('feeds the watchdog while it hashes and after it listened: an option byte may have started it', () => {
    const long = spinning(0x8000);
    const banks = [[BANK, complete(2, long)], []] as const;
    const board = planted({ image: long, banks, config: { digest: true, listenMs: 50 } });
    const fed: number[] = [];
    watchStores(board, IWDG_KR, IWDG_KR + 4, (value) => void (value === IWDG_RELOAD && fed.push(board.time.now)));
    runToPc(board, SPINS_AT, 200);
    const gaps = fed.map((at, index) => ((fed[index + 1] ?? board.time.now) - at) / 1e6);
    assert.ok(gaps.length > 0x8000 / 1024);
    assert.ok(gaps.at(-1)! < 1, `${gaps.at(-1)} ms before the image`);
    assert.ok(Math.max(...gaps.slice(0, -2)) < 10, `${Math.max(...gaps)} ms`);
    assert.ok(gaps.at(-2)! < 60);
  });

  it('the buses stay divided as long as the core runs on the PLL', () => {
    const board = planted({ ...installed, config: { digest: true } });
    const undivided: number[] = [];
    let onPll = 0;
    watchStores(board, RCC_CFGR, RCC_CFGR + 4, (value) => {
      if ((board.bus.read(RCC_CFGR, 4, 'debugger') & SWS) === 0) return;
      onPll++;
      if ((value & PPRE1) === 0) undivided.push(value);
    });
    runToPc(board, SPINS_AT, 20);
    assert.ok(onPll > 0);
    assert.deepEqual(undivided, []);
  });

  it('a clock that does not go back to HSI ends in the installer, not in an endless wait', () => {
    const board = planted({ ...installed, config: { digest: true } });
    const read = board.bus.read.bind(board.bus);
    let seen = 0;
    board.bus.read = (address, width, master) => {
      const value = read(address, width, master);
      if (address !== RCC_CFGR || master !== 'cpu') return value;
      seen ||= value & SWS;
      return value | seen;
    };
    runMs(board, 60);
    assert.notEqual(seen, 0);
    assert.ok(inInstaller(board), `at 0x${board.core.regs[15]!.toString(16)}`);
  });

  it('on a locked chip no debugger reaches the core while boot runs; on an open one it does', () => {
    const pins = (rdp: 0 | 1): boolean[] => {
      const board = planted(installed, { rdp });
      const seen: boolean[] = [];
      for (let i = 0; i < 40; i++) {
        board.runTo(board.time.now + 5_000);
        seen.push(board.debugPortEnabled);
      }
      return seen.slice(1);
    };
    assert.ok(pins(1).every((reachable) => !reachable));
    assert.ok(pins(0).every((reachable) => reachable));
  });

  it('takes nothing of what noise in its place looks like', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const noise = seededRandom(seed).bytes(0x4000);
      assert.equal(outcome({ image, banks: [[noise], [noise.slice(32)]] }), 'installer');
    }
  });
});

/** The units of a bank whose first record is torn. */
function concatFirst(units: readonly Uint8Array[]): Uint8Array[] {
  const first = units[0]!.slice();
  first[4]! ^= 1;
  return [first, ...units.slice(1)];
}
