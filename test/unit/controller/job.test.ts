// The course of a job against a scripted agent: what it sends and when, what it refuses, what it signs
// (docs/protocol.md §6-§10).
import assert from 'node:assert/strict';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { rawText } from '../../../shared/codec/foreign-text.ts';
import { verifyCustomerCopy, verifyReceipt } from '../../../shared/plan/receipt.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { failing, JOB, JobFixture, KEYS, sampleImage, stopsAt5, type JobFixtureOptions } from './job-fixture.ts';
import type { ScriptedAgent } from './scripted-agent.ts';

describe('controller: a job', () => {
  it('flashes: boot sector first, boot words last, receipt signed, agent told', async () => {
    const image = sampleImage();
    const fixture = new JobFixture({ image });
    const result = await fixture.finish();
    for (const { address, bytes } of image.segments) assert.deepEqual(fixture.flash(address, bytes.length), bytes);
    const kinds = fixture.agent.commands.map(({ name }) => name);
    assert.equal(kinds[0], 'ERASE');
    assert.equal(kinds.indexOf('FINAL'), kinds.length - 2);
    assert.equal(kinds.at(-1), 'END');
    const receipt = verifyReceipt(result.receipt!, verifyEd25519, KEYS.receipt.publicKey);
    assert.equal(receipt.outcome, 'written');
    assert.equal(receipt.imageDigest, toHex(fixture.agent.writtenRoot!));
    assert.equal(receipt.uid, '404142434445464748494a4b');
    assert.deepEqual([result.chipProved, result.agentSays], ['written', 'running']);
    assert.ok(fixture.agent.bye?.done);
    const { receipt: sent, signature } = fixture.agent.bye.customer;
    const text = rawText(sent!);
    const copy = verifyCustomerCopy({ text, signature: signature! }, verifyEd25519, KEYS.receipt.publicKey);
    assert.ok(!text.includes(receipt.imageDigest!));
    assert.equal(copy.job, receipt.job);
    assert.deepEqual(fixture.answers, ['right']);
    const { source, sectorsByEqual, code } = receipt;
    assert.deepEqual({ source, sectorsByEqual, code }, { source: 'stub', sectorsByEqual: 0, code: 'typed' });
    assert.deepEqual(fixture.store.last.acknowledged, [0, 1, 5]);
    assert.equal(fixture.store.last.finished, true);
    const last = fixture.eventsOf('progress').at(-1)!;
    assert.equal(last.doneBytes, last.totalBytes);
  });

  it('obeys a no, and refuses a yes to other bytes', async () => {
    const declined = await failing('BF-JOB-DECLINED', { faults: { decline: true } });
    assert.equal(declined.fixture.agent.bye?.done, false);
    await failing('BF-PLAN-HASH', { faults: { otherPlan: true } });
  });

  it('refuses the wrong chip, protected chips and unknown stubs by the agent’s HELLO', async () => {
    const target = (change: object) => (hello: object) => {
      const original = hello as { target: object };
      return { ...original, target: { ...original.target, ...change } } as never;
    };
    await failing('BF-PLAN-WRONG-CHIP', { faults: { hello: target({ devId: 0x413 }) } });
    await failing('BF-PLAN-WRONG-CHIP', { faults: { hello: target({ flashKiB: 1024 }) } });
    await failing('BF-TARGET-RDP1', { faults: { hello: target({ rdp: 1 }) } });
    await failing('BF-TARGET-RDP2', { faults: { hello: target({ rdp: 2 }) } });
    await failing('BF-TARGET-BANK2-BOOT', { faults: { hello: target({ optcr: 0x0fffaafd }) } });
    const stubs = ['00'.repeat(64)];
    const { fixture } = await failing('BF-STUB-UNKNOWN', { faults: { hello: (hello) => ({ ...hello, stubs }) } });
    assert.ok(!fixture.agent.names.includes('JOB'));
  });

  it('drops a sealed session that is offered before there is a job', async () => {
    const early = { name: 'SEALED1', stubHash: new Uint8Array(64), m1: new Uint8Array(136) } as const;
    const fixture = new JobFixture({ faults: { early } });
    await fixture.finish();
    assert.equal(fixture.agent.names.filter((name) => name === 'SEALED2').length, 1);
  });

  it('makes the plan again for another flash size when it may', async () => {
    const image = sampleImage();
    const planFor = (flashKiB: number) => compileFlash(image, STM32F42X, { job: JOB, flashKiB });
    const hello = (h: never) => ({ ...(h as object), target: { ...(h as { target: object }).target, flashKiB: 1024 } });
    const { fixture } = await failing('BF-PLAN-WRONG-CHIP', { image, planFor, faults: { hello: hello as never } });
    // The scripted stub reads 2048: what it says itself counts more than HELLO.
    assert.equal(fixture.eventsOf('job')[0].plan.flashKiB, 1024);
  });

  it('answers no stub whose hash it does not know, and no chip that is protected', async () => {
    const stubHash = new Uint8Array(64).fill(1);
    const { fixture } = await failing('BF-STUB-UNKNOWN', { faults: { stubHash } });
    assert.ok(!fixture.agent.names.includes('SEALED2'));
    await failing('BF-TARGET-RDP1', { faults: { optcr: 0x0fff55ed } });
  });

  it('sends nothing to a chip that says, under the handshake, that it starts from bank 2', async () => {
    const { fixture } = await failing('BF-TARGET-BANK2-BOOT', { faults: { optcr: 0x0fffaafd } });
    assert.ok(!fixture.agent.names.includes('FRAME'));
    assert.equal(fixture.agent.bye?.done, false, 'the customer hears why');
  });

  it('stops at a digest or a root that differs', async () => {
    const wrong = new Uint8Array(64);
    const digest = await failing('BF-JOB-VERIFY', {
      faults: { reply: (reply) => (reply.name === 'DIGEST' ? { ...reply, equal: false } : reply) },
    });
    assert.match(digest.error.detail ?? '', /has not proved what is in it now/);
    assert.ok(!digest.fixture.agent.commands.some(({ name }) => name === 'FINAL'));
    const root = await failing('BF-JOB-VERIFY', {
      faults: { reply: (reply) => (reply.name === 'WRITTEN' ? { ...reply, root: wrong } : reply) },
    });
    assert.equal(root.fixture.store.stored.size, 0);
  });

  it('tells an ABORT of the stub by its own name', async () => {
    const abort = (error: number) => ({
      faults: {
        command: (command: { name: string }, agent: ScriptedAgent) => {
          if (command.name !== 'IMAGE') return false;
          agent.reply({ name: 'ABORT', answers: 1, error, detail: 0x20 });
          return true;
        },
      },
    });
    const { error } = await failing('BF-STUB-PROGRAM', abort(10));
    assert.match(error.detail ?? '', /flash error/);
    await failing('BF-JOB-REFUSED', abort(8));
    await failing('BF-STUB-PROGRAM', { faults: { abortAtOnce: 10 } });
    await failing('BF-STUB-ABORTED', abort(77));
  });

  it('asks for a new session after a failed box, at most three times', async () => {
    let failures = 0;
    const faults = {
      command: (command: { name: string }, agent: ScriptedAgent) => {
        if (command.name !== 'IMAGE' || failures >= 2) return false;
        failures++;
        agent.reply({ name: 'ABORT', answers: 1, error: 7, detail: 3 });
        agent.problem('BF-STUB-AUTHENTICATION');
        return true;
      },
    };
    const fixture = new JobFixture({ faults });
    await fixture.finish();
    assert.equal(fixture.agent.names.filter((name) => name === 'RESTART').length, 2);
    const always = {
      command: (command: { name: string }, agent: ScriptedAgent) => {
        if (command.name !== 'IMAGE') return false;
        agent.reply({ name: 'ABORT', answers: 1, error: 7, detail: 3 });
        return true;
      },
    };
    const { fixture: stubborn } = await failing('BF-STUB-AUTHENTICATION', { faults: always });
    assert.equal(stubborn.agent.names.filter((name) => name === 'RESTART').length, 3);
    assert.equal(stubborn.running.resumable, true);
    assert.equal(stubborn.agent.bye, undefined);
  });

  it('survives the loss of the board’s power: new stub, new session, acknowledged sectors skipped', async () => {
    let cut = false;
    const faults = {
      command: (command: { name: string; sector?: number }, agent: ScriptedAgent) => {
        if (cut || command.name !== 'ERASE' || command.sector !== 5) return false;
        cut = true;
        agent.problem('BF-TARGET-NO-POWER');
        return true;
      },
    };
    const fixture = new JobFixture({ faults });
    const result = await fixture.finish();
    assert.deepEqual(result.skipped, [1]);
    assert.equal(fixture.eventsOf('sealed').length, 2);
    const erased = fixture.agent.commands.flatMap((command) => (command.name === 'ERASE' ? [command.sector] : []));
    assert.deepEqual(erased, [0, 1, 5, 0, 5]);
  });

  it('ends when another board appears in the middle', async () => {
    let swapped = false;
    const faults: JobFixtureOptions['faults'] = {
      command: (command, agent) => {
        if (swapped || command.name !== 'IMAGE') return false;
        swapped = true;
        agent.faults.uid = new Uint8Array(12).fill(9);
        agent.problem('BF-TARGET-NO-POWER');
        return true;
      },
    };
    const { fixture } = await failing('BF-JOB-OTHER-BOARD', { faults });
    assert.equal(fixture.agent.bye?.done, false);
    assert.equal(fixture.store.stored.size, 0);
  });

  it('ends with the agent’s own words when the agent gives up', async () => {
    const faults: JobFixtureOptions['faults'] = {
      command: (command, agent) => {
        if (command.name !== 'IMAGE') return false;
        agent.problem('BF-PROBE-UNPLUGGED');
        return true;
      },
    };
    const { error } = await failing('BF-PROBE-UNPLUGGED', { faults });
    assert.match(error.detail ?? '', /scripted.*has not proved/);
    const unknown: JobFixtureOptions['faults'] = {
      command: (_, agent) => {
        agent.problem('BF-NEWER-VERSION');
        return true;
      },
    };
    await failing('BF-STUB-ABORTED', { faults: unknown });
  });

  it('gives up on a silent chip, but not while the agent is away', async () => {
    await failing('BF-STUB-SILENT', { faults: { silentAfter: 4 } });
    const fixture = new JobFixture({});
    await fixture.until(() => fixture.agent.commands.length > 3);
    fixture.disconnect();
    fixture.clock.advance(10 * 60_000);
    fixture.connect();
    await fixture.finish();
  });

  it('gives up on an agent that stays away', async () => {
    const fixture = new JobFixture({});
    await fixture.until(() => fixture.agent.commands.length > 3);
    fixture.disconnect();
    await assert.rejects(fixture.finish(3_600_000), { code: 'BF-RELAY-PEER-GONE' });
    assert.equal(fixture.running.resumable, true);
  });

  it('goes on with another process of the agent', async () => {
    const fixture = new JobFixture({ faults: stopsAt5() });
    await fixture.until(() => fixture.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
    fixture.replaceAgent();
    const result = await fixture.finish();
    assert.deepEqual(result.skipped, [1]);
    assert.equal(fixture.asked.length, 1, 'the chip proves its key: no second question');
  });

  it('never stores a sealed key or a byte of the image', async () => {
    const image = sampleImage();
    const fixture = new JobFixture({ image });
    await fixture.finish();
    const text = JSON.stringify(fixture.store.saved, (_, part) => (part instanceof Uint8Array ? toHex(part) : part));
    assert.ok(!text.includes(toHex(KEYS.sealed.secretKey)) && !text.includes(toHex(KEYS.receipt.secretKey)));
    assert.ok(!text.includes(toHex(image.segments[1].bytes.slice(100, 116))));
  });

  it('forgets the invite’s secret once the tunnel is confirmed', async () => {
    const fixture = new JobFixture({});
    const first = toHex(fixture.record.room.invite.secret!);
    await fixture.until(() => fixture.eventsOf('tunnel').length === 1);
    const { invite } = fixture.running.record.room;
    assert.deepEqual([invite.tunnels, invite.replaced.length], [1, 1]);
    assert.equal(toHex(invite.secret!), toHex(fixture.agent.secrets[0]!), 'both ends have the same way back');
    assert.notEqual(toHex(invite.secret!), first);
    await fixture.finish();
  });

  it('leaves quietly when interrupted: no BYE, the agent waits', async () => {
    const fixture = new JobFixture({});
    await fixture.until(() => fixture.agent.commands.some(({ name }) => name === 'IMAGE'));
    fixture.running.interrupt();
    await assert.rejects(fixture.finish(), { code: 'BF-JOB-INTERRUPTED', detail: /has not proved/ });
    assert.equal(fixture.agent.bye, undefined);
    assert.equal(fixture.running.resumable, true);
  });
});
