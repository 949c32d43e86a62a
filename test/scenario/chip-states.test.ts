// No state a chip may be in, of its option bytes, protection and resident program, ends a job with something erased and
// nothing gained (docs/reliability.md): either the image is complete and nothing else was touched, or nothing was.
import assert from 'node:assert/strict';
import { compileFlash } from '../../controller/plan/compile.ts';
import { requireChip } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { BoardOptions } from '../../sim/board.ts';
import { bootable, flashAfter, imageOf } from '../fixtures/images.ts';
import { ProductFixture } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { AGAIN, program, WFI } from '../unit/sim/seen/seen-fixture.ts';

const CHIP = requireChip(0x419);
/** Every chip is seeded; BLINDFLASH_CHIP_STATES says how many: `npm run test:chip-states` plays 500. */
const STATES = Number(process.env['BLINDFLASH_CHIP_STATES'] ?? 8);
const IMAGE = imageOf([0x08000000, bootable(7, 320)], [0x08004000, new Uint8Array(96).fill(0x5a)]);
const SECTORS = [[0x08000000, 0x8000]] as const;
const SPIN = 0xe7fe;
const IWDG = { KR: 0x40003000, RLR: 0x40003008 } as const;

const RESIDENTS: readonly Uint8Array[] = [
  new Uint8Array(0),
  program([], SPIN),
  program([[0xe0042004, 0]], WFI, AGAIN),
  program([[0xe000ed10, 4]], WFI, AGAIN),
  program(
    [
      [0x40023830, 0x00100001],
      [0x40020000, 0x14000000],
    ],
    SPIN,
  ),
  program(
    [
      [IWDG.KR, 0x5555],
      [IWDG.RLR, 0x200],
      [IWDG.KR, 0xcccc],
    ],
    SPIN,
  ),
];
const RDP = [0xaa, 0xaa, 0xaa, 0xaa, 0x55, 0xff, 0x00, 0xcc] as const;

interface State {
  readonly board: BoardOptions;
  readonly resident: Uint8Array;
  readonly lift: boolean;
  readonly lock: Plan['lock'];
}

/** A chip by chance; every option bit takes both values. */
function state(seed: number): State {
  const bytes = seededRandom(90_000 + seed).bytes(24);
  const pick = <T>(at: number, list: readonly T[]): T => list[bytes[at]! % list.length] as T;
  const rare = (at: number): boolean => bytes[at]! < 50;
  // Protection is rare sector by sector, or hardly any chip would be written.
  const nwrp = (at: number): number => (bytes[at]! < 128 ? 0xfff : 0xfff & ~(1 << (bytes[at + 1]! % 3)));
  const user = bytes[0]! & 0xec;
  const [boot2, code, dual] = [rare(1) ? 0x10 : 0, rare(2) ? 0x80000000 : 0, rare(3) ? 0x40000000 : 0];
  const wrp = code !== 0 && bytes[5]! < 128 ? 0xfff & ~nwrp(4) : nwrp(4);
  return {
    board: {
      optcr: (user | boot2 | code | dual | (pick(6, RDP) << 8) | (wrp << 16)) >>> 0,
      optcr1: (nwrp(7) << 16) >>> 0,
      boot: pick(9, ['flash', 'flash', 'flash', 'system', 'sram']),
      switches: {
        rdpInForce: pick(10, ['from-power-on', 'at-once']),
        cutOptions: pick(11, ['torn', 'ones']),
      },
    },
    resident: pick(12, RESIDENTS),
    lift: bytes[13]! < 128,
    lock: pick(14, ['none', 'none', 'level 1']),
  };
}

function nameOf({ board, resident, lift, lock }: State): string {
  const { optcr = 0, optcr1 = 0, boot = '' } = board;
  return `OPTCR ${optcr.toString(16)}, OPTCR1 ${optcr1.toString(16)}, ${boot}, resident ${RESIDENTS.indexOf(resident)}, ${String(lift)}, ${lock}`;
}

describe('chip states', function () {
  this.timeout(120_000 + 2000 * STATES);

  it(`of ${STATES} by chance, none ends with something erased and nothing gained`, async () => {
    const seen = { written: 0, refused: 0 };
    for (let seed = 0; seed < STATES; seed++) {
      const chosen = state(seed);
      const product = new ProductFixture({ seed: 1 + seed, board: chosen.board });
      product.board.flash.bytes.fill(0x11, 0, 0x10000);
      product.board.flash.bytes.fill(0xff, 0, 0x400);
      product.board.flash.bytes.set(chosen.resident);
      product.board.powerOff();
      product.board.powerOn();
      product.board.runTo(5e6);
      const before = product.board.flash.bytes.slice();
      const { optcr, optcr1 } = product.board.options;
      const flags = chosen.lift ? (['lift write protection'] as const) : [];
      const plan: Plan = { ...compileFlash(IMAGE, CHIP, { job: product.random.bytes(16), lock: chosen.lock }), flags };
      const outcome = await product.flash(IMAGE, {
        plan,
        givesUpAfterMs: 1000,
        timeouts: { arrival: 1500, peer: 1500, left: 1500 },
      });
      const done = outcome.error === undefined;
      const wanted = done ? flashAfter(before, IMAGE, SECTORS) : before;
      const what = `seed ${seed}: ${nameOf(chosen)}: ${String(outcome.error)}`;
      assert.equal(Buffer.compare(product.board.flash.bytes, wanted), 0, what);
      const locked = done && chosen.lock !== 'none' ? 0xff00 : 0;
      assert.equal((product.board.options.optcr | locked) >>> 0, (optcr | locked) >>> 0, what);
      assert.equal(product.board.options.optcr1, optcr1, what);
      assert.equal(outcome.agent.board === 'incomplete', false, what);
      seen[done ? 'written' : 'refused']++;
    }
    assert.ok(seen.written > STATES / 10 && seen.refused > STATES / 10, JSON.stringify(seen));
  });
});
