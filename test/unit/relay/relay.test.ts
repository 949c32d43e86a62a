// Relay and rooms over in-memory links and manual time: entering, forwarding, backpressure, limits, endings.
import { ManualClock, settle } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { silentLog } from '../../../shared/ports.ts';
import { CLOSE } from '../../../shared/link/close.ts';
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from '../../../shared/link/link-message.ts';
import { signPresent } from '../../../shared/link/ticket.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { Relay } from '../../../relay/core/relay.ts';
import { everyTenant, type FindTenant } from '../../../relay/core/tenants.ts';
import { fixedControl } from '../../../relay/control/fixed.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import {
  changeableControl,
  handMadeTicket,
  keyPair,
  memoryLinkPair,
  type MemoryLink,
  type TicketParts,
} from './support.ts';

function fixture(findTenant: FindTenant = everyTenant, maxRooms = 10) {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const control = changeableControl(findTenant);
  const relay = new Relay({
    name: 'r.test',
    control,
    verify: verifyEd25519,
    clock,
    random,
    log: silentLog,
    maxRooms,
  });

  /** A fresh link: the relay's end, ours, and what we heard. */
  const connect = (): { ours: MemoryLink; theirs: MemoryLink; heard: LinkMessage[] } => {
    const [theirs, ours] = memoryLinkPair();
    const heard: LinkMessage[] = [];
    ours.onMessage = (message) => void heard.push(decodeLinkMessage(message));
    relay.accept(theirs);
    return { ours, theirs, heard };
  };

  /** A link that has presented its ticket. */
  const join = async (parts: TicketParts = {}) => {
    const side = connect();
    await settle();
    const [challenge] = side.heard.splice(0);
    assert.ok(challenge?.name === 'challenge');
    const ticket = handMadeTicket(parts);
    const signature = signPresent(keyPair(parts.holder ?? 7).secretKey, challenge.nonce, ticket);
    side.ours.send(encodeLinkMessage({ name: 'present', ticket, signature }));
    await settle();
    return side;
  };
  const pair = async (parts: TicketParts = {}) => ({
    agent: await join({ ...parts, side: 1 }),
    controller: await join({ ...parts, side: 2 }),
  });
  return { clock, relay, control, connect, join, pair };
}

const data = (size: number, fill = 0): Uint8Array =>
  encodeLinkMessage({ name: 'data', body: new Uint8Array(size).fill(fill) });
const names = (heard: readonly LinkMessage[]): string[] =>
  heard.map((message) => ('peerPresent' in message ? `${message.name} ${Number(message.peerPresent)}` : message.name));

