// The invariants of chaos runs of a device with a loader can fail: each is spoilt once, on a board nothing was done to.
import assert from 'node:assert/strict';
import { ChaosDevice, type DeviceScript } from '../../chaos/device.ts';
import { brokenDevice } from '../../chaos/device-invariants.ts';
import { encodePacket } from '../../../shared/serial/framing.ts';
import { bootable, imageOf } from '../../fixtures/images.ts';
import { deviceNumber } from '../../fixtures/registry.ts';
import { FLASH, IMAGE } from '../loader/loader-fixture.ts';

const SLOTS = 0x7800;
const SECTOR_6 = 0x40000;
const REPLY_BYTES = 4 + 192;
const oldImage = bootable(81, 20_000, IMAGE);
const newImage = bootable(82, 6000, IMAGE);

function device(change: Partial<DeviceScript> = {}): ChaosDevice {
  return new ChaosDevice({
    seed: 5,
    weather: { delayMs: 5, jitterMs: 0, stallOneIn: 0, stallMs: 0, bytesPerMs: 12_500 },
    image: imageOf([IMAGE, newImage]),
    idleLimitMs: 60_000,
    countsSleep: false,
    device: { kind: 'flash', place: 'bench', hasKeys: true, old: true, digest: false, ...change },
    oldImage,
  });
}

/** Names of the invariants that do not hold once `spoil` was done. */
function brokenBy(spoil: (product: ChaosDevice) => void, change: Partial<DeviceScript> = {}): string[] {
  const product = device(change);
  try {
    const expected = {
      before: product.board.flash.bytes.slice(),
      optcr: product.board.options.optcr,
      mustSucceed: false,
    };
    spoil(product);
    return brokenDevice(product, expected).map((sentence) => sentence.split(':')[0]!);
  } finally {
    product.crypto.remove();
    product.queues.remove();
  }
}

const flashByte = ({ board }: ChaosDevice, at: number): void => void (board.flash.bytes[at]! ^= 1);
const reply = (number: number, filler: number): Uint8Array => {
  const body = new Uint8Array(REPLY_BYTES).fill(filler);
  new DataView(body.buffer).setUint32(0, number, true);
  return encodePacket('reply', body);
};

describe('invariants of a device in chaos', () => {
  it('hold for a board nothing was done to, with an old image, without one, and without keys', () => {
    const nothing = (): void => {};
    assert.deepEqual(brokenBy(nothing), []);
    assert.deepEqual(brokenBy(nothing, { old: false }), []);
    assert.deepEqual(brokenBy(nothing, { kind: 'enroll', hasKeys: false }), []);
  });

  const SPOILT: Readonly<Record<string, (product: ChaosDevice) => void>> = {
    'outsidePlan: a sector the plan does not name': (product) => flashByte(product, SECTOR_6),
    'outsidePlan: the key slots': (product) => flashByte(product, SLOTS + 300),
    'optionBytes: read protection is off': ({ board }) => (board.options.rdpLevel = 0),
    'nonceTwice: two replies under one number': ({ watch }) =>
      [1, 2].forEach((filler) => watch.saw(reply(3, filler), false)),
    'plaintext: a piece of the image on the line': ({ watch }) => watch.saw(newImage.slice(1000, 1200), true),
    'plaintext: a piece of the image at the relay': ({ captures }) =>
      void captures.relay.push(newImage.slice(1000, 1200)),
    'noProbe: a command to a probe': ({ captures }) => void captures.usb.push(new Uint8Array(16)),
    'foreignKeys: somebody else’s keys': ({ enrolled }) =>
      void enrolled.push({ ...deviceNumber(1), product: 1, place: 'bench' }),
    'powerUp: an old image that is not whole': (product) => flashByte(product, IMAGE - FLASH + 9000),
  };
  for (const [name, spoil] of Object.entries(SPOILT)) {
    it(`fail: ${name}`, () => assert.deepEqual(brokenBy(spoil), [name.split(':')[0]]));
  }

  it('fail: done, and neither the image nor a receipt is there', () => {
    const done = (product: ChaosDevice): void => void (product.vendorEnd = { good: true, text: 'receipt' });
    assert.deepEqual(brokenBy(done), ['outcome']);
    assert.deepEqual(brokenBy(done, { old: false }), ['outcome', 'powerUp']);
    assert.deepEqual(brokenBy(done, { kind: 'keys' }), ['outcome']);
    assert.deepEqual(brokenBy(done, { kind: 'update' }), ['outcome']);
    assert.deepEqual(brokenBy(done, { kind: 'enroll' }), ['outcome']);
  });
});
