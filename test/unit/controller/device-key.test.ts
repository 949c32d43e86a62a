// D, the key of the chip: which one is answered in which tunnel, and how many codes a job asks for
// (docs/protocol.md §8, "D").
import assert from 'node:assert/strict';
import { toHex } from '../../../shared/codec/bytes.ts';
import { exchangeKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { failing, JobFixture, KEYS, stopsAt5, type JobFixtureOptions } from './job-fixture.ts';
import type { Faults, ScriptedAgent } from './scripted-agent.ts';
import { seeded } from '../shared/support.ts';

const publicOf = (secret: Uint8Array): string => toHex(exchangeKeyPairFrom('tunnel', secret).publicKey);

/** A job that stands still at sector 5, with sector 1 acknowledged. */
async function halfway(options: JobFixtureOptions = {}): Promise<JobFixture> {
  const fixture = new JobFixture({ faults: stopsAt5(), ...options });
  await fixture.until(() => fixture.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
  return fixture;
}

/** Says once, at the erase of sector 5, that something happened to the board; `then` does it. */
function once(then: (agent: ScriptedAgent) => void): Faults {
  let done = false;
  return {
    command: (command, agent) => {
      if (done || command.name !== 'ERASE' || command.sector !== 5) return false;
      done = true;
      then(agent);
      return true;
    },
  };
}

describe('controller: the key of the chip', () => {
  it('goes on record with its unit when the handshake is confirmed, and the count of answers begins at 0', async () => {
    const fixture = await halfway();
    const [device, ...others] = fixture.store.last.devices;
    assert.equal(others.length, 0);
    assert.equal(toHex(device!.key), publicOf(fixture.board.deviceSecret));
    assert.equal(device!.uid, toHex(fixture.board.uid));
    assert.equal(fixture.store.last.room.invite.answers, 0);
  });

  it('on record needs no code: another process of the agent, another one of the controller, a failed box', async () => {
    const agentKilled = await halfway();
    agentKilled.replaceAgent();
    await agentKilled.finish();
    assert.equal(agentKilled.asked.length, 1);

    const { board, store, agent } = await halfway();
    const controllerKilled = new JobFixture({ board, store, record: store.last, resume: agent.secrets });
    await controllerKilled.finish();
    assert.equal(controllerKilled.asked.length, 0);

    const failedBox = new JobFixture({
      faults: once((failing) => {
        failing.reply({ name: 'ABORT', answers: 1, error: 7, detail: 3 });
        failing.problem('BF-STUB-AUTHENTICATION');
      }),
    });
    await failedBox.finish();
    assert.equal(failedBox.asked.length, 1);
    assert.equal(failedBox.eventsOf('sealed').length, 2);
  });

  it('on record and proved: the count of answers begins at 0 again', async () => {
    const fixture = await halfway();
    fixture.replaceAgent(stopsAt5());
    await fixture.until(() => fixture.eventsOf('sealed').length === 2);
    const counts = fixture.store.saved.map(({ room }) => room.invite.answers);
    assert.ok(counts.lastIndexOf(1) > counts.indexOf(0), 'the second answer was counted');
    await fixture.until(() => fixture.store.last.room.invite.answers === 0);
  });

  it('is another one after the power was cut: exactly one new question, in the tunnel that shows it, and M2 waits', async () => {
    const fixture = await halfway({ type: (asked, shown) => (asked.tunnel === 1 ? shown : undefined) });
    fixture.board.powerCut();
    fixture.replaceAgent();
    await fixture.until(() => fixture.asked.length === 2);
    const later = fixture.clock.now() + 5000;
    await fixture.until(() => fixture.clock.now() > later);
    assert.deepEqual(fixture.agent.names, ['JOB'], 'the plan is known there, the key is not');
    assert.equal(await fixture.type(), 'right');
    const result = await fixture.finish();
    assert.equal(fixture.asked.length, 2);
    assert.deepEqual(result.skipped, [1]);
    assert.equal(fixture.store.last.devices.length, 2);
  });

  it('what a chip begins anew while the vendor types is what gets the answer', async () => {
    const fixture = await halfway({ type: (asked, shown) => (asked.tunnel === 1 ? shown : undefined) });
    fixture.board.powerCut();
    fixture.replaceAgent();
    await fixture.until(() => fixture.asked.length === 2);
    fixture.agent.offer();
    await fixture.until(() => fixture.asked.length === 2, 1000);
    await fixture.until(() => fixture.agent.tunnel.unacknowledged === 0);
    await fixture.type();
    await fixture.finish();
  });

  it('a code that was asked for because of one key is not worth another that is offered while it is typed', async () => {
    const fixture = await halfway({ type: (asked, shown) => (asked.tunnel === 1 ? shown : undefined) });
    fixture.board.powerCut();
    fixture.replaceAgent();
    await fixture.until(() => fixture.asked.length === 2);
    fixture.agent.faults.deviceSecret = seeded('an emulated chip').bytes(32);
    fixture.agent.offer();
    await fixture.until(() => fixture.agent.tunnel.unacknowledged === 0);
    await fixture.type();
    await assert.rejects(fixture.finish(), { code: 'BF-STUB-SECOND-KEY' });
    assert.ok(!fixture.agent.names.includes('SEALED2'));
    assert.equal(fixture.store.last.devices.length, 1, 'the first tunnel’s');
  });

  it('a second one in the same tunnel ends it without an M2, asked or not', async () => {
    const policies = ['each', 'once', 'waived'] as const;
    for (const codePolicy of policies) {
      const { fixture } = await failing('BF-STUB-SECOND-KEY', {
        codePolicy,
        faults: once((agent) => {
          agent.faults.deviceSecret = seeded('an emulated chip').bytes(32);
          agent.offer();
        }),
      });
      assert.equal(fixture.agent.names.filter((name) => name === 'SEALED2').length, 1, codePolicy);
      assert.equal(fixture.store.last.devices.length, 1);
      assert.equal(fixture.running.resumable, true);
    }
  });

  it('a copy of the agent’s way back with a chip of its own gets no M2 without a code', async () => {
    const fixture = await halfway({ type: (asked, shown) => (asked.tunnel === 1 ? shown : undefined) });
    fixture.replaceAgent({ deviceSecret: seeded('an emulated chip').bytes(32) }, fixture.agent.secrets);
    await fixture.until(() => fixture.asked.length === 2);
    const later = fixture.clock.now() + 5000;
    await fixture.until(() => fixture.clock.now() > later);
    assert.ok(!fixture.agent.names.includes('SEALED2') && !fixture.agent.names.includes('FRAME'));
  });

  it('asked once: another key in another tunnel needs no second code', async () => {
    const fixture = await halfway({ codePolicy: 'once' });
    fixture.board.powerCut();
    fixture.replaceAgent();
    await fixture.finish();
    assert.equal(fixture.asked.length, 1);
    assert.equal(fixture.store.last.devices.length, 2);
  });

  it('a process that dies between the code and the record asks again', async () => {
    const first = new JobFixture({ faults: { command: () => true } });
    await first.until(() => first.agent.names.includes('JOB'));
    const record = first.store.saved.find(({ code }) => code === 'typed')!;
    assert.equal(record.devices.length, 0);
    const second = new JobFixture({ board: first.board, record, resume: first.agent.secrets });
    await second.finish();
    assert.equal(second.asked.length, 1);
  });

  it('of low order, not canonical, e_i or the vendor’s own is no key of a chip', async () => {
    const bad: Record<string, (m1: Uint8Array) => Uint8Array> = {
      zero: () => new Uint8Array(32),
      'not canonical': () => new Uint8Array(32).fill(0xff),
      'low order': () => Uint8Array.from([1, ...new Uint8Array(31)]),
      e_i: (m1) => m1.slice(0, 32),
      S_r: () => Uint8Array.from(KEYS.sealed.publicKey),
    };
    for (const [name, make] of Object.entries(bad)) {
      const change = (m1: Uint8Array): Uint8Array => Uint8Array.from([...m1.subarray(0, 104), ...make(m1)]);
      const { fixture } = await failing('BF-STUB-AUTHENTICATION', { faults: { m1: change } });
      assert.ok(!fixture.agent.names.includes('SEALED2'), name);
    }
  });

  it('in flash does not go with this mode, and a stub of another version is not spoken to', async () => {
    const inFlash = await failing('BF-STUB-AUTHENTICATION', {
      faults: { facts: (f) => ({ ...f, keyKind: 'device' }) },
    });
    assert.ok(!inFlash.fixture.agent.names.includes('SEALED2'));
    for (const stubVersion of [0x0005, 0x0100, 0x0300]) {
      const { fixture } = await failing('BF-VERSION-MISMATCH', { faults: { facts: (f) => ({ ...f, stubVersion }) } });
      assert.ok(!fixture.agent.names.includes('SEALED2'));
    }
  });

  it('belongs to the chip of HELLO: another UID, size or type told before is refused', async () => {
    const uid = new Uint8Array(12).fill(9);
    const { fixture, error } = await failing('BF-JOB-OTHER-BOARD', { faults: { uid } });
    assert.match(error.detail ?? '', /the agent told the UID 404142434445464748494a4b, the chip says 090909/);
    assert.ok(!fixture.agent.names.includes('SEALED2'));
  });

  it('every M2 names the session the tunnel has for its M1', async () => {
    const fixture = await halfway();
    fixture.replaceAgent();
    await fixture.finish();
    const [[named, own] = []] = fixture.agent.sessionIds;
    assert.equal(toHex(named!), toHex(own!));
  });
});
