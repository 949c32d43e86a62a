// The job service as any face of the vendor uses it: invites, begin, start, follow, answer for the
// code, interrupt, resume.
import { ManualClock } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { inviteLine } from '../../../controller/job/invite.ts';
import { jobId, type JobRecord } from '../../../controller/store/job-record.ts';
import type { CodeAsked, JobEvent, RunningJob } from '../../../controller/job/ports.ts';
import { compileFlash } from '../../../controller/plan/compile.ts';
import { JobService, type JobRequest } from '../../../controller/service/job-service.ts';
import { makeKeys } from '../../../controller/store/keys.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { decodeLinkMessage, encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
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
  readonly store: MemoryJobStore;
  readonly events: JobEvent[] = [];
  readonly service: JobService;
  #agent!: ScriptedAgent;
  #deliveries: (() => void)[] = [];

  constructor(store = new MemoryJobStore()) {
    this.store = store;
    this.service = new JobService({
      clock: this.clock,
      random: seeded('service'),
      log: silentLog,
      store,
      verify: verifyEd25519,
      trustedPrograms: () => [toHex(STUB_HASH)],
      dial: () => Promise.resolve(this.#link()),
    });
  }

  /** Starts the job against a fresh agent and follows it. */
  start(record: JobRecord): RunningJob {
    this.#agent = new ScriptedAgent(new ScriptedBoard(), record, this.clock);
    const running = this.service.start({ record, request: REQUEST, keys: KEYS });
    running.done.catch(() => {});
    this.service.attach(jobId(record), (event) => this.events.push(event));
    return running;
  }

  async begin(): Promise<JobRecord> {
    return this.service.begin(REQUEST, this.service.propose(REQUEST), this.service.makeRoom(INVITE));
  }

  codeAsked(): CodeAsked | undefined {
    return this.events.findLast((event) => event.type === 'code');
  }

  /** What the customer's screen shows. */
  get shown(): string {
    return this.#agent.codes.at(-1)!;
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
    assert.equal(await service.answerCode(id, fixture.shown, fixture.codeAsked()!.tunnel), 'right');
    const result = await fixture.finish(running);
    assert.equal(result.agentSays, 'running');
    assert.ok(!types.includes('sealed') && fixture.events.some(({ type }) => type === 'sealed'));
    assert.deepEqual(await service.list(), [{ id, running: false }]);
    assert.deepEqual(await fixture.store.receipts(), [{ job: id, uid: result.uid }]);
  });

  it('takes what is typed for the question that is open, and three wrong codes spend the invite', async () => {
    const fixture = new ServiceFixture();
    const { service } = fixture;
    const record = await fixture.begin();
    const id = jobId(record);
    const running = fixture.start(record);
    await fixture.until(() => fixture.codeAsked() !== undefined);
    assert.equal(await service.answerCode(id, fixture.shown, 2), 'void');
    assert.equal(await service.answerCode(id, 'ABC', 1), 'malformed');
    for (const left of [2, 1]) {
      assert.equal(await service.answerCode(id, '000-000', 1), 'wrong');
      assert.equal(fixture.codeAsked()?.triesLeft, left);
    }
    assert.equal(await service.answerCode(id, '000-000', 1), 'spent');
    await assert.rejects(fixture.finish(running), { code: 'BF-INVITE-SPENT' });
    assert.equal(running.resumable, true);
    await assert.rejects(service.resume(id, REQUEST), { code: 'BF-INVITE-SPENT' });
    const renewed = await service.resumeUnderNewInvite(id, REQUEST, INVITE);
    assert.notEqual(inviteLine(renewed.room), undefined);
    const again = fixture.start(renewed);
    await fixture.until(() => fixture.codeAsked()?.again === undefined && fixture.codeAsked()?.triesLeft === 3);
    assert.equal(await service.answerCode(id, fixture.shown, 1), 'right');
    assert.equal((await fixture.finish(again)).chipProved, 'written');
    await assert.rejects(service.resume(id, REQUEST), { code: 'BF-INVITE-SPENT' });
  });

  it('another policy for the code goes with a new invite only', async () => {
    const fixture = new ServiceFixture();
    const record = await fixture.begin();
    const waiving: JobRequest = { ...REQUEST, codePolicy: 'waived' };
    await assert.rejects(fixture.service.resume(jobId(record), waiving), { code: 'BF-USAGE' });
    const renewed = await fixture.service.resumeUnderNewInvite(jobId(record), waiving, INVITE);
    assert.equal(renewed.codePolicy, 'waived');
  });

  it('what has left without a code is not said to have left with one', async () => {
    const fixture = new ServiceFixture();
    const record = await fixture.begin();
    const id = jobId(record);
    await fixture.store.save({ ...record, codePolicy: 'once', chipProved: 'incomplete' });
    const renew = (codePolicy?: 'each' | 'once' | 'waived') =>
      fixture.service.resumeUnderNewInvite(id, { ...REQUEST, codePolicy }, INVITE);
    await assert.rejects(renew('each'), { code: 'BF-USAGE' });
    assert.equal((await renew()).codePolicy, 'once');
    assert.equal((await renew('waived')).codePolicy, 'waived');
    await assert.rejects(renew('once'), { code: 'BF-USAGE' });
    await fixture.store.save({ ...record, codePolicy: 'waived' });
    assert.equal((await renew('each')).codePolicy, 'each', 'nothing had left');
  });

  it('no key of a chip and no code is on record under a new invite', async () => {
    const fixture = new ServiceFixture();
    const record = await fixture.begin();
    const device = { key: new Uint8Array(32).fill(1), uid: '00'.repeat(12), questionsLeft: 9 };
    await fixture.store.save({ ...record, code: 'typed', devices: [device] });
    const { devices, code, room } = await fixture.service.resumeUnderNewInvite(jobId(record), REQUEST, INVITE);
    assert.deepEqual([devices, code, room.invite.tunnels], [[], undefined, 0]);
    assert.notEqual(inviteLine(room), inviteLine(record.room));
  });

  it('begins nothing with keys that the invite does not name', async () => {
    const fixture = new ServiceFixture();
    const record = await fixture.begin();
    const start = () => fixture.service.start({ record, request: REQUEST, keys: makeKeys(seeded('other keys')) });
    assert.throws(start, { code: 'BF-USAGE' });
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

  it('holds a job from its beginning to its end: another process is refused meanwhile, whatever it wants with it', async () => {
    const fixture = new ServiceFixture();
    const other = new ServiceFixture(fixture.store);
    const record = await fixture.begin();
    const id = jobId(record);
    const resumes = () => [
      () => other.service.resume(id, REQUEST),
      () => other.service.resumeUnderNewInvite(id, REQUEST, INVITE),
    ];
    for (const resume of resumes()) await assert.rejects(resume(), { code: 'BF-JOB-BUSY' });
    const running = fixture.start(record);
    for (const resume of resumes()) await assert.rejects(resume(), { code: 'BF-JOB-BUSY' });
    fixture.service.interrupt(id);
    await assert.rejects(fixture.finish(running), { code: 'BF-JOB-INTERRUPTED' });
    await fixture.until(() => fixture.store.claimed.size === 0);
    await other.service.resume(id, REQUEST);
    await other.service.close();
    assert.equal(fixture.store.claimed.size, 0);
    await assert.rejects(other.service.resume('00'.repeat(16), REQUEST), { code: 'BF-JOB-UNKNOWN' });
    assert.equal(fixture.store.claimed.size, 0, 'what failed holds nothing');
  });
});
