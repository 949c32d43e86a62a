// X25519 of node:crypto behind the port (shared/platform/node/exchange.ts) against Wycheproof, points of low order and
// numbers that are not canonical among them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { exchangeX25519 } from '../../../../shared/platform/node/exchange.ts';
import { hex, unhex } from '../support.ts';

interface Case {
  readonly private: string;
  readonly public: string;
  readonly shared: string;
}
const CASES = (
  JSON.parse(readFileSync(new URL('../../../vectors/wycheproof/x25519_test.json', import.meta.url), 'utf8')) as {
    readonly testGroups: readonly { readonly tests: readonly Case[] }[];
  }
).testGroups.flatMap(({ tests }) => tests);

describe('X25519 of node:crypto', () => {
  it('is what Wycheproof says, zeros for points of low order', () => {
    assert.ok(CASES.some(({ shared }) => /^0+$/.test(shared)));
    for (const { private: secret, public: point, shared } of CASES) {
      assert.deepEqual(exchangeX25519([unhex(secret)])(unhex(point)).map(hex), [shared]);
    }
  });

  it('gives the results in the order of the secrets', () => {
    const [one, two] = [CASES[0], CASES[1]] as [Case, Case];
    const agree = exchangeX25519([unhex(two.private), unhex(one.private)]);
    assert.deepEqual(
      [agree(unhex(one.public))[1], agree(unhex(two.public))[0]].map((r) => hex(r as Uint8Array)),
      [one.shared, two.shared],
    );
  });
});
