// Update files between the vendor's half and a device's (docs/update-files.md): who can open one, what is refused, what
// shows from outside.
import assert from 'node:assert/strict';
import { concat, equalBytes } from '../../../../shared/codec/bytes.ts';
import { exchangeKeyPairFrom } from '../../../../shared/crypto/keys.ts';
import { isBlindflashError, type ErrorCode } from '../../../../shared/errors/errors.ts';
import type { Random } from '../../../../shared/ports.ts';
import { UPDATE_BYTES } from '../../../../shared/update/format.ts';
import type { Recipient } from '../../../../shared/update/seal.ts';
import { partsOf, joined } from '../../../fixtures/update-parts.ts';
import { FILES_KEY, RELEASE, sealFor, TestDevice, updateContent, updateImage } from '../../../fixtures/update-files.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';

const PROGRAM = updateImage(11, 20_000);
const CONTENT = updateContent(PROGRAM);

const coded =
  (code: ErrorCode, detail = /./) =>
  (error: unknown) =>
    isBlindflashError(error, code) && detail.test(error.detail ?? '');

function devices(count: number): TestDevice[] {
  return Array.from({ length: count }, (_, number) => new TestDevice(number));
}

/** A device nobody has: any number below 2^255 − 19 is a point to agree with. */
function somebody(random: Random): Recipient {
  const devicePublic = random.bytes(32);
  devicePublic[31] = (devicePublic[31] as number) & 0x3f;
  return { uid: random.bytes(12), devicePublic };
}

describe('update files: who opens one', () => {
  it('each device it is sealed for, in pieces of any length, ends with the program and with nothing else in its sectors', () => {
    const three = devices(3);
    const file = sealFor(three, CONTENT);
    for (const [index, device] of three.entries()) {
      assert.equal(device.take(file, [1, 4097, file.length][index]).complete, true);
      assert.deepEqual(device.flash.read(0x08010000, PROGRAM.length), PROGRAM);
      assert.ok(device.flash.bytes.subarray(PROGRAM.length, 0x10000).every((byte) => byte === 0xff));
      assert.ok(
        device.flash.bytes.subarray(0x10000).every((byte) => byte === 0x5a),
        'other sectors stay',
      );
      assert.deepEqual(device.flash.erased, [4]);
      assert.equal(device.uses, 2);
    }
  });

  it('the boot words are programmed once, last of all', () => {
    const [device] = devices(1) as [TestDevice];
    device.take(sealFor([device], CONTENT));
    const touching = device.flash.programmed.filter(([address]) => address < 0x08010040);
    assert.deepEqual(touching, [[0x08010000, PROGRAM.slice(0, 64)]]);
    assert.equal(device.flash.programmed.at(-1)?.[0], 0x08010000);
  });

  it('a device it is not sealed for does not use d_f and changes nothing', () => {
    const [one, other] = devices(2) as [TestDevice, TestDevice];
    assert.throws(() => other.take(sealFor([one], CONTENT)), coded('BF-UPDATE-REFUSED', /no entry/));
    assert.equal(other.uses, 0);
    assert.deepEqual([other.flash.erased, other.flash.programmed], [[], []]);
  });

  it('4096 entries, ours the last', () => {
    const random = seededRandom(5);
    const others = Array.from({ length: 2048 }, () => somebody(random));
    const device = new TestDevice(1);
    const parts = partsOf(sealFor([...others, device], CONTENT));
    assert.equal(parts.entries.length, 4096);
    const own = partsOf(sealFor([device], CONTENT));
    assert.notDeepEqual(own.header, parts.header);
    const index = parts.entries.findIndex((entry) => opens(device, parts, entry));
    const [ours] = parts.entries.splice(index, 1) as [Uint8Array];
    device.uses = 0;
    assert.equal(device.take(joined({ ...parts, entries: [...parts.entries, ours] })).complete, true);
    assert.equal(device.uses, 2);
  });

  it('another product, a version below the floor, another chip, another files key: refused before an entry is looked at', () => {
    const [device] = devices(1) as [TestDevice];
    const file = sealFor([device], CONTENT);
    const other = exchangeKeyPairFrom('files', seededRandom(901).bytes(32));
    const cases = [
      [{ product: 8 }, /product 7/],
      [{ floor: RELEASE.version + 1 }, /version 5 is below the floor 6/],
      [{ flashKiB: 1024 }, /another chip/],
      [{ filesPublic: other.publicKey }, /another files key/],
    ] as const;
    for (const [change, detail] of cases) {
      assert.throws(() => device.take(file, 5000, change), coded('BF-UPDATE-REFUSED', detail));
    }
    assert.equal(device.uses, 0);
    assert.equal(device.take(file, 5000, { floor: RELEASE.version }).complete, true);
  });
});

/** Whether an entry is a device's: of a file with this one entry alone it takes a frame. */
function opens(device: TestDevice, parts: ReturnType<typeof partsOf>, entry: Uint8Array): boolean {
  const before = device.uses;
  device.reader().header(parts.decoded, parts.header);
  const reader = device.reader();
  reader.header(parts.decoded, parts.header);
  reader.entry(entry);
  return device.uses > before;
}

