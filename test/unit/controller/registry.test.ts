// The registry of devices: what entries come to, whoever wrote them down first, in memory and in a ledger.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { deviceOf } from '../../../controller/registry/device.ts';
import { formatDeviceFile, parseDeviceFile } from '../../../controller/registry/device-file.ts';
import { signEntry, verifyEntry, type Entry } from '../../../controller/registry/entry.ts';
import { jobDevice } from '../../../controller/registry/job-device.ts';
import type { DeviceRegistry, DeviceStore } from '../../../controller/registry/registry.ts';
import { LedgerDeviceStore } from '../../../controller/store/ledger-devices.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { HomeFixture } from '../../fixtures/home.ts';
import { deviceNumber, MemoryDeviceStore, OTHER_VENDOR, registryOver, VENDOR } from '../../fixtures/registry.ts';
import { onlyCoded, refuses } from '../shared/support.ts';

const BY = 'Ada at the bench';
const AT = '2026-09-21T14:13:20Z';
const common = { version: 'blindflash device 2', at: AT, by: BY, vendorKey: toHex(VENDOR.publicKey) } as const;

let home: HomeFixture;
const STORES: Readonly<Record<string, () => DeviceStore>> = {
  ledger: () => new LedgerDeviceStore(home.ledger()),
  memory: () => new MemoryDeviceStore(),
};

