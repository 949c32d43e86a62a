// What the vendor keeps: keys under a passphrase, and the form of jobs and invites.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadKeys, newPassphrase, storeKeys, scryptKdf } from '../../../controller/store/keys-file.ts';
import { trustedPrograms } from '../../../controller/service/trusted-programs.ts';
import { compileInfo } from '../../../controller/plan/compile.ts';
import { inviteLine, makeRoom } from '../../../controller/job/invite.ts';
import { inviteHashOf } from '../../../controller/store/job-record.ts';
import { formatJob, formatRoom, parseJob, parseRoom } from '../../../controller/store/job-form.ts';
import {
  formatKeys,
  makeKeys,
  needsPassphrase,
  parseKeys,
  publicKeysOf,
  vendorOf,
  type Kdf,
} from '../../../controller/store/keys.ts';
import { parseAddress, parseSectors } from '../../../cli/vendor/options.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { CHIPS, STM32F42X } from '../../../shared/chips/index.ts';
import { decodeInvite, holderKey, publicInviteHash } from '../../../shared/tunnel/invite.ts';
import { decodeTicket, verifyTicket } from '../../../shared/link/ticket.ts';
import type { Prompt } from '../../../cli/terminal/prompt.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { refuses, seeded } from '../shared/support.ts';
import { recordFor } from './job-fixture.ts';

const keys = makeKeys(seeded('vendor'));
/** Quick, for tests only. */
const quick: Kdf = async (passphrase, salt) => scryptKdf(passphrase, salt, { logN: 4, r: 8, p: 1 });
const nobody: Prompt = {
  interactive: false,
  ask: () => Promise.reject(new Error('asked')),
  askFresh: () => Promise.reject(new Error('asked')),
  confirm: () => Promise.reject(new Error('asked')),
  askWord: () => Promise.reject(new Error('asked')),
  askHidden: () => Promise.reject(new Error('asked')),
  beside: (write) => write(),
  close: () => Promise.resolve(),
};

