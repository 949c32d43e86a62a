// The bytes of docs/protocol.md, twice: test/vectors/protocol.json was made from OpenSSL primitives (vectors.ts,
// reference.ts), and shared/ has to arrive at the same.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import { cleanText } from '../../../shared/codec/foreign-text.ts';
import { epochOf, sealBox } from '../../../shared/crypto/box.ts';
import { consentHash } from '../../../shared/plan/consent.ts';
import { respondSealed, type SealedContexts } from '../../../shared/sealed/handshake.ts';
import { startSealedInitiator } from '../../fixtures/sealed-initiator.ts';
import { namedSecret, TunnelAnswer, TunnelAttempt } from '../../../shared/tunnel/handshake.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';
import { TUNNEL_PROTOCOL } from '../../../shared/tunnel/protocol.ts';
import { exchangeKeyPairFrom, exchangePublic, psk } from '../../../shared/crypto/keys.ts';
import { BoxSession } from '../../../shared/crypto/session.ts';
import {
  decodeInvite,
  encodeInvite,
  holderKey,
  publicInviteHash,
  vendorFingerprint,
} from '../../../shared/tunnel/invite.ts';
import { decodePlan, encodePlan, planHash } from '../../../shared/plan/plan.ts';
import { checkPlan } from '../../../shared/plan/rules.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { decodeCommand, decodeReply, encodeCommand, encodeReply, rootDigest } from '../../../shared/sealed/messages.ts';
import type { Command, Reply } from '../../../shared/sealed/messages.ts';
import { decodeStubFacts, encodeStubFacts } from '../../../shared/sealed/payloads.ts';
import { nextSecret, sealedSessionId, sessionTag, spentTag, tagKey } from '../../../shared/tunnel/secrets.ts';
import { hex, scripted, unhex } from './support.ts';
import { makeVectors } from './vectors.ts';
import { opensslHkdf, hmac, expand, referenceSecretbox } from './reference.ts';

type Vectors = ReturnType<typeof makeVectors>;
const PROTOCOLS = { tunnel: TUNNEL_PROTOCOL, ...SEALED_SUITES } as const;
const vectors = JSON.parse(readFileSync(new URL('../../vectors/protocol.json', import.meta.url), 'utf8')) as Vectors;
const nacls = JSON.parse(readFileSync(new URL('../../vectors/nacl/nacl-kat.json', import.meta.url), 'utf8')) as {
  secretbox: { key: string; nonce: string; msg: string; box: string }[];
};