for (const [name, open] of Object.entries(STORES)) {
  describe(`controller: the device registry, ${name}`, () => {
    let store: DeviceStore;
    let registry: DeviceRegistry;
    beforeEach(() => {
      home = new HomeFixture();
      store = open();
      registry = registryOver(store);
    });
    afterEach(() => home.remove());

    it('puts a device on record once, with where, by whom and by which job', async () => {
      assert.equal(await registry.enrol(deviceNumber(1), BY), 'new');
      assert.equal(await registry.enrol(deviceNumber(1), 'somebody else'), 'known');
      const device = await registry.device(deviceNumber(1).uid.toUpperCase());
      assert.deepEqual(
        [device.state, device.place, device.waiting, device.history.length],
        ['active', 'customer', [], 1],
      );
      const { version, number, vendorKey, at, ...facts } = device.keys!;
      assert.equal(version, 'blindflash device 2');
      const expected = { kind: 'enrolled', ...deviceNumber(1), by: BY, repeats: null };
      assert.deepEqual([number, vendorKey, at, facts], [1, toHex(VENDOR.publicKey), '2026-09-21T14:13:21Z', expected]);
      await assert.rejects(registry.device(deviceNumber(2).uid), { code: 'BF-DEVICES-UNKNOWN' });
      await assert.rejects(registry.device('00'), { code: 'BF-DEVICES-UNKNOWN' });
    });

    it('finds the device of a job by first digits; what is no UID is a slip, not a device nobody knows', async () => {
      await registry.enrol(deviceNumber(1), BY);
      for (const start of ['0', deviceNumber(1).uid, '000000000000']) {
        assert.equal((await jobDevice(registry, start)).uid, deviceNumber(1).uid);
      }
      await assert.rejects(jobDevice(registry, deviceNumber(2).uid), { code: 'BF-DEVICES-UNKNOWN' });
      await assert.rejects(jobDevice(registry, 'FE'), { code: 'BF-DEVICES-UNKNOWN' });
      for (const start of ['', 'board 7', '0x00', '00 00', `${deviceNumber(1).uid}0`, 'undefined']) {
        await assert.rejects(jobDevice(registry, start), { code: 'BF-USAGE' }, start);
      }
    });

    it('finds devices by state and by the first digits of the UID, in their order', async () => {
      for (const n of [0x300, 1, 2]) await registry.enrol(deviceNumber(n), BY);
      await registry.change(deviceNumber(2).uid, 'retired', { by: BY, note: 'fell down' });
      const found = async (filter: Parameters<DeviceRegistry['devices']>[0]) =>
        (await registry.devices(filter)).map(({ uid }) => Number.parseInt(uid, 16));
      assert.deepEqual(await found({}), [1, 2, 0x300]);
      assert.deepEqual(await found({ state: 'retired' }), [2]);
      assert.deepEqual(await found({ uid: '0'.repeat(21) + '3' }), [0x300]);
      assert.deepEqual(await found({ uid: deviceNumber(1).uid, state: 'retired' }), []);
    });

    it('adds each change of state to the history, and refuses one that changes nothing', async () => {
      const { uid } = deviceNumber(1);
      await registry.enrol(deviceNumber(1), BY);
      await registry.change(uid, 'stolen', { by: 'Grace', note: 'van broken into' });
      await registry.change(uid, 'active', { by: BY, note: '' });
      const { state, history } = await registry.change(uid, 'retired', { by: BY, note: '' });
      assert.equal(state, 'retired');
      const told = history.map((entry) =>
        entry.kind === 'state' ? [entry.number, entry.was, entry.is, entry.by] : [],
      );
      assert.deepEqual(told, [
        [],
        [2, 'active', 'stolen', 'Grace'],
        [3, 'stolen', 'active', BY],
        [4, 'active', 'retired', BY],
      ]);
      await assert.rejects(registry.change(uid, 'retired', { by: BY, note: '' }), { code: 'BF-DEVICES-STATE' });
      const nobody = registry.change(deviceNumber(9).uid, 'stolen', { by: BY, note: '' });
      await assert.rejects(nobody, { code: 'BF-DEVICES-UNKNOWN' });
    });

    it('lets a second key for a UID wait, without provenance, until a person accepts it for no more than it came with', async () => {
      const [first, second, third] = [0, 1, 2].map((keys) => deviceNumber(1, {}, keys)) as [never, never, never];
      const [{ uid }, { sessionKey }] = [deviceNumber(1), deviceNumber(1, {}, 1)];
      await registry.enrol(first, BY);
      assert.equal(await registry.enrol(second, BY), 'waiting');
      assert.equal(await registry.enrol(second, BY), 'known');
      assert.equal(await registry.enrol(third, BY), 'waiting');
      const before = await registry.device(uid);
      assert.deepEqual([before.keys?.sessionKey, before.waiting.length], [deviceNumber(1).sessionKey, 2]);
      for (const bad of ['', sessionKey.slice(0, 7), '00000000', deviceNumber(1).sessionKey]) {
        await assert.rejects(registry.accept(uid, bad, { by: BY, place: null }), { code: 'BF-DEVICES-KEY' }, bad);
      }
      const without = await registry.accept(uid, sessionKey.slice(0, 8).toUpperCase(), { by: BY, place: null });
      assert.deepEqual([without.keys?.sessionKey, without.place, without.waiting.length], [sessionKey, undefined, 1]);
      const wished = await registry.accept(uid, deviceNumber(1, {}, 2).sessionKey, { by: BY, place: 'bench' });
      assert.deepEqual([wished.place, wished.waiting], ['customer', []]);
    });

    it('refuses a key that is another device’s, or comes with another partner', async () => {
      await registry.enrol(deviceNumber(1), BY);
      const { sessionKey, fileKey } = deviceNumber(1);
      for (const [n, change] of [
        [2, { sessionKey }],
        [2, { fileKey }],
        [2, { fileKey: sessionKey }],
        [1, { sessionKey: deviceNumber(3).sessionKey }],
        [1, { fileKey: deviceNumber(3).fileKey }],
      ] as const) {
        await assert.rejects(registry.enrol(deviceNumber(n, change), BY), { code: 'BF-DEVICES-KEY-TWICE' });
      }
      assert.equal((await registry.devices()).length, 1);
    });

    it('goes to another ledger of the vendor’s as a file, entries as they are; twice adds nothing', async () => {
      for (const n of [1, 2, 3]) await registry.enrol(deviceNumber(n), BY);
      await registry.change(deviceNumber(2).uid, 'stolen', { by: BY, note: '' });
      await registry.enrol(deviceNumber(3, {}, 1), BY);
      const { text, devices, entries } = await registry.exportFile();
      assert.deepEqual([devices, entries], [3, 5]);
      const there = registryOver(new MemoryDeviceStore());
      const waiting = [deviceNumber(3).uid];
      assert.deepEqual(await there.importFile(text, BY), { devices: 3, added: 5, waiting });
      assert.deepEqual(await there.importFile(text.replaceAll('\n', '\r\n'), BY), { devices: 3, added: 0, waiting });
      assert.deepEqual(await there.devices(), await registry.devices());
      assert.deepEqual(await registry.importFile(text, BY), { devices: 3, added: 0, waiting });
    });

    it('comes to the same in two ledgers that were changed apart, whoever imports first', async () => {
      const other = registryOver(new MemoryDeviceStore());
      const { uid } = deviceNumber(1);
      await registry.enrol(deviceNumber(1), BY);
      await other.importFile((await registry.exportFile()).text, BY);
      await registry.change(uid, 'stolen', { by: 'here', note: '' });
      await other.change(uid, 'retired', { by: 'there', note: '' });
      const [mine, theirs] = [(await registry.exportFile()).text, (await other.exportFile()).text];
      await registry.importFile(theirs, BY);
      await other.importFile(mine, BY);
      assert.deepEqual(await registry.device(uid), await other.device(uid));
      assert.equal((await registry.device(uid)).state, 'stolen', 'who did not know of the theft does not undo it');
    });

    it('enrols another vendor’s devices when a person names his key, and only then', async () => {
      const theirs = registryOver(new MemoryDeviceStore(), OTHER_VENDOR);
      for (const n of [1, 2, 3]) await theirs.enrol(deviceNumber(n, { place: 'bench' }), 'Bob');
      await theirs.change(deviceNumber(2).uid, 'stolen', { by: 'Bob', note: '' });
      const { text } = await theirs.exportFile();
      const named = OTHER_VENDOR.publicKey;
      for (const key of [undefined, VENDOR.publicKey, new Uint8Array(32)]) {
        const refused = registry.importFile(text, BY, key);
        await assert.rejects(refused, { code: 'BF-DEVICES-FOREIGN', detail: new RegExp(toHex(named)) });
      }
      await registry.enrol(deviceNumber(3, {}, 1), BY);
      const [one, , three] = [1, 2, 3].map((n) => deviceNumber(n).uid) as [string, string, string];
      assert.deepEqual(await registry.importFile(text, BY, named), { devices: 3, added: 4, waiting: [three] });
      const { keys, place } = await registry.device(one);
      assert.deepEqual([keys?.repeats, keys?.by, place], [toHex(named), 'Bob', 'bench']);
      assert.deepEqual(
        (await registry.devices()).map(({ state }) => state),
        ['active', 'stolen', 'active'],
      );
      assert.equal((await registry.importFile(text, BY, named)).added, 0);
    });

    it('takes nothing of a file whose keys are in use by another device', async () => {
      const there = registryOver(new MemoryDeviceStore());
      await there.enrol(deviceNumber(5), BY);
      await there.enrol(deviceNumber(1, { sessionKey: deviceNumber(2).sessionKey }), BY);
      await registry.enrol(deviceNumber(2), BY);
      const { text } = await there.exportFile();
      await assert.rejects(registry.importFile(text, BY), { code: 'BF-DEVICES-KEY-TWICE' });
      assert.equal((await registry.devices()).length, 1);
    });
  });
}