describe('controller: keys', () => {
  it('have one pair for each purpose', () => {
    const pairs = [keys.tenant, keys.receipt, keys.sealed, keys.files];
    assert.equal(new Set(pairs.map(({ publicKey }) => toHex(publicKey))).size, 4);
  });

  it('come back with the passphrase and with no other', async () => {
    const text = await formatKeys(keys, 'correct horse', quick, seeded('file'));
    assert.ok(needsPassphrase(text));
    assert.deepEqual(await parseKeys(text, 'correct horse', quick), keys);
    for (const wrong of ['Correct horse', '', undefined]) {
      await assert.rejects(parseKeys(text, wrong, quick), { code: 'BF-KEYS-PASSPHRASE' });
    }
    const secrets = [keys.tenant, keys.receipt, keys.sealed, keys.files].map(({ secretKey }) =>
      secretKey.subarray(0, 32),
    );
    for (const secret of [...secrets, keys.home]) assert.ok(!text.includes(toHex(secret)));
    assert.equal(publicKeysOf(text).tenant, toHex(keys.tenant.publicKey));
  });

  it('made before there were update files open as ever, with a files key that stays the same', async () => {
    const text = await formatKeys(keys, 'correct horse', quick, seeded('file'));
    const before = text.replace(/,\s+"files": "[0-9a-f]{64}"/, '');
    assert.notEqual(before, text);
    assert.equal(publicKeysOf(before).files, undefined);
    assert.deepEqual(await parseKeys(before, 'correct horse', quick), keys);
    assert.equal(publicKeysOf(text).files, toHex(keys.files.publicKey));
  });

  it('have a fingerprint of the two that invites lead to, and of no other', () => {
    const other = makeKeys(seeded('other'));
    assert.deepEqual(vendorOf({ ...other, sealed: keys.sealed, receipt: keys.receipt }), vendorOf(keys));
    for (const name of ['sealed', 'receipt'] as const) {
      assert.notDeepEqual(vendorOf({ ...keys, [name]: other[name] }), vendorOf(keys), name);
    }
  });

  it('say when they are damaged', async () => {
    const text = await formatKeys(keys, undefined, quick, seeded('file'));
    assert.deepEqual(await parseKeys(text, undefined, quick), keys);
    const swapped = text.replace(toHex(keys.tenant.publicKey), toHex(keys.receipt.publicKey));
    const foreign = text.replace(toHex(keys.files.publicKey), toHex(keys.sealed.publicKey));
    for (const bad of [
      text.slice(1),
      swapped,
      foreign,
      text.replace('keys 2', 'keys 3'),
      '{}',
      text.replace('{', '{"version": "blindflash keys 2",'),
    ]) {
      await assert.rejects(parseKeys(bad, undefined, quick), { code: 'BF-KEYS-DAMAGED' });
    }
    const old = text.replace('keys 2', 'keys 1').replace(/("keys": "[0-9a-f]{192})[0-9a-f]{64}/, '$1');
    await assert.rejects(parseKeys(old, undefined, quick), { code: 'BF-KEYS-OLD' });
    assert.throws(() => publicKeysOf(old), { code: 'BF-KEYS-OLD' });
    const cheap = (await formatKeys(keys, 'x', quick, seeded('file'))).replace('"logN": 17', '"logN": 4');
    await assert.rejects(parseKeys(cheap, 'x', quick), { code: 'BF-KEYS-DAMAGED' });
  });
});

describe('controller: files', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'blindflash-'))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const mode = (path: string) => statSync(path).mode & 0o777;

  it('keys are the owner’s alone, never overwritten, and real scrypt opens them', async function () {
    this.timeout(20_000);
    const path = join(folder, 'keys.json');
    const file = join(folder, 'passphrase');
    writeFileSync(file, 'from a file\n', { mode: 0o600 });
    const source = { file, prompt: nobody };
    await storeKeys(path, keys, await newPassphrase(source), seeded('file'));
    if (process.platform !== 'win32') assert.equal(mode(path), 0o600);
    assert.deepEqual(await loadKeys(path, source), { keys, isProtected: true });
    await assert.rejects(storeKeys(path, keys, 'x', seeded('file')), { code: 'BF-KEYS-EXIST' });
    await assert.rejects(loadKeys(join(folder, 'none'), source), { code: 'BF-KEYS-MISSING' });
    // Somebody who can write to the folder puts keys there that need no passphrase.
    const open = join(folder, 'open.json');
    await storeKeys(open, keys, undefined, seeded('file'));
    assert.deepEqual(await loadKeys(open, { ...source, file: undefined }), { keys, isProtected: false });
    await assert.rejects(loadKeys(open, source), { code: 'BF-KEYS-DAMAGED', detail: /no passphrase/ });
  });

  it('a new passphrase is typed twice and is not empty', async () => {
    const typing = (...answers: string[]) => ({
      file: undefined,
      prompt: { ...nobody, askHidden: () => Promise.resolve(answers.shift() as string) },
    });
    assert.equal(await newPassphrase(typing('a', 'a')), 'a');
    await assert.rejects(newPassphrase(typing('a', 'b')), { code: 'BF-KEYS-PASSPHRASE' });
    await assert.rejects(newPassphrase(typing('', '')), { code: 'BF-KEYS-PASSPHRASE' });
  });

  it('trusts the stub that comes with the installation', () => {
    for (const chip of CHIPS.filter(({ stub }) => stub !== undefined)) {
      assert.ok(trustedPrograms(chip, 'stub').every((hash) => /^[0-9a-f]{128}$/.test(hash)));
    }
  });
});

