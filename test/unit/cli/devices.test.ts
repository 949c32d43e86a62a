// `blindflash devices` as people and programs have it: every command, on a folder with keys and a few devices.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  acceptKey,
  changeTo,
  exportDevices,
  importDevices,
  listDevices,
  showDevice,
} from '../../../cli/vendor/devices.ts';
import { JSON_EVENTS, type JsonSpeaker } from '../../../cli/json-events.ts';
import { LedgerDeviceStore } from '../../../controller/store/ledger-devices.ts';
import { storeKeys } from '../../../controller/store/keys-file.ts';
import { makeKeys, type VendorKeys } from '../../../controller/store/keys.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { HomeFixture } from '../../fixtures/home.ts';
import { deviceNumber, registryOver } from '../../fixtures/registry.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

/** A vendor's folder with keys that have no passphrase, and the devices 1 and 2. */
async function vendor(seed: number): Promise<{ readonly home: HomeFixture; readonly keys: VendorKeys }> {
  const [home, keys] = [new HomeFixture(), makeKeys(seededRandom(seed))];
  await storeKeys(home.home.keys, keys, undefined, seededRandom(seed + 1));
  const registry = registryOver(new LedgerDeviceStore(home.ledger()), keys.receipt);
  for (const n of [1, 2]) await registry.enrol(deviceNumber(n), 'Ada');
  await home.closeAll();
  return { home, keys };
}

/** What a command prints on standard output. */
async function printed(run: () => Promise<void>): Promise<string> {
  const said: string[] = [];
  const [out, err] = [process.stdout.write.bind(process.stdout), process.stderr.write.bind(process.stderr)];
  process.stdout.write = (text: string | Uint8Array) => said.push(String(text)) > 0;
  process.stderr.write = () => true;
  try {
    await run();
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
  }
  return said.join('');
}

