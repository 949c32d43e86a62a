// Invites and receipts: what is written is what is read, and what was altered is refused (docs/protocol.md).
import assert from 'node:assert/strict';
import { fromHex, toHex } from '../../../shared/codec/bytes.ts';
import { foreignText } from '../../../shared/codec/foreign-text.ts';
import { exchangeKeyPair, psk, signBytes, signingKeyPairFrom } from '../../../shared/crypto/keys.ts';
import {
  decodeInvite,
  encodeInvite,
  isCutShort,
  publicInviteBytes,
  publicInviteHash,
  vendorFingerprint,
  type Invite,
} from '../../../shared/tunnel/invite.ts';
import {
  formatSigned,
  parseSigned,
  signCustomerCopy,
  signReceipt,
  verifyCustomerCopy,
  verifyReceipt,
  type Receipt,
} from '../../../shared/plan/receipt.ts';
import { hasLoader, modeRow, PLAN_MODES, receiptStatement } from '../../../shared/plan/modes.ts';
import { decodeMessage, encodeMessage } from '../../../shared/tunnel/messages.ts';
import { sha512 } from './reference.ts';
import { flips, hex, refuses, seeded, verify } from './support.ts';

const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill);

const NOW = 1_700_000_000;
const invite: Invite = {
  expires: NOW + 3600,
  tunnelPublic: exchangeKeyPair('tunnel', seeded('invite')).publicKey,
  vendor: vendorFingerprint(bytes(32, 1), bytes(32, 2)),
  relayUrl: 'wss://relay.example/v2/link',
  ticket: bytes(200),
  secret: psk(bytes(32, 0x33)),
};

describe('invite', () => {
  const line = encodeInvite(invite);

  it('survives wrapping, quoting and blanks', () => {
    const wrapped = `  "> ${line.slice(0, 70)}\r\n> ${line.slice(70)}"\n`;
    assert.deepEqual(decodeInvite(wrapped, NOW), invite);
  });

  it('every cut says that the end is missing', () => {
    for (let length = 4; length < line.length; length++) {
      assert.throws(
        () => decodeInvite(line.slice(0, length), NOW),
        /not a complete invite.*(its end is missing|a character is wrong)/,
        String(length),
      );
    }
    for (let end = 4; end <= line.length; end++) assert.equal(isCutShort(line.slice(0, end)), end < line.length);
    assert.equal(isCutShort('bf'), false);
    assert.equal(isCutShort(`${line}x`), false);
    assert.throws(() => decodeInvite(line.slice(0, 100), NOW), /its end is missing/);
  });

  it('every changed character is noticed', () => {
    for (let at = 0; at < line.length; at++) {
      const other = line[at] === 'A' ? 'B' : 'A';
      refuses(
        ['BF-INVITE-MALFORMED', 'BF-INVITE-OLD', 'BF-INVITE-VERSION'],
        () => decodeInvite(line.slice(0, at) + other + line.slice(at + 1), NOW),
        String(at),
      );
    }
  });

  it('age, version, trash', () => {
    refuses('BF-INVITE-EXPIRED', () => decodeInvite(line, NOW + 3600));
    refuses('BF-INVITE-OLD', () => decodeInvite(line.replace('bf2.', 'bf1.'), NOW));
    for (const newer of ['bf3.', 'bf10.']) {
      refuses('BF-INVITE-VERSION', () => decodeInvite(line.replace('bf2.', newer), NOW));
    }
    refuses('BF-INVITE-MALFORMED', () => decodeInvite(`${line}AAAA`, NOW));
    refuses('BF-INVITE-MALFORMED', () => decodeInvite('hello', NOW));
    refuses('BF-INVITE-MALFORMED', () => decodeInvite('', NOW));
    refuses('BF-INVITE-MALFORMED', () => decodeInvite('x'.repeat(1_000_000), NOW));
  });

  it('V is of both keys of the vendor, in their order', () => {
    const [sealed, receipt] = [bytes(32, 1), bytes(32, 2)];
    const said = Buffer.from('blindflash/2 vendor\0', 'latin1');
    assert.equal(hex(invite.vendor), hex(sha512(Buffer.concat([said, sealed, receipt])).subarray(0, 32)));
    for (const [a, b] of [
      [receipt, sealed],
      [sealed, sealed],
      [bytes(32, 3), receipt],
    ] as const)
    // prettier-ignore
    {assert.notDeepEqual(vendorFingerprint(a, b), invite.vendor);}
    assert.notDeepEqual(publicInviteHash({ ...invite, vendor: bytes(32) }), publicInviteHash(invite));
  });

  it('only relay addresses without credentials fit, and the public part holds no secret', () => {
    for (const relayUrl of ['https://a', 'wss://user:pw@a/', 'wss://a/#x', 'wss://', `wss://${'a'.repeat(600)}`]) {
      refuses('BF-INTERNAL-ARGUMENT', () => encodeInvite({ ...invite, relayUrl }), relayUrl);
    }
    assert.equal(hex(publicInviteBytes(invite)).includes(hex(invite.secret)), false);
  });
});

