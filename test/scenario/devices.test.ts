// Devices with a loader, the whole product in one process and virtual time: enrolled, written to over the serial line,
// and what is refused (docs/devices.md; docs/serial-link.md; docs/protocol.md §8).
import assert from 'node:assert/strict';
import type { OpenSerialPort, SerialPortSource } from '../../agent/transport/serial/port.ts';
import { encodePacket, PacketReader } from '../../shared/serial/framing.ts';
import { ReceiptSchema } from '../../shared/plan/receipt.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { PLACES, PLACE_ORDER } from '../../shared/registry/states.ts';
import { DeviceFixture, LOADER_HASH, UID, type DeviceRun } from '../fixtures/devices.ts';
import { deviceNumber } from '../fixtures/registry.ts';
import { bootable, FLASH, imageOf } from '../fixtures/images.ts';
import { CONFIG, IMAGE, plantedFlash, spinning, SPINS_AT } from '../integration/loader/loader-fixture.ts';
import type { Image } from '../../controller/image/image.ts';
import { LOADER_MAP } from '../../controller/loader/config.ts';
import type { RunOutcome } from '../fixtures/product.ts';

const TIMEOUTS = { arrival: 60_000, peer: 30_000, sealed: 60_000, work: 60_000, left: 5000 };
const GIVES_UP = { timeouts: TIMEOUTS, givesUpAfterMs: 5000 };
/** More than the way to the vendor and back, less than a loader waits for its last reply to be fetched. */
const STATUS_LATE_MS = 200;
const SLOT_KEYS = LOADER_MAP.slots - FLASH + 4;
const bytes = spinning(12_000);
const image = imageOf([IMAGE, bytes]);
/** More than the loader takes in while it erases: its last command has not left when the first word is programmed. */
const long = spinning(160_000);

function requireDone(outcome: RunOutcome): void {
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.agent.error, undefined);
  assert.equal(outcome.agent.result, 'done');
}

function requireRefused(outcome: RunOutcome, code: string): void {
  assert.equal((outcome.error as { code?: string } | undefined)?.code, code);
  assert.equal(outcome.receipt, undefined);
  assert.ok(!outcome.events.some(({ type }) => type === 'sealed' || type === 'receipt'));
}

const receiptOf = ({ receipt }: RunOutcome) => ReceiptSchema.parse(JSON.parse(receipt!.text));
const imageIn = ({ board }: DeviceFixture, { length } = bytes): Uint8Array =>
  board.flash.bytes.slice(IMAGE - FLASH, IMAGE - FLASH + length);
const untouched = ({ board }: DeviceFixture): boolean => board.flash.bytes.subarray(0x10000).every((b) => b === 0xff);

/** A device whose STATUS comes late: what it said last may be answered by the vendor before. */
class LateStatus extends DeviceFixture {
  override serialPort(): SerialPortSource {
    const { name, open } = super.serialPort();
    return { name, open: async () => this.#late(await open()) };
  }
  #late(port: OpenSerialPort): OpenSerialPort {
    const reader = new PacketReader();
    const late: OpenSerialPort = Object.create(port) as OpenSerialPort;
    port.onData = (bytes) => {
      for (const { name, body } of reader.take(bytes)) {
        const give = (): void => late.onData(encodePacket(name, body));
        if (name === 'status') this.queue.after(STATUS_LATE_MS, give);
        else give();
      }
    };
    return late;
  }
}

async function enrolled(seed: number): Promise<DeviceFixture> {
  const product = new DeviceFixture({ seed });
  requireDone(await product.enrol('bench'));
  return product;
}

/** Installs, and does something once flash has begun `count` operations. */
async function during(
  product: DeviceFixture,
  count: number,
  deed: () => void,
  options: DeviceRun = {},
  what: Image = image,
) {
  let seen = 0;
  const erasedAhead: (number | undefined)[] = [];
  let programs = false;
  product.board.flash.onOperation = ({ phase, kind, sector, address }) => {
    programs ||= kind === 'program' && address >= IMAGE;
    if (phase === 'start' && kind === 'erase' && !programs) erasedAhead.push(sector);
    if (phase === 'start' && ++seen === count) product.queue.at(product.queue.nowNs, deed);
  };
  const outcome = await product.install(what, 5, { timeouts: TIMEOUTS, ...options });
  assert.ok(seen >= count, 'the deed was done');
  assert.deepEqual(erasedAhead, [4], 'no sector ahead of those before it, for which the line would wait');
  return outcome;
}

