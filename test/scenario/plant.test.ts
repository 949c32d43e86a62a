// A loader planted and its device enrolled, the whole product in one process and virtual time, both sides killed at
// every step and the power cut in each (docs/devices.md, "Planting").
import assert from 'node:assert/strict';
import { ReceiptSchema } from '../../shared/plan/receipt.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { UID } from '../fixtures/devices.ts';
import { PlantFixture, type Planted, type PlantOptions } from '../fixtures/planting.ts';
import { CONFIG } from '../integration/loader/loader-fixture.ts';

const optionWrites = ({ operations }: PlantFixture): number =>
  operations.filter(({ kind, phase }) => kind === 'option' && phase === 'start').length;

/** Planted and enrolled, and the option bytes written so often in the life of the board. */
async function requirePlanted(product: PlantFixture, planted: Planted, writes = 1): Promise<void> {
  // Of a job that was finished before its process was killed nobody waits to hear.
  const overBefore = planted.error?.code === 'BF-RELAY-LONELY';
  if (!overBefore) assert.equal(planted.error, undefined, planted.error?.stack);
  // Nor does an agent that was killed when all was said; it waits for somebody to say it again.
  const waits = planted.agent.error?.code === 'BF-JOB-INTERRUPTED' && product.agentStarts > 1;
  if (!waits) assert.deepEqual([planted.agent.error, planted.agent.result], [undefined, 'done']);
  const receipt = ReceiptSchema.parse(JSON.parse([...product.ledger.stored.values()].at(-1)!.text));
  assert.deepEqual([receipt.outcome, receipt.uid, receipt.device?.lock], ['enrolled', toHex(UID), 'effective']);
  const device = await product.registry.device(toHex(UID));
  assert.deepEqual([device.state, device.place, device.keys?.product], ['active', 'bench', CONFIG.product]);
  const { optcr } = product.board.options;
  assert.equal((optcr >>> 8) & 0xff, 0x55, 'level 1');
  assert.equal(optcr & 0x10000, 0, 'sector 0 is write-protected');
  assert.equal(optionWrites(product), writes);
}

/** Moments of the two jobs: an event of the first or second of them, or an option write that begins or has ended. */
type Moment = readonly [job: 1 | 2, event: JobEvent['type']] | readonly ['option', 'start' | 'end'];
const MOMENTS: readonly (readonly [name: string, when: Moment])[] = [
  ['before the yes', [1, 'sheet']],
  ['when the first sealed session stood', [1, 'sealed']],
  ['when the loader was written', [1, 'written']],
  ['as the option write began', ['option', 'start']],
  ['as the option write had ended', ['option', 'end']],
  ['when the lock was proven', [1, 'locked']],
  ['when the board was let go of', [1, 'left']],
  ['when the second sheet was read', [2, 'sheet']],
  ['when the loader had shown its keys', [2, 'sealed']],
  ['when the device was on record', [2, 'enrolled']],
  ['when the receipt was stored', [2, 'receipt']],
];

/** Does something once, at that moment; a moment of the second job is one after the lock was seen. */
function onceWhen(product: PlantFixture, [which, what]: Moment, deed: () => void): void {
  let done = false;
  const now = (): void => {
    if (done) return;
    done = true;
    product.queue.after(0, deed);
  };
  let second = false;
  product.onEvent = ({ type }) => {
    if (which !== 'option' && type === what && (which === 2) === second) now();
    if (type === 'left') second = true;
  };
  product.onOperation = ({ kind, phase }) => {
    if (which === 'option' && kind === 'option' && phase === what) now();
  };
}

const plantFixture = (seed: number, options: Partial<PlantOptions> = {}) => new PlantFixture({ seed, ...options });

describe('a planting', function () {
  this.timeout(300_000);

  it('writes, locks, has the board switched off and on, and enrols, under one invite and with one option write', async () => {
    const product = plantFixture(301);
    await requirePlanted(product, await product.plant());
    assert.equal(product.powerCycles, 1);
  });

  for (const who of ['Vendor', 'Agent'] as const) {
    for (const [name, when] of MOMENTS) {
      it(`goes on when the ${who.toLowerCase()}’s program was killed ${name}`, async () => {
        const product = plantFixture(310);
        let killed = false;
        onceWhen(product, when, () => {
          killed = true;
          if (who === 'Vendor') product.killVendor();
          else product.killAgent();
        });
        await requirePlanted(product, await product.plant());
        assert.ok(killed);
      });
    }
  }

  it('is refused below 2.7 V, before anything is erased', async () => {
    const product = plantFixture(330, { board: { supplyVolts: 2.6 } });
    const { error } = await product.plant();
    assert.equal(error?.code, 'BF-TARGET-SUPPLY');
    assert.deepEqual(product.operations, []);
  });

  it('is not refused with a hardware watchdog, which stays', async () => {
    const product = plantFixture(331, { board: { optcr: 0x0fffaacc } });
    await requirePlanted(product, await product.plant());
    assert.equal(product.board.options.optcr & 0x20, 0);
  });

  for (const [cutOptions, code] of [
    ['ones', 'BF-TARGET-OPTIONS-CUT'],
    ['torn', 'BF-TARGET-OPTIONS-TORN'],
  ] as const) {
    it(`whose option write is cut by the power (${cutOptions}) is told so, and no device goes on record`, async () => {
      const product = plantFixture(332, { board: { switches: { cutOptions } } });
      onceWhen(product, ['option', 'start'], () => product.cyclePower());
      const { error } = await product.plant();
      assert.equal(error?.code, code);
      assert.deepEqual(await product.registry.devices(), []);
    });
  }
});
