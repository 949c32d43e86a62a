// What an image keeps in its 4 KB of backup SRAM over starts of the board (docs/loader.md, "What happens at a start").
import assert from 'node:assert/strict';
import type { Board } from '../../sim/board.ts';
import type { LoaderConfig } from '../../controller/loader/config.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import {
  complete,
  LOCKED,
  planted,
  record,
  runMs,
  runToPc,
  spinning,
  SPINS_AT,
  uses,
} from '../integration/loader/loader-fixture.ts';

const STARTS = 100;
const BACKUP_BYTES = 4096;
const AIRCR = 0xe000ed0c;
const SYSTEM_RESET = 0x05fa0004;
/** RCC_APB1ENR.PWREN, PWR_CR.DBP, PWR_CSR.BRE, as an image sets them that keeps backup SRAM on the battery. */
const KEEP = [
  [0x40023840, 1 << 28],
  [0x40007000, 1 << 8],
  [0x40007004, 1 << 9],
] as const;
const LIMIT_MS = 100;
/** Until the backup regulator is ready. */
const REGULATOR_MS = 5;
/** Longer than a reset, shorter than a start. */
const RESET_NS = 50_000;

/** Ways to a clean start. */
const RESETS = {
  'the button': (board: Board) => {
    board.pressButton();
    runMs(board, 1);
    board.releaseButton();
  },
  'a request of the image': (board: Board) => board.bus.write(AIRCR, SYSTEM_RESET, 4, 'cpu'),
  'the supply, with a battery': (board: Board) => {
    board.powerOff();
    runMs(board, 1);
    board.powerOn();
  },
} as const;
const CONFIGS: readonly Partial<LoaderConfig>[] = [{}, { digest: true }, { listenMs: 5 }];

const image = spinning(1024);
const BROKEN = 0x00ff0000;
const banks = [[record('BANK', 1), complete(2, image), uses(0, BROKEN, 0)], []] as const;

describe('desk: backup SRAM of the image', function () {
  this.timeout(120_000);

  for (const config of CONFIGS) {
    it(`survives ${STARTS} clean starts of each kind, the config ${JSON.stringify(config)}`, () => {
      for (const [name, reset] of Object.entries(RESETS)) {
        const board = planted({ image, banks, config }, { ...LOCKED, battery: true });
        runToPc(board, SPINS_AT, LIMIT_MS);
        for (const [address, value] of KEEP) board.bus.write(address, value, 4, 'cpu');
        runMs(board, REGULATOR_MS);
        const kept = seededRandom(41).bytes(BACKUP_BYTES);
        board.soc.backupSram.bytes.set(kept);
        const flash = board.flash.bytes.slice();
        for (let i = 0; i < STARTS; i++) {
          reset(board);
          board.runTo(board.time.now + RESET_NS);
          assert.notEqual(board.core.regs[15], SPINS_AT, name);
          runToPc(board, SPINS_AT, LIMIT_MS);
        }
        assert.deepEqual(board.soc.backupSram.bytes, kept, name);
        assert.deepEqual(board.flash.bytes, flash, name);
      }
    });
  }
});
