// A receipt that is signed as it should be and whose statement is not fit for a screen.
import { concat, toHex, utf8 } from '../../../shared/codec/bytes.ts';
import { signBytes, signingKeyPairFrom } from '../../../shared/crypto/keys.ts';
import type { SignedText } from '../../../shared/plan/receipt.ts';
import { hostileText, type Dice } from './hostile-text.ts';

const KEY = signingKeyPairFrom('receipt', new Uint8Array(32).fill(4));

/** The text is written here, by docs/protocol.md §10: what signs in the product refuses such a statement. */
export function hostileReceipt(dice: Dice): SignedText {
  const text = JSON.stringify({
    version: 'blindflash receipt 2',
    job: '11'.repeat(16),
    planHash: '22'.repeat(64),
    mode: 'host-blind',
    outcome: 'written',
    uid: '33'.repeat(12),
    devId: 0x419,
    flashKiB: 2048,
    imageDigest: '44'.repeat(64),
    salt: '55'.repeat(16),
    source: 'stub',
    sectorsByEqual: 0,
    code: 'typed',
    ranges: 1,
    bytes: 4,
    wordsProgrammed: 1,
    psize: 'x32',
    stubHash: '66'.repeat(64),
    sealedAt: '2026-11-30T12:00:00Z',
    lock: { asked: false, optcr: null },
    statement: hostileText(dice, 600),
    vendorKey: toHex(KEY.publicKey),
  });
  const message = concat(utf8('blindflash/2 receipt'), Uint8Array.of(0), utf8(text));
  return { text, signature: toHex(signBytes(KEY.secretKey, message)) };
}
