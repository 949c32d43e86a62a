// Admission: who is let in, and that everybody else is not. Tickets are made by OpenSSL from the specification's bytes.
import assert from 'node:assert/strict';
import { createHash, sign } from 'node:crypto';
import { encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { authenticate, requireRelayName, type AdmissionRules, type Verdict } from '../../../relay/core/admission.ts';
import { roomKeyOf } from '../../../relay/core/room-access.ts';
import { parseTenants, everyTenant } from '../../../relay/core/tenants.ts';
import { decodeTicket } from '../../../shared/link/ticket.ts';
import { isSmallOrderKey } from '../../../shared/platform/node/verify-signature.ts';
import { isBlindflashError } from '../../../shared/errors/errors.ts';
import { handMadeTicket, keyPair, type TicketParts } from './support.ts';

const nonce = new Uint8Array(32).fill(0x4e);
const hexKey = (seed: number): string => Buffer.from(keyPair(seed).publicKey).toString('hex');
const findTenant = parseTenants(JSON.stringify([{ name: 'acme', key: hexKey(1) }]), isSmallOrderKey);
const rules: AdmissionRules = { relayName: 'r.test', findTenant, verify: verifyEd25519, wall: () => 1_790_000_000_000 };

function present(ticket: Uint8Array, holder = 7, over = nonce): Uint8Array {
  const hash = createHash('sha512').update(ticket).digest();
  const covered = Buffer.concat([Buffer.from('blindflash/2 present\0'), over, hash]);
  const signature = new Uint8Array(sign(null, covered, keyPair(holder).node));
  return encodeLinkMessage({ name: 'present', ticket, signature });
}
const judged = (parts: TicketParts, holder = 7, over = nonce): Verdict =>
  authenticate(present(handMadeTicket(parts), holder, over), nonce, rules);

function assertRefused(verdict: Verdict, close: string): void {
  assert.equal(verdict.admitted, false);
  assert.equal(verdict.admitted ? '' : verdict.close, close);
}

describe('admission', () => {
  it('admits a known tenant’s ticket from its holder', () => {
    const verdict = judged({});
    assert.ok(verdict.admitted);
    assert.equal(verdict.tenant.name, 'acme');
    assert.equal(verdict.ticket.side, 'agent');
  });

  it('refuses a ticket with any one byte changed', () => {
    const good = handMadeTicket();
    for (let at = 0; at < good.length; at++) {
      const changed = new Uint8Array(good);
      changed[at]! ^= 0x01;
      const message = new Uint8Array([0x02, changed.length, 0, ...changed, ...present(changed).subarray(-64)]);
      assert.equal(authenticate(message, nonce, rules).admitted, false, `byte ${at}`);
    }
  });

  it('refuses a proof with any one byte changed', () => {
    const good = present(handMadeTicket());
    for (let at = good.length - 64; at < good.length; at++) {
      const changed = new Uint8Array(good);
      changed[at]! ^= 0x01;
      assertRefused(authenticate(changed, nonce, rules), 'refused');
    }
  });

  it('refuses a copied ticket presented without the holder’s key', () => assertRefused(judged({}, 8), 'refused'));
  it('refuses a proof recorded over an earlier challenge', () =>
    assertRefused(judged({}, 7, new Uint8Array(32).fill(0x4d)), 'refused'));
  it('refuses a ticket for another relay', () => assertRefused(judged({ relay: 'q.test' }), 'wrongRelay'));
  it('refuses an unknown tenant', () => assertRefused(judged({ tenant: 9 }), 'unknownTenant'));
  it('refuses a ticket signed by another tenant than it names', () => {
    const foreign = handMadeTicket({ tenant: 9 });
    foreign.set(keyPair(1).publicKey, 4);
    assertRefused(authenticate(present(foreign), nonce, rules), 'refused');
  });
  it('refuses at the very second of expiry and admits the one before', () => {
    assertRefused(judged({ expires: 1_790_000_000n }), 'expired');
    assert.ok(judged({ expires: 1_790_000_001n }).admitted);
  });
  it('gives a foreign tenant another room under the same id', () => {
    const keys = [1, 9].map((tenant) => roomKeyOf(decodeTicket(handMadeTicket({ tenant }))));
    assert.notEqual(keys[0], keys[1]);
  });
  it('refuses everything that is not PRESENT', () => {
    for (const bytes of ['1001', '0301', '', '02', '00']) {
      assertRefused(authenticate(Buffer.from(bytes, 'hex'), nonce, rules), 'garbage');
    }
  });
  it('tells who presents a ticket of version 1 that the versions do not fit', () => {
    const old = new Uint8Array(handMadeTicket());
    old.set(Buffer.from('BFT1'));
    const verdict = authenticate(present(old), nonce, rules);
    assertRefused(verdict, 'version');
    assert.match(verdict.admitted ? '' : verdict.why, /version 1.*update Blindflash at the vendor’s/);
  });
  it('stays shut when a part of it breaks', () => {
    const broken = (): never => {
      throw new Error('out of order');
    };
    const message = present(handMadeTicket());
    for (const part of [{ findTenant: broken }, { verify: broken }, { wall: broken }, { wall: () => NaN }]) {
      assert.equal(authenticate(message, nonce, { ...rules, ...part }).admitted, false);
    }
  });
  it('refuses a signature made malleable: S + L in place of S', () => {
    const L = (1n << 252n) + 27742317777372353535851937790883648493n;
    const message = present(handMadeTicket());
    const s = BigInt(`0x${Buffer.from(message.subarray(-32)).reverse().toString('hex')}`) + L;
    message.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(), message.length - 32);
    assertRefused(authenticate(message, nonce, rules), 'refused');
  });
  it('in open mode admits every tenant, but only with genuine signatures', () => {
    const open = { ...rules, findTenant: everyTenant };
    assert.ok(authenticate(present(handMadeTicket({ tenant: 9 })), nonce, open).admitted);
    assert.equal(authenticate(present(handMadeTicket({ tenant: 9 }), 8), nonce, open).admitted, false);
  });
});

