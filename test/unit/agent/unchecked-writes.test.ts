// Slots that are filled without asking after each write how it went: what gets lost on the way is noticed, and written
// again (docs/mailbox.md, "Slots").
import assert from 'node:assert/strict';
import { runAgentJob } from '../../../agent/session/agent-session.ts';
import { ShortMemory, type AgentOutcome } from '../../../agent/session/ports.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { fail } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import { BoardFixture, STUBS } from '../../fixtures/board.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { ACTIVE, ACTIVITY, FRAMES, ScriptedStub } from './scripted-stub.ts';
import { ControllerPeer, FLASH, INVITE, NotingCustomer, roomPair, smallPlan } from './support.ts';
import { SealedVendor } from './vendor.ts';

/** Of ACTIVITY, docs/mailbox.md. */
const ERASING = 1;
const BATCH = 32;

const checks = ({ writes }: ScriptedStub) => writes.map(({ check }) => check ?? 'checked');
const slots = ({ writes }: ScriptedStub) => writes.map(({ address }) => (address - FRAMES) >>> 12);
/** Writes of a batch, all but the last not asked about. */
const batch = (length: number) => Array.from({ length }, (_, i) => (i === length - 1 ? 'checked' : 'unchecked'));

describe('slots written without a status', () => {
  it('are all of a batch but its last', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, BATCH + 3);
    await stub.drive(stub.turns(2));
    assert.deepEqual(checks(stub), [...batch(BATCH), ...batch(3)]);
  });

  it('a single slot is checked', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 1);
    await stub.drive(stub.turns(1));
    assert.deepEqual(checks(stub), ['checked']);
  });

  it('are all written again and checked when the last one fails, in their order', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 5);
    stub.loses = (write) => {
      if (write === 5) throw fail('BF-TARGET-WIRE');
      return write < 3;
    };
    await stub.drive(stub.turns(1));
    assert.deepEqual(slots(stub), [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    assert.deepEqual(checks(stub).slice(5), new Array(5).fill('checked'));
    stub.takeAll();
    await stub.drive(stub.turns(1));
    assert.equal(stub.host.accepted, 5);
  });

  it('do not hide a probe that is gone', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 5);
    stub.loses = (write) => {
      if (write >= 5) throw fail('BF-PROBE-UNPLUGGED');
      return false;
    };
    await assert.rejects(stub.drive(stub.turns(1)), { code: 'BF-PROBE-UNPLUGGED' });
  });

  /** A stub that lost the write of sealed command 3 without a word, up to the moment that is noticed. */
  async function losing(): Promise<ScriptedStub> {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 5);
    stub.onPoll = () => stub.takeAll();
    stub.loses = (write, check) => write === 3 && check === 'unchecked';
    await stub.drive(stub.turns(20));
    assert.equal(stub.host.accepted, 2);
    assert.equal(stub.writes.length, 5);
    return stub;
  }
  /** Turns until something more is written; virtual milliseconds that took. */
  async function untilWritten(stub: ScriptedStub, limitMs: number): Promise<number> {
    const [began, writes] = [stub.queue.now(), stub.writes.length];
    while (stub.writes.length === writes && stub.queue.now() < began + limitMs) await stub.drive(stub.turns(1));
    return stub.queue.now();
  }

  it('are missed after two seconds without progress: what waits is written again, and all is checked from then on', async () => {
    const stub = await losing();
    const noticed = await untilWritten(stub, 10_000);
    assert.ok(noticed >= 2000 && noticed < 2200, `${noticed} ms`);
    assert.deepEqual(slots(stub).slice(5), [3, 4, 5]);
    await stub.drive(stub.turns(2));
    assert.equal(stub.host.accepted, 5);
    stub.queueFrames(6, 30);
    await stub.drive(stub.turns(10));
    assert.equal(stub.host.accepted, 30);
    assert.deepEqual(checks(stub).slice(5), new Array(3 + 25).fill('checked'));
  });

  it('are not taken for lost as long as the chip says that it erases', async () => {
    const stub = await losing();
    stub.set(ACTIVITY, ERASING);
    await untilWritten(stub, 20_000);
    assert.equal(stub.writes.length, 5);
    stub.set(ACTIVITY, 0);
    const began = stub.queue.now();
    assert.ok((await untilWritten(stub, 10_000)) - began < 2200);
    await stub.drive(stub.turns(2));
    assert.equal(stub.host.accepted, 5);
  });

  it('a stub that lost nothing and has nothing to do is not written to again', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 5);
    stub.onPoll = () => stub.takeAll();
    await stub.drive(stub.turns(1000));
    assert.equal(stub.queue.now() > 4000, true);
    assert.equal(stub.writes.length, 5);
  });

  it('a slot that is damaged on its way is asked for by the stub, and written again alone', async () => {
    const stub = new ScriptedStub();
    stub.queueFrames(1, 5);
    await stub.drive(stub.turns(1));
    stub.say(1, 0, ACTIVE, 1);
    await stub.drive(stub.turns(1));
    assert.deepEqual(slots(stub).slice(5), [2]);
  });
});

describe('a whole job over a probe that loses writes', function () {
  this.timeout(60_000);

  for (const each of [7, 50]) {
    it(`every ${each}th of those nobody asks about: it ends right`, async () => {
      const hardware = new BoardFixture({}, {}, true);
      const bytes = 0x40000;
      const plan = smallPlan({
        sectors: [0, 1, 2, 3, 4, 5],
        ranges: [0, 0x4000, 0x8000, 0xc000, 0x10000, 0x20000].map((at, i, all) => ({
          address: FLASH + at,
          length: (all[i + 1] ?? bytes) - at,
          use: 'program',
        })),
      });
      const image = new Uint8Array(0x200000).fill(0xff);
      image.set(seededRandom(31).bytes(bytes));
      image.set([0x00, 0x00, 0x03, 0x20, 0x41, 0x00, 0x00, 0x08]);
      image.set([0xfe, 0xe7], 0x40); // b .
      const probe = hardware.probe();
      const write = probe.writeMemory.bind(probe);
      let [unchecked, lost] = [0, 0];
      probe.writeMemory = async (address, data, width, check) => {
        const loses = check === 'unchecked' && ++unchecked % each === 0;
        if (loses) lost++;
        else await write(address, data, width, check);
      };
      const rooms = roomPair(hardware.queue);
      const peer = new ControllerPeer({ clock: hardware.queue, room: rooms.controller });
      const vendor = new SealedVendor(peer, plan);
      const agent = runAgentJob({
        probe,
        room: rooms.agent,
        invite: INVITE,
        inviteSecret: INVITE.secret,
        memory: new ShortMemory(),
        stubs: STUBS,
        customer: new NotingCustomer(),
        clock: hardware.queue,
        random: seededRandom(40),
        log: silentLog,
        version: 'test',
        verify: verifyEd25519,
      });
      const script = async (): Promise<AgentOutcome> => {
        assert.equal(await vendor.propose(), true);
        await vendor.shake();
        assert.equal((await vendor.write(image)).name, 'WRITTEN');
        assert.equal((await vendor.ask({ name: 'END' })).name, 'ENDED');
        peer.bye(vendor.receipt());
        await peer.expect('LEFT');
        return agent;
      };
      const outcome = await hardware.queue.drive(script(), 120e9);
      assert.equal(outcome.result, 'done');
      assert.ok(lost > 0, 'nothing was lost');
      assert.ok(Buffer.from(hardware.board.flash.bytes.subarray(0, bytes)).equals(image.subarray(0, bytes)));
    });
  }
});
