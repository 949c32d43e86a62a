// Jobs on other parts of the family, whole: what works, what is refused and how both sides are told
// (docs/reference/stm32f4.md §1.4).
import assert from 'node:assert/strict';
import { leakScanner } from '../../cli/demo/leak-scan.ts';
import { compileFlash, compileInfo } from '../../controller/plan/compile.ts';
import type { Image } from '../../controller/image/image.ts';
import { concat } from '../../shared/codec/bytes.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { ReceiptSchema } from '../../shared/plan/receipt.ts';
import { errorRow, isBlindflashError, type ErrorCode } from '../../shared/errors/errors.ts';
import { CONTROL, LAYOUTS } from '../../shared/mailbox/layout.ts';
import { CHIPS, type ChipName } from '../../sim/chips/stm32f4.ts';
import { bootable, FLASH, flashAfter, imageOf } from '../fixtures/images.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

/** Inside the SRAM of every part. */
const STACK_TOP = 0x20010000;

/** A test that fails must end: the vendor is impatient, and the customer gives up soon after him. */
const GIVES_UP = {
  timeouts: { arrival: 20_000, peer: 10_000, hello: 10_000, consent: 15_000, sealed: 15_000, work: 20_000, left: 5000 },
  givesUpAfterMs: 5000,
} as const;

const small = (seed: number, length = 3000): Image => imageOf([FLASH, bootable(seed, length, FLASH, 4, STACK_TOP)]);

function worldOf(chip: ChipName, seed: number, flash?: Uint8Array): ProductFixture {
  return new ProductFixture({ seed, board: { chip, strict: true, ...(flash === undefined ? {} : { flash }) } });
}

/** Flash content the customer had before. */
function before(chip: ChipName, seed: number): Uint8Array {
  const flash = new Uint8Array(CHIPS[chip].flashKb * 1024).fill(0xff);
  flash.set(bootable(seed, 0x6000, FLASH, 4, STACK_TOP));
  return flash;
}

function requireDone({ agent, error }: RunOutcome, board: 'running' | 'locked' = 'running'): void {
  assert.deepEqual([error, agent.error, agent.result, agent.board], [undefined, undefined, 'done', board]);
}

function requireRefused({ agent, error, receipt }: RunOutcome, code: ErrorCode): void {
  assert.ok(isBlindflashError(error, code), String(error));
  assert.equal(agent.error?.code, code);
  assert.ok(agent.error?.message.includes(errorRow(code).sentence));
  assert.equal(agent.result, 'failed');
  assert.equal(receipt, undefined);
}

interface WholeJob {
  readonly chip: ChipName;
  readonly revision: string;
  /** Where the image has parts besides its vectors, and how long; the last one ends with the flash. */
  readonly more: readonly (readonly [address: number, length: number])[];
  /** [address, length] of the sectors the job erases. */
  readonly sectors: readonly (readonly [number, number])[];
}

const KIB = 1024;
const ONE_BANK = {
  more: [
    [0x08010000, 20_000],
    [0x080e8000, 96 * KIB],
  ],
  sectors: [
    [FLASH, 16 * KIB],
    [0x08010000, 64 * KIB],
    [0x080e0000, 128 * KIB],
  ],
} as const;
const WHOLE_JOBS: readonly WholeJob[] = [
  { chip: 'stm32f405', revision: '0x101f', ...ONE_BANK },
  { chip: 'stm32f407', revision: '0x101f', ...ONE_BANK },
  {
    chip: 'stm32f469',
    revision: '0x1000',
    more: [
      [0x08100000, 20_000],
      [0x081e8000, 96 * KIB],
    ],
    sectors: [
      [FLASH, 16 * KIB],
      [0x08100000, 16 * KIB],
      [0x08104000, 16 * KIB],
      [0x081e0000, 128 * KIB],
    ],
  },
];

const wide = (seed: number, { more }: WholeJob): Image =>
  imageOf(
    [FLASH, bootable(seed, 5000, FLASH, 4, STACK_TOP)],
    ...more.map(([address, length], index) => [address, seededRandom(seed + index).bytes(length)] as const),
  );

