// After the agent has left the board the chip's own key is nowhere in RAM, however the agent left: whoever gets the
// board next, with the power on, does not go on in the customer's place (docs/protocol.md §8, "D").
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';
import { toHex } from '../../../shared/codec/bytes.ts';
import { LAYOUTS } from '../../../shared/mailbox/layout.ts';
import { type AgentFixture, fixtureWithVendor, imageOf, TWO_SECTORS } from './agent-fixture.ts';
import { smallPlan, type ControllerPeer } from './support.ts';
import type { SealedVendor } from './vendor.ts';

const { memory } = LAYOUTS.stm32f42x;
/** Where the key was found before: the search is long. */
let likelyAt = memory.private.address;

function bytesAt(fixture: AgentFixture, address: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < size; at += 4) view.setUint32(at, fixture.word(address + at), true);
  return bytes;
}

/** d of this D, out of the chip: what whoever drives the probe could do as well. */
function keyInChip(fixture: AgentFixture, deviceKey: string): Uint8Array {
  for (; likelyAt < memory.private.address + memory.private.size; likelyAt += 8) {
    const secret = bytesAt(fixture, likelyAt, 32);
    if (secret.filter((byte) => byte === 0).length < 8 && toHex(nacl.scalarMult.base(secret)) === deviceKey) {
      return secret;
    }
  }
  return assert.fail('d is in the chip while the session is up');
}

/** Anywhere in RAM. */
function isInRam(fixture: AgentFixture, secret: Uint8Array): boolean {
  return Object.values(memory).some(({ address, size }) =>
    Buffer.from(bytesAt(fixture, address, size)).includes(Buffer.from(secret)),
  );
}

const ERASE = { name: 'ERASE', sector: 0 } as const;

interface ActiveAgent {
  readonly fixture: AgentFixture;
  readonly peer: ControllerPeer;
  readonly vendor: SealedVendor;
}

/** Each way in which an agent leaves a board whose stub has a key, and how the board is left. */
const WAYS: Readonly<
  Record<string, { readonly board: string; readonly leave: (agent: ActiveAgent) => Promise<void> | void }>
> = {
  'the job is done and the board restarted': {
    board: 'running',
    leave: ({ vendor }) => vendor.finish(imageOf(32768)),
  },
  'the vendor gives the job up': {
    board: 'incomplete',
    leave: async ({ vendor, peer }) => {
      await vendor.ask(ERASE);
      peer.giveUp('BF-JOB-POLICY');
    },
  },
  'the customer stops with a half-written image': {
    board: 'incomplete',
    leave: async ({ vendor, fixture }) => {
      await vendor.ask(ERASE);
      fixture.stop.abort();
    },
  },
  'the vendor ends the sealed session, then gives up': {
    board: 'incomplete',
    leave: async ({ vendor, peer }) => {
      await vendor.ask(ERASE);
      await vendor.ask({ name: 'ABORT' });
      peer.giveUp('BF-JOB-POLICY');
    },
  },
};

describe('the chip key after the agent has left', function () {
  this.timeout(60_000);
  for (const [what, { board, leave }] of Object.entries(WAYS)) {
    it(`is nowhere in RAM: ${what}`, async () => {
      const { fixture, peer, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
      let secret: Uint8Array = new Uint8Array();
      const outcome = await fixture.play(async () => {
        await vendor.begin();
        secret = keyInChip(fixture, vendor.deviceKeys.at(-1)!);
        await leave({ fixture, peer, vendor });
      });
      assert.equal(outcome.board, board);
      assert.equal(isInRam(fixture, secret), false);
    });
  }

  it('control: an agent that is killed leaves it there until the idle limit has passed', async () => {
    const { fixture, vendor } = fixtureWithVendor(smallPlan({ ...TWO_SECTORS, idleLimitMs: 60_000 }));
    void fixture.agent();
    await fixture.drive(vendor.beginErasing());
    const secret = keyInChip(fixture, vendor.deviceKeys.at(-1)!);
    fixture.killAgent();
    const passes = (ms: number): Promise<void> =>
      fixture.drive(new Promise((resolve) => fixture.clock.after(ms, resolve)));
    await passes(30_000);
    assert.equal(isInRam(fixture, secret), true);
    await passes(40_000);
    assert.equal(isInRam(fixture, secret), false);
  });

  it('where the chip can no longer be told, the customer is', async () => {
    const { fixture, vendor } = fixtureWithVendor(smallPlan(TWO_SECTORS));
    await fixture.play(async () => {
      await vendor.beginErasing();
      fixture.hardware.usb.unplug();
    });
    assert.ok(fixture.customer.said.some((text) => text.includes('switch the board off')));
  });
});
