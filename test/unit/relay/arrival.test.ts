// A link on its way into a room while other relays are asked: every answer, none, and everything
// that can happen meanwhile.
import { ManualClock, settle } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { silentLog } from '../../../shared/ports.ts';
import { CLOSE, type CloseName } from '../../../shared/link/close.ts';
import { decodeLinkMessage, encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { LINK, RELAY } from '../../../shared/link/limits.ts';
import { signPresent } from '../../../shared/link/ticket.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { ARRIVAL_MACHINE, type ArrivalState } from '../../../relay/core/arrival.ts';
import { Relay } from '../../../relay/core/relay.ts';
import { everyTenant } from '../../../relay/core/tenants.ts';
import type { RoomPlace, Neighbours } from '../../../relay/neighbours/neighbours.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { changeableControl, handMadeTicket, keyPair, memoryLinkPair, type TicketParts } from './support.ts';

/** Neighbours whose answers a test gives when it likes. */
class SlowNeighbours implements Neighbours {
  readonly asked: { roomKey: string; side: string; answer(answer: RoomPlace): void; fail(): void }[] = [];

  ask(roomKey: string, side: string): Promise<RoomPlace> {
    return new Promise((resolve, reject) => {
      this.asked.push({ roomKey, side, answer: resolve, fail: () => reject(new Error('the way to them broke')) });
    });
  }
}

function fixture(maxRooms = 10) {
  const clock = new ManualClock();
  const control = changeableControl(everyTenant);
  const neighbours = new SlowNeighbours();
  const [verify, random, log] = [verifyEd25519, seededRandom(1), silentLog];
  const relay = new Relay({ name: 'r.test', control, verify, clock, random, log, maxRooms, neighbours });

  /** A link that has presented its ticket and waits. */
  const present = async (parts: TicketParts = {}) => {
    const [theirs, ours] = memoryLinkPair();
    const heard: string[] = [];
    const ticket = handMadeTicket(parts);
    ours.onMessage = (bytes) => {
      const message = decodeLinkMessage(bytes);
      heard.push(message.name);
      if (message.name !== 'challenge') return;
      const signature = signPresent(keyPair(7).secretKey, message.nonce, ticket);
      ours.send(encodeLinkMessage({ name: 'present', ticket, signature }));
    };
    relay.accept(theirs);
    await settle();
    return { ours, theirs, heard };
  };
  return { clock, control, neighbours, relay, present };
}

const data = (size: number): Uint8Array => encodeLinkMessage({ name: 'data', body: new Uint8Array(size).fill(size) });
const closed = (name: CloseName): number => CLOSE[name].code;

describe('entering a room while other relays are asked', () => {
  it('waits unread and uncounted until the answer is here, then is welcomed', async () => {
    const { present, neighbours, relay } = fixture();
    const side = await present();
    assert.deepEqual(side.heard, ['challenge']);
    assert.ok(side.theirs.paused);
    assert.deepEqual([relay.stats.greeting, relay.stats.links, relay.stats.rooms], [1, 0, 0]);
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.deepEqual(side.heard, ['challenge', 'welcome']);
    assert.ok(!side.theirs.paused);
    assert.deepEqual([relay.stats.greeting, relay.stats.links, relay.stats.admitted], [0, 1, 1]);
  });

  it('does not ask about a room somebody of which is here', async () => {
    const { present, neighbours } = fixture();
    await present({ side: 1 });
    neighbours.asked[0]!.answer('here');
    await settle();
    const controller = await present({ side: 2 });
    assert.deepEqual(controller.heard, ['challenge', 'welcome']);
    assert.equal(neighbours.asked.length, 1);
  });

  it('asks nobody for a link that is not admitted', async () => {
    const { present, neighbours } = fixture();
    const side = await present({ relay: 'q.test' });
    assert.equal(side.ours.closedWith, closed('wrongRelay'));
    assert.equal(neighbours.asked.length, 0);
  });

  it('is sent away to come again when the room is elsewhere', async () => {
    const { present, neighbours, relay, clock } = fixture();
    const side = await present();
    neighbours.asked[0]!.answer('elsewhere');
    await settle();
    assert.equal(side.ours.closedWith, closed('busy'));
    assert.deepEqual([relay.stats.greeting, relay.stats.links, relay.stats.closed.busy], [0, 0, 1]);
    assert.equal(clock.waiting, 0);
  });

  it('is welcomed here when the neighbours fail, or say nothing for 50 ms; a late answer changes nothing', async () => {
    const { present, neighbours, relay, clock } = fixture();
    const failed = await present({ room: 1 });
    neighbours.asked[0]!.fail();
    await settle();
    assert.equal(failed.heard.at(-1), 'welcome');
    const silent = await present({ room: 2 });
    await clock.advance(RELAY.askMs - 1);
    assert.equal(silent.heard.at(-1), 'challenge');
    await clock.advance(1);
    assert.equal(silent.heard.at(-1), 'welcome');
    neighbours.asked[1]!.answer('elsewhere');
    await settle();
    assert.equal(silent.ours.closedWith, undefined);
    assert.equal(relay.stats.links, 2);
  });

  it('may end meanwhile and is then nowhere, whatever is answered', async () => {
    const { present, neighbours, relay, clock } = fixture();
    const side = await present();
    side.ours.close(1000);
    await settle();
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.deepEqual([relay.stats.greeting, relay.stats.links, relay.stats.rooms], [0, 0, 0]);
    assert.equal(relay.stats.closed.left, 1);
    assert.equal(clock.waiting, 0);
  });

  it('hands over in order what came early, and what was sent after it', async () => {
    const { present, neighbours } = fixture();
    const [agent, controller] = [await present({ side: 1 }), await present({ side: 2 })];
    for (const size of [1, 2]) agent.theirs.onMessage(data(size));
    agent.ours.send(data(3));
    neighbours.asked[1]!.answer('here');
    await settle();
    const sizes: number[] = [];
    controller.ours.onMessage = (bytes) => {
      const message = decodeLinkMessage(bytes);
      if (message.name === 'data') sizes.push(message.body.length);
    };
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.deepEqual(sizes, [1, 2, 3]);
  });

  it('is closed when more comes early than a relay ever holds', async () => {
    const { present, neighbours, relay } = fixture();
    const side = await present();
    for (let held = 0; held <= LINK.waitingBytes; held += 8192) side.theirs.onMessage(data(8191));
    await settle();
    assert.equal(side.ours.closedWith, closed('garbage'));
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.equal(relay.stats.links, 0);
  });

  it('meets the limits that hold when it enters, not when it asked', async () => {
    const { present, neighbours, relay } = fixture(1);
    const [first, second] = [await present({ room: 1 }), await present({ room: 2 })];
    for (const { answer } of neighbours.asked) answer('here');
    await settle();
    assert.equal(first.heard.at(-1), 'welcome');
    assert.equal(second.ours.closedWith, closed('busy'));
    assert.equal(relay.stats.links, 1);
  });

  it('is refused when its tenant was taken off the list meanwhile', async () => {
    const { present, neighbours, control } = fixture();
    const side = await present();
    control.set(() => undefined);
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.equal(side.ours.closedWith, closed('unknownTenant'));
  });

  it('is refused when its room was revoked meanwhile', async () => {
    const { present, neighbours } = fixture();
    const [agent, controller] = [await present({ side: 1 }), await present({ side: 2 })];
    neighbours.asked[1]!.answer('here');
    await settle();
    controller.ours.send(encodeLinkMessage({ name: 'revoke' }));
    await settle();
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.equal(agent.ours.closedWith, closed('revoked'));
    assert.deepEqual(agent.heard, ['challenge']);
  });

  it('is told to come back when the relay stops', async () => {
    const { present, neighbours, relay, clock } = fixture();
    const side = await present();
    relay.stop();
    neighbours.asked[0]!.answer('here');
    await settle();
    assert.equal(side.ours.closedWith, closed('shutdown'));
    assert.deepEqual([relay.stats.links, clock.waiting], [0, 0]);
  });
});

describe('the machine of an arrival', () => {
  it('reaches every state from greeting and leaves none of the last ones', () => {
    const states = Object.keys(ARRIVAL_MACHINE) as ArrivalState[];
    const reached = new Set<ArrivalState>(['greeting']);
    for (const state of reached) for (const next of Object.values(ARRIVAL_MACHINE[state])) reached.add(next);
    assert.deepEqual([...reached].sort(), states.sort());
    const last = states.filter((state) => Object.keys(ARRIVAL_MACHINE[state]).length === 0);
    assert.deepEqual(last.sort(), ['in the room', 'left', 'turned away']);
  });
});
