// The job service as any face of the vendor uses it: invites, begin, start, follow, answer for the code, interrupt, resume.
import { ManualClock } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { inviteLine } from '../../../controller/job/invite.ts';
import { jobId, type JobRecord } from '../../../controller/job/job-record.ts';
import type { RunningJob } from '../../../controller/job/ports.ts';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { JobService, type JobRequest, type ServiceEvent } from '../../../controller/service/job-service.ts';
import { makeKeys } from '../../../controller/store/keys.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { decodeLinkMessage, encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { silentLog, type Link } from '../../../shared/ports.ts';
import { seeded } from '../shared/support.ts';
import { sampleImage } from './job-fixture.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { ScriptedAgent, ScriptedBoard, STUB_HASH } from './scripted-agent.ts';

const KEYS = makeKeys(seeded('service keys'));
const INVITE = { keys: KEYS, relayUrl: 'wss://relay.test', validHours: 2 };
const IMAGE = sampleImage();
const REQUEST: JobRequest = {
  kind: 'flash',
  image: IMAGE,
  chip: STM32F42X,
  plan: (job, flashKiB) => compileFlash(IMAGE, STM32F42X, { job, flashKiB }),
  fixedSize: false,
};

/** A service, and a relay in whose room the agent of the latest job waits already. */
class ServiceFixture {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly store = new MemoryJobStore();
  readonly events: ServiceEvent[] = [];
  readonly service = new JobService({
    clock: this.clock,
    random: seeded('service'),
    log: silentLog,
    store: this.store,
    trustedStubs: () => [toHex(STUB_HASH)],
    dial: () => Promise.resolve(this.#link()),
  });
  #agent!: ScriptedAgent;
  #deliveries: (() => void)[] = [];

  /** Starts the job against a fresh agent and follows it. */
  start(record: JobRecord): RunningJob {
    this.#agent = new ScriptedAgent(new ScriptedBoard(), record, this.clock);
    const running = this.service.start({ record, request: REQUEST, keys: KEYS, waiveCode: false });
    running.done.catch(() => {});
    this.service.attach(jobId(record), (event) => this.events.push(event));
    return running;
  }

  async begin(): Promise<JobRecord> {
    return this.service.begin(REQUEST, this.service.propose(REQUEST), this.service.makeRoom(INVITE));
  }

  codeAsked(): string | undefined {
    return this.events.flatMap((event) => (event.type === 'code' ? [event.code] : []))[0];
  }

  /** Lets everything happen until `done`. */
  async until(done: () => boolean): Promise<void> {
    for (let turn = 0; !done(); turn++) {
      if (turn > 5000) assert.fail(`nothing more happens: ${this.events.map(({ type }) => type).join(' ')}`);
      for (const deliver of this.#deliveries.splice(0)) deliver();
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advanceNow(10);
    }
  }

  async finish(running: RunningJob): ReturnType<() => RunningJob['done']> {
    let over = false;
    running.done.then(
      () => (over = true),
      () => (over = true),
    );
    await this.until(() => over);
    return running.done;
  }

  #link(): Link {
    const agent = this.#agent;
    const later = (run: () => void) => void this.#deliveries.push(run);
    const toSide = (message: Parameters<typeof encodeLinkMessage>[0]) =>
      later(() => link.onMessage(encodeLinkMessage(message)));
    const link: Link = {
      send: (bytes) => {
        const message = decodeLinkMessage(bytes);
        if (message.name === 'present') {
          toSide({ name: 'welcome', peerPresent: true });
          later(() => agent.tunnel.attachLink((body) => toSide({ name: 'data', body })));
        }
        if (message.name === 'data') later(() => agent.tunnel.receive(message.body));
      },
      buffered: 0,
      pause: () => {},
      resume: () => {},
      close: () => {},
      onMessage: () => {},
      onClose: () => {},
    };
    toSide({ name: 'challenge', nonce: new Uint8Array(32), relay: 'relay.test' });
    return link;
  }
}

describe('controller: the job service', () => {
  it('begins, lists, runs and confirms a job, and tells whoever follows it', async () => {
    const fixture = new ServiceFixture();
    const { service } = fixture;
    const record = await fixture.begin();
    const id = jobId(record);
    assert.deepEqual(await service.list(), [{ id, running: false }]);
    const running = fixture.start(record);
    assert.deepEqual(await service.list(), [{ id, running: true }]);
    assert.throws(() => fixture.start(record), { code: 'BF-INTERNAL-ARGUMENT' });
    const types: string[] = [];
    const leave = service.attach(id, ({ type }) => types.push(type));
    await fixture.until(() => fixture.codeAsked() !== undefined);
    leave();
    assert.ok(types.includes('hello') && types.includes('code') && !types.includes('sealed'));
    service.confirm(id, fixture.codeAsked() as string, true);
    const result = await fixture.finish(running);
    assert.equal(result.board, 'running');
    assert.ok(!types.includes('sealed') && fixture.events.some(({ type }) => type === 'sealed'));
    assert.deepEqual(await service.list(), [{ id, running: false }]);
    assert.deepEqual(await fixture.store.receipts(), [{ job: id, uid: result.uid }]);
  });

  it('takes an answer to the code that is asked, once, and a no ends the job', async () => {
    const fixture = new ServiceFixture();
    const record = await fixture.begin();
    const id = jobId(record);
    const running = fixture.start(record);
    await fixture.until(() => fixture.codeAsked() !== undefined);
    const code = fixture.codeAsked() as string;
    assert.throws(() => fixture.service.confirm(id, 'another', true), { code: 'BF-INTERNAL-ARGUMENT' });
    fixture.service.confirm(id, code, Promise.resolve(false));
    assert.throws(() => fixture.service.confirm(id, code, true), { code: 'BF-INTERNAL-ARGUMENT' });
    await assert.rejects(fixture.finish(running), { code: 'BF-JOB-CODE-REFUSED' });
    assert.equal(running.resumable, false);
  });

  it('interrupts a job, which goes on when its image and its kind are the same', async () => {
    const fixture = new ServiceFixture();
    const { service } = fixture;
    const record = await fixture.begin();
    const id = jobId(record);
    const running = fixture.start(record);
    await fixture.until(() => fixture.codeAsked() !== undefined);
    service.interrupt(id);
    await assert.rejects(fixture.finish(running), { code: 'BF-JOB-INTERRUPTED' });
    service.interrupt(id);
    assert.throws(() => service.attach(id, () => {}), { code: 'BF-JOB-UNKNOWN' });
    assert.equal(jobId(await service.resume(id, REQUEST)), id);
    const other = { ...REQUEST, image: sampleImage('another') };
    await assert.rejects(service.resume(id, other), { code: 'BF-JOB-IMAGE-CHANGED' });
    await assert.rejects(service.resume(id, { ...REQUEST, kind: 'verify' }), { code: 'BF-USAGE' });
    await assert.rejects(service.resume('00'.repeat(16), REQUEST), { code: 'BF-JOB-UNKNOWN' });
  });

  it('an invite made beforehand belongs to the first job that is begun with it', async () => {
    const { service, store, clock } = new ServiceFixture();
    const line = inviteLine(await service.createInvite(INVITE));
    const record = await service.beginWithInvite(REQUEST, service.propose(REQUEST), line);
    assert.equal(inviteLine(record.room), line);
    assert.equal(record.room.expires, Math.floor(clock.wall() / 1000) + 2 * 3600);
    assert.deepEqual(await store.jobIds(), [jobId(record)]);
    const again = service.beginWithInvite(REQUEST, service.propose(REQUEST), line);
    await assert.rejects(again, { code: 'BF-INVITE-USED' });
    assert.deepEqual(await store.jobIds(), [jobId(record)]);
  });
});