describe('protocol vectors', () => {
  it('the file is what the independent implementation makes', () => {
    assert.deepEqual(vectors, JSON.parse(JSON.stringify(makeVectors())));
  });

  it('the independent secretbox and HKDF agree with NaCl and OpenSSL', () => {
    for (const { key, nonce, msg, box } of nacls.secretbox) {
      assert.equal(referenceSecretbox(unhex(key), unhex(nonce), unhex(msg)).toString('hex'), box);
    }
    const [ikm, salt] = [Buffer.from('input'), Buffer.from('salt')];
    assert.deepEqual(
      expand(hmac(salt, ikm), 'label', Buffer.from('context')),
      opensslHkdf(ikm, salt, Buffer.from('labelcontext'), 32),
    );
  });

  it('tunnel: both ends reach the messages, keys and code of the file', () => {
    const vector = vectors.tunnel;
    const { input, secrets } = vector;
    const [secret, publicInviteHash] = [psk(unhex(input.secret)), unhex(input.invite_hash)];
    const agent = new TunnelAttempt({
      controllerPublic: exchangePublic('tunnel', unhex(vector.static_public)),
      publicInviteHash,
      secret,
      random: scripted(unhex(input.e_i_secret), unhex(input.nonce_i)),
    });
    assert.equal(hex(agent.t1), vector.m1);
    assert.equal(hex(namedSecret(agent.t1)!), secrets.id);
    const controller = new TunnelAnswer({
      keyPair: exchangeKeyPairFrom('tunnel', unhex(input.static_secret)),
      publicInviteHash,
      secret,
      random: scripted(unhex(input.e_r_secret), unhex(input.nonce_r)),
      t1: agent.t1,
    });
    assert.equal(hex(controller.t2), vector.m2);
    const opened = agent.receiveT2(controller.t2)!;
    assert.equal(hex(opened.t3), vector.m3);
    for (const { code, result } of [opened, controller.receiveT3(opened.t3)!]) {
      assert.equal(hex(result.transcript), vector.th);
      assert.equal(hex(result.exporter), vector.exporter);
      assert.equal(code, secrets.code);
    }
  });

  for (const purpose of ['sealed', 'device', 'enroll'] as const) {
    it(`${purpose}: both ends reach the messages and keys of the file`, () => {
      const vector = vectors[purpose];
      const { input } = vector;
      const suite = SEALED_SUITES[purpose];
      const contexts = input.contexts.map(unhex) as unknown as SealedContexts;
      const chip = startSealedInitiator({
        suite,
        responderPublic: exchangePublic('sealed', unhex(vector.static_public)),
        contexts,
        facts: unhex(input.facts),
        deviceSecret: unhex(input.d_secret),
        ...(input.d_f_secret && { fileSecret: unhex(input.d_f_secret) }),
        random: scripted(unhex(input.e_i_secret), unhex(input.nonce_i)),
      });
      assert.equal(hex(chip.m1), vector.m1);
      assert.equal(hex(sealedSessionId(unhex(vectors.tunnel.exporter), chip.m1)), vector.session_id);
      const controller = respondSealed({
        suite,
        staticKey: exchangeKeyPairFrom('sealed', unhex(input.static_secret)),
        contexts,
        payload2: unhex(input.payload2),
        random: scripted(unhex(input.e_r_secret), unhex(input.nonce_r)),
        m1: chip.m1,
      });
      assert.equal(hex(controller.m2), vector.m2);
      const { m3, result, payload2 } = chip.receiveM2(controller.m2);
      assert.equal(hex(m3), vector.m3);
      assert.equal(hex(payload2), input.payload2);
      for (const end of [result, controller.receiveM3(m3)]) {
        assert.equal(hex(end.transcript), vector.th);
        assert.equal(hex(end.exporter), vector.exporter);
      }
    });
  }

  for (const purpose of ['tunnel', 'sealed', 'device', 'enroll'] as const) {
    it(`${purpose}: boxes around the epoch boundaries`, () => {
      const vector = vectors[purpose];
      const chains = { i2r: unhex(vector.chain_i2r), r2i: unhex(vector.chain_r2i) };
      for (const role of ['i', 'r'] as const) {
        const direction = role === 'i' ? 'i2r' : 'r2i';
        const wanted = vector.boxes.filter((box) => box.direction === direction);
        const [sender, receiver] = [
          new BoxSession(role, PROTOCOLS[purpose], chains),
          new BoxSession(role === 'i' ? 'r' : 'i', PROTOCOLS[purpose], chains),
        ];
        for (let sequence = 1; sequence <= 200; sequence++) {
          const row = wanted.find((box) => box.sequence === sequence);
          const plaintext = row === undefined ? new Uint8Array(3) : unhex(row.plaintext);
          const sealed = sender.seal(plaintext);
          assert.equal(sealed.sequence, sequence);
          if (row !== undefined) assert.equal(hex(sealed.box), row.box);
          assert.deepEqual(receiver.open(sealed.box, sequence), plaintext);
        }
        for (const row of wanted) {
          const { boxPurpose, epochBoxes } = PROTOCOLS[purpose];
          const epoch = new DataView(unhex(row.nonce).buffer).getUint32(8, true);
          assert.equal(epochOf(row.sequence, epochBoxes), epoch);
          const place = { direction, purpose: boxPurpose, sequence: row.sequence, epoch } as const;
          assert.equal(hex(sealBox(unhex(row.key), place, unhex(row.plaintext))), row.box);
          assert.equal(hex(nacl.secretbox(unhex(row.plaintext), unhex(row.nonce), unhex(row.key))), row.box);
        }
      }
    });
  }

  it('next secret, session tag, SPENT and consent', () => {
    const { exporter, secrets, input, m1 } = vectors.tunnel;
    assert.equal(hex(nextSecret(unhex(exporter))), secrets.next);
    assert.equal(hex(sessionTag(unhex(exporter))), secrets.tag);
    assert.equal(hex(spentTag(tagKey(unhex(input.secret)), unhex(m1))), secrets.spent);
    const { plan_hash, vendor, uid, stub_hash, hash } = vectors.consent;
    const subject = { planHash: unhex(plan_hash), vendor: unhex(vendor), uid: unhex(uid), stubHash: unhex(stub_hash) };
    assert.equal(hex(consentHash(subject)), hash);
    assert.equal(hex(vendorFingerprint(unhex(vectors.invite.sealed_key), unhex(vectors.invite.receipt_key))), vendor);
  });

  it('plan, invite, holder key and root digest', () => {
    for (const one of [vectors.plan, vectors.plan_data, vectors.plan_unlock, vectors.plan_options]) {
      const read = decodePlan(unhex(one.bytes));
      checkPlan(read, STM32F42X);
      assert.equal(hex(encodePlan(read)), one.bytes);
      assert.equal(hex(planHash(unhex(one.bytes))), one.hash);
    }
    const plan = decodePlan(unhex(vectors.plan.bytes));
    assert.deepEqual(
      [
        plan.kind,
        cleanText(plan.label),
        plan.sectors,
        plan.bootAddress,
        plan.widest,
        plan.lock,
        plan.finalAction,
        plan.ranges[3],
      ],
      [
        'flash',
        'Prüfstand 7',
        [0, 4],
        0x08000000,
        'x32',
        'level 1',
        'run',
        { address: 0x08100000, length: 0x4000, use: 'digest' },
      ],
    );
    const { invite } = vectors;
    const decoded = decodeInvite(`\n> ${invite.line}\n`, 1_800_000_000);
    assert.equal(encodeInvite(decoded), invite.line);
    assert.deepEqual(
      [
        decoded.expires,
        decoded.relayUrl,
        hex(decoded.secret),
        hex(decoded.ticket),
        hex(decoded.tunnelPublic),
        hex(decoded.vendor),
      ],
      [invite.expires, invite.relay_url, invite.secret, invite.ticket, invite.tunnel_public, invite.vendor],
    );
    assert.equal(hex(publicInviteHash(decoded)), invite.public_hash);
    assert.equal(hex(holderKey(decoded.secret).publicKey), invite.holder_public);
    const ranges = vectors.root.ranges.map((range) => ({ ...range, digest: unhex(range.digest) }));
    assert.equal(hex(rootDigest(ranges)), vectors.root.root);
  });

  it('payloads and messages of the sealed session', () => {
    const facts = vectors.sealed_facts;
    const payload1 = unhex(vectors.sealed.m1).slice(64);
    const { deviceKey, ...decoded } = decodeStubFacts(payload1);
    assert.deepEqual(decoded, {
      uid: unhex(facts.uid),
      idcode: facts.idcode,
      flashKiB: facts.flash_kib,
      stubVersion: facts.stub_version,
      optcr: facts.optcr,
      optcr1: facts.optcr1,
      keyKind: 'ram',
      handshake: facts.handshake,
      widest: facts.widest,
    });
    assert.equal(hex(encodeStubFacts(decoded)), vectors.sealed.input.facts);
    assert.deepEqual(deviceKey, payload1.slice(40));

    const loader = vectors.device_facts;
    const enrolled = decodeStubFacts(unhex(vectors.enroll.m1).slice(64));
    const { deviceKey: sessions, fileKey, ...told } = enrolled;
    assert.deepEqual(told, {
      uid: unhex(loader.uid),
      idcode: loader.idcode,
      flashKiB: loader.flash_kib,
      stubVersion: loader.loader_version,
      optcr: loader.optcr,
      optcr1: loader.optcr1,
      keyKind: 'device',
      handshake: loader.handshake,
      widest: loader.widest,
      boot: { resetFlags: loader.reset_flags, debug: loader.debug, watchers: loader.watchers },
    });
    assert.equal(hex(encodeStubFacts(told)), vectors.enroll.input.facts);
    assert.deepEqual(
      [sessions, fileKey],
      [unhex(vectors.enroll.m1).slice(104, 136), unhex(vectors.enroll.m1).slice(136)],
    );

    const m = vectors.sealed_messages;
    const commands: [Command, string][] = [
      [{ name: 'IMAGE', address: m.image.address, data: unhex(m.image.data) }, m.image.plain],
      [{ name: 'IMAGE', address: m.long_image.address, data: unhex(m.long_image.data) }, m.long_image.plain],
      [{ name: 'ERASE', sector: m.erase.sector }, m.erase.plain],
      [{ name: 'ERASE', sector: 255, unlessBlank: true }, m.erase_unless_blank.plain],
      [
        { name: 'DIGEST', first: m.digest.first, count: m.digest.count, expected: unhex(m.digest.expected) },
        m.digest.plain,
      ],
      [{ name: 'FINAL', root: unhex(m.final.root), bootWords: unhex(m.final.boot_words) }, m.final.plain],
      [{ name: 'LOCK' }, m.lock.plain],
      [{ name: 'END' }, m.end.plain],
      [{ name: 'PING' }, m.ping.plain],
      [{ name: 'ABORT' }, m.abort.plain],
    ];
    for (const [command, plain] of commands) {
      assert.equal(hex(encodeCommand(command)), plain);
      assert.deepEqual(decodeCommand(unhex(plain)), command);
    }
    const spent = { erase: 8100, program: 4200, check: 300 };
    const replies: [Reply, string][] = [
      [{ name: 'ERASED', answers: 1, sector: 12, how: 'blank' }, m.erased.plain],
      [{ name: 'DIGEST', answers: 700, equal: true, questionsLeft: m.digested.left }, m.digested.plain],
      [
        {
          name: 'WRITTEN',
          answers: 701,
          width: 'x32',
          root: unhex(m.written.root),
          wordsProgrammed: 4096,
          optcr: m.written.optcr,
          chipTimes: spent,
        },
        m.written.plain,
      ],
      [{ name: 'LOCKED', answers: 702, level1: true, optcr: m.locked.optcr, optcr1: m.locked.optcr1 }, m.locked.plain],
      [{ name: 'ENDED', answers: 703, wordsProgrammed: 4096, chipTimes: spent }, m.ended.plain],
      [{ name: 'PONG', answers: 704, wordsProgrammed: 17 }, m.pong.plain],
      [{ name: 'ABORT', answers: 5, error: 8, detail: 0x1fff7800 }, m.stopped.plain],
    ];
    for (const [reply, plain] of replies) {
      assert.equal(hex(encodeReply(reply)), plain);
      assert.deepEqual(decodeReply(unhex(plain)), reply);
    }
  });
});