describe('controller: rooms and records', () => {
  const room = makeRoom({
    relayUrl: 'wss://Relay.example.com:8443/',
    tenant: keys.tenant,
    vendor: vendorOf(keys),
    expires: 2_000_000_000,
    capKiB: 1024,
    random: seeded('room'),
  });

  it('both tickets are for one room, the agent’s for whoever has the secret', () => {
    const invite = decodeInvite(inviteLine(room), 1_900_000_000);
    const [agent, controller] = [decodeTicket(invite.ticket), decodeTicket(room.controllerTicket)];
    assert.deepEqual([agent.side, controller.side], ['agent', 'controller']);
    assert.deepEqual(agent.room, controller.room);
    assert.deepEqual(agent.holderKey, new Uint8Array(holderKey(invite.secret).publicKey));
    assert.equal(agent.relay, 'relay.example.com');
    for (const ticket of [agent, controller]) {
      assert.ok(verifyTicket(ticket, verifyEd25519));
      assert.deepEqual(ticket.tenantKey, new Uint8Array(keys.tenant.publicKey));
      assert.equal(ticket.expires, 2_000_000_000);
    }
    assert.deepEqual(publicInviteHash(invite), inviteHashOf(room));
  });

  it('an address is taken however it is spelt, and stands in the invite as invites have it', () => {
    const SPELT = {
      'WSS://Relay.Example.com': 'wss://relay.example.com',
      ' wss://relay.example.com/ ': 'wss://relay.example.com',
      'wss://bücher.example:8443': 'wss://xn--bcher-kva.example:8443',
      'ws://[::1]:8787': 'ws://[::1]:8787',
    };
    for (const [relayUrl, written] of Object.entries(SPELT)) {
      const made = makeRoom({
        relayUrl,
        tenant: keys.tenant,
        vendor: vendorOf(keys),
        expires: 2_000_000_000,
        capKiB: 1024,
        random: seeded('spelt'),
      });
      assert.equal(decodeInvite(inviteLine(made), 1_900_000_000).relayUrl, written);
    }
  });

  it('a spent invite is not shown again', () => {
    refuses('BF-INVITE-SECRET-DEAD', () => inviteLine({ ...room, invite: { ...room.invite, tunnels: 1 } }));
  });

  it('records survive their file form and refuse every missing or foreign field', () => {
    assert.deepEqual(plain(parseRoom(formatRoom(room))), plain(room));
    const record = recordFor(compileInfo(STM32F42X, { job: new Uint8Array(16) }));
    const text = formatJob(record);
    assert.deepEqual(plain(parseJob(text)), plain(record));
    for (const name of Object.keys(JSON.parse(text))) {
      const { [name]: _gone, ...rest } = JSON.parse(text);
      assert.ok(_gone !== undefined);
      if (name === 'imageSessions') continue;
      refuses('BF-JOB-STATE', () => parseJob(JSON.stringify(rest)), name);
    }
    refuses('BF-JOB-STATE', () => parseJob(JSON.stringify({ ...JSON.parse(text), extra: 1 })));
    refuses('BF-JOB-STATE', () => parseJob('{'));
    const earlier = JSON.parse(text);
    delete earlier.imageSessions;
    assert.equal(parseJob(JSON.stringify(earlier)).imageSessions, 0, 'a record made before there were devices');
    refuses('BF-JOB-STATE', () => parseJob(JSON.stringify({ ...JSON.parse(text), plan: '00'.repeat(64) })), 'plan');
  });

  it('options are read strictly', () => {
    assert.deepEqual(parseSectors('0-3,5, 5,12'), [0, 1, 2, 3, 5, 12]);
    for (const bad of ['', '3-1', '32', 'a', '1-', '1;2']) refuses('BF-USAGE', () => parseSectors(bad), bad);
    assert.equal(parseAddress('0x08000000', 'BF-USAGE'), 0x08000000);
    for (const bad of ['', '0x', '8000000h', '0x100000000', '-1']) {
      refuses('BF-USAGE', () => parseAddress(bad, 'BF-USAGE'), bad);
    }
  });
});

/** Byte strings of any brand as plain arrays. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}