describe('update files: entries mixed', () => {
  it('an entry of another file, or of another device, is nobody’s', () => {
    const [one, other] = devices(2) as [TestDevice, TestDevice];
    const [first, second] = [partsOf(sealFor([one], CONTENT, 1)), partsOf(sealFor([one, other], CONTENT, 2))];
    const foreign = joined({ ...first, entries: [second.entries[0] as Uint8Array] });
    assert.throws(() => one.take(foreign), coded('BF-UPDATE-REFUSED', /no entry/));
    assert.throws(() => other.take(foreign), coded('BF-UPDATE-REFUSED', /no entry/));
    assert.deepEqual([one.uses, other.uses], [0, 0]);
  });

  it('our tag before somebody else’s box, and any changed byte of our entry: refused, with one use of d_f for the tag’s', () => {
    const [one, other] = devices(2) as [TestDevice, TestDevice];
    const parts = partsOf(sealFor([one, other], CONTENT));
    const [ours, theirs] = (opens(one, parts, parts.entries[0] as Uint8Array) ? [0, 1] : [1, 0]).map(
      (index) => parts.entries[index] as Uint8Array,
    ) as [Uint8Array, Uint8Array];
    const tagged = concat(ours.subarray(0, 16), theirs.subarray(16));
    for (const entries of [[tagged, theirs], ...changed(ours).map((entry) => [entry, theirs])]) {
      one.uses = 0;
      const tagIsOurs = equalBytes(entries[0]!.subarray(0, 16), ours.subarray(0, 16));
      assert.throws(
        () => one.take(joined({ ...parts, entries })),
        coded('BF-UPDATE-REFUSED', tagIsOurs ? /was changed/ : /no entry/),
      );
      assert.equal(one.uses, tagIsOurs ? 2 : 0);
      assert.deepEqual(one.flash.erased, []);
    }
  });

  it('an E that is not in canonical form is refused by itself', () => {
    const [one] = devices(1) as [TestDevice];
    const parts = partsOf(sealFor([one], CONTENT));
    const header = parts.header.slice().fill(0xff, 32, 64);
    assert.throws(() => one.take(joined({ ...parts, header })), coded('BF-UPDATE-REFUSED', /canonical/));
  });

  it('every changed byte of the header makes it nobody’s, or no update file', () => {
    const [one] = devices(1) as [TestDevice];
    const parts = partsOf(sealFor([one], CONTENT));
    for (const header of changed(parts.header)) {
      assert.throws(
        () => one.take(joined({ ...parts, header })),
        (error: unknown) => isBlindflashError(error) && error.code.startsWith('BF-UPDATE-'),
      );
    }
    assert.equal(one.uses, 0);
  });
});

function changed(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte, at) => bytes.with(at, byte ^ 1) as Uint8Array);
}

describe('update files: what shows from outside', () => {
  it('the number of entries is the next power of two, and a padded one is as long as another', () => {
    for (const [count, entries] of [
      [1, 1],
      [2, 2],
      [3, 4],
      [5, 8],
    ] as const) {
      const parts = partsOf(sealFor(devices(count), CONTENT));
      assert.equal(parts.entries.length, entries);
      assert.ok(parts.entries.every(({ length }) => length === UPDATE_BYTES.entry));
    }
  });

  it('bytes of real and padded entries are as even as chance has them', () => {
    const random = seededRandom(6);
    const many = Array.from({ length: 129 }, () => somebody(random));
    const halfPadded = partsOf(sealFor(many, CONTENT)).entries;
    const allReal = partsOf(sealFor(many.slice(1), CONTENT)).entries;
    assert.deepEqual([halfPadded.length, allReal.length], [256, 128]);
    for (const entries of [halfPadded, allReal]) {
      const bits = entries.flatMap((entry) => Array.from(entry, ones));
      const mean = bits.reduce((sum, count) => sum + count, 0) / bits.length;
      assert.ok(Math.abs(mean - 4) < 0.05, `${mean} bits of a byte are set`);
    }
  });

  it('the shuffle does not keep the order of the recipients', () => {
    const many = devices(16);
    const places = new Set<number>();
    for (let seed = 0; seed < 12; seed++) {
      const parts = partsOf(sealFor(many, CONTENT, seed));
      places.add(parts.entries.findIndex((entry) => opens(many[0] as TestDevice, parts, entry)));
    }
    assert.ok(places.size > 4, `${[...places].join(' ')}`);
  });

  it('two files of the same image have nothing in common but the length and the plan', () => {
    const [one] = devices(1) as [TestDevice];
    const [a, b] = [partsOf(sealFor([one], CONTENT, 1)), partsOf(sealFor([one], CONTENT, 2))];
    assert.deepEqual(a.header.subarray(64), b.header.subarray(64));
    assert.ok(a.frames.every((frame, at) => !equalBytes(frame, b.frames[at] as Uint8Array)));
    assert.ok(!equalBytes(a.entries[0] as Uint8Array, b.entries[0] as Uint8Array));
  });
});

function ones(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}

describe('update files: what the vendor may seal for', () => {
  it('nobody, one device twice, more than there is room for, and keys no device could have made are refused', () => {
    const [one] = devices(1) as [TestDevice];
    const zero = { uid: one.uid, devicePublic: new Uint8Array(32) };
    const wide = { uid: one.uid, devicePublic: new Uint8Array(32).fill(0xff) };
    const ours = { uid: one.uid, devicePublic: FILES_KEY.publicKey };
    const crowd = Array.from({ length: 65_537 }, () => one);
    for (const [recipients, detail] of [
      [[], /none/],
      [[one, one], /twice/],
      [crowd, /65537/],
      [[zero], /could have made/],
      [[wide], /could have made/],
      [[ours], /could have made/],
    ] as const) {
      assert.throws(() => sealFor(recipients, CONTENT), coded('BF-UPDATE-RECIPIENTS', detail));
    }
  });

  it('a point of low order in a device’s key is refused', () => {
    const low = Uint8Array.of(1, ...new Uint8Array(31));
    const recipient = { uid: new Uint8Array(12), devicePublic: low };
    assert.throws(() => sealFor([recipient], CONTENT), coded('BF-UPDATE-REFUSED', /zero/));
  });
});