describe('the tenants file', () => {
  const parse = (rows: unknown): unknown => parseTenants(JSON.stringify(rows), isSmallOrderKey);
  it('takes keys in hexadecimal and base64url, and limits', () => {
    const key64 = Buffer.from(keyPair(2).publicKey).toString('base64url');
    const find = parseTenants(
      JSON.stringify([
        { name: 'a', key: hexKey(1), maxLinks: 2, capKiB: 10 },
        { name: 'b', key: key64 },
      ]),
      isSmallOrderKey,
    );
    assert.deepEqual(find(keyPair(1).publicKey), { name: 'a', maxLinks: 2, capKiB: 10 });
    assert.equal(find(keyPair(2).publicKey)?.name, 'b');
    assert.equal(find(keyPair(3).publicKey), undefined);
  });
  const row = { name: 'a', key: hexKey(1) };
  const WRONG: readonly [string, unknown][] = [
    ['no list', {}],
    ['an empty list', []],
    ['an unknown field', [{ ...row, admin: true }]],
    ['a short key', [{ name: 'a', key: 'ab' }]],
    ['a key of small order', [{ name: 'a', key: `01${'00'.repeat(31)}` }]],
    ['a key twice', [row, { ...row, name: 'b' }]],
    ['a name twice', [row, { ...row, key: hexKey(2) }]],
    ['a name that would disturb a log', [{ ...row, name: 'a\nb' }]],
    ['a limit of zero', [{ ...row, maxLinks: 0 }]],
  ];
  for (const [what, rows] of WRONG) {
    it(`is refused whole with ${what}`, () =>
      assert.throws(
        () => parse(rows),
        (error) => isBlindflashError(error, 'BF-RELAY-CONFIG'),
      ));
  }
  it('is refused when it is not JSON or has a key twice, and a relay name when it is no host', () => {
    assert.throws(() => parseTenants('{', isSmallOrderKey), /BF|JSON/);
    assert.throws(() => parseTenants('{"tenants":[],"tenants":[]}', isSmallOrderKey), /key twice/);
    for (const name of ['', 'A.test', 'a b', 'wss://a']) assert.throws(() => requireRelayName(name), /relay/);
  });
});