describe('a device with a loader', function () {
  this.timeout(120_000);

  it('is done also when the vendor’s last word comes before the STATUS that tells the end of the session', async () => {
    const outcome = await new LateStatus({ seed: 60 }).enrol('bench');
    requireDone(outcome);
    assert.equal(receiptOf(outcome).outcome, 'enrolled');
  });

  for (const place of PLACE_ORDER) {
    it(`is enrolled at a place called ${place}, gets an image over the serial line, and starts it`, async () => {
      const product = new DeviceFixture({ seed: 61 });
      const outcome = await product.enrol(place);
      requireDone(outcome);
      const device = await product.registry.device(toHex(UID));
      const slot = product.board.flash.bytes.slice(SLOT_KEYS, SLOT_KEYS + 160);
      const { sessionKey, fileKey, loaderHash, product: number, job } = device.keys!;
      assert.deepEqual([sessionKey, fileKey], [toHex(slot.slice(32, 64)), toHex(slot.slice(96, 128))]);
      assert.deepEqual([loaderHash, number, device.place], [LOADER_HASH, CONFIG.product, place]);
      const first = receiptOf(outcome);
      assert.deepEqual([first.outcome, first.mode, first.job], ['enrolled', PLACES[place].mode, job]);
      assert.deepEqual(first.device, { enrolled: place, lock: 'effective', sessions: 0 });
      assert.ok(outcome.events.some((event) => event.type === 'enrolled' && event.outcome === 'new'));

      const written = await product.install(image, 5);
      requireDone(written);
      assert.deepEqual(imageIn(product), bytes);
      assert.equal(product.board.core.regs[15]! >>> 0, SPINS_AT, 'the image runs');
      const second = receiptOf(written);
      assert.deepEqual([second.outcome, second.mode], ['written', PLACES[place].mode]);
      assert.deepEqual(second.device, { enrolled: place, lock: 'effective', sessions: 1 });
      assert.equal(written.agent.board, 'running');
      assert.deepEqual([product.captures.usb, product.captures.swd], [[], []], 'no probe was used');
    });
  }

  it('the sheet says by which way, which version, and what the mode stops and does not', async () => {
    const product = await enrolled(62);
    requireDone(await product.install(image, 5));
    const [enrolling, installing] = product.sheets.map((sheet) =>
      (JSON.parse(sheet) as { lines: string[] }).lines.join(' ').replace(/\s+/g, ' '),
    ) as [string, string];
    assert.match(enrolling, /public keys of the chip, for product 4660/);
    assert.match(
      installing,
      /version 5 of product 4660; once this image is complete, nothing below version 5 is taken/,
    );
    for (const sheet of [enrolling, installing]) {
      assert.match(sheet, /Trust mode seeded/);
      assert.match(sheet, /over the serial line. No probe is used/);
      assert.match(sheet, /does not stop glitching/);
      assert.match(sheet, /does not stop a probe that resets the chip at chosen instants: it still gains one piece/);
      assert.doesNotMatch(sheet, /RAM|attest|can be read out afterwards: the plan/);
    }
  });

  it('takes no lower version than the floor, and the next one', async () => {
    const product = await enrolled(63);
    requireDone(await product.install(image, 5));
    product.cyclePower();
    const older = await product.install(image, 4, GIVES_UP);
    assert.equal((older.error as { code?: string }).code, 'BF-LOADER-VERSION');
    assert.equal(older.receipt, undefined);
  });
});

