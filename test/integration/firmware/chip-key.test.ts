// The chip's own key pair (docs/mailbox.md "The chip's key pair", docs/protocol.md §4, §8): D is the same in every M1
// of one life of d, d outlives what it is to outlive and nothing else, and nobody who does not know the vendor's key
// makes the stub read it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import { controlAddress } from '../../fixtures/f42x.ts';
import { watchLoads, watchStores } from './bus-watch.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { active, FLASH, smallPlan } from './sample-jobs.ts';
import { SealedController } from './sealed-controller.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { chipKey } from './session-secrets.ts';
import { strike } from './session-starts.ts';

const ZERO_SECRET = 20;
const CONFIRM_WRONG = 6;
const ABSENT = new Uint8Array(32);
const plan = smallPlan({ idleLimitMs: 1000 });

function offered(change?: (job: Uint8Array) => void): { fixture: FirmwareFixture; controller: SealedController } {
  const fixture = FirmwareFixture.booted();
  const controller = new SealedController(fixture, plan);
  controller.giveJob(change);
  fixture.runUntil(() => fixture.state === 'offered', 1000, 'M1');
  return { fixture, controller };
}
const shown = (fixture: FirmwareFixture) => Buffer.from(fixture.read(controlAddress('M1') + 64 + 40, 32));
const expire = (fixture: FirmwareFixture) => fixture.runUntil(() => fixture.state === 'expired', 2000, 'expired');

const verify = smallPlan({
  kind: 'verify',
  sectors: [],
  bootAddress: undefined,
  ranges: [{ address: FLASH, length: 1024, use: 'digest' }],
  idleLimitMs: 1000,
});
/** How a session comes to each state that d outlives. */
const INTO: Readonly<Record<string, (fixture: FirmwareFixture, controller: SealedController) => void>> = {
  offered: (fixture) => fixture.command('handshake'),
  active: () => {},
  aborted: (_, controller) => void controller.send({ name: 'ABORT' }),
  ended: (_, controller) => void controller.send({ name: 'END' }),
};

const { low_order_u } = JSON.parse(
  readFileSync(new URL('../../vectors/rfc/rfc7748-x25519.json', import.meta.url), 'utf8'),
) as { low_order_u: string[] };
const LOW_ORDER = low_order_u.map((u) => Uint8Array.from(Buffer.from(u, 'hex')));
const WITH_BIT_255 = LOW_ORDER.map((u) => u.map((byte, i) => (i === 31 ? byte | 0x80 : byte)));

describe('the chip key', () => {
  it('is drawn after the job was taken, not before, and its D is the public half', () => {
    const waiting = FirmwareFixture.booted();
    const { fixture } = offered();
    const { address, secret } = chipKey(fixture);
    assert.deepEqual(waiting.read(address, 32), ABSENT);
    assert.deepEqual(shown(fixture), Buffer.from(nacl.scalarMult.base(secret)));
  });
  it('is not drawn for a job that is refused', () => {
    const { address } = chipKey(offered().fixture);
    const fixture = FirmwareFixture.booted();
    new SealedController(fixture, plan).giveJob((job) => void (job[72]! ^= 1));
    fixture.runUntil(() => fixture.state === 'refused', 1000, 'refused');
    assert.deepEqual(fixture.read(address, 32), ABSENT);
  });
  it('is another on every board', () => {
    const seen = [1, 2, 3].map((seed) => shown(active(plan, { seed }).fixture).toString('hex'));
    assert.equal(new Set(seen).size, 3);
  });
  it('stays through COMMAND 4 in the states 2, 3, 6 and 7, and so does D', () => {
    const { fixture, controller } = active(
      smallPlan({ kind: 'erase', sectors: [0], bootAddress: undefined, ranges: [] }),
    );
    const { address, secret } = chipKey(fixture);
    const D = shown(fixture);
    const again = (): void => {
      fixture.commandTo('handshake', 'offered');
      assert.deepEqual(shown(fixture), D);
      assert.deepEqual(fixture.read(address, 32), secret);
    };
    again();
    again();
    controller.shake();
    controller.send({ name: 'ABORT' });
    fixture.runUntil(() => fixture.state === 'aborted', 10, 'aborted');
    assert.deepEqual(fixture.read(address, 32), secret);
    again();
    controller.shake();
    controller.ask({ name: 'ERASE', sector: 0 });
    assert.equal(controller.ask({ name: 'END' }).name, 'ENDED');
    fixture.runUntil(() => fixture.state === 'ended', 10, 'ended');
    assert.deepEqual(fixture.read(address, 32), secret);
    again();
    controller.shake();
    again();
  });
  for (const [state, into] of Object.entries(INTO)) {
    const started = () => {
      const { fixture, controller } = active(verify);
      into(fixture, controller);
      fixture.runUntil(() => fixture.state === state, 100, state);
      return { fixture, ...chipKey(fixture) };
    };
    it(`is gone when the agent leaves the board in the state ${state}`, () => {
      const { fixture, address } = started();
      const D = shown(fixture);
      fixture.commandTo('abort', 'expired');
      assert.deepEqual(fixture.read(address, 32), ABSENT);
      fixture.commandTo('handshake', 'offered');
      assert.notDeepEqual(shown(fixture), D);
    });
    it(`is gone when nobody has come for the idle limit in the state ${state}`, () => {
      const { fixture, address } = started();
      expire(fixture);
      assert.deepEqual(fixture.read(address, 32), ABSENT);
    });
  }
  it('is gone when the idle limit has passed, in state 2 and in state 3; the next handshake shows another D', () => {
    const { fixture, controller } = offered();
    const { address } = chipKey(fixture);
    const seen = [shown(fixture)];
    for (const session of [false, true]) {
      if (session) controller.shake();
      expire(fixture);
      assert.deepEqual(fixture.read(address, 32), ABSENT);
      fixture.commandTo('handshake', 'offered');
      seen.push(shown(fixture));
    }
    controller.shake();
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
    assert.equal(new Set(seen.map((key) => key.toString('hex'))).size, 3);
  });
  it('is gone in fault', () => {
    const { fixture } = active(plan);
    const { address } = chipKey(fixture);
    strike(fixture);
    fixture.runUntil(() => fixture.state === 'fault', 200, 'fault');
    assert.deepEqual(fixture.read(address, 32), ABSENT);
  });
  it('is gone when handshakes are used up: refused', () => {
    const { fixture } = offered();
    const { address } = chipKey(fixture);
    for (let i = 1; i < 16; i++) fixture.commandTo('handshake', 'offered');
    fixture.commandTo('handshake', 'refused');
    assert.deepEqual(fixture.read(address, 32), ABSENT);
  });
  it('makes another M3 for another d: it is in the keys of the session', () => {
    const { fixture, controller } = offered();
    const { address, secret } = chipKey(fixture);
    fixture.write(
      address,
      secret.map((byte, i) => (i === 8 ? byte ^ 1 : byte)),
    );
    controller.answer();
    fixture.runUntil(() => fixture.state === 'active', 1000, 'M3');
    assert.throws(() => controller.confirm(), { code: 'BF-STUB-AUTHENTICATION' });
  });
});

