// What is said about a board is what is known of it: where it starts, whether it is supplied, what its option bytes do
// to a job, and what becomes of it when the probe goes away (docs/product.md §4; docs/simulation.md).
import assert from 'node:assert/strict';
import { examine, type Finding } from '../../agent/target/doctor.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { silentLog } from '../../shared/ports.ts';
import { bootable, FLASH, imageOf, tinyImage } from '../fixtures/images.ts';
import { ProductFixture, type ProductOptions } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { AGAIN, program, WFI } from '../unit/sim/seen/seen-fixture.ts';

async function look(options: ProductOptions): Promise<Finding[]> {
  const product = new ProductFixture(options);
  const findings: Finding[] = [];
  const round = async (): Promise<void> => {
    const doctor = { clock: product.queue, log: silentLog };
    for await (const finding of examine(product.probe(), doctor)) findings.push(finding);
  };
  await product.queue.drive(round());
  return findings;
}

const finding = (findings: readonly Finding[], what: Finding['what']) => findings.find((one) => one.what === what);

describe('what the doctor says of a board', function () {
  this.timeout(60_000);

  it('write-protected sectors, PCROP and the state a cut option write leaves, by name', async () => {
    const wrp = finding(await look({ board: { optcr: 0x0ffcaaec } }), 'protection');
    assert.equal(wrp?.verdict, 'note');
    assert.match(wrp?.text ?? '', /sectors 0-1/);
    assert.match(wrp?.remedy ?? '', /--lift-write-protection/);
    const pcrop = finding(await look({ board: { optcr: 0x8003aaec, optcr1: 0 } }), 'protection');
    assert.equal(pcrop?.code, 'BF-TARGET-PCROP');
    assert.match(pcrop?.text ?? '', /PCROP.*sectors 0-1\b/);
    assert.doesNotMatch(pcrop?.text ?? '', /this job/, 'a look at the board is no job');
    const cut = finding(await look({ board: { optcr: 0xcffffffd } }), 'protection');
    assert.equal(cut?.code, 'BF-TARGET-OPTIONS-CUT');
    assert.match(cut?.remedy ?? '', /unlock/);
  });

  it('a supply that is not measured beside a chip that answers', async () => {
    const supply = finding(await look({ firmware: { supplyWired: false } }), 'supply');
    assert.equal(supply?.verdict, 'note');
    assert.match(supply?.text ?? '', /VTref.*not connected/);
  });

  it('a locked chip is not called empty', async () => {
    const core = finding(await look({ board: { rdp: 1 } }), 'core');
    assert.doesNotMatch(`${core?.text} ${core?.remedy}`, /empty chip/);
  });
});

describe('what a job says of a board', function () {
  this.timeout(60_000);

  it('a board whose BOOT0 is high runs ST’s loader, not what was written', async () => {
    const product = new ProductFixture({ board: { boot: 'system' } });
    const outcome = await product.flash(tinyImage());
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.agent.board, 'rom');
  });

  it('an image that sleeps or takes the debug pins does not make the job fail, nor the stub wait', async () => {
    for (const resident of [
      program([[0xe0042004, 0]], WFI, AGAIN),
      program(
        [
          [0x40023830, 0x00100001],
          [0x40020000, 0x14000000],
        ],
        0xe7fe,
      ),
    ]) {
      const product = new ProductFixture();
      const outcome = await product.flash(imageOf([FLASH, resident]));
      assert.equal(outcome.error, undefined);
      assert.deepEqual([outcome.agent.result, outcome.agent.board], ['done', 'running']);
    }
  });

  it('a probe lost in the middle: the image is not complete, and the customer is told what to do', async () => {
    const product = new ProductFixture();
    let operations = 0;
    product.board.flash.onOperation = () => {
      if (++operations === 300) product.queue.at(product.queue.nowNs, () => product.usb.unplug());
    };
    const image = imageOf([FLASH, bootable(90, 5000)], [FLASH + 0x4000, seededRandom(91).bytes(6000)]);
    const { agent } = await product.flash(image, { timeouts: { peer: 30_000 } });
    assert.ok(isBlindflashError(agent.error, 'BF-PROBE-UNPLUGGED'), String(agent.error));
    assert.match(agent.error.remedy, /start the agent again/);
    assert.equal(agent.board, 'incomplete');
  });

  it('a chip of 1 MB in two banks is named, before anything is asked', async () => {
    const product = new ProductFixture({ board: { chip: 'stm32f427xg', optcr: 0x4fffaaec } });
    const plan = compileFlash(tinyImage(), requireChip(0x419), { job: product.random.bytes(16), flashKiB: 1024 });
    const outcome = await product.flash(tinyImage(), { plan });
    assert.ok(isBlindflashError(outcome.error, 'BF-TARGET-DUAL-BANK'), String(outcome.error));
    assert.deepEqual(product.sheets, []);
  });

  it('a locked image runs after a power cycle, and is said to, under both readings of the manual', async () => {
    for (const rdpInForce of ['from-power-on', 'at-once'] as const) {
      const product = new ProductFixture({ board: { switches: { rdpInForce } } });
      const outcome = await product.flash(tinyImage(), { lock: 'level 1' });
      assert.equal(outcome.error, undefined);
      assert.equal(outcome.agent.board, 'locked');
      const { lines } = JSON.parse(product.sheets.join()) as { lines: readonly string[] };
      assert.match(lines.map((line) => line.trim()).join(' '), /`blindflash unlock`/);
    }
  });
});
