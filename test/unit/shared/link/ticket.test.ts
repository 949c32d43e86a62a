// Tickets: bytes and signatures of docs/protocol.md §2, compared with OpenSSL's; verification refuses what it must.
import assert from 'node:assert/strict';
import { createHash, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isBlindflashError } from '../../../../shared/errors/errors.ts';
import {
  decodeTicket,
  issueTicket,
  relayNameOf,
  signPresent,
  verifyPresent,
  verifyTicket,
} from '../../../../shared/link/ticket.ts';
import { isSmallOrderKey, verifyEd25519 } from '../../../../shared/platform/node/verify-signature.ts';
import { handMadeTicket, keyPair } from '../../relay/support.ts';

const nonce = new Uint8Array(32).fill(0x4e);

describe('tickets', () => {
  it('are issued with the very bytes the specification spells and OpenSSL signs', () => {
    const issued = issueTicket(keyPair(1).secretKey, {
      room: new Uint8Array(16).fill(2),
      side: 'agent',
      id: new Uint8Array(16).fill(0x1d),
      expires: 1_790_000_600,
      capKiB: 1024,
      holderKey: keyPair(7).publicKey,
      relay: 'r.test',
    });
    assert.deepEqual(issued, handMadeTicket());
  });

  it('decode to their fields', () => {
    const ticket = decodeTicket(handMadeTicket({ side: 2, cap: 9 }));
    assert.equal(ticket.side, 'controller');
    assert.equal(ticket.capKiB, 9);
    assert.equal(ticket.expires, 1_790_000_600);
    assert.equal(ticket.relay, 'r.test');
    assert.deepEqual(ticket.tenantKey, keyPair(1).publicKey);
  });

  it('are refused with one code when they are short, long or hold unknown values', () => {
    const good = handMadeTicket();
    const broken = [
      good.subarray(0, good.length - 1),
      new Uint8Array([...good, 0]),
      new Uint8Array(0),
      handMadeTicket({ side: 0 }),
      handMadeTicket({ side: 3 }),
      handMadeTicket({ expires: 2n ** 53n }),
      handMadeTicket({ relay: '' }),
      handMadeTicket({ relay: 'a b' }),
      handMadeTicket({ relay: 'R.test' }),
      handMadeTicket({ relay: '.test' }),
      handMadeTicket({ relay: '-test' }),
      Buffer.concat([Buffer.from('BFX2'), good.subarray(4)]),
    ];
    for (const bytes of broken) {
      assert.throws(
        () => decodeTicket(bytes),
        (error) => isBlindflashError(error, 'BF-RELAY-TICKET-INVALID'),
      );
    }
  });

  it('may expire as late as 2⁵³ − 1 and not a second later', () => {
    assert.equal(decodeTicket(handMadeTicket({ expires: 2n ** 53n - 1n })).expires, Number.MAX_SAFE_INTEGER);
    for (const expires of [2n ** 53n, 2n ** 64n - 1n]) {
      assert.throws(
        () => decodeTicket(handMadeTicket({ expires })),
        (error) => isBlindflashError(error, 'BF-RELAY-TICKET-INVALID'),
      );
    }
  });

  it('of another version are refused by name, with the side that is to be updated', () => {
    const of = (magic: string): Uint8Array => Buffer.concat([Buffer.from(magic), handMadeTicket().subarray(4)]);
    const refused =
      (say: RegExp) =>
      (error: unknown): boolean =>
        isBlindflashError(error, 'BF-VERSION-MISMATCH') && say.test(error.detail ?? '');
    assert.throws(() => decodeTicket(of('BFT1')), refused(/version 1.*at the vendor’s/));
    assert.throws(() => decodeTicket(of('BFT3')), refused(/version 3.*here$/));
    assert.throws(() => decodeTicket(of('BFT1').subarray(0, 40)), refused(/version 1/));
  });

  it('present with a signature OpenSSL would have made, good for one nonce and one ticket', () => {
    const bytes = handMadeTicket();
    const covered = Buffer.concat([
      Buffer.from('blindflash/2 present\0'),
      nonce,
      createHash('sha512').update(bytes).digest(),
    ]);
    const signature = signPresent(keyPair(7).secretKey, nonce, bytes);
    assert.deepEqual(signature, new Uint8Array(sign(null, covered, keyPair(7).node)));
    const ticket = decodeTicket(bytes);
    assert.ok(verifyTicket(ticket, verifyEd25519));
    assert.ok(verifyPresent(ticket, nonce, signature, verifyEd25519));
    assert.ok(!verifyPresent(ticket, new Uint8Array(32), signature, verifyEd25519));
    assert.ok(!verifyPresent(decodeTicket(handMadeTicket({ cap: 2 })), nonce, signature, verifyEd25519));
  });
});

describe('Ed25519 verification', () => {
  interface Case {
    readonly index: number;
    readonly message: string;
    readonly pub_key: string;
    readonly signature: string;
    readonly node_openssl_accepts: boolean;
  }
  const cases = JSON.parse(
    readFileSync(new URL('../../../vectors/ed25519/speccheck-cases.json', import.meta.url), 'utf8'),
  ) as Case[];
  const verdict = ({ message, pub_key, signature }: Case): boolean =>
    verifyEd25519(Buffer.from(pub_key, 'hex'), Buffer.from(message, 'hex'), Buffer.from(signature, 'hex'));

  it('refuses malleable signatures, S ≥ L (cases 6 and 7)', () => {
    for (const index of [6, 7]) assert.equal(verdict(cases[index]!), false, `case ${index}`);
  });

  it('refuses keys of small order, under which anybody could sign (cases 0, 1 and 11)', () => {
    for (const index of [0, 1, 11]) {
      assert.ok(isSmallOrderKey(Buffer.from(cases[index]!.pub_key, 'hex')), `case ${index}`);
      assert.equal(verdict(cases[index]!), false, `case ${index}`);
    }
  });

  it('accepts none that OpenSSL 3.0 was measured to refuse; 3.5 refuses one more (case 2)', () => {
    for (const one of cases) if (verdict(one)) assert.ok(one.node_openssl_accepts, `case ${one.index}`);
    assert.ok(verdict(cases[3]!), 'case 3');
  });

  it('refuses malformed input instead of throwing', () => {
    assert.equal(verifyEd25519(new Uint8Array(31), nonce, new Uint8Array(64)), false);
    assert.equal(verifyEd25519(keyPair(1).publicKey, nonce, new Uint8Array(63)), false);
    assert.equal(verifyEd25519(new Uint8Array(32).fill(0xff), nonce, new Uint8Array(64)), false);
  });
});

describe('relay names', () => {
  it('are the host of the URL, without port, brackets and capitals', () => {
    const names: readonly [string, string][] = [
      ['wss://Relay.Example.com', 'relay.example.com'],
      ['ws://127.0.0.1:8787', '127.0.0.1'],
      ['ws://[::1]:8787/', '::1'],
    ];
    for (const [url, name] of names) assert.equal(relayNameOf(url), name);
  });
  it('are refused behind anything that is not a plain WebSocket URL', () => {
    for (const url of [
      'ws://a_b.test',
      'https://a.test',
      'a.test',
      'wss://u:p@a.test',
      'wss://a.test/?x=1',
      'wss://a.test/#x',
      '',
    ]) {
      assert.throws(
        () => relayNameOf(url),
        (error) => isBlindflashError(error, 'BF-RELAY-ADDRESS'),
      );
    }
  });
});
