// What a real chip may do to the stub, each wait bounded: no PLL, no cycle counter, flash that stays busy, a watchdog
// armed by option byte, 1 MB parts in two banks, an agent that stops a long digest (docs/stub.md "Waits",
// docs/reference/stm32f4.md §8.6, §10).
import assert from 'node:assert/strict';
import { controlAddress } from '../../fixtures/f42x.ts';
import type { BoardOptions } from '../../../sim/board.ts';
import { BusFault, type Width } from '../../../sim/bus.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { active, asks, FLASH, SampleImage, question, smallPlan } from './sample-jobs.ts';
import { strike } from './session-starts.ts';
import { SealedController } from './sealed-controller.ts';

const RCC = { cr: 0, pllReady: 1 << 25, hsiReady: 2, cfgr: 8, sws: 0xc };
const FLASH_SR = 0x0c;
const BUSY = 0x10000;
const RCC_CSR = 0x40023874;
const DHCSR = 0xe000edf0;
const HALT = 0xa05f0003;
const DEMCR = 0xe000edfc;
const DWT_CYCCNT = 0xe0001004;

const IWDG = { kr: 0x40003000, rlr: 0x40003008, open: 0x5555, reload: 0xaaaa };
/** 4096 counts of an LSI of 47 kHz, the fastest of the data sheet, divided by 4: the least that an option byte arms. */
const FAST_WATCHDOG_MS = (4096 * 4) / 47;

/**
 * A fixture whose watchdog is armed by option byte and as fast as any: the model's LSI has 32
 * kHz, so it counts from less.
 */
function guarded(options: BoardOptions = {}): FirmwareFixture {
  const fixture = new FirmwareFixture(options);
  fixture.board.options.words.user &= ~0x20;
  fixture.resetHalt();
  assert.ok(fixture.board.soc.iwdg.running, 'armed by option byte');
  fixture.setWord(IWDG.kr, IWDG.open);
  fixture.setWord(IWDG.rlr, Math.floor((FAST_WATCHDOG_MS * 32) / 4) - 1);
  fixture.runMs(1);
  fixture.setWord(IWDG.kr, IWDG.reload);
  return fixture;
}
/** The watchdog has reset the chip. */
const bitten = (fixture: FirmwareFixture) => ((fixture.word(RCC_CSR) >>> 29) & 1) === 1;

/** Changes what a block answers at `offset`. */
function answers(
  block: { read(offset: number, width: Width, master: never): number },
  at: number,
  change: (value: number) => number,
): void {
  const read = block.read.bind(block);
  block.read = (offset, width, master) =>
    offset === at ? change(read(offset, width, master)) >>> 0 : read(offset, width, master);
}

const verify = smallPlan({
  kind: 'verify',
  sectors: [],
  bootAddress: undefined,
  ranges: [{ address: FLASH + 0x20000, length: 0x20000, use: 'digest' }],
});

