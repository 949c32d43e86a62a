// What only silicon can answer is a switch of the model (docs/simulation.md). Under every setting a job either ends
// well or fails closed, and a chip that was locked gives nothing away after its power cycle.
import assert from 'node:assert/strict';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import type { ModelSwitches } from '../../sim/peripherals/model-switches.ts';
import type { FirmwareSwitches } from '../../sim/stlink/firmware.ts';
import { tinyImage } from '../fixtures/images.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

const FLASH = 0x08000000;

const FIRMWARE: readonly Partial<FirmwareSwitches>[] = [
  { enterHalts: true },
  { enterOpensAp: true },
  { exitClearsDebug: true },
  { initApSetsDebug: true },
  { enterHalts: true, enterOpensAp: true, exitClearsDebug: true, initApSetsDebug: true },
  { startMode: 'dfu' },
  { startMode: 'debug' },
  { startMode: 'mass' },
  { voltageInDfu: 'answered' },
  { boardId: 'hangs' },
  { failedEnter: 'lingers' },
  { nrstWired: false },
  { supplyWired: false },
];

const CHIP: readonly Partial<ModelSwitches>[] = [
  { latchTrip: 'line-reset' },
  { latchTrip: 'power-up-request' },
  { latchTrip: 'ap-transaction' },
  { latchTrip: 'c-debugen' },
  { latchOnSramBoot: 'until-reset' },
  { latchOnSramBoot: 'no' },
  { latchOnSystemMemoryBoot: true },
  { standbyClears: false },
  { rtcBkpReadableAtL1: false },
  { optBytesReadableAtL1: true },
  { otpReadableAtL1: true },
  { sleepingCoreAnswers: true },
  { registersAtReset: 'zero' },
  { rdpInForce: 'at-once' },
  { rdpInForce: 'at-once', latchEnds: 'any-reset' },
  { latchEnds: 'any-reset' },
  { identityAtL1: 'zero' },
  { identityAtL1: 'readable' },
];

function requireDone({ agent, error, receipt }: RunOutcome): void {
  assert.equal(error, undefined, String(error));
  assert.equal(agent.result, 'done');
  assert.ok(receipt !== undefined);
}

/** The flash a debugger gets to see now, or undefined when every read is refused. */
async function readFlash(product: ProductFixture): Promise<Uint8Array | undefined> {
  const probe = product.probe();
  const read = async (): Promise<Uint8Array | undefined> => {
    await probe.open();
    await probe.connect();
    // C_DEBUGEN, as any debugger sets it sooner or later.
    await probe.writeWord(0xe000edf0, 0xa05f0001);
    try {
      return await probe.readMemory(FLASH, 64);
    } catch (error) {
      assert.ok(isBlindflashError(error), String(error));
      return undefined;
    } finally {
      await probe.close();
    }
  };
  return product.queue.drive(read());
}

describe('what only silicon can answer: the probe', () => {
  for (const firmware of FIRMWARE) {
    it(`a job ends well and leaves the debug unit off: ${JSON.stringify(firmware)}`, async () => {
      const product = new ProductFixture({ seed: 71, firmware, repeats: true });
      const image = tinyImage();
      requireDone(await product.flash(image));
      const { address, bytes } = image.segments[0]!;
      assert.deepEqual(product.board.flash.bytes.slice(address - FLASH, address - FLASH + bytes.length), bytes);
      assert.equal(product.board.bus.read(0xe000edf0, 4, 'cpu') & 1, 0, 'C_DEBUGEN');
    });
  }
});

describe('what only silicon can answer: read protection', () => {
  for (const switches of CHIP) {
    it(`a locking job ends well; afterwards nothing can be read and no job begins: ${JSON.stringify(switches)}`, async () => {
      const product = new ProductFixture({ seed: 72, board: { switches }, repeats: true });
      const image = tinyImage();
      requireDone(await product.flash(image, { lock: 'level 1' }));
      product.board.powerOff();
      product.board.powerOn();
      product.board.runTo(product.board.time.now + 5e6);
      assert.equal(await readFlash(product), undefined, 'a debugger reads nothing');
      const before = product.board.flash.bytes.slice();
      const again = await product.flash(image);
      assert.ok(isBlindflashError(again.error, 'BF-TARGET-RDP1'), String(again.error));
      assert.equal(again.receipt, undefined);
      assert.deepEqual(product.board.flash.bytes, before);
    });
  }
});
