// Link messages: the bytes of docs/protocol.md §1, and that nothing else is accepted.
import assert from 'node:assert/strict';
import { isBlindflashError, type ErrorCode } from '../../../../shared/errors/errors.ts';
import {
  decodeLinkMessage,
  encodeLinkMessage,
  linkMessageName,
  LINK_MESSAGES,
  type LinkMessage,
} from '../../../../shared/link/link-message.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const SAMPLES: readonly [LinkMessage, string][] = [
  [
    { name: 'challenge', nonce: new Uint8Array(32).fill(0xab), relay: 'r.test' },
    `0102${'ab'.repeat(32)}06722e74657374`,
  ],
  [
    { name: 'present', ticket: new Uint8Array(184).fill(5), signature: new Uint8Array(64).fill(6) },
    `02b800${'05'.repeat(184)}${'06'.repeat(64)}`,
  ],
  [{ name: 'welcome', peerPresent: true }, '0301'],
  [{ name: 'peer', peerPresent: false }, '0400'],
  [{ name: 'revoke' }, '05'],
  [{ name: 'data', body: Uint8Array.of(1, 2, 3) }, '10010203'],
];

describe('link messages', () => {
  it('have the bytes of the specification, both ways', () => {
    for (const [message, bytes] of SAMPLES) {
      assert.equal(hex(encodeLinkMessage(message)), bytes);
      assert.deepEqual(decodeLinkMessage(Buffer.from(bytes, 'hex')), message);
    }
  });

  it('carry at most 8192 bytes, 8191 of them a body', () => {
    assert.equal(encodeLinkMessage({ name: 'data', body: new Uint8Array(8191) }).length, 8192);
    assert.throws(() => encodeLinkMessage({ name: 'data', body: new Uint8Array(8192) }), coded('BF-LINK-TOO-LARGE'));
    assert.throws(() => decodeLinkMessage(new Uint8Array(8193).fill(0x10)), coded('BF-LINK-TOO-LARGE'));
  });

  const BROKEN: readonly [string, string, ErrorCode][] = [
    ['an empty message', '', 'BF-LINK-FRAME'],
    ['an unknown type', '0600', 'BF-LINK-FRAME'],
    ['REVOKE with a body', '0500', 'BF-LINK-FRAME'],
    ['DATA without a body', '10', 'BF-LINK-FRAME'],
    ['a flag that is neither 0 nor 1', '0302', 'BF-LINK-FRAME'],
    ['a byte too many', '040000', 'BF-LINK-FRAME'],
    ['version 1', `0101${'ab'.repeat(32)}06722e74657374`, 'BF-VERSION-MISMATCH'],
    ['version 3', `0103${'ab'.repeat(32)}06722e74657374`, 'BF-VERSION-MISMATCH'],
    ['a relay name that ends early', `0102${'ab'.repeat(32)}07722e74657374`, 'BF-LINK-FRAME'],
    ['a relay name that ends late', `0102${'ab'.repeat(32)}05722e74657374`, 'BF-LINK-FRAME'],
    ['a relay name with a control character', `0102${'ab'.repeat(32)}06722e1b657374`, 'BF-LINK-FRAME'],
    ['a relay name with a capital', `0102${'ab'.repeat(32)}06522e74657374`, 'BF-LINK-FRAME'],
    ['a relay name that begins with a hyphen', `0102${'ab'.repeat(32)}062d2e74657374`, 'BF-LINK-FRAME'],
    ['a ticket length beyond the message', `02ffff${'05'.repeat(184)}${'06'.repeat(64)}`, 'BF-LINK-FRAME'],
  ];
  for (const [what, bytes, code] of BROKEN) {
    it(`refuse ${what}`, () => assert.throws(() => decodeLinkMessage(Buffer.from(bytes, 'hex')), coded(code)));
  }

  it('say which side is to be updated when the relay greets with another version', () => {
    const detailOf = (version: string): string => {
      try {
        decodeLinkMessage(Buffer.from(`01${version}${'ab'.repeat(32)}06722e74657374`, 'hex'));
      } catch (error) {
        if (isBlindflashError(error)) return error.detail ?? '';
      }
      return '';
    };
    assert.match(detailOf('01'), /has version 1, this program 2: update Blindflash at the relay$/);
    assert.match(detailOf('03'), /has version 3, this program 2: update Blindflash here$/);
  });

  it('meet garbage with coded errors only, and what they accept encodes to the same bytes', () => {
    const random = seededRandom(0xf2a3e);
    const types = Object.values(LINK_MESSAGES).map(({ type }) => type);
    for (let round = 0; round < 4000; round++) {
      const bytes = random.bytes(random.int(round % 10 === 0 ? 600 : 80));
      if (bytes.length > 0 && round % 2 === 0) bytes[0] = types[random.int(types.length)]!;
      try {
        assert.equal(hex(encodeLinkMessage(decodeLinkMessage(bytes))), hex(bytes));
      } catch (error) {
        assert.ok(isBlindflashError(error) && /^BF-(LINK|VERSION)-/.test(error.code), String(error));
      }
    }
  });

  it('survive every single-byte change of a real message without an uncoded error', () => {
    for (const [message] of SAMPLES) {
      const bytes = encodeLinkMessage(message);
      for (let at = 0; at < bytes.length; at++) {
        const changed = new Uint8Array(bytes);
        changed[at]! ^= 0xff;
        try {
          linkMessageName(changed);
          decodeLinkMessage(changed);
        } catch (error) {
          assert.ok(isBlindflashError(error), String(error));
        }
      }
    }
  });
});