/** The events of a command, held against the table. */
async function events(speaker: keyof typeof JSON_EVENTS, run: () => Promise<void>): Promise<Record<string, unknown>[]> {
  const { events: rows }: JsonSpeaker = JSON_EVENTS[speaker];
  const lines = (await printed(run)).trimEnd().split('\n');
  return lines.map((line) => {
    const { event, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const checked = rows[String(event)]!.fields.safeParse(fields);
    assert.equal(checked.error?.message, undefined, line);
    return { event, ...fields };
  });
}

describe('the devices commands', () => {
  let home: HomeFixture;
  let keys: VendorKeys;
  const { uid } = deviceNumber(1);
  const args = (json = true) => ({ home: home.folder, json });
  beforeEach(async () => ({ home, keys } = await vendor(910)));
  afterEach(() => home.remove());

  it('list, for programs a line for each device and one at the end, for people in rows', async () => {
    const told = await events('deviceList', () => listDevices(args()));
    assert.deepEqual(
      told.map(({ event, uid: each, state, mode, devices }) => [event, each, state, mode, devices]),
      [
        ['device', deviceNumber(1).uid, 'active', 'lock-then-load', undefined],
        ['device', deviceNumber(2).uid, 'active', 'lock-then-load', undefined],
        ['listed', undefined, undefined, undefined, 2],
      ],
    );
    const row = `${uid}  active   lock-then-load  product 7\n`;
    assert.equal(await printed(() => listDevices({ ...args(false), uid })), row);
    assert.equal(await printed(() => listDevices({ ...args(false), state: 'stolen' })), 'no such device here\n');
  });

  it('show, retire, stolen and activate tell the device as it is then, with its history', async () => {
    const change = (state: 'active' | 'retired' | 'stolen', note?: string) =>
      events('oneDevice', () => changeTo(state)({ ...args(), uid, by: 'Grace', note }));
    assert.equal((await change('stolen', 'van broken into'))[0]!['state'], 'stolen');
    assert.equal((await change('active'))[0]!['state'], 'active');
    assert.equal((await change('retired'))[0]!['state'], 'retired');
    await assert.rejects(change('retired'), { code: 'BF-DEVICES-STATE' });
    const [told] = await events('oneDevice', () => showDevice({ ...args(), uid }));
    assert.equal((told!['history'] as string[]).length, 4);
    const text = await printed(() => showDevice({ ...args(false), uid }));
    for (const line of [
      /^device {3}0{23}1$/m,
      /^state {4}retired$/m,
      /^mode {5}lock-then-load$/m,
      new RegExp(`^sessions ${deviceNumber(1).sessionKey}$`, 'm'),
      /^enrolled 2026-09-21T14:13:21Z by Ada, on a customer’s desk, job (cd){16}$/m,
      /Z {2}Grace: active → stolen \(van broken into\)$/m,
    ]) {
      assert.match(text, line);
    }
  });

  it('take a note and a name without what moves a cursor, and not too long', async () => {
    const change = (by: string, note: string) => changeTo('stolen')({ ...args(false), uid, by, note });
    await assert.rejects(change('x'.repeat(65), ''), { code: 'BF-USAGE' });
    await assert.rejects(change('x', 'y'.repeat(201)), { code: 'BF-USAGE' });
    assert.match(await printed(() => change('Eve\u001b[2J', '\u202e')), /Z {2}Eve·\[2J: active → stolen \(·\)$/m);
  });

  it('accept a second key, which had no mode before', async () => {
    const { sessionKey } = deviceNumber(1, {}, 1);
    const registry = registryOver(new LedgerDeviceStore(home.ledger()), keys.receipt);
    await registry.enrol(deviceNumber(1, {}, 1), 'Ada');
    await home.closeAll();
    assert.match(await printed(() => listDevices(args(false))), /^0{23}1 .* 1 keys wait for a decision$/m);
    assert.match(await printed(() => showDevice({ ...args(false), uid })), /waits for a decision:\nsessions /);
    const accept = (key: string, place?: 'customer') => () => acceptKey({ ...args(), uid, key, place });
    await assert.rejects(accept('00')(), { code: 'BF-DEVICES-KEY' });
    const [told] = await events('oneDevice', accept(sessionKey.slice(0, 10)));
    assert.deepEqual([told!['mode'], told!['waiting']], [null, []]);
    assert.match(await printed(() => showDevice({ ...args(false), uid })), /^mode {5}none: /m);
  });

  it('export to a file that another folder of the vendor imports, and another vendor when the key is named', async () => {
    const file = join(home.folder, 'devices.txt');
    const out = await events('deviceExport', () => exportDevices({ ...args(), file }));
    assert.deepEqual(out, [{ event: 'exported', file, devices: 2, entries: 2 }]);
    const other = await vendor(920);
    const bring = (key?: string) => () => importDevices({ home: other.home.folder, json: true, file, key, by: 'Bob' });
    await assert.rejects(bring()(), { code: 'BF-DEVICES-FOREIGN', detail: toHex(keys.receipt.publicKey) });
    const taken = await events('deviceImport', bring(toHex(keys.receipt.publicKey)));
    assert.deepEqual(taken, [{ event: 'imported', devices: 2, added: 0, waiting: [] }]);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"customer"', '"bench"'));
    await assert.rejects(bring(toHex(keys.receipt.publicKey))(), { code: 'BF-DEVICES-FILE' });
    const nowhere = importDevices({ ...args(), file: join(home.folder, 'none') });
    await assert.rejects(nowhere, { code: 'BF-USAGE-FILE' });
    await other.home.remove();
  });

  it('refuse a row that a plain SQLite program changed', async () => {
    home.plainly((database) => {
      const trigger = 'device_entries_stay_so';
      const { sql } = database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(trigger);
      assert.throws(() => database.exec("UPDATE device_entries SET signature = '00'"), /stays as it is/);
      assert.throws(() => database.exec('DELETE FROM device_entries'), /an entry stays/);
      const again =
        'INSERT OR REPLACE INTO device_entries (id, text, signature) SELECT id, text, signature FROM device_entries';
      assert.throws(() => database.exec(again), /stays as it is/);
      database.exec(`DROP TRIGGER ${trigger}`);
      database.exec(`UPDATE device_entries SET text = replace(text, '"customer"', '"bench"') WHERE uid = '${uid}'`);
      database.exec(sql as string);
    });
    await assert.rejects(showDevice({ ...args(), uid }), { code: 'BF-DEVICES-ENTRY' });
    await assert.rejects(listDevices(args()), { code: 'BF-DEVICES-ENTRY' });
    assert.match(await printed(() => showDevice({ ...args(false), uid: deviceNumber(2).uid })), /active/);
  });
});
