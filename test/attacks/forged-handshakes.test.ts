// H1, floods: T1, T2 and T3 that somebody made, copied or bent, and 100,000 of them before the honest agent
// (docs/protocol.md §4).
import assert from 'node:assert/strict';
import nacl from 'tweetnacl';
import { hmacSha512 } from '../../shared/crypto/hash.ts';
import { exchangePublic } from '../../shared/crypto/keys.ts';
import { agree, KeySchedule, transcriptOf } from '../../shared/crypto/schedule.ts';
import { TunnelAnswer, TunnelAttempt } from '../../shared/tunnel/handshake.ts';
import { commitment, secretId, t1Tag, tagKey } from '../../shared/tunnel/secrets.ts';
import { TUNNEL_PROTOCOL } from '../../shared/tunnel/protocol.ts';
import { flips, seeded } from '../unit/shared/support.ts';
import {
  AgentEnd,
  ends,
  inviteSecret,
  isTag,
  keyPair,
  opened,
  publicInviteHash,
  settle,
} from '../unit/shared/tunnel-ends.ts';

const secret = inviteSecret();

/** An initiator who holds the invite and builds T1 and T3 by hand, with whatever commitment and nonce he likes. */
function forger(c: (e: Uint8Array, payload1: Uint8Array) => Uint8Array) {
  const ephemeral = seeded('forger').bytes(32);
  const e = nacl.scalarMult.base(ephemeral);
  const payload1 = Uint8Array.of(...secretId(secret), ...new Uint8Array(8));
  const untagged = Uint8Array.of(...e, ...c(e, payload1), ...payload1);
  const t1 = Uint8Array.of(...untagged, ...t1Tag(tagKey(secret), untagged));
  const t3 = (t2: Uint8Array, nonce: Uint8Array): Uint8Array => {
    const contexts = [keyPair.publicKey, publicInviteHash];
    const schedule = new KeySchedule(TUNNEL_PROTOCOL, transcriptOf(TUNNEL_PROTOCOL, contexts, t1, t2.slice(0, 80)), [
      agree(TUNNEL_PROTOCOL, ephemeral, exchangePublic('tunnel', t2.slice(0, 32))),
      agree(TUNNEL_PROTOCOL, ephemeral, keyPair.publicKey),
      secret,
    ]);
    return Uint8Array.of(...nonce, ...schedule.confirmI(nonce));
  };
  return { t1, t3 };
}

const answer = (t1: Uint8Array) =>
  new TunnelAnswer({ keyPair, publicInviteHash, secret, random: seeded('answer'), t1 });

const nonce = (byte: number) => new Uint8Array(32).fill(byte);

