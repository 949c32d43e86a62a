// The room client: greeting, passing on, coming back with growing delays.
import { ManualClock, settle } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { fail } from '../../../shared/errors/errors.ts';
import { CLOSE } from '../../../shared/link/close.ts';
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from '../../../shared/link/link-message.ts';
import { RoomClient } from '../../../shared/link/room-client.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { silentLog } from '../../../shared/ports.ts';
import { Relay } from '../../../relay/core/relay.ts';
import { everyTenant } from '../../../relay/core/tenants.ts';
import { fixedControl } from '../../../relay/control/fixed.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { handMadeTicket, keyPair, memoryLinkPair, type MemoryLink } from './support.ts';
import { admit, challenge, closeFar, fixture } from './room-client-fixture.ts';

describe('room client', () => {
  it('enters through a real relay, and two of them talk', async () => {
    const clock = new ManualClock();
    const relay = new Relay({
      name: 'r.test',
      control: fixedControl(everyTenant),
      verify: verifyEd25519,
      clock,
      random: seededRandom(4),
      log: silentLog,
    });
    const sides = [1, 2].map((side) => {
      const heard: string[] = [];
      const client = new RoomClient({
        dial: async () => {
          const [near, theirs] = memoryLinkPair();
          relay.accept(theirs);
          return near;
        },
        dialledHost: 'r.test',
        clock,
        random: seededRandom(side),
        ticket: handMadeTicket({ side }),
        holderSecretKey: keyPair(7).secretKey,
      });
      client.onData = (body) => void heard.push(Buffer.from(body).toString());
      client.start();
      return { client, heard };
    });
    await settle();
    await settle();
    assert.ok(sides.every(({ client }) => client.up && client.peerPresent));
    assert.ok(sides[0]!.client.send(new TextEncoder().encode('ping')));
    assert.ok(sides[1]!.client.send(new TextEncoder().encode('pong')));
    await settle();
    assert.deepEqual([sides[0]!.heard, sides[1]!.heard], [['pong'], ['ping']]);
  });

  it('answers the challenge with the ticket and a proof over this nonce', async () => {
    const made = fixture();
    made.client.start();
    await settle();
    const heard: LinkMessage[] = [];
    made.far[0]!.onMessage = (message) => void heard.push(decodeLinkMessage(message));
    made.far[0]!.send(challenge());
    await settle();
    assert.equal(heard[0]?.name, 'present');
    assert.deepEqual(heard[0]?.name === 'present' && heard[0].ticket, handMadeTicket());
  });

  it('reports up, the other side, and data; sends only while somebody listens', async () => {
    const made = fixture();
    made.client.start();
    assert.equal(made.client.send(Uint8Array.of(1)), false);
    const link = await admit(made, false);
    assert.equal(made.client.send(Uint8Array.of(1)), false);
    link.send(encodeLinkMessage({ name: 'peer', peerPresent: true }));
    link.send(encodeLinkMessage({ name: 'data', body: new Uint8Array(5) }));
    await settle();
    assert.equal(made.client.send(Uint8Array.of(1)), true);
    assert.deepEqual(made.calls, ['up', 'peer 0', 'peer 1', 'data 5']);
  });

  it('takes whoever sends for present, whatever the relay said last', async () => {
    const { client, calls, ...rest } = fixture();
    client.start();
    const link = await admit({ client, calls, ...rest }, false);
    link.send(encodeLinkMessage({ name: 'data', body: new Uint8Array(5) }));
    await settle();
    assert.deepEqual(calls, ['up', 'peer 0', 'peer 1', 'data 5']);
    assert.equal(client.send(new Uint8Array(1)), true);
  });

  it('comes back after a passing reason, with delays that double, stay within their bounds and start anew', async () => {
    const made = fixture();
    made.client.start();
    const link = await admit(made);
    await made.clock.advance(60_000);
    made.dial = () => Promise.reject(fail('BF-RELAY-UNREACHABLE'));
    await closeFar(link, 'lost');
    assert.deepEqual(made.calls, ['up', 'peer 1', 'down']);
    await made.clock.advance(200_000);
    const times = [60_000, ...made.dials.slice(1)];
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    const full = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
    assert.ok(gaps.length >= 8);
    gaps.slice(0, full.length).forEach((gap, i) => assert.ok(gap >= full[i]! / 2 && gap <= full[i]!, `${i}: ${gap}`));
    made.dial = async () => {
      const [near, theirs] = memoryLinkPair();
      made.far.push(theirs);
      return near;
    };
    await made.clock.advance(30_000);
    const back = await admit(made);
    assert.deepEqual(made.calls, ['up', 'peer 1', 'down', 'up', 'peer 1']);
    await made.clock.advance(20_000);
    const before = made.dials.length;
    await closeFar(back, 'shutdown');
    await made.clock.advance(500);
    assert.equal(made.dials.length, before + 1);
  });

  it('is back soon on a line that breaks every few seconds, however often', async () => {
    const made = fixture();
    made.client.start();
    for (let i = 0; i < 20; i++) {
      const link = await admit(made);
      await made.clock.advance(8_000);
      await closeFar(link, 'lost');
      await made.clock.advance(2_000);
      assert.equal(made.dials.length, i + 2, `dials after break ${i + 1}`);
    }
  });

  it('slows down when the relay admits it and throws it out at once, again and again', async () => {
    const made = fixture();
    made.client.start();
    for (let i = 0; i < 6; i++) {
      await closeFar(await admit(made), 'busy');
      await made.clock.advance(30_000);
    }
    const gaps = made.dials.slice(1).map((at, i) => at - made.dials[i]!);
    assert.ok(gaps.at(-1)! >= 8000, String(gaps));
  });

  it('who was in the room outlasts whatever answers in the place of a relay that restarts', async () => {
    for (const code of ['BF-RELAY-TLS', 'BF-RELAY-REFUSED', 'BF-RELAY-PROTOCOL'] as const) {
      const made = fixture({}, { giveUpAfterMs: 10_000 });
      made.client.start();
      const link = await admit(made);
      const dial = made.dial;
      made.dial = () => Promise.reject(fail(code));
      await closeFar(link, 'lost');
      await made.clock.advance(4_000);
      assert.equal(made.calls.at(-1), 'down', code);
      made.dial = dial;
      await made.clock.advance(4_000);
      await admit(made);
      assert.deepEqual(made.calls.slice(-2), ['up', 'peer 1'], code);
    }
  });

  it('comes back when the relay stays silent instead of greeting, or never answers the call', async () => {
    const made = fixture();
    made.client.start();
    await settle();
    await made.clock.advance(15_000 + 500);
    assert.equal(made.far[0]!.closedWith, CLOSE.slowAdmission.code);
    assert.equal(made.dials.length, 2);

    const unanswered = fixture();
    unanswered.dial = () => new Promise(() => {});
    unanswered.client.start();
    await unanswered.clock.advance(15_000 + 500);
    assert.equal(unanswered.dials.length, 2);
  });

  it('gives an attempt 15 s from dialling to WELCOME, however far it came', async () => {
    const made = fixture();
    const [near, theirs] = memoryLinkPair();
    made.dial = () => new Promise((resolve) => void made.clock.after(10_000, () => resolve(near)));
    made.client.start();
    await settle();
    await made.clock.advance(10_000);
    theirs.send(challenge());
    await made.clock.advance(4_999);
    assert.equal(theirs.closedWith, undefined);
    await made.clock.advance(1);
    assert.equal(theirs.closedWith, CLOSE.slowAdmission.code);
  });

  it('says REVOKE at once in the room, and otherwise as soon as it is there, after every return', async () => {
    const made = fixture({ side: 2 });
    made.client.start();
    const said = async (link: MemoryLink): Promise<string[]> => {
      const heard: string[] = [];
      link.onMessage = (message) => void heard.push(decodeLinkMessage(message).name);
      await settle();
      return heard;
    };
    const first = await admit(made);
    made.client.revoke();
    assert.deepEqual(await said(first), ['present', 'revoke']);
    await closeFar(first, 'lost');
    await made.clock.advance(500);
    assert.deepEqual(await said(await admit(made)), ['present', 'revoke']);

    const away = fixture({ side: 2 });
    away.client.start();
    await settle();
    away.client.revoke();
    assert.deepEqual(await said(await admit(away)), ['present', 'revoke']);
    away.client.close();
    away.client.revoke();
    await settle();
    assert.equal(away.far[0]!.closedWith, CLOSE.done.code);
  });

  it('still says REVOKE when it is closed right after, and the agent is not admitted any more', async () => {
    const clock = new ManualClock();
    const relay = new Relay({
      name: 'r.test',
      control: fixedControl(everyTenant),
      verify: verifyEd25519,
      clock,
      random: seededRandom(4),
      log: silentLog,
    });
    const start = (side: number): { client: RoomClient; ended: string[] } => {
      const client = new RoomClient({
        dial: async () => {
          const [near, theirs] = memoryLinkPair();
          relay.accept(theirs);
          return near;
        },
        dialledHost: 'r.test',
        clock,
        random: seededRandom(side),
        ticket: handMadeTicket({ side }),
        holderSecretKey: keyPair(7).secretKey,
      });
      const ended: string[] = [];
      client.onEnd = (error) => void ended.push(error.code);
      client.start();
      return { client, ended };
    };
    const [agent, controller] = [start(1), start(2)];
    await settle();
    await settle();
    controller.client.revoke();
    controller.client.close();
    await settle();
    const again = start(1);
    await settle();
    assert.deepEqual([agent.ended, again.ended], [['BF-INVITE-REVOKED'], ['BF-INVITE-REVOKED']]);
    await clock.advance(60_000);
    assert.equal(relay.stats.admitted, 2);
  });

  it('keeps a pause across a reconnection', async () => {
    const made = fixture();
    made.client.start();
    const link = await admit(made);
    made.client.pause();
    await closeFar(link, 'lost');
    await made.clock.advance(500);
    const back = await admit(made);
    back.send(encodeLinkMessage({ name: 'data', body: Uint8Array.of(1) }));
    await settle();
    assert.ok(!made.calls.includes('data 1'));
    made.client.resume();
    await settle();
    assert.equal(made.calls.at(-1), 'data 1');
  });
});
