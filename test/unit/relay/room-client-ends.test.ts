// The room client: what ends it, with the right words, and what it never tells a relay.
import { ManualClock, settle } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { fail, isBlindflashError } from '../../../shared/errors/errors.ts';
import { CLOSE } from '../../../shared/link/close.ts';
import { encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { RoomClient } from '../../../shared/link/room-client.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { handMadeTicket, keyPair } from './support.ts';
import { admit, challenge, closeFar, fixture, welcome } from './room-client-fixture.ts';

describe('room client', () => {
  for (const [name, code] of [
    ['superseded', 'BF-RELAY-CROWDED'],
    ['expired', 'BF-RELAY-TICKET-EXPIRED'],
    ['refused', 'BF-RELAY-TICKET-INVALID'],
    ['unknownTenant', 'BF-RELAY-UNKNOWN-TENANT'],
    ['cap', 'BF-RELAY-CAP'],
    ['revoked', 'BF-INVITE-REVOKED'],
    ['version', 'BF-VERSION-MISMATCH'],
  ] as const) {
    it(`ends with ${code} when it is closed as ${name}`, async () => {
      const made = fixture();
      made.client.start();
      await closeFar(await admit(made), name);
      assert.equal(made.calls.at(-1), `end ${code}`);
      await made.clock.advance(3_600_000);
      assert.equal(made.dials.length, 1);
      assert.equal(made.clock.waiting, 0);
    });
  }

  it('gives up after its patience with the last reason', async () => {
    const made = fixture({}, { giveUpAfterMs: 10_000 });
    made.client.start();
    const link = await admit(made);
    made.dial = () => Promise.reject(fail('BF-RELAY-UNREACHABLE', 'gone'));
    await closeFar(link, 'lost');
    await made.clock.advance(9_999);
    assert.equal(made.calls.at(-1), 'end BF-RELAY-UNREACHABLE');
    assert.ok(made.clock.now() <= 70_000);
  });

  it('does not try again after a failure that time will not heal', async () => {
    for (const code of ['BF-RELAY-TLS', 'BF-RELAY-REFUSED', 'BF-RELAY-PROTOCOL'] as const) {
      const made = fixture();
      made.dial = () => Promise.reject(fail(code));
      made.client.start();
      await settle();
      assert.deepEqual(made.calls, [`end ${code}`]);
    }
  });

  it('never shows its ticket to another relay than the ticket names', async () => {
    const elsewhere = fixture({}, { dialledHost: 'q.test' });
    elsewhere.client.start();
    await settle();
    assert.deepEqual([elsewhere.calls, elsewhere.dials], [['end BF-RELAY-WRONG-RELAY'], []]);

    const impostor = fixture();
    impostor.client.start();
    await settle();
    const heard: Uint8Array[] = [];
    impostor.far[0]!.onMessage = (message) => void heard.push(message);
    impostor.far[0]!.send(challenge('q.test'));
    await settle();
    assert.deepEqual(impostor.calls, ['end BF-RELAY-WRONG-RELAY']);
    assert.deepEqual(heard, []);
    assert.equal(impostor.far[0]!.closedWith, CLOSE.wrongRelay.code);
  });

  const DATA = encodeLinkMessage({ name: 'data', body: Uint8Array.of(1) });
  const RULES: readonly [string, readonly Uint8Array[]][] = [
    ['greets with something unknown', [Uint8Array.of(0x77)]],
    ['welcomes before it asked for a proof', [welcome(true)]],
    ['sends DATA before it welcomed', [challenge(), DATA]],
    ['asks for a second proof', [challenge(), challenge()]],
    ['asks for a proof in the room', [challenge(), welcome(true), challenge()]],
    ['welcomes twice', [challenge(), welcome(true), welcome(true)]],
    ['revokes', [challenge(), welcome(true), Uint8Array.of(5)]],
  ];
  for (const [what, messages] of RULES) {
    it(`ends when the relay ${what}`, async () => {
      const made = fixture();
      made.client.start();
      await settle();
      for (const message of messages) {
        assert.deepEqual(made.ended, []);
        made.far[0]!.send(message);
        await settle();
      }
      assert.match(made.calls.at(-1)!, /^end BF-(RELAY-PROTOCOL|LINK-FRAME)$/);
      assert.equal(made.far[0]!.closedWith, CLOSE.garbage.code);
    });
  }

  it('ends at a relay of version 1, shows it no ticket and tries nothing else', async () => {
    const made = fixture();
    made.client.start();
    await settle();
    const heard: Uint8Array[] = [];
    made.far[0]!.onMessage = (message) => void heard.push(message);
    const old = challenge();
    old[1] = 1;
    made.far[0]!.send(old);
    await settle();
    await made.clock.advance(3_600_000);
    assert.deepEqual([made.calls, heard, made.dials.length], [['end BF-VERSION-MISMATCH'], [], 1]);
    assert.equal(made.far[0]!.closedWith, CLOSE.version.code);
  });

  it('refuses a ticket of version 1 before dialling', () => {
    const ticket = handMadeTicket();
    ticket.set(Buffer.from('BFT1'));
    const ended: unknown[] = [];
    const client = new RoomClient({
      dial: () => assert.fail('dialled'),
      dialledHost: 'r.test',
      clock: new ManualClock(),
      random: seededRandom(1),
      ticket,
      holderSecretKey: keyPair(7).secretKey,
    });
    client.onEnd = (error) => void ended.push(error);
    client.start();
    assert.ok(isBlindflashError(ended[0], 'BF-VERSION-MISMATCH'));
  });

  it('refuses a malformed ticket before dialling', async () => {
    const clock = new ManualClock();
    const ended: unknown[] = [];
    const client = new RoomClient({
      dial: () => assert.fail('dialled'),
      dialledHost: 'r.test',
      clock,
      random: seededRandom(1),
      ticket: new Uint8Array(10),
      holderSecretKey: keyPair(7).secretKey,
    });
    client.onEnd = (error) => void ended.push(error);
    client.start();
    assert.ok(isBlindflashError(ended[0], 'BF-RELAY-TICKET-INVALID'));
  });

  it('is quiet after close, whatever still arrives', async () => {
    const made = fixture();
    made.client.start();
    const link = await admit(made);
    made.client.close();
    link.send(encodeLinkMessage({ name: 'peer', peerPresent: false }));
    await settle();
    assert.equal(link.closedWith, CLOSE.done.code);
    assert.deepEqual(made.calls, ['up', 'peer 1']);
    assert.equal(made.clock.waiting, 0);

    const dialling = fixture();
    dialling.client.start();
    dialling.client.close();
    await settle();
    assert.equal(dialling.far[0]?.closedWith ?? CLOSE.done.code, CLOSE.done.code);
    assert.deepEqual(dialling.calls, []);
  });
});
