// `package`: from the vendor's folder and an image to a file that the devices of its registry open.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePackage } from '../../../cli/vendor/package.ts';
import { storeKeys } from '../../../controller/store/keys-file.ts';
import { makeKeys } from '../../../controller/store/keys.ts';
import { Ledger } from '../../../controller/store/ledger.ts';
import { LedgerDeviceStore } from '../../../controller/store/ledger-devices.ts';
import { homeFolder } from '../../../controller/store/home.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { silentLog } from '../../../shared/ports.ts';
import { bootable } from '../../fixtures/images.ts';
import { deviceNumber, registryOver } from '../../fixtures/registry.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { IMAGE_START, TestDevice, updateImage } from '../../fixtures/update-files.ts';

const PROGRAM = updateImage(51, 5000);
const KEYS = makeKeys(seededRandom(52));
const DEVICES = [1, 2, 3].map((number) => new TestDevice(number, KEYS.files));

describe('package', () => {
  const home = mkdtempSync(join(tmpdir(), 'bf-package-'));
  const image = join(home, 'program.bin');
  const common = { home, image: [image], base: '0x08010000', chip: 'stm32f427', release: 5 } as const;
  const out = (name: string) => join(home, name);

  before(async () => {
    await storeKeys(join(home, 'keys.json'), KEYS, undefined, seededRandom(53));
    writeFileSync(image, PROGRAM);
    const ledger = new Ledger({ home: homeFolder(home), log: silentLog });
    const registry = registryOver(new LedgerDeviceStore(ledger), KEYS.receipt);
    for (const [at, { uid, devicePublic }] of DEVICES.entries()) {
      const place = at === 0 ? 'bench' : 'customer';
      const facts = { uid: toHex(uid), fileKey: toHex(devicePublic), product: 7, place } as const;
      await registry.enrol(deviceNumber(at + 1, facts), 'the bench');
    }
    await registry.change(toHex(DEVICES[2]!.uid), 'stolen', { by: 'the bench', note: '' });
    await ledger.close();
  });
  after(() => rmSync(home, { recursive: true }));

  it('seals for all that are active; those open it, the stolen one does not', async () => {
    const { file, bytes, chosen, release } = await makePackage({ ...common, to: ['all'], out: out('all.bfu') });
    const sealed = new Uint8Array(readFileSync(file));
    assert.equal(sealed.length, bytes);
    assert.deepEqual(release, { product: 7, version: 5, floor: 5 });
    assert.equal(chosen.mode, 'lock-then-load');
    assert.deepEqual(chosen.left, [{ uid: toHex(DEVICES[2]!.uid), why: 'is stolen' }]);
    for (const device of DEVICES.slice(0, 2)) {
      assert.equal(device.take(sealed).complete, true);
      assert.deepEqual(device.flash.read(IMAGE_START, PROGRAM.length), PROGRAM);
    }
    assert.throws(() => DEVICES[2]!.take(sealed), { code: 'BF-UPDATE-REFUSED' });
  });

  it('for one, with a floor, claims the mode of that one', async () => {
    const to = [toHex(DEVICES[0]!.uid).slice(0, 12)];
    const { chosen, release } = await makePackage({ ...common, to, floor: 3, out: out('one.bfu') });
    assert.deepEqual([chosen.mode, release.floor, chosen.recipients.length], ['seeded', 3, 1]);
  });

  it('replaces no file, and writes none that is refused', async () => {
    writeFileSync(out('there.bfu'), 'mine');
    await assert.rejects(makePackage({ ...common, to: ['all'], out: out('there.bfu') }), { code: 'BF-USAGE-FILE' });
    assert.equal(readFileSync(out('there.bfu'), 'utf8'), 'mine');
    const elsewhere = join(home, 'elsewhere.bin');
    writeFileSync(elsewhere, bootable(1, 5000, 0x08000000));
    const good = { ...common, to: ['all'], out: out('never.bfu') };
    for (const [change, code] of [
      [{ image: [elsewhere], base: '0x08000000' }, 'BF-IMAGE-BEHIND-LOADER'],
      [{ to: [toHex(DEVICES[2]!.uid)] }, 'BF-UPDATE-RECIPIENTS'],
      [{ to: undefined }, 'BF-USAGE'],
      [{ out: undefined }, 'BF-USAGE'],
      [{ release: undefined }, 'BF-USAGE'],
      [{ release: 1.5 }, 'BF-USAGE'],
      [{ floor: 6 }, 'BF-USAGE'],
    ] as const) {
      await assert.rejects(makePackage({ ...good, ...change }), { code });
    }
    assert.throws(() => readFileSync(out('never.bfu')));
  });
});