describe('controller: entries of the device registry', () => {
  const enrolled: Entry = { ...common, kind: 'enrolled', number: 1, ...deviceNumber(1), repeats: null };
  const state = (number: number, was: 'active' | 'stolen', is: 'active' | 'stolen' | 'retired'): Entry => ({
    ...common,
    kind: 'state',
    uid: enrolled.uid,
    number,
    was,
    is,
    note: '',
  });

  it('are signed as the page says', () => {
    const signed = signEntry(enrolled, VENDOR);
    assert.equal(
      signed.text,
      `{"version":"blindflash device 2","uid":"${enrolled.uid}","number":1,"kind":"enrolled",` +
        `"sessionKey":"${deviceNumber(1).sessionKey}","fileKey":"${deviceNumber(1).fileKey}","product":7,` +
        `"loaderHash":"${'ab'.repeat(64)}","place":"customer","job":"${'cd'.repeat(16)}","repeats":null,` +
        `"at":"${AT}","by":"${BY}","vendorKey":"${toHex(VENDOR.publicKey)}"}`,
    );
    const message = Buffer.from(`blindflash/2 device entry\0${signed.text}`);
    assert.ok(verifyEd25519(VENDOR.publicKey, message, Buffer.from(signed.signature, 'hex')));
  });

  it('are refused with any character changed, under another key, and as another vendor’s', () => {
    const { text, signature } = signEntry(enrolled, VENDOR);
    const verify = (signed: { text: string; signature: string }, key: Uint8Array = VENDOR.publicKey) =>
      verifyEntry(signed, verifyEd25519, key);
    assert.deepEqual(verify({ text, signature }), enrolled);
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
      refuses('BF-DEVICES-ENTRY', () => verify({ text: changed, signature }), `character ${at}`);
    }
    refuses('BF-DEVICES-ENTRY', () =>
      verify({ text, signature: signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) }),
    );
    refuses('BF-DEVICES-ENTRY', () => verify({ text, signature }, OTHER_VENDOR.publicKey));
    refuses('BF-DEVICES-ENTRY', () =>
      verify(signEntry({ ...enrolled, vendorKey: toHex(OTHER_VENDOR.publicKey) }, OTHER_VENDOR)),
    );
    refuses('BF-INTERNAL-ARGUMENT', () => signEntry({ ...enrolled, by: 'x\u001b[2J' }, VENDOR));
  });

  it('of a device are refused with one missing in between', () => {
    const entries = [enrolled, state(2, 'active', 'stolen'), state(3, 'stolen', 'active')];
    assert.equal(deviceOf(entries).state, 'active');
    for (const missing of [0, 1]) {
      refuses('BF-DEVICES-ENTRY', () => deviceOf(entries.filter((_, at) => at !== missing)));
    }
  });

  it('that two ledgers gave one number: the theft stays, and of two first keys neither is used', () => {
    for (const order of [0, 1]) {
      const both = [state(2, 'active', 'stolen'), { ...state(2, 'active', 'retired'), by: 'a' }];
      assert.equal(deviceOf([enrolled, ...(order === 0 ? both : both.reverse())]).state, 'stolen');
    }
    const rival: Entry = { ...enrolled, ...deviceNumber(1, {}, 1) };
    const device = deviceOf([enrolled, rival]);
    assert.deepEqual([device.keys, device.place, device.waiting.length], [undefined, undefined, 2]);
    const accepted = { ...common, kind: 'accepted', uid: rival.uid, number: 2, place: 'customer' } as const;
    const decided = deviceOf([enrolled, rival, { ...accepted, sessionKey: deviceNumber(1, {}, 1).sessionKey }]);
    assert.deepEqual([decided.keys, decided.place, decided.waiting], [rival, 'customer', [enrolled]]);
  });
});

