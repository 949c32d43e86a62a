// The flasher against a scripted agent: what it sends and when, what it refuses, what it signs (docs/protocol.md §6-§11).
import assert from 'node:assert/strict';
import {
  compileErase,
  compileFlash,
  compileInfo,
  compileVerify,
  type FlashOptions,
} from '../../../controller/plan/compile.ts';
import { planAgain } from '../../../controller/job/job-record.ts';
import { BlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { requireChip, STM32F42X } from '../../../shared/chips/index.ts';
import { verifyCustomerCopy, verifyReceipt } from '../../../shared/plan/receipt.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { Bench, Desk, FLASH, KEYS, MemoryStore, recordFor, sampleImage, type BenchOptions } from './bench.ts';

const JOB = new Uint8Array(16).fill(7);

/** From the erase of sector 5 on the chip does nothing any more. */
function stopsAt5(): BenchOptions['faults'] & object {
  let stopped = false;
  return { command: (command) => (stopped ||= command.name === 'ERASE' && command.sector === 5) };
}

/** Runs a job that must end with this code; returns the bench and the error. */
async function failing(code: ErrorCode, options: BenchOptions, limitMs?: number) {
  const bench = new Bench(options);
  const error = await bench.finish(limitMs).then(
    () => assert.fail(`expected ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BlindflashError, String(error));
  assert.equal(error.code, code, error.message);
  return { bench, error };
}

describe('controller: a job', () => {
  it('flashes: boot sector first, boot words last, receipt signed, agent told', async () => {
    const image = sampleImage();
    const bench = new Bench({ image });
    const result = await bench.finish();
    for (const { address, bytes } of image.segments) assert.deepEqual(bench.flash(address, bytes.length), bytes);
    const kinds = bench.agent.commands.map(({ name }) => name);
    assert.equal(kinds[0], 'ERASE');
    assert.equal(kinds.indexOf('FINAL'), kinds.length - 2);
    assert.equal(kinds.at(-1), 'END');
    const receipt = verifyReceipt(result.receipt!, verifyEd25519, KEYS.receipt.publicKey);
    assert.equal(receipt.outcome, 'written');
    assert.equal(receipt.imageDigest, toHex(bench.agent.root()));
    assert.equal(receipt.uid, '404142434445464748494a4b');
    assert.equal(result.board, 'running');
    assert.ok(bench.agent.bye?.done);
    const { receipt: text, signature } = bench.agent.bye.customer;
    const copy = verifyCustomerCopy({ text: text!, signature: signature! }, verifyEd25519, KEYS.receipt.publicKey);
    assert.ok(!text!.includes(receipt.imageDigest!));
    assert.equal(copy.job, receipt.job);
    assert.equal(bench.codes.length, 1);
    assert.equal(bench.codes[0], bench.agent.confirmed[0].code);
    assert.deepEqual(bench.store.last.acknowledged, [0, 1, 5]);
    assert.equal(bench.store.last.finished, true);
    const last = bench.eventsOf('progress').at(-1)!;
    assert.equal(last.doneBytes, last.totalBytes);
  });

  it('sends no image and no handshake answer before the code is confirmed', async () => {
    let answer: (yes: boolean) => void = () => {};
    const bench = new Bench({ code: () => new Promise((resolve) => (answer = resolve)) });
    await bench.until(() => bench.codes.length === 1);
    bench.clock.advance(10_000);
    await bench.until(() => bench.clock.now() > 12_000);
    assert.ok(!bench.agent.names.includes('SEALED2') && !bench.agent.names.includes('FRAME'));
    answer(true);
    await bench.finish();
    assert.ok(bench.agent.names.includes('FRAME'));
  });

  it('ends when the code is refused, and the board is untouched', async () => {
    const { bench, error } = await failing('BF-JOB-CODE-REFUSED', { code: () => Promise.resolve(false) });
    assert.match(error.detail ?? '', /nothing was changed/);
    assert.equal(bench.agent.commands.length, 0);
    assert.equal(bench.agent.bye?.done, false);
    assert.equal(bench.running.resumable, false);
  });

  it('does not ask for the code when it is waived', async () => {
    const bench = new Bench({ waiveCode: true });
    await bench.finish();
    assert.equal(bench.codes.length, 0);
  });

  it('obeys a no, and refuses a yes to other bytes', async () => {
    const declined = await failing('BF-JOB-DECLINED', { faults: { decline: true } });
    assert.equal(declined.bench.codes.length, 0);
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
    const { bench } = await failing('BF-STUB-UNKNOWN', { faults: { hello: (hello) => ({ ...hello, stubs }) } });
    assert.ok(!bench.agent.names.includes('JOB'));
  });

  it('ends by name when a sealed session is offered before there is a job', async () => {
    const early = { name: 'SEALED1', stubHash: new Uint8Array(64), m1: new Uint8Array(104) } as const;
    const { bench } = await failing('BF-TUNNEL-ORDER', { faults: { early } });
    assert.ok(!bench.agent.names.includes('JOB'));
  });

  it('makes the plan again for another flash size when it may', async () => {
    const image = sampleImage();
    const planFor = (flashKiB: number) => compileFlash(image, STM32F42X, { job: JOB, flashKiB });
    const hello = (h: never) => ({ ...(h as object), target: { ...(h as { target: object }).target, flashKiB: 1024 } });
    const { bench } = await failing('BF-PLAN-WRONG-CHIP', { image, planFor, faults: { hello: hello as never } });
    // The scripted stub reads 2048: what it says itself counts more than HELLO.
    assert.equal(bench.eventsOf('job')[0].plan.flashKiB, 1024);
  });

  it('answers no stub whose hash it does not know, and no chip that is protected', async () => {
    const stubHash = new Uint8Array(64).fill(1);
    const { bench } = await failing('BF-STUB-UNKNOWN', { faults: { stubHash } });
    assert.ok(!bench.agent.names.includes('SEALED2'));
    await failing('BF-TARGET-RDP1', { faults: { optcr: 0x0fff55ed } });
  });

  it('sends nothing to a chip that says, under the handshake, that it starts from bank 2', async () => {
    const { bench } = await failing('BF-TARGET-BANK2-BOOT', { faults: { optcr: 0x0fffaafd } });
    assert.ok(!bench.agent.names.includes('FRAME'));
    assert.equal(bench.agent.bye?.done, false, 'the customer hears why');
  });

  it('stops at a digest or a root that differs', async () => {
    const wrong = new Uint8Array(64);
    const digest = await failing('BF-JOB-VERIFY', {
      faults: { reply: (reply) => (reply.name === 'DIGEST' ? { ...reply, digest: wrong } : reply) },
    });
    assert.match(digest.error.detail ?? '', /incomplete|not complete/);
    assert.ok(!digest.bench.agent.commands.some(({ name }) => name === 'FINAL'));
    const root = await failing('BF-JOB-VERIFY', {
      faults: { reply: (reply) => (reply.name === 'WRITTEN' ? { ...reply, root: wrong } : reply) },
    });
    assert.equal(root.bench.store.receipts.size, 0);
  });

  it('tells an ABORT of the stub by its own name', async () => {
    const abort = (error: number) => ({
      faults: {
        command: (command: { name: string }, agent: Bench['agent']) => {
          if (command.name !== 'IMAGE') return false;
          agent.reply({ name: 'ABORT', answers: 1, error, detail: 0x10 });
          return true;
        },
      },
    });
    const { error } = await failing('BF-STUB-PROGRAM', abort(10));
    assert.match(error.detail ?? '', /flash error/);
    await failing('BF-STUB-ABORTED', abort(8));
    await failing('BF-STUB-ABORTED', abort(77));
  });

  it('asks for a new session after a failed box, at most three times', async () => {
    let failures = 0;
    const faults = {
      command: (command: { name: string }, agent: Bench['agent']) => {
        if (command.name !== 'IMAGE' || failures >= 2) return false;
        failures++;
        agent.reply({ name: 'ABORT', answers: 1, error: 7, detail: 3 });
        agent.problem('BF-STUB-AUTHENTICATION');
        return true;
      },
    };
    const bench = new Bench({ faults });
    await bench.finish();
    assert.equal(bench.agent.names.filter((name) => name === 'RESTART').length, 2);
    const always = {
      command: (command: { name: string }, agent: Bench['agent']) => {
        if (command.name !== 'IMAGE') return false;
        agent.reply({ name: 'ABORT', answers: 1, error: 7, detail: 3 });
        return true;
      },
    };
    const { bench: stubborn } = await failing('BF-STUB-AUTHENTICATION', { faults: always });
    assert.equal(stubborn.agent.names.filter((name) => name === 'RESTART').length, 3);
    assert.equal(stubborn.running.resumable, true);
    assert.equal(stubborn.agent.bye, undefined);
  });

  it('survives the loss of the board’s power: new stub, new session, acknowledged sectors skipped', async () => {
    let cut = false;
    const faults = {
      command: (command: { name: string; sector?: number }, agent: Bench['agent']) => {
        if (cut || command.name !== 'ERASE' || command.sector !== 5) return false;
        cut = true;
        agent.problem('BF-TARGET-NO-POWER');
        return true;
      },
    };
    const bench = new Bench({ faults });
    const result = await bench.finish();
    assert.deepEqual(result.skipped, [1]);
    assert.equal(bench.eventsOf('sealed').length, 2);
    const erased = bench.agent.commands.flatMap((command) => (command.name === 'ERASE' ? [command.sector] : []));
    assert.deepEqual(erased, [0, 1, 5, 0, 5]);
  });

  it('ends when another board appears in the middle', async () => {
    let swapped = false;
    const faults: BenchOptions['faults'] = {
      command: (command, agent) => {
        if (swapped || command.name !== 'IMAGE') return false;
        swapped = true;
        agent.faults.uid = new Uint8Array(12).fill(9);
        agent.problem('BF-TARGET-NO-POWER');
        return true;
      },
    };
    const { bench } = await failing('BF-JOB-OTHER-BOARD', { faults });
    assert.equal(bench.agent.bye?.done, false);
    assert.equal(bench.store.receipts.size, 0);
  });

  it('ends with the agent’s own words when the agent gives up', async () => {
    const faults: BenchOptions['faults'] = {
      command: (command, agent) => {
        if (command.name !== 'IMAGE') return false;
        agent.problem('BF-PROBE-UNPLUGGED');
        return true;
      },
    };
    const { error } = await failing('BF-PROBE-UNPLUGGED', { faults });
    assert.match(error.detail ?? '', /scripted.*not complete/);
    const unknown: BenchOptions['faults'] = {
      command: (_, agent) => {
        agent.problem('BF-NEWER-VERSION');
        return true;
      },
    };
    await failing('BF-STUB-ABORTED', { faults: unknown });
  });

  it('gives up on a silent chip, but not while the agent is away', async () => {
    await failing('BF-STUB-SILENT', { faults: { silentAfter: 4 } });
    const bench = new Bench({});
    await bench.until(() => bench.agent.commands.length > 3);
    bench.disconnect();
    bench.clock.advance(10 * 60_000);
    bench.connect();
    await bench.finish();
  });

  it('gives up on an agent that stays away', async () => {
    const bench = new Bench({});
    await bench.until(() => bench.agent.commands.length > 3);
    bench.disconnect();
    await assert.rejects(bench.finish(3_600_000), { code: 'BF-RELAY-PEER-GONE' });
    assert.equal(bench.running.resumable, true);
  });

  it('goes on with another process of the agent', async () => {
    const bench = new Bench({ faults: stopsAt5() });
    await bench.until(() => bench.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
    bench.replaceAgent();
    const result = await bench.finish();
    assert.deepEqual(result.skipped, [1]);
    assert.equal(bench.agent.confirmed[0].resumed, true);
    assert.equal(bench.codes.length, 1);
  });

  it('never stores a sealed key or a byte of the image', async () => {
    const image = sampleImage();
    const bench = new Bench({ image });
    await bench.finish();
    const text = JSON.stringify(bench.store.saved, (_, part) => (part instanceof Uint8Array ? toHex(part) : part));
    assert.ok(!text.includes(toHex(KEYS.sealed.secretKey)) && !text.includes(toHex(KEYS.receipt.secretKey)));
    assert.ok(!text.includes(toHex(image.segments[1].bytes.slice(100, 116))));
  });

  it('forgets the invite’s secret once the tunnel is confirmed', async () => {
    const bench = new Bench({});
    await bench.finish();
    assert.equal(bench.store.last.room.inviteSecret, undefined);
    assert.equal(bench.store.last.room.resumeSecret?.length, 32);
    assert.ok(bench.store.last.room.codeConfirmed);
  });

  it('leaves quietly when interrupted: no BYE, the agent waits', async () => {
    const bench = new Bench({});
    await bench.until(() => bench.agent.commands.some(({ name }) => name === 'IMAGE'));
    bench.running.interrupt();
    await assert.rejects(bench.finish(), { code: 'BF-JOB-INTERRUPTED', detail: /not complete/ });
    assert.equal(bench.agent.bye, undefined);
    assert.equal(bench.running.resumable, true);
  });
});

describe('controller: --resume', () => {
  /** A job interrupted after sector 1 is acknowledged, and what is needed to go on. */
  async function interrupted() {
    const bench = new Bench({ faults: stopsAt5() });
    await bench.until(() => bench.store.saved.some(({ acknowledged }) => acknowledged.includes(1)));
    bench.running.interrupt();
    await bench.finish().catch(() => {});
    const { board, store, agent } = bench;
    return { board, store, record: store.last, resume: agent.resumeSecret! };
  }

  it('skips acknowledged sectors the stub confirms, never the boot sector, and does not ask for the code again', async () => {
    const bench = new Bench(await interrupted());
    const result = await bench.finish();
    assert.deepEqual(result.skipped, [1]);
    assert.equal(bench.codes.length, 0);
    const first = bench.agent.commands.slice(0, 2).map(({ name }) => name);
    assert.deepEqual(first, ['ERASE', 'DIGEST']);
    assert.equal(bench.store.receipts.size, 1);
  });

  it('writes a sector again whose digest does not agree', async () => {
    const state = await interrupted();
    state.board.flash[0x4010] ^= 0xff;
    const bench = new Bench(state);
    const result = await bench.finish();
    assert.deepEqual(result.skipped, []);
  });

  it('skips nothing the record does not show', async () => {
    const state = await interrupted();
    const bench = new Bench({ ...state, record: { ...state.record, acknowledged: [] } });
    assert.deepEqual((await bench.finish()).skipped, []);
  });

  it('refuses another unit', async () => {
    const state = await interrupted();
    state.board.uid = new Uint8Array(12).fill(1);
    await failing('BF-JOB-OTHER-BOARD', state);
  });

  it('signs at most one receipt per job and unit', async () => {
    const first = new Bench({});
    const { receipt } = await first.finish();
    const { board, store, agent } = first;
    const record = { ...store.last, finished: false };
    const again = new Bench({ board, store, record, resume: agent.resumeSecret! });
    const second = await again.finish();
    assert.deepEqual(second.receipt, receipt);
    assert.equal(store.receipts.size, 1);
    assert.deepEqual(store.log, ['written']);
  });
});

describe('controller: --resume of a finished job', () => {
  /** A job that is done, and what is needed to come back to it. */
  async function done() {
    const bench = new Bench({});
    await bench.finish();
    const { board, store, agent } = bench;
    return { board, store, record: store.last, resume: agent.resumeSecret! };
  }

  it('a chip that is locked by now does not tell its id: its customer hears that the job is done all the same', async () => {
    const locked = { rdp: 1, optcr: 0x0fff55ed, uid: '00'.repeat(12), flashKiB: 0 } as const;
    const hello: NonNullable<BenchOptions['faults']>['hello'] = (told) => ({
      ...told,
      target: { ...told.target, ...locked },
    });
    const bench = new Bench({ ...(await done()), faults: { hello } });
    await bench.finish();
    assert.equal(bench.agent.bye?.done, true);
  });

  it('another board is told that it is another one', async () => {
    const state = await done();
    state.board.uid = new Uint8Array(12).fill(1);
    const { bench } = await failing('BF-JOB-OTHER-BOARD', state);
    assert.equal(bench.agent.bye?.done, false);
  });

  it('trouble on the vendor’s side is not told as a failure of the job: the agent waits', async () => {
    const state = await done();
    state.store.receipt = () => Promise.reject(new BlindflashError('BF-USAGE-FILE', 'the disk is away'));
    const { bench } = await failing('BF-USAGE-FILE', state);
    assert.equal(bench.agent.bye, undefined);
  });
});

describe('controller: --resume on a chip of another size than the plan was made for', () => {
  const image = sampleImage();
  const smaller: NonNullable<BenchOptions['faults']>['hello'] = (told) => ({
    ...told,
    target: { ...told.target, flashKiB: 1024 },
  });
  const making = (options: Partial<FlashOptions>) => (job: Uint8Array, flashKiB: number | undefined) =>
    compileFlash(image, STM32F42X, { job, flashKiB, ...options });
  const locking = { lock: 'level 1', label: 'locks' } as const;
  const record = recordFor(making(locking)(JOB, undefined), image);

  it('the same options: the plan is made again, and locks as before', () => {
    const plan = planAgain(record, making(locking), 1024);
    assert.deepEqual({ lock: plan.lock, flashKiB: plan.flashKiB }, { lock: 'level 1', flashKiB: 1024 });
  });

  it('an option left out: nothing is planned without it, and the job waits for the right command', async () => {
    const chip = requireChip(0x413);
    for (const make of [
      making({ label: 'locks' }),
      making({ lock: 'level 1' }),
      (job: Uint8Array) => compileFlash(image, chip, { job, ...locking }),
      () => assert.fail('cannot be planned'),
    ]) {
      assert.throws(() => planAgain(record, make, 1024), { code: 'BF-USAGE' });
    }
    const planFor = (flashKiB: number) => planAgain(record, making({}), flashKiB);
    const { bench } = await failing('BF-USAGE', { image, record, planFor, faults: { hello: smaller } });
    assert.ok(!bench.agent.names.includes('JOB') && !bench.agent.names.includes('BYE'));
    assert.equal(bench.running.resumable, true);
  });
});

describe('controller: a disk that cannot store the resume secret', () => {
  it('no box leaves, so that the invite’s secret still opens the job', async () => {
    let refuse: (error: unknown) => void = () => {};
    const store = new MemoryStore();
    store.save = () => new Promise<void>((_, reject) => (refuse = reject));
    const bench = new Bench({ store });
    await bench.until(() => bench.eventsOf('job').length === 1);
    refuse(new BlindflashError('BF-USAGE-FILE', 'the disk is full'));
    await assert.rejects(bench.finish(), { code: 'BF-USAGE-FILE' });
    const later = bench.clock.now() + 1000;
    await bench.until(() => bench.clock.now() > later);
    assert.deepEqual(bench.agent.names, []);
    assert.equal(bench.running.resumable, true);
  });
});

describe('controller: other kinds and the lock', () => {
  const image = sampleImage();

  it('locks after the receipt is stored, and says so in it', async () => {
    const plan = compileFlash(image, STM32F42X, { job: JOB, lock: 'level 1' });
    const store = new MemoryStore();
    let storedBeforeLock = -1;
    const faults: BenchOptions['faults'] = {
      command: ({ name }) => {
        if (name === 'LOCK') storedBeforeLock = store.log.length;
        return false;
      },
    };
    const bench = new Bench({ image, plan, store, faults });
    const result = await bench.finish();
    assert.equal(storedBeforeLock, 1);
    assert.deepEqual(store.log, ['written', 'lock programmed']);
    const receipt = verifyReceipt(result.receipt!, verifyEd25519);
    assert.deepEqual(receipt.lock, { asked: true, optcr: 0x0fff55ed });
    assert.equal(store.receipts.size, 1);
  });

  it('ends unsuccessfully when written but not locked', async () => {
    const plan = compileFlash(image, STM32F42X, { job: JOB, lock: 'level 1' });
    const { bench, error } = await failing('BF-JOB-NOT-LOCKED', { image, plan, faults: { lockFails: true } });
    assert.match(error.detail ?? '', /complete image is in flash/);
    assert.equal(bench.agent.bye?.done, false);
    assert.deepEqual(bench.store.log, ['written', 'written']);
  });

  it('verifies without changing anything', async () => {
    const board = new Desk();
    for (const { address, bytes } of image.segments) board.flash.set(bytes, address - FLASH);
    const plan = compileVerify(image, STM32F42X, { job: JOB });
    const bench = new Bench({ image, plan, board });
    const result = await bench.finish();
    assert.deepEqual([...new Set(bench.agent.commands.map(({ name }) => name))], ['DIGEST', 'END']);
    assert.equal(verifyReceipt(result.receipt!, verifyEd25519).outcome, 'verified');
    board.flash[0x20001] ^= 1;
    const { error } = await failing('BF-JOB-VERIFY', { image, plan, board });
    assert.match(error.detail ?? '', /0x08020000.*nothing was changed/);
  });

  it('erases the sectors of the plan and no others', async () => {
    const plan = compileErase(STM32F42X, { job: JOB, sectors: [2, 12] });
    const bench = new Bench({ plan, record: recordFor(plan) });
    const result = await bench.finish();
    assert.ok(bench.flash(FLASH + 0x8000, 0x4000).every((byte) => byte === 0xff));
    assert.ok(bench.flash(FLASH, 0x8000).every((byte) => byte === 0));
    const receipt = verifyReceipt(result.receipt!, verifyEd25519);
    assert.equal(receipt.outcome, 'erased');
    assert.equal(receipt.imageDigest, null);
  });

  it('looks at a board without a stub and without a receipt', async () => {
    const plan = compileInfo(STM32F42X, { job: JOB });
    const bench = new Bench({ plan, record: recordFor(plan) });
    const result = await bench.finish();
    assert.equal(result.receipt, undefined);
    assert.equal(result.hello.target.uid, '404142434445464748494a4b');
    assert.ok(!bench.agent.names.includes('SEALED2'));
    assert.ok(bench.agent.bye?.done);
  });
});
