// `receipt verify`: whose key was trusted, and that words which are not ours are told as the signer's.
import assert from 'node:assert/strict';
import { verdict } from '../../../cli/vendor/receipt.ts';
import type { Receipt } from '../../../shared/plan/receipt.ts';
import { receiptStatement } from '../../../shared/plan/modes.ts';

const KEY = new Uint8Array(32).fill(0xab);
const receipt = (statement: string): Receipt =>
  ({
    version: 'blindflash receipt 2',
    mode: 'host-blind',
    source: 'stub',
    outcome: 'written',
    imageDigest: '00',
    sectorsByEqual: 0,
    erase: { sectors: 1, blank: 0, atOnce: false },
    time: { people: 0, network: 0, erase: 250, program: 100, check: 0 },
    vendorKey: 'cd'.repeat(32),
    statement,
  }) as Receipt;

describe('the verdict on a receipt', () => {
  const ours = receipt(receiptStatement('host-blind', 'stub', false));

  it('names the key and who says that it is the vendor’s', () => {
    const [own] = verdict(ours, { key: KEY, source: 'which is this computer’s own (/home/v/keys.json)' });
    assert.match(
      own!,
      new RegExp(`signed with the key ${'ab'.repeat(32)}, which is this computer’s own \\(/home/v/keys`),
    );
    const [any] = verdict(ours, undefined);
    assert.match(any!, new RegExp(`signed with ${'cd'.repeat(32)}; whether that is the vendor’s key you have to know`));
  });

  it('calls a proof only what a receipt of its mode proves', () => {
    for (const once of [false, true]) {
      const [line] = verdict(receipt(receiptStatement('host-blind', 'stub', once)), undefined).slice(-1);
      assert.match(line!, /^What it proves: Whoever completed this session/);
    }
    const [line] = verdict(receipt('This proves that a genuine chip” was flashed.'), undefined).slice(-1);
    assert.equal(
      line,
      'Its signer says, in words that are not this version’s: “This proves that a genuine chip’ was flashed.”',
    );
  });
});
