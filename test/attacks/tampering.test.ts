// Drop, replay, swap, truncate, splice at every message position of a whole job, on both legs (docs/threat-model.md):
// the honest copy is delivered later and everything is right, or both sides end with a coded error, nothing outside the
// plan is touched and no receipt says what is not so.
import assert from 'node:assert/strict';
import { isBlindflashError } from '../../shared/errors/errors.ts';
import { FLASH_BYTES, flashAfter, tinyImage } from '../fixtures/images.ts';
import type { Meddle } from '../fixtures/queued-link.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { ATTACKS, attackAt, type Attack } from '../fixtures/tamper.ts';
import { ProductFixture, type RunOutcome } from '../fixtures/product.ts';

const IMAGE = tinyImage();
const SECTOR_0 = [[0x08000000, 0x4000]] as const;
/** Short timeouts, so that a job that hangs ends soon. */
const TIMEOUTS = {
  arrival: 60_000,
  peer: 8_000,
  hello: 10_000,
  consent: 10_000,
  sealed: 8_000,
  work: 8_000,
  left: 3_000,
};
/** CHALLENGE, PRESENT, WELCOME, and PEER for whoever came first: spoken with the relay, not through it. */
const ADMISSION = 4;

const held = new Uint8Array(FLASH_BYTES).fill(0xff);
held.set(seededRandom(60).bytes(0x2000));
held.set(seededRandom(61).bytes(0x1000), 0x8000);
held.set(seededRandom(62).bytes(0x1000), 0x1f0000);
const wanted = flashAfter(held, IMAGE, SECTOR_0);

/** Attacks that leave no honest copy under the same number. */
const ALTERS = { drop: false, replay: false, swap: false, truncate: true, splice: true } as const satisfies Record<
  Attack,
  boolean
>;

type Leg = 'agent' | 'controller';

function product(leg: Leg, meddle: Meddle, seed = 21): ProductFixture {
  const board = { flash: held };
  return new ProductFixture({
    repeats: true,
    seed,
    board,
    ...(leg === 'agent' ? { meddleAgent: meddle } : { meddleController: meddle }),
  });
}

/** All messages of an honest job on one leg, in order. */
async function recordLeg(leg: Leg, seed: number): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  const listen: Meddle = (message) => {
    messages.push(message.slice());
    return [message];
  };
  const outcome = await product(leg, listen, seed).flash(IMAGE, { timeouts: TIMEOUTS });
  assert.equal(outcome.agent.result, 'done');
  return messages;
}

/** The rules that hold whatever is done to the wire. Returns whether the job succeeded. */
function requireHarmless(w: ProductFixture, outcome: RunOutcome, what: string): boolean {
  const { bytes } = w.board.flash;
  const right = Buffer.compare(bytes, wanted) === 0;
  const rest = (flash: Uint8Array) => flash.subarray(0x4000);
  assert.equal(Buffer.compare(rest(bytes), rest(held)), 0, `${what}: flash outside the plan`);
  assert.deepEqual(w.board.options.words, { user: 0xaaef, wrp1: 0x0fff, wrp2: 0x0fff }, `${what}: option bytes`);
  assert.ok(w.receipts.length === 0 || right, `${what}: a receipt for what is not in flash`);
  const { agent, receipt, error } = outcome;
  assert.ok(receipt !== undefined || isBlindflashError(error), `${what}: the vendor got ${String(error)}`);
  assert.ok(agent.result === 'done' || isBlindflashError(agent.error), `${what}: the customer got ${agent.result}`);
  assert.ok(agent.result !== 'done' || (right && receipt !== undefined), `${what}: the customer was told too much`);
  if (receipt !== undefined) assert.ok(right, `${what}: the vendor was told too much`);
  return receipt !== undefined && agent.result === 'done';
}

async function attack(leg: Leg, position: number, kind: Attack, foreign: readonly Uint8Array[]): Promise<boolean> {
  const meddler = attackAt(position, kind, foreign);
  const w = product(leg, meddler.meddle);
  const what = `${kind} of message ${position} on the ${leg}'s leg`;
  const outcome = await w.flash(IMAGE, { timeouts: TIMEOUTS, givesUpAfterMs: 6_000 });
  assert.ok(meddler.done, `${what} did not happen`);
  return requireHarmless(w, outcome, what);
}

describe('tampering with every message of a job', function () {
  this.timeout(300_000);
  const legs = new Map<Leg, { readonly length: number; readonly foreign: readonly Uint8Array[] }>();
  before(async () => {
    for (const leg of ['agent', 'controller'] as const) {
      const { length } = await recordLeg(leg, 21);
      legs.set(leg, { length, foreign: await recordLeg(leg, 22) });
    }
  });

  for (const kind of ATTACKS) {
    it(`${kind}: harmless or refused at every position`, async () => {
      const lost: string[] = [];
      let runs = 0;
      for (const [leg, { length, foreign }] of legs) {
        for (let position = 0; position < length; position++) {
          // Through the relay both legs carry the same bodies: those positions take turns between the legs and attacks.
          if (position >= ADMISSION && (position + ATTACKS.indexOf(kind)) % 2 === (leg === 'agent' ? 0 : 1)) continue;
          runs++;
          const succeeded = await attack(leg, position, kind, foreign);
          if (!succeeded && position >= ADMISSION) lost.push(`${leg} ${position}`);
        }
      }
      assert.ok(runs > 20);
      // What the tunnel can heal must not cost the job; what is altered under its seal must.
      if (ALTERS[kind]) assert.ok(lost.length > runs / 3, `${lost.length} of ${runs}`);
      else assert.deepEqual(lost, []);
    });
  }

  it('what was altered is called altered, also by an agent that is asking the customer when it arrives', async () => {
    const ACK_BYTES = 27;
    let done = false;
    const w: ProductFixture = product('agent', (message, direction) => {
      if (done || direction !== 'b→a' || message.length !== ACK_BYTES || w.sheets.length === 0) return [message];
      done = true;
      return [message.slice(0, -1)];
    });
    const { agent } = await w.flash(IMAGE, { timeouts: TIMEOUTS, givesUpAfterMs: 6_000 });
    assert.ok(done);
    assert.equal(agent.error?.code, 'BF-TUNNEL-AUTHENTICATION');
  });

  it('the attacker of this file is not a paper tiger: it alters what it says it alters', () => {
    const sent = [1, 2, 3, 4].map((n) => new Uint8Array(8).fill(n));
    const through = (position: number, kind: Attack) => {
      const { meddle } = attackAt(
        position,
        kind,
        sent.map((message) => message.map((byte) => byte + 64)),
      );
      return sent.flatMap((message) => [...meddle(message, 'a→b')]).map((message) => message.join(''));
    };
    const plain = sent.map((message) => message.join(''));
    assert.deepEqual(through(1, 'drop'), [plain[0], plain[2], plain[3]]);
    assert.deepEqual(through(1, 'replay'), [plain[0], plain[1], plain[1], plain[2], plain[3]]);
    assert.deepEqual(through(1, 'swap'), [plain[0], plain[2], plain[1], plain[3]]);
    assert.deepEqual(through(1, 'truncate')[1], '2222222');
    assert.deepEqual(through(1, 'splice')[1], '222266666666');
  });
});
