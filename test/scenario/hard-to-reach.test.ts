// Products that do not let a debugger in: asleep, debug pins switched off, resetting themselves. Agent and doctor reach
// them without a person where the reset wire is connected, and with one at the reset button where it is not
// (docs/product.md §2; docs/simulation.md, "A core that sleeps").
import assert from 'node:assert/strict';
import { examine, type Finding } from '../../agent/target/doctor.ts';
import type { ConnectMode } from '../../agent/target/reach.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { silentLog } from '../../shared/ports.ts';
import { tinyImage } from '../fixtures/images.ts';
import { ProductFixture, type ProductOptions } from '../fixtures/product.ts';
import { AGAIN, program, WFI } from '../unit/sim/seen/seen-fixture.ts';

const SPIN = 0xe7fe;
/** UDF #0: at the handler of its own fault it locks the core up. */
const UNDEFINED = 0xde00;
const RCC_AHB1ENR = 0x40023830;
const GPIOA_MODER = 0x40020000;
const SCR = 0xe000ed10;
/** Starved after 4 ms. */
const IWDG = { KR: 0x40003000, RLR: 0x40003008 } as const;
const asleep = program([[0xe0042004, 0]], WFI, AGAIN);
const RESIDENTS = {
  'one that sleeps in WFI': asleep,
  'one in Stop mode': program([[SCR, 4]], WFI, AGAIN),
  'one that has switched the debug pins off': program(
    [
      [RCC_AHB1ENR, 0x00100001],
      [GPIOA_MODER, 0x14000000],
    ],
    SPIN,
  ),
  'one that resets itself over and over': program(
    [
      [IWDG.KR, 0x5555],
      [IWDG.RLR, 0x20],
      [IWDG.KR, 0xaaaa],
      [IWDG.KR, 0xcccc],
    ],
    SPIN,
  ),
} as const satisfies Record<string, Uint8Array>;

function productWith(resident: Uint8Array, options: ProductOptions = {}): ProductFixture {
  const product = new ProductFixture(options);
  product.board.flash.bytes.fill(0xff);
  product.board.flash.bytes.set(resident);
  product.board.powerOff();
  product.board.powerOn();
  product.board.runTo(20e6);
  return product;
}

/** The person at the board does what he is asked to. */
function presses(product: ProductFixture): (text: string) => void {
  return (text) => {
    if (text.includes('Hold the reset button')) product.queue.after(3000, () => product.board.pressButton());
    if (text.includes('Let go')) product.queue.after(1000, () => product.board.releaseButton());
  };
}

async function look(
  product: ProductFixture,
  ask?: (text: string) => void,
  connect: ConnectMode = 'auto',
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const round = async (): Promise<void> => {
    const options = { clock: product.queue, log: silentLog, ask, connect };
    for await (const finding of examine(product.probe(), options)) findings.push(finding);
  };
  await product.queue.drive(round());
  return findings;
}

describe('a product that is hard to reach', function () {
  this.timeout(60_000);

  for (const [what, resident] of Object.entries(RESIDENTS)) {
    it(`${what} is flashed without anybody’s help`, async () => {
      const product = productWith(resident);
      const image = tinyImage();
      const outcome = await product.flash(image);
      assert.equal(outcome.error, undefined);
      assert.equal(outcome.agent.result, 'done', String(outcome.agent.error));
      assert.deepEqual(product.board.flash.bytes.slice(0, 256), image.segments[0]!.bytes);
    });
  }

  it('the sheet says that it was stopped', async () => {
    const product = productWith(RESIDENTS['one that has switched the debug pins off']);
    await product.flash(tinyImage());
    assert.match(product.sheets.join(), /the chip was reset/);
    const plain = new ProductFixture();
    await plain.flash(tinyImage());
    assert.match(plain.sheets.join(), /only registers that say which chip/);
  });

  it('without the reset wire the button is asked for, held and released', async () => {
    const product = productWith(asleep, { firmware: { nrstWired: false } });
    const customer = product.customer();
    const press = presses(product);
    product.customer = () => ({
      ...customer,
      say: (text) => {
        product.said.push(text);
        press(text);
      },
    });
    const outcome = await product.flash(tinyImage());
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.agent.result, 'done', String(outcome.agent.error));
  });

  it('with neither wire nor person it says which wire would help', async () => {
    const product = productWith(asleep, { firmware: { nrstWired: false } });
    const findings = await look(product);
    const bad = findings.find(({ verdict }) => verdict === 'bad');
    assert.equal(bad?.code, 'BF-TARGET-WAIT');
    assert.match(bad?.remedy ?? '', /NRST/);
  });

  it('with the debug pins off and no reset wire the button is asked for under --under-reset alone', async () => {
    const pinsOff = RESIDENTS['one that has switched the debug pins off'];
    const unwired = (): ProductFixture => productWith(pinsOff, { firmware: { nrstWired: false } });
    const plain = unwired();
    const silent = (await look(plain, presses(plain))).find(({ verdict }) => verdict === 'bad');
    assert.equal(silent?.code, 'BF-TARGET-NONE');
    assert.match(silent?.remedy ?? '', /--under-reset and hold the reset button/);
    const product = unwired();
    const findings = await look(product, presses(product), 'under reset');
    assert.match(findings.find(({ what }) => what === 'core')?.text ?? '', /by the reset button/);
  });

  it('under --under-reset a program that runs is caught at its first instruction, and starts anew', async () => {
    const product = productWith(program([], SPIN));
    const findings = await look(product, undefined, 'under reset');
    assert.match(findings.find(({ what }) => what === 'core')?.text ?? '', /only under reset/);
    assert.equal(product.board.core.halted, false);
  });

  it('the doctor says how it got in, and lets the program run on', async () => {
    for (const [resident, text] of [
      [asleep, /answered only/],
      [RESIDENTS['one that has switched the debug pins off'], /only under reset/],
    ] as const) {
      const product = productWith(resident);
      const findings = await look(product);
      assert.ok(!findings.some(({ verdict }) => verdict === 'bad'), JSON.stringify(findings));
      assert.match(findings.find(({ what }) => what === 'core')?.text ?? '', text);
      assert.equal(product.board.core.halted, false);
    }
  });

  it('of one that has crashed the doctor does not say that there is no program', async () => {
    const crashing = program([], UNDEFINED);
    new DataView(crashing.buffer).setUint16(0x500, UNDEFINED, true);
    const findings = await look(productWith(crashing));
    assert.match(findings.find(({ what }) => what === 'core')?.text ?? '', /locked up.*crashed/);
  });

  it('of a locked one the doctor promises neither a job nor that it starts anew', async () => {
    const findings = await look(productWith(asleep, { board: { rdp: 1 } }));
    const core = findings.find(({ what }) => what === 'core');
    assert.equal(findings.find(({ what }) => what === 'protection')?.code, 'BF-TARGET-RDP1');
    assert.match(core?.text ?? '', /answered only/);
    assert.doesNotMatch(core?.remedy ?? '', /job works|starts anew/);
    assert.match(core?.remedy ?? '', /Switch the board off and on/);
  });

  it('an empty desk is still an empty desk', async () => {
    const product = new ProductFixture();
    product.board.powerOff();
    const outcome = await product.flash(tinyImage(), { timeouts: { arrival: 60_000 } });
    const { error } = outcome.agent;
    assert.ok(
      isBlindflashError(error, 'BF-TARGET-NONE') || isBlindflashError(error, 'BF-TARGET-NO-POWER'),
      String(error),
    );
    assert.equal(product.board.nrstAsserted, false);
  });
});