describe('stub robustness', () => {
  for (const [what, offset, mask] of [
    ['the PLL does not lock', RCC.cr, RCC.pllReady],
    ['the internal oscillator does not start', RCC.cr, RCC.hsiReady],
    ['the clock does not switch', RCC.cfgr, RCC.sws],
  ] as const) {
    it(`refuses within half a second when ${what}`, () => {
      const fixture = new FirmwareFixture();
      answers(fixture.board.soc.rcc, offset, (value) => value & ~mask);
      fixture.boot();
      assert.deepEqual([fixture.state, fixture.error], ['refused', 4]);
    });
  }
  it('refuses when flash is busy and stays so', () => {
    const fixture = new FirmwareFixture();
    answers(fixture.board.flash, FLASH_SR, (value) => value | BUSY);
    fixture.boot();
    assert.deepEqual([fixture.state, fixture.error], ['refused', 11]);
  });
  for (const [supplyVolts, width, seconds] of [
    [3.3, 2, 1.9],
    [2.6, 1, 2.5],
    [1.9, 0, 3.9],
  ] as const) {
    it(`feeds a fast watchdog armed by option byte through the longest erase at ${supplyVolts} V, then a digest`, () => {
      const fixture = guarded({ flashTiming: 'max', supplyVolts });
      fixture.boot();
      const sector = { address: FLASH + 0x20000, length: 0x20000 };
      const plan = smallPlan({
        sectors: [5],
        bootAddress: sector.address,
        ranges: [{ ...sector, use: 'program' }],
      });
      const controller = new SealedController(fixture, plan);
      controller.connect();
      assert.equal(controller.facts[30], width, 'programming width');
      const began = fixture.board.time.now;
      assert.equal(controller.ask({ name: 'ERASE', sector: 5 }).name, 'ERASED');
      assert.ok(fixture.board.time.now - began > seconds * 1e9, `${(fixture.board.time.now - began) / 1e9} s`);
      assert.equal(asks(controller, plan, new Uint8Array(0x200000).fill(0xff)), true);
      assert.equal(bitten(fixture), false);
    });
  }
  it('the watchdog of these tests bites when nobody feeds it', () => {
    const fixture = guarded();
    fixture.boot();
    fixture.setWord(DHCSR, HALT);
    fixture.runMs(FAST_WATCHDOG_MS - 100);
    assert.equal(bitten(fixture), false);
    fixture.runMs(101);
    assert.equal(bitten(fixture), true);
  });
  it('feeds it in the fault state too, so that what is known of the fault stays', () => {
    const fixture = guarded();
    fixture.boot();
    strike(fixture);
    fixture.runUntil(() => fixture.state === 'fault', 200, 'fault');
    const words = [...fixture.read(controlAddress('FAULT'), 32)];
    fixture.runMs(5000);
    assert.equal(bitten(fixture), false);
    assert.deepEqual([...fixture.read(controlAddress('FAULT'), 32)], words);
  });
  it('feeds it after a fault that comes before the tick is set up', () => {
    const fixture = guarded();
    const { rcc } = fixture.board.soc;
    const read = rcc.read.bind(rcc);
    rcc.read = () => {
      throw new BusFault(0x40023800, 'no clock control');
    };
    fixture.boot();
    assert.deepEqual([fixture.state, fixture.error], ['fault', 18]);
    fixture.runMs(5000);
    rcc.read = read;
    assert.equal(bitten(fixture), false);
  });
  it('needs no cycle counter: M1 comes although CYCCNT stands still', () => {
    const fixture = FirmwareFixture.booted();
    fixture.setWord(DEMCR, 0);
    const stands = fixture.word(DWT_CYCCNT);
    fixture.runMs(1);
    assert.equal(fixture.word(DWT_CYCCNT), stands);
    const controller = new SealedController(fixture, smallPlan());
    controller.connect();
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
  });
  for (const [command, state] of [
    ['abort', 'expired'],
    ['handshake', 'offered'],
  ] as const) {
    it(`looks at COMMAND during a digest: ${command}`, () => {
      const { fixture, controller } = active(verify);
      controller.send(question(verify, fixture.board.flash.bytes));
      fixture.runUntil(() => fixture.control('ACTIVITY') === 3, 100, 'digesting');
      const began = fixture.board.time.now;
      fixture.command(command);
      fixture.runUntil(() => fixture.state !== 'active', 5, 'stopped');
      assert.ok(fixture.board.time.now - began < 3e6);
      fixture.runUntil(() => fixture.state === state, 100, state);
    });
  }
  for (const [db1m, state, error] of [
    [0x4000, 'refused', 2],
    [0, 'offered', 0],
  ] as const) {
    it(`answers a 1 MB part ${db1m ? 'in two banks (DB1M) with wrong chip' : 'in one bank with M1'}`, () => {
      const fixture = new FirmwareFixture({ chip: 'stm32f427xg' });
      fixture.board.options.words.wrp1 |= db1m;
      fixture.boot();
      new SealedController(fixture, smallPlan({ flashKiB: 1024 })).giveJob();
      fixture.runUntil(() => fixture.state !== 'waiting', 200, 'verdict');
      assert.deepEqual([fixture.state, fixture.error], [state, error]);
    });
  }
  it('does not trust a digest made before an erase, or before more of the range was written', () => {
    const plan = smallPlan({}, 8192);
    const zeros = new Uint8Array(0x200000);
    const blank = zeros.slice().fill(0xff);
    const { fixture, controller } = active(plan, {}, zeros);
    const image = new SampleImage(plan);
    assert.equal(asks(controller, plan, zeros), true);
    controller.ask({ name: 'ERASE', sector: 0 });
    assert.deepEqual([asks(controller, plan, zeros), asks(controller, plan, blank)], [false, true]);
    controller.send({ name: 'IMAGE', address: FLASH + 64, data: image.at(FLASH + 64, 4000) });
    const half = blank.slice();
    half.set(image.at(FLASH + 64, 4000), 64);
    assert.deepEqual([asks(controller, plan, blank), asks(controller, plan, half)], [false, true]);
    controller.send({ name: 'IMAGE', address: FLASH + 4064, data: image.at(FLASH + 4064, 4000) });
    controller.send({ name: 'IMAGE', address: FLASH + 8064, data: image.at(FLASH + 8064, 128) });
    const root = image.root(plan, 'erased');
    const written = controller.ask({ name: 'FINAL', root, bootWords: image.at(FLASH, 64).slice() });
    assert.equal(written.name, 'WRITTEN');
    assert.equal(fixture.board.flash.stalls, 0);
  });
  it('digests right when a range is written with a hole, and when the boot words end it', () => {
    for (const boot of [FLASH + 0x1000, FLASH + 0x2000 - 64]) {
      const plan = smallPlan({ bootAddress: boot }, 0x2000);
      const { controller } = active(plan);
      const image = new SampleImage(plan);
      image.bytes.fill(0xff, 0x600, 0x800);
      controller.ask({ name: 'ERASE', sector: 0 });
      for (const [from, to] of [
        [0, 0x600],
        [0x800, boot - FLASH],
        [boot - FLASH + 64, 0x2000],
      ] as const) {
        for (let at = from; at < to; at += 4032) {
          controller.send({ name: 'IMAGE', address: FLASH + at, data: image.at(FLASH + at, Math.min(4032, to - at)) });
        }
      }
      const root = image.root(plan, 'erased');
      const written = controller.ask({ name: 'FINAL', root, bootWords: image.at(boot, 64).slice() });
      assert.deepEqual(written.name === 'WRITTEN' && written.root, image.root(plan, 'in place'));
    }
  });
});