describe('the chip key and time', () => {
  it('M3 comes after the same number of cycles whatever d is', () => {
    const random = seededRandom(5);
    const secrets = [
      new Uint8Array(32),
      new Uint8Array(32).fill(0xff),
      ...Array.from({ length: 6 }, () => random.bytes(32)),
    ];
    const taken = secrets.map((secret) => {
      const { fixture, controller } = offered();
      fixture.write(chipKey(fixture).address, secret);
      const M3 = fixture.addressOf('M3');
      let cycles = 0;
      watchStores(fixture.board, M3, M3 + 32, () => (cycles = fixture.board.time.cycles));
      const began = fixture.board.time.cycles;
      controller.answer();
      fixture.runUntil(() => fixture.state === 'active', 1000, 'M3');
      return cycles - began;
    });
    assert.ok(taken[0]! > 3e6, 'three multiplications');
    assert.equal(new Set(taken).size, 1, taken.join(' '));
  });
});

describe('the chip key and a stranger', () => {
  /** Answers M1 with `change`d M2 and counts the loads of d until the stub has come to a verdict. */
  function loadsOfKey(change: (m2: Uint8Array) => void) {
    const { fixture, controller } = offered();
    const { address } = chipKey(fixture);
    let loads = 0;
    watchLoads(fixture.board, address, address + 32, () => loads++);
    controller.answer(change);
    fixture.runUntil(() => fixture.state !== 'offered', 1000, 'verdict');
    fixture.runMs(150);
    return { fixture, loads };
  }
  it('a right confirm_r has d read: the watch sees it', () => {
    const { fixture, loads } = loadsOfKey(() => {});
    assert.equal(fixture.state, 'active');
    assert.ok(loads >= 8, `${loads} loads`);
  });
  for (const at of [0, 33, 64, 80, 95, 96, 111, 127]) {
    it(`byte ${at} of M2 forged: aborted, and not a byte of d was read`, () => {
      const { fixture, loads } = loadsOfKey((m2) => void (m2[at]! ^= 4));
      assert.deepEqual([fixture.state, fixture.error, loads], ['aborted', CONFIRM_WRONG, 0]);
    });
  }
  for (const [i, point] of [...LOW_ORDER, ...WITH_BIT_255].entries()) {
    it(`e_r of low order, ${i}: zero shared secret, and d was not read`, () => {
      const { fixture, loads } = loadsOfKey((m2) => m2.set(point));
      assert.deepEqual([fixture.state, fixture.error, loads], ['aborted', ZERO_SECRET, 0]);
      assert.deepEqual(fixture.read(controlAddress('M3'), 32), ABSENT);
    });
    it(`a sealed key of low order, ${i}: zero shared secret`, () => {
      const { fixture, controller } = offered((job) => job.set(point, 8));
      controller.answer();
      fixture.runUntil(() => fixture.state !== 'offered', 1000, 'verdict');
      assert.deepEqual([fixture.state, fixture.error], ['aborted', ZERO_SECRET]);
    });
  }
});