describe('a device with a loader: refused', function () {
  this.timeout(120_000);

  it('a chip that shows another key than the registry has: no M2, no erase, and its key was not used', async () => {
    const product = new DeviceFixture({ seed: 64 });
    await product.registry.enrol(
      { ...deviceNumber(1), uid: toHex(UID), product: CONFIG.product, place: 'bench' },
      'me',
    );
    const outcome = await product.install(image, 5, GIVES_UP);
    requireRefused(outcome, 'BF-DEVICES-OTHER-KEY');
    assert.ok(untouched(product));
    assert.equal(product.useWords(), 0);
  });

  it('another unit than the one named, before anything is sent', async () => {
    const product = new DeviceFixture({ seed: 65 });
    await product.registry.enrol({ ...deviceNumber(2), product: CONFIG.product, place: 'bench' }, 'me');
    const outcome = await product.install(image, 5, GIVES_UP, deviceNumber(2).uid);
    requireRefused(outcome, 'BF-JOB-OTHER-BOARD');
    assert.equal(product.useWords(), 0);
  });

  it('a second key for a known UID has no provenance: it waits, and no job is for it', async () => {
    const product = new DeviceFixture({ seed: 66 });
    const before = { ...deviceNumber(3), uid: toHex(UID), product: CONFIG.product, place: 'bench' as const };
    await product.registry.enrol(before, 'me');
    const outcome = await product.enrol('bench');
    requireDone(outcome);
    assert.ok(outcome.events.some((event) => event.type === 'enrolled' && event.outcome === 'waiting'));
    const device = await product.registry.device(toHex(UID));
    assert.deepEqual([device.keys?.sessionKey, device.waiting.length], [before.sessionKey, 1]);
  });

  it('a loader that is not among those the vendor knows', async () => {
    const product = new DeviceFixture({ seed: 67 });
    const outcome = await product.enrol('bench', { ...GIVES_UP, allowedLoaders: ['ab'.repeat(64)] });
    requireRefused(outcome, 'BF-LOADER-UNKNOWN');
    assert.deepEqual(await product.registry.devices(), []);
  });

  it('a board that is not locked', async () => {
    const product = new DeviceFixture({ seed: 68, board: { rdp: 0 } });
    const outcome = await product.enrol('bench', GIVES_UP);
    requireRefused(outcome, 'BF-TARGET-UNLOCKED');
    assert.deepEqual(await product.registry.devices(), []);
  });

  it('a loader made for another product', async () => {
    const product = new DeviceFixture({ seed: 69 });
    const outcome = await product.runDevice(undefined, product.enrolPlan('bench', CONFIG.product + 1), GIVES_UP);
    assert.equal((outcome.error as { code?: string }).code, 'BF-LOADER-PRODUCT');
    assert.deepEqual(await product.registry.devices(), []);
  });

  it('a job that goes by another way: for a loader with a probe at the board, for a stub with a serial line', async () => {
    const loader = new DeviceFixture({ seed: 70 });
    const probed = await loader.runDevice(undefined, loader.enrolPlan('bench'), { ...GIVES_UP, way: 'probe' });
    requireRefused(probed, 'BF-JOB-OTHER-WAY');
    const stub = new DeviceFixture({ seed: 71 });
    const blind = imageOf([FLASH, bootable(72, 900)]);
    const serial = await stub.runDevice(blind, stub.planFor(blind), GIVES_UP);
    requireRefused(serial, 'BF-JOB-OTHER-WAY');
    assert.deepEqual([stub.captures.usb, stub.captures.swd], [[], []]);
    assert.equal(Buffer.compare(stub.board.flash.bytes.subarray(0, 0x7800), plantedOf(stub).subarray(0, 0x7800)), 0);
  });
});

const plantedOf = (product: DeviceFixture): Uint8Array =>
  plantedFlash({
    config: { listenMs: 200, keys: [{ publicKey: product.keys.sealed.publicKey, roles: ['sessions', 'files'] }] },
  });

describe('a device with a loader: what is lost in the middle of an image', function () {
  this.timeout(120_000);

  for (const side of ['agent', 'controller'] as const) {
    it(`the ${side}'s link to the relay: the job goes on in the same sealed session`, async () => {
      const product = await enrolled(side === 'agent' ? 73 : 74);
      const outcome = await during(product, 800, () => product.dropLink(side));
      requireDone(outcome);
      assert.deepEqual(imageIn(product), bytes);
      assert.equal(outcome.events.filter(({ type }) => type === 'sealed').length, 1);
    });
  }

  it('the serial adapter, plugged in again: the same sealed session', async () => {
    const product = await enrolled(75);
    const unplug = (): void => {
      product.adapter.unplug();
      product.queue.after(4000, () => product.adapter.plug());
    };
    const outcome = await during(product, 800, unplug, {}, imageOf([IMAGE, long]));
    requireDone(outcome);
    assert.deepEqual(imageIn(product, long), long);
    assert.equal(outcome.events.filter(({ type }) => type === 'sealed').length, 1);
  });

  it('the adapter, when the loader has all it needs: the image runs; the customer is asked to reset it, and the job ends', async () => {
    const product = await enrolled(77);
    const unplug = (): void => {
      product.adapter.unplug();
      product.queue.after(4000, () => product.adapter.plug());
      product.queue.after(40_000, () => product.cyclePower());
    };
    const outcome = await during(product, 800, unplug);
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.receipt !== undefined, true);
    const asked = product.said.filter((line) => /press its reset button/.test(line));
    assert.match(asked.at(-1) ?? '', /does not answer any more/);
    assert.deepEqual(imageIn(product), bytes);
  });

  it('the power of the board: a new session, which the receipt counts', async () => {
    const product = await enrolled(76);
    const outcome = await during(product, 800, () => product.cyclePower());
    requireDone(outcome);
    assert.deepEqual(imageIn(product), bytes);
    assert.equal(receiptOf(outcome).device?.sessions, 2);
    assert.equal(product.board.core.regs[15]! >>> 0, SPINS_AT, 'the image runs');
  });

  it('the eighth session with parts of the image is the last before a person decides; his word allows more', async () => {
    const product = await enrolled(77);
    const before = { imageSessions: 7 };
    const outcome = await during(product, 800, () => product.cyclePower(), { ...GIVES_UP, before });
    assert.equal((outcome.error as { code?: string }).code, 'BF-JOB-SESSIONS');
    assert.equal(outcome.receipt, undefined);
    assert.equal(outcome.agent.result, 'failed');
    const again = await product.install(image, 5, { before: { imageSessions: 8 } });
    requireDone(again);
    assert.equal(receiptOf(again).device?.sessions, 9);
  });
});
