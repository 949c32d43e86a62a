// The word of a sheet is typed for that sheet and no other: who chooses the plan does not choose the word
// (docs/protocol.md §14).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { consentWord } from '../../../shared/plan/consent.ts';
import type { Job } from '../../../agent/session/job.ts';
import { ShortMemory } from '../../../agent/session/ports.ts';
import { ConsentQuestions } from '../../../agent/session/consent-questions.ts';
import type { TargetSession } from '../../../agent/target/target-session.ts';
import { encodePlan, planHash } from '../../../shared/plan/plan.ts';
import { AgentFixture } from './agent-fixture.ts';
import { NotingCustomer, quietPlan, smallPlan } from './support.ts';

const BOARD = { devId: 0x419, revId: 0, uid: new Uint8Array(12), flashKiB: 2048, optcr: 0x0fffaaed, optcr1: 0, rdp: 0 };
const PROBE = { kind: 'ST-LINK/V2', firmware: 'V2J37S7', serial: 'ABC', path: 'usb' };
const ANOTHER = /ANOTHER SHEET than the one you have just answered/;

describe('the word of a sheet', function () {
  this.timeout(60_000);

  it('is made of what the agent drew and of what a yes would be for', () => {
    const [hash, drawn] = [new Uint8Array(64).fill(1), new Uint8Array(16).fill(2)];
    const expected = createHash('sha512').update('blindflash/2 consent word\0').update(drawn).update(hash);
    assert.equal(consentWord(hash, drawn), expected.digest('hex').slice(0, 4));
  });

  it('is drawn for each question, and again until it stood on no sheet before', () => {
    const bytes = encodePlan(quietPlan('info'));
    const job = { plan: quietPlan('info'), planBytes: bytes, hash: planHash(bytes), consentHash: new Uint8Array(64) };
    const draws = [5, 5, 6];
    const customer = new NotingCustomer();
    const questions = new ConsentQuestions({
      customer,
      memory: new ShortMemory(),
      target: { identity: BOARD, info: PROBE, transport: undefined } as unknown as TargetSession,
      vendor: new Uint8Array(32),
      random: { bytes: (count) => new Uint8Array(count).fill(draws.shift()!) },
      expectAnswer: () => {},
    });
    for (let question = 0; question < 2; question++) {
      questions.put(job as unknown as Job, 'CODE');
      questions.answered();
    }
    assert.deepEqual(draws, []);
    const drawn = (fill: number) => consentWord(job.consentHash, new Uint8Array(16).fill(fill));
    assert.deepEqual(
      customer.sheets.map(({ word }) => word),
      [drawn(5), drawn(6)],
    );
  });

  it('a plan that takes the place of the one being read has its own word and says what it is', async () => {
    const fixture = new AgentFixture();
    let peer = fixture.controller();
    let answerFirst: (yes: boolean) => void = () => {};
    let kinds: string[] = [];
    fixture.customer.answer = () =>
      fixture.customer.sheets.length === 1 ? new Promise((resolve) => (answerFirst = resolve)) : Promise.resolve(false);
    await fixture.play(async () => {
      await peer.expect('HELLO');
      peer.sendJob(encodePlan(quietPlan('info')));
      await peer.expect('SHEET');
      peer = fixture.controller(peer.state);
      await peer.expect('HELLO');
      peer.sendJob(encodePlan(smallPlan({ kind: 'erase', ranges: [], bootAddress: undefined })));
      await peer.expect('SHEET');
      answerFirst(true);
      assert.equal((await peer.expect('CONSENT')).yes, false, 'the answer to the first sheet is none to the second');
      kinds = fixture.customer.sheets.map(({ plan }) => plan.kind);
    });
    assert.deepEqual(kinds, ['info', 'erase']);
    const [first, second] = fixture.customer.sheets;
    assert.notEqual(first!.word, second!.word);
    assert.doesNotMatch(first!.lines.join('\n'), ANOTHER);
    assert.match(second!.lines.join('\n'), ANOTHER);
  });
});