describe('receipt', () => {
  const key = signingKeyPairFrom('receipt', seeded('receipt').bytes(32));
  const receipt: Receipt = {
    version: 'blindflash receipt 2',
    job: '01'.repeat(16),
    planHash: '02'.repeat(64),
    mode: 'host-blind',
    outcome: 'lock programmed',
    uid: '03'.repeat(12),
    devId: 0x419,
    flashKiB: 2048,
    imageDigest: '04'.repeat(64),
    salt: '05'.repeat(16),
    source: 'stub',
    sectorsByEqual: 3,
    erase: { sectors: 5, blank: 4, atOnce: false },
    time: { people: 60_000, network: 900, erase: 5000, program: 4200, check: 100 },
    code: 'typed',
    ranges: 2,
    bytes: 4096,
    wordsProgrammed: 1000,
    psize: 'x32',
    stubHash: '06'.repeat(64),
    sealedAt: '2026-11-22T15:00:00Z',
    lock: { asked: true, optcr: 0x0fff55ed },
    statement: modeRow('host-blind').receipt.stub,
    vendorKey: toHex(key.publicKey),
  };
  const signed = signReceipt(receipt, key);

  it('verifies under OpenSSL, from its file, with the expected key', () => {
    assert.deepEqual(verifyReceipt(parseSigned(formatSigned(signed)), verify, key.publicKey), receipt);
    assert.equal(formatSigned(signed), `${signed.text}\n${signed.signature}\n`);
    assert.match(signed.signature, /^[0-9a-f]{128}$/);
    assert.equal(signed.text.includes('\n'), false);
    const order =
      'version job planHash mode outcome uid devId flashKiB imageDigest salt source sectorsByEqual erase time ' +
      'code ranges bytes ' +
      'wordsProgrammed psize stubHash sealedAt lock statement vendorKey';
    assert.deepEqual(Object.keys(JSON.parse(signed.text) as object), order.split(' '));
  });

  it('has room for what each mode proves; behind a loader it says what is not ruled out all the same', () => {
    for (const mode of PLAN_MODES) {
      for (const source of ['stub', 'vendor'] as const) {
        const statement = receiptStatement(mode, source, true);
        assert.equal(verifyReceipt(signReceipt({ ...receipt, statement }, key), verify).statement, statement);
        assert.equal(/does not rule out .* glitched or opened, .* \(4 KB\)/.test(statement), hasLoader(mode), mode);
      }
    }
  });

  it('says where its digest comes from, how many sectors rest on equal, and how the code was had; nothing else fits', () => {
    for (const good of [{ source: 'vendor' }, { sectorsByEqual: 32 }, { code: 'waived' }] as const) {
      assert.deepEqual(verifyReceipt(signReceipt({ ...receipt, ...good }, key), verify), { ...receipt, ...good });
    }
    for (const bad of [
      ...[{ source: 'agent' }, { source: undefined }, { sectorsByEqual: 33 }, { sectorsByEqual: -1 }],
      ...[{ code: 'once' }, { code: undefined }, { statement: '' }, { statement: 'x'.repeat(601) }, { ranges: 65 }],
    ]) {
      refuses('BF-INTERNAL-ARGUMENT', () => signReceipt({ ...receipt, ...bad } as Receipt, key), JSON.stringify(bad));
    }
  });

  it('a receipt of version 1 is refused by both readers', () => {
    const old = JSON.stringify({ ...receipt, version: 'blindflash receipt 1' });
    const signature = hex(signBytes(key.secretKey, Buffer.from(`blindflash/1 receipt\0${old}`)));
    refuses('BF-JOB-RECEIPT', () => verifyReceipt({ text: old, signature }, verify));
    refuses('BF-JOB-RECEIPT', () => verifyCustomerCopy({ text: old, signature }, verify));
  });

  it('the customer’s copy verifies and carries a salted digest only', () => {
    const copy = signCustomerCopy(receipt, key);
    const seen = verifyCustomerCopy(copy, verify, key.publicKey);
    assert.equal(seen.saltedDigest, hex(sha512(bytes(16, 5), bytes(64, 4))));
    for (const secret of [receipt.imageDigest as string, receipt.salt]) assert.equal(copy.text.includes(secret), false);
    refuses('BF-JOB-RECEIPT', () => verifyReceipt(copy, verify), 'a copy is no receipt');
    refuses('BF-JOB-RECEIPT', () => verifyCustomerCopy(signed, verify), 'and the other way round');
    const message = { name: 'BYE', done: true, customer: { receipt: copy.text, signature: copy.signature } } as const;
    const customer = { ...message.customer, receipt: foreignText(copy.text) };
    assert.deepEqual(decodeMessage('controller', encodeMessage(message)), { ...message, customer });
  });

  it('another text, order, key or signature is refused', () => {
    const { version, ...others } = receipt;
    for (const text of [
      signed.text.replace('lock programmed', 'written'),
      signed.text.replace('{', '{ '),
      JSON.stringify({ ...others, version }),
      signed.text.replace('"job"', '"more":1,"job"'),
      signed.text.replace('"job"', '"job":"' + '09'.repeat(16) + '","job"'),
      '',
      '[]',
      'x'.repeat(5000),
    ]) {
      refuses('BF-JOB-RECEIPT', () => verifyReceipt({ ...signed, text }, verify), text.slice(0, 60));
    }
    for (const bad of [...flips(fromHex(signed.signature))].filter((_, i) => i % 16 === 0)) {
      refuses('BF-JOB-RECEIPT', () => verifyReceipt({ ...signed, signature: hex(bad) }, verify));
    }
    refuses('BF-JOB-RECEIPT', () => verifyReceipt({ ...signed, signature: 'zz' }, verify));
    refuses('BF-JOB-RECEIPT', () => verifyReceipt(signed, verify, bytes(32)));
    refuses('BF-INTERNAL-ARGUMENT', () => signReceipt({ ...receipt, vendorKey: '00'.repeat(32) }, key));
  });
});