describe('a job on another part with a random generator', function () {
  this.timeout(60_000);

  for (const job of WHOLE_JOBS) {
    it(`${job.chip}: flash is the image and nothing else changed, the array is not read while it is busy, no RAM holds any of it, the receipt says so`, async () => {
      const flash = seededRandom(20).bytes(CHIPS[job.chip].flashKb * KIB);
      const product = worldOf(job.chip, 21, flash);
      const image = wide(22, job);
      const outcome = await product.flash(image, { lock: 'level 1', ...GIVES_UP });
      requireDone(outcome, 'locked');
      assert.equal(Buffer.compare(product.board.flash.bytes, flashAfter(flash, image, job.sectors)), 0);
      assert.deepEqual([product.board.flash.stalls, product.board.flash.storeStalls], [0, 0]);
      assert.deepEqual(product.board.warnings, []);
      const noise = leakScanner(concat(...image.segments.slice(1).map(({ bytes }) => bytes)));
      for (const { bytes, name } of product.board.soc.memories.ram) assert.deepEqual(noise.find(bytes), [], name);
      const receipt = ReceiptSchema.parse(JSON.parse(outcome.receipt!.text));
      assert.deepEqual([receipt.outcome, receipt.psize], ['lock programmed', 'x32']);
      const pc = product.board.core.regs[15]! >>> 0;
      assert.ok(pc >= FLASH && pc < FLASH + 0x80, `the image runs at ${pc.toString(16)}`);
    });
  }
});

describe('a part without a random generator', function () {
  this.timeout(60_000);

  for (const chip of ['stm32f411', 'stm32f401', 'stm32f401xc', 'stm32f446'] as const) {
    it(`${chip}: the stub refuses, both sides are told the same, flash is as it was and the product runs again`, async () => {
      const flash = before(chip, 5);
      const product = worldOf(chip, 11, flash);
      const outcome = await product.flash(small(12), GIVES_UP);
      requireRefused(outcome, 'BF-TARGET-NO-RANDOM');
      assert.equal(Buffer.compare(product.board.flash.bytes, flash), 0);
      assert.equal(outcome.agent.board, 'running');
      assert.equal(product.running?.resumable, false, 'no way back is offered for what cannot work');
      const pc = product.board.core.regs[15]! >>> 0;
      assert.ok(pc >= FLASH && pc < FLASH + 0x80, `the product runs at ${pc.toString(16)}`);
    });
  }

  it('no M1 has left the chip, and its page holds none', async () => {
    const product = worldOf('stm32f411', 13, before('stm32f411', 5));
    const record = product.record(small(14), product.planFor(small(14)));
    const outcome = await product.run(small(14), record, GIVES_UP);
    requireRefused(outcome, 'BF-TARGET-NO-RANDOM');
    assert.ok(outcome.events.every(({ type }) => type !== 'sealed'));
    const m1 = LAYOUTS.stm32f4.memory.control.address + CONTROL.M1.offset;
    for (let at = m1; at < m1 + CONTROL.M1.size; at += 4) assert.equal(product.board.bus.read(at, 4, 'debugger'), 0);
  });

  it('a plan for an F427 meets an F411: the wrong chip is the news, and nothing is loaded', async () => {
    const product = worldOf('stm32f411', 15);
    const image = small(16);
    const plan = compileFlash(image, requireChip(0x419), { job: product.random.bytes(16) });
    const outcome = await product.flash(image, { plan, ...GIVES_UP });
    requireRefused(outcome, 'BF-PLAN-WRONG-CHIP');
    assert.equal(product.sheets.length, 0, 'the customer is not asked');
    assert.equal(outcome.agent.board, 'untouched');
  });

  it('what needs no key still works: info', async () => {
    const product = worldOf('stm32f446', 17);
    const plan = compileInfo(requireChip(CHIPS.stm32f446.devId), { job: product.random.bytes(16) });
    const { agent, error } = await product.run(undefined, product.record(undefined, plan), {});
    assert.deepEqual([error, agent.error, agent.result], [undefined, undefined, 'done']);
  });
});