describe('relay', () => {
  it('introduces two sides and passes DATA both ways, byte for byte', async () => {
    const { pair, relay } = fixture();
    const { agent, controller } = await pair();
    assert.deepEqual(names(agent.heard), ['welcome 0', 'peer 1']);
    assert.deepEqual(names(controller.heard), ['welcome 1']);
    agent.ours.send(data(3, 0xaa));
    controller.ours.send(data(8191, 0xbb));
    await settle();
    assert.deepEqual(controller.heard.at(-1), { name: 'data', body: new Uint8Array(3).fill(0xaa) });
    assert.deepEqual(agent.heard.at(-1), { name: 'data', body: new Uint8Array(8191).fill(0xbb) });
    assert.equal(relay.stats.forwardedBytes, 4 + 8192);
  });

  it('drops DATA for an absent side and tells who stays that the other has gone', async () => {
    const { pair, join, relay } = fixture();
    const { agent, controller } = await pair();
    controller.ours.close(1000);
    await settle();
    assert.equal(names(agent.heard).at(-1), 'peer 0');
    agent.ours.send(data(10));
    await settle();
    assert.equal(relay.stats.droppedBytes, 11);
    await join({ side: 2 });
    assert.equal(names(agent.heard).at(-1), 'peer 1');
  });

  it('lets the newest proof win and closes the older link as superseded', async () => {
    const { pair, join, relay } = fixture();
    const { agent, controller } = await pair();
    const again = await join({ side: 1 });
    assert.equal(agent.ours.closedWith, CLOSE.superseded.code);
    assert.deepEqual(names(again.heard), ['welcome 1']);
    assert.deepEqual(names(controller.heard), ['welcome 1', 'peer 1']);
    again.ours.send(data(1, 5));
    await settle();
    assert.equal(controller.heard.at(-1)?.name, 'data');
    assert.equal(relay.stats.links, 2);
    assert.equal(relay.stats.closed.superseded, 1);
  });

  it('keeps rooms of different tenants apart though the id is the same', async () => {
    const { join } = fixture();
    const agent = await join({ side: 1, tenant: 1 });
    const foreign = await join({ side: 2, tenant: 9 });
    assert.deepEqual(names(agent.heard), ['welcome 0']);
    assert.deepEqual(names(foreign.heard), ['welcome 0']);
    foreign.ours.send(data(5));
    await settle();
    assert.deepEqual(names(agent.heard), ['welcome 0']);
  });

  it('challenges every link with a nonce of its own, so that a recorded PRESENT is worthless', async () => {
    const { connect } = fixture();
    const first = connect();
    await settle();
    const [challenge] = first.heard;
    assert.ok(challenge?.name === 'challenge');
    const ticket = handMadeTicket();
    const recorded = encodeLinkMessage({
      name: 'present',
      ticket,
      signature: signPresent(keyPair(7).secretKey, challenge.nonce, ticket),
    });
    const second = connect();
    second.ours.send(recorded);
    await settle();
    assert.equal(second.ours.closedWith, CLOSE.refused.code);
  });

  it('closes whoever is silent for 10 s after the challenge', async () => {
    const { connect, clock, relay } = fixture();
    const { ours } = connect();
    await clock.advance(9_999);
    assert.equal(ours.closedWith, undefined);
    await clock.advance(1);
    assert.equal(ours.closedWith, CLOSE.slowAdmission.code);
    assert.equal(relay.stats.greeting, 0);
  });

  it('closes a side that sends what it may not, and leaves the other one be', async () => {
    for (const message of [
      encodeLinkMessage({ name: 'peer', peerPresent: true }),
      Uint8Array.of(0x7f),
      Uint8Array.of(0x10),
    ]) {
      const { pair } = fixture();
      const { agent, controller } = await pair();
      agent.ours.send(message);
      await settle();
      assert.equal(agent.ours.closedWith, CLOSE.garbage.code);
      assert.equal(controller.ours.closedWith, undefined);
      assert.deepEqual(names(controller.heard), ['welcome 1', 'peer 0']);
    }
  });

  it('stops reading a side while more than 256 KiB wait for the other, and loses nothing', async () => {
    const { pair, clock } = fixture();
    const { agent, controller } = await pair({ cap: 4096 });
    agent.theirs.stuck = true;
    for (let i = 0; i < 64; i++) controller.ours.send(data(8191, i));
    await settle();
    assert.equal(controller.theirs.paused, true);
    assert.equal(agent.theirs.buffered, 33 * 8192);
    agent.theirs.stuck = false;
    agent.theirs.flush();
    await clock.advance(10);
    assert.equal(controller.theirs.paused, false);
    await settle();
    const bodies = agent.heard.filter((frame) => frame.name === 'data');
    assert.deepEqual(
      bodies.map(({ body }) => body[0]),
      Array.from({ length: 64 }, (_, i) => i),
    );
  });

  it('closes the slow side as lagging only when its queue has not moved for 30 s', async () => {
    const { pair, clock } = fixture();
    const { agent, controller } = await pair({ cap: 4096 });
    agent.theirs.stuck = true;
    for (let i = 0; i < 40; i++) controller.ours.send(data(8191));
    await settle();
    await clock.advance(29_000);
    agent.theirs.flush(1);
    await clock.advance(29_000);
    assert.equal(agent.ours.closedWith, undefined);
    await clock.advance(2_000);
    assert.equal(agent.ours.closedWith, CLOSE.lagging.code);
    assert.equal(controller.theirs.paused, false);
    assert.equal(names(controller.heard).at(-1), 'peer 0');
  });

  it('goes on reading when the slow side leaves', async () => {
    const { pair, clock } = fixture();
    const { agent, controller } = await pair({ cap: 4096 });
    agent.theirs.stuck = true;
    for (let i = 0; i < 40; i++) controller.ours.send(data(8191));
    await settle();
    agent.ours.close(1000);
    await settle();
    assert.equal(controller.theirs.paused, false);
    const timers = clock.waiting;
    await clock.advance(1000);
    assert.equal(clock.waiting, timers, 'no look-out is left behind');
  });

  it('counts both ways against the cap of a link and closes the one that reached it', async () => {
    const { join } = fixture();
    const agent = await join({ side: 1, cap: 3 });
    const controller = await join({ side: 2, cap: 1000 });
    agent.ours.send(data(1023));
    controller.ours.send(data(2047));
    await settle();
    assert.equal(agent.ours.closedWith, undefined);
    controller.ours.send(data(1));
    await settle();
    assert.equal(agent.ours.closedWith, CLOSE.cap.code);
    assert.equal(controller.ours.closedWith, undefined);
  });

  it('lowers the cap to the tenant’s', async () => {
    const { pair } = fixture(() => ({ name: 'small', maxLinks: 10, capKiB: 1 }));
    const { agent, controller } = await pair({ cap: 1000 });
    agent.ours.send(data(1024));
    await settle();
    assert.equal(agent.ours.closedWith, CLOSE.cap.code);
    assert.equal(names(controller.heard).at(-1), 'peer 0');
  });

  it('closes a link when its ticket expires', async () => {
    const { join, clock, relay } = fixture();
    const agent = await join({ side: 1, expires: 1_790_000_060n });
    await clock.advance(59_999);
    assert.equal(agent.ours.closedWith, undefined);
    await clock.advance(1);
    assert.equal(agent.ours.closedWith, CLOSE.expired.code);
    assert.equal(relay.stats.rooms, 0);
    assert.equal(clock.waiting, 0);
  });

  it('keeps to a tenant’s number of links and to the number of rooms, but lets a side come back', async () => {
    const { join } = fixture(() => ({ name: 'small', maxLinks: 1, capKiB: 1 }), 2);
    await join({ room: 1 });
    assert.equal((await join({ room: 2 })).ours.closedWith, CLOSE.busy.code);
    assert.equal((await join({ room: 1 })).ours.closedWith, undefined);
    assert.equal((await join({ tenant: 3, room: 2 })).ours.closedWith, undefined);
    assert.equal((await join({ tenant: 4, room: 2 })).ours.closedWith, CLOSE.busy.code);
  });

  it('closes the links of a tenant that is taken off the list', async () => {
    const { join, control } = fixture();
    const agent = await join();
    control.set(() => undefined);
    await settle();
    assert.equal(agent.ours.closedWith, CLOSE.unknownTenant.code);
    assert.equal((await join()).ours.closedWith, CLOSE.unknownTenant.code);
  });

  it('on REVOKE of the controller closes the agent and admits none until the revoking ticket expires', async () => {
    const { pair, join, clock, relay } = fixture();
    const { agent, controller } = await pair({ expires: 1_790_000_060n });
    controller.ours.send(Uint8Array.of(5));
    await settle();
    assert.equal(agent.ours.closedWith, 4014);
    assert.equal(controller.ours.closedWith, undefined);
    assert.equal(names(controller.heard).at(-1), 'peer 0');
    const late = { expires: 1_790_000_600n };
    assert.equal((await join({ ...late, side: 1 })).ours.closedWith, 4014);
    assert.equal((await join({ ...late, side: 1, holder: 8 })).ours.closedWith, 4014, 'another ticket of the side');
    assert.equal((await join({ ...late, side: 1, room: 3 })).ours.closedWith, undefined, 'another room');
    assert.equal(
      (await join({ ...late, side: 1, tenant: 9 })).ours.closedWith,
      undefined,
      'the same id, another tenant',
    );
    assert.equal((await join({ ...late, side: 2 })).ours.closedWith, undefined, 'the controller');
    await clock.advance(59_999);
    assert.equal((await join({ ...late, side: 1 })).ours.closedWith, 4014);
    await clock.advance(1);
    assert.equal((await join({ ...late, side: 1 })).ours.closedWith, undefined);
    assert.equal(relay.stats.closed.revoked, 4);
  });

  it('remembers a revoked room when nobody is in it any more, and when its agent was not there', async () => {
    const { join, relay } = fixture();
    const controller = await join({ side: 2 });
    controller.ours.send(Uint8Array.of(5));
    await settle();
    controller.ours.close(1000);
    await settle();
    assert.equal(relay.stats.rooms, 0);
    assert.equal((await join({ side: 1 })).ours.closedWith, CLOSE.revoked.code);
  });

  it('takes no REVOKE from an agent, and none before admission', async () => {
    const { pair, join, connect } = fixture();
    const { agent, controller } = await pair();
    agent.ours.send(Uint8Array.of(5));
    const early = connect();
    early.ours.send(Uint8Array.of(5));
    await settle();
    assert.equal(agent.ours.closedWith, CLOSE.garbage.code);
    assert.equal(early.ours.closedWith, CLOSE.garbage.code);
    assert.equal(controller.ours.closedWith, undefined);
    controller.ours.send(Uint8Array.of(5, 0));
    await settle();
    assert.equal(controller.ours.closedWith, CLOSE.garbage.code, 'REVOKE with a body');
    assert.equal((await join({ side: 1 })).ours.closedWith, undefined);
  });

  it('on stopping tells everybody to come back and greets nobody any more', async () => {
    const { pair, connect, relay, clock } = fixture();
    const { agent, controller } = await pair();
    const greeting = connect();
    relay.stop();
    const late = connect();
    await settle();
    for (const { ours } of [agent, controller, greeting, late]) assert.equal(ours.closedWith, CLOSE.shutdown.code);
    assert.deepEqual([relay.stats.links, relay.stats.rooms, relay.stats.greeting], [0, 0, 0]);
    assert.equal(clock.waiting, 0);
  });

  it('writes no ticket, key, room or body into its log', async () => {
    const lines: string[] = [];
    const note = (fields: object, message: string): void => void lines.push(JSON.stringify(fields) + message);
    const log = {
      debug: note,
      info: note,
      warn: note,
      error: note,
      child: (fields: object) => (note(fields, ''), log),
    };
    const clock = new ManualClock();
    const relay = new Relay({
      name: 'r.test',
      control: fixedControl(everyTenant),
      verify: verifyEd25519,
      clock,
      random: seededRandom(2),
      log,
    });
    const [theirs, ours] = memoryLinkPair();
    ours.onMessage = (message) => {
      const challenge = decodeLinkMessage(message);
      if (challenge.name !== 'challenge') return;
      const ticket = handMadeTicket({ room: 0x5c });
      ours.send(
        encodeLinkMessage({
          name: 'present',
          ticket,
          signature: signPresent(keyPair(7).secretKey, challenge.nonce, ticket),
        }),
      );
    };
    relay.accept(theirs);
    await settle();
    relay.stop();
    const text = lines.join('\n');
    assert.match(text, /side admitted/);
    for (const secret of [
      '5c5c5c',
      Buffer.from(keyPair(7).publicKey).toString('hex').slice(0, 8),
      'BFT2',
      '1d1d1d1d',
    ]) {
      assert.ok(!text.includes(secret), secret);
    }
  });
});