describe('attack: forged handshakes', () => {
  it('control: a forger who keeps to his commitment gets in, so the refusals below are of the lie alone', () => {
    const honest = forger((e, payload1) => commitment(e, publicInviteHash, payload1, nonce(5)));
    const responder = answer(honest.t1);
    assert.notEqual(responder.receiveT3(honest.t3(responder.t2, nonce(5))), undefined);
  });

  it('a right confirmation of a nonce that was not committed to opens nothing; the right one still does', () => {
    const liar = forger((e, payload1) => commitment(e, publicInviteHash, payload1, nonce(5)));
    const responder = answer(liar.t1);
    for (let other = 6; other < 40; other++) {
      assert.equal(responder.receiveT3(liar.t3(responder.t2, nonce(other))), undefined);
    }
    assert.notEqual(responder.receiveT3(liar.t3(responder.t2, nonce(5))), undefined, 'a wrong T3 leaves the answer');
  });

  it('the nonce that was committed to, without a right confirmation of it, opens nothing', () => {
    const honest = forger((e, payload1) => commitment(e, publicInviteHash, payload1, nonce(5)));
    const responder = answer(honest.t1);
    const good = honest.t3(responder.t2, nonce(5));
    for (let at = 32; at < 64; at++) {
      assert.equal(responder.receiveT3(good.map((byte, index) => (index === at ? byte ^ 1 : byte))), undefined);
    }
    assert.equal(responder.receiveT3(Uint8Array.of(...nonce(5), ...new Uint8Array(32))), undefined);
    assert.notEqual(responder.receiveT3(good), undefined);
  });

  it('a commitment copied from another T1 fits no nonce, not even the one it was made for', () => {
    const random = { bytes: (count: number) => new Uint8Array(count).fill(5) };
    const victim = new TunnelAttempt({ controllerPublic: keyPair.publicKey, publicInviteHash, secret, random });
    const copier = forger(() => victim.t1.slice(32, 64));
    const responder = answer(copier.t1);
    assert.equal(responder.receiveT3(copier.t3(responder.t2, nonce(5))), undefined);
  });

  it('a commitment to a nonce under another invite fits none', () => {
    const stranger = forger((e, payload1) => commitment(e, new Uint8Array(64), payload1, nonce(5)));
    const responder = answer(stranger.t1);
    assert.equal(responder.receiveT3(stranger.t3(responder.t2, nonce(5))), undefined);
  });

  it('every flipped bit of T1’s commitment and tag, and of T3’s nonce, ends in no tunnel and no count', async () => {
    for (const [tag, from, to] of [
      [0x01, 33, 65],
      [0x01, 81, 97],
      [0x03, 1, 33],
    ] as const) {
      // prettier-ignore
      const bits = [...flips(new Uint8Array(to - from))].filter((_, i) => i % 5 === 0);
      for (const mask of bits) {
        const all = ends();
        all.carrier.weather = (body) => {
          if (body[0] === tag) for (let i = from; i < to; i++) body[i]! ^= mask[i - from]!;
          return [0];
        };
        await opened(all);
        assert.deepEqual([all.controller.tunnels, all.controller.failures], [0, []]);
        assert.equal(all.controller.disk.answers, tag === 0x01 ? 0 : 1);
      }
    }
  }).timeout(120_000);
});

describe('attack: floods of handshakes', () => {
  const junk = (tag: number, size: number, i: number) =>
    Uint8Array.of(tag, ...hmacSha512(Uint8Array.of(i & 255, i >> 8), Uint8Array.of(tag)), ...new Uint8Array(size - 64));

  it('100,000 T1 and T2 of the relay, then the honest agent opens', async () => {
    const all = ends();
    all.carrier.join(all.controller);
    // Nothing of these gets as far as a key exchange: some name the secret (its id travels in the
    // clear) under no good tag.
    const named = Uint8Array.of(...secretId(secret), ...new Uint8Array(8));
    const waiting = new AgentEnd(all.clock, 'waiting', [inviteSecret()]);
    waiting.tunnel.attachLink(() => {});
    for (let i = 0; i < 50_000; i++) {
      const t1 = junk(0x01, 96, i % 997);
      if (i % 50 === 0) t1.set(named, 65);
      all.controller.tunnel.receive(t1);
      // A T2 costs the agent a key exchange each: most are of a size that is none.
      waiting.tunnel.receive(junk(0x02, i % 200 === 0 ? 112 : 111, i % 997));
    }
    assert.deepEqual([waiting.codes, waiting.failures], [[], []]);
    assert.deepEqual([all.controller.disk.answers, all.controller.spent], [0, []]);
    all.carrier.join(all.agent);
    await settle(all, 500);
    assert.deepEqual([all.agent.tunnels, all.controller.tunnels], [1, 1]);
  }).timeout(300_000);

  it('a flood while both handshakes are under way changes neither', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [40] : [0]);
    all.carrier.join(all.controller);
    all.carrier.join(all.agent);
    for (let i = 0; i < 200; i++) {
      await all.carrier.inject('controller', junk(0x01, 96, i));
      await all.carrier.inject('controller', junk(0x03, 64, i));
      await all.carrier.inject('agent', junk(0x02, 112, i));
    }
    await settle(all, 500);
    assert.deepEqual([all.agent.tunnels, all.controller.tunnels], [1, 1]);
    assert.equal(all.carrier.carried.filter(isTag(0x03)).length, 1);
  });
});