describe('controller: the registry as a file', () => {
  const entries = [1, 2].map((n) =>
    signEntry({ ...common, kind: 'enrolled', number: 1, ...deviceNumber(n), repeats: null }, VENDOR),
  );
  const file = formatDeviceFile(entries, AT, VENDOR);
  const parse = (text: string) => parseDeviceFile(text, verifyEd25519, VENDOR.publicKey);

  it('is refused with any character changed, cut short at any line, and with entries left out, added or swapped', () => {
    assert.deepEqual(
      parse(file).map(({ signed }) => signed),
      entries,
    );
    for (let at = 0; at < file.length; at += 3) {
      const changed = file.slice(0, at) + String.fromCharCode(file.charCodeAt(at) ^ 1) + file.slice(at + 1);
      refuses(['BF-DEVICES-FILE', 'BF-DEVICES-ENTRY'], () => parse(changed), `character ${at}`);
    }
    const lines = file.split('\n');
    for (let most = 0; most < lines.length; most++) {
      refuses('BF-DEVICES-FILE', () => parse(lines.slice(0, most).join('\n')));
      if (most < lines.length - 1) refuses('BF-DEVICES-FILE', () => parse(`${lines.slice(0, most).join('\n')}\n`));
    }
    const [head, first, second] = [lines.slice(0, 2), lines.slice(2, 4), lines.slice(4, 6)];
    for (const order of [
      [head, first],
      [head, second, first],
      [head, first, second, second],
      [first, second],
    ]) {
      refuses('BF-DEVICES-FILE', () => parse(`${order.flat().join('\n')}\n`));
    }
  });

  it('is refused when two of its devices have one key', async () => {
    const { sessionKey } = deviceNumber(1);
    const same = { ...common, kind: 'enrolled', number: 1, ...deviceNumber(2, { sessionKey }), repeats: null } as const;
    const both = formatDeviceFile([entries[0]!, signEntry(same, VENDOR)], AT, VENDOR);
    for (const key of [VENDOR, OTHER_VENDOR]) {
      const importing = registryOver(new MemoryDeviceStore(), key).importFile(both, BY, VENDOR.publicKey);
      await assert.rejects(importing, { code: 'BF-DEVICES-KEY-TWICE' });
    }
  });

  it('takes anything at all with a code', async () => {
    const registry = registryOver(new MemoryDeviceStore());
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ maxLength: 400 }), pieces(file)), async (text) => {
        onlyCoded(() => parse(text));
        await registry.importFile(text, BY).catch((error: unknown) =>
          onlyCoded(() => {
            throw error;
          }),
        );
      }),
      { numRuns: 300 },
    );
  });
});

/** Texts made of pieces of a right one. */
function pieces(text: string): fc.Arbitrary<string> {
  const piece = fc.tuple(fc.nat(text.length), fc.nat(300)).map(([from, length]) => text.slice(from, from + length));
  return fc.array(fc.oneof(piece, fc.constant(text), fc.constant('\n')), { maxLength: 6 }).map((all) => all.join(''));
}
