// The runtime edges every app shares: error reports, logs, private files, prompts, progress, timers.
import { ManualClock } from '../../fixtures/manual-clock.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { fail, isBlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import { describeError, reportError, runReported } from '../../../cli/terminal/report.ts';
import { createLog } from '../../../shared/platform/node/logger.ts';
import { readPrivateFile, removePrivateFile, writePrivateFile } from '../../../shared/platform/node/private-file.ts';
import { createProgress, progressMode, RateMeter, speedText, timeText } from '../../../cli/terminal/progress.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { systemRandom } from '../../../shared/platform/node/system-random.ts';

const coded = (code: ErrorCode) => (error: unknown) => isBlindflashError(error, code);

/** A writable that remembers. */
function sink() {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (piece: Buffer) => void (text += piece.toString()));
  return { stream, text: () => text };
}

describe('error reports', () => {
  it('are a line with the code, the detail, and a next step', () => {
    const lines = describeError(fail('BF-PROBE-NONE', 'looked twice'), { reader: 'customer' }).split('\n');
    assert.equal(lines[0], 'error BF-PROBE-NONE: No ST-LINK found.');
    assert.equal(lines[1], '  looked twice');
    assert.match(lines[2]!, /^→ Plug it in/);
    assert.equal(lines.length, 4);
  });
  it('are in the words for whoever reads them', () => {
    const error = fail('BF-JOB-DECLINED');
    assert.match(
      describeError(error, { reader: 'customer' }),
      /You looked at the plan and said no.*\n→ Tell the vendor/,
    );
    assert.match(describeError(error), /The customer looked at the plan.*\n→ Talk to the customer/);
  });
  it('are one JSON object for programs', () => {
    const record = JSON.parse(describeError(fail('BF-PROBE-NONE', 'x'), { json: true })) as Record<string, unknown>;
    assert.equal(record['event'], 'error');
    assert.equal(record['code'], 'BF-PROBE-NONE');
    assert.equal(record['detail'], 'x');
    assert.equal(record['exitStatus'], 10);
    assert.ok(!('stack' in record));
  });
  it('turn unknown errors into BF-INTERNAL, with a stack only on request', () => {
    const error = new TypeError('x is not a function');
    assert.match(describeError(error), /^error BF-INTERNAL: .*\n {2}x is not a function\n→ .*\n {2}Run it again/);
    assert.ok(!describeError(error).includes('runtime.test'));
    assert.match(describeError(error, { debug: true }), /TypeError.*\n.*runtime\.test/);
  });
  it('go to stderr for people, to stdout for programs, and give the exit status', async () => {
    const [out, err] = [sink(), sink()];
    const streams = { stdout: out.stream, stderr: err.stream };
    assert.equal(reportError(fail('BF-USAGE'), {}, streams), 2);
    assert.equal(reportError(fail('BF-RELAY-BUSY'), { json: true }, streams), 31);
    assert.match(err.text(), /BF-USAGE/);
    assert.match(out.text(), /BF-RELAY-BUSY/);
    assert.equal(await runReported(async () => 5, {}, streams), 0);
    assert.equal(await runReported(() => Promise.reject(fail('BF-KEYS-EXIST')), {}, streams), 22);
  });
});

describe('the logger', () => {
  it('writes one object a line, with component and child fields, and withholds what is named like a secret', () => {
    const out = sink();
    const log = createLog('info', 'relay', out.stream).child({ room: 'ab12' });
    log.debug({}, 'too quiet to hear');
    log.info({ ticket: 'QUJD', secret: 'x', length: 3 }, 'hello');
    const line = JSON.parse(out.text()) as Record<string, unknown>;
    assert.equal(line['component'], 'relay');
    assert.equal(line['room'], 'ab12');
    assert.equal(line['level'], 'info');
    assert.equal(line['length'], 3);
    assert.equal(line['ticket'], '[withheld]');
    assert.equal(line['secret'], '[withheld]');
  });
  it('is silent when told to be', () => {
    const out = sink();
    createLog('silent', 'relay', out.stream).error({}, 'unheard');
    assert.equal(out.text(), '');
  });
});

describe('private files', () => {
  let folder: string;
  before(async () => void (folder = await mkdtemp(join(tmpdir(), 'private-'))));
  after(() => rm(folder, { recursive: true }));

  it('are written for their owner alone, folder included, and read back', async () => {
    const path = join(folder, 'keys', 'a.key');
    await writePrivateFile(path, Uint8Array.of(1, 2));
    await writePrivateFile(path, Uint8Array.of(3));
    assert.deepEqual(await readPrivateFile(path), Uint8Array.of(3));
    assert.deepEqual(await readdir(join(folder, 'keys')), ['a.key'], 'no draft is left');
    if (process.platform === 'win32') return;
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, 'keys'))).mode & 0o777, 0o700);
  });
  it('are refused when others may touch them', async function () {
    if (process.platform === 'win32') this.skip();
    const path = join(folder, 'loose');
    await writeFile(path, 'x');
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(path, mode);
      await assert.rejects(readPrivateFile(path), coded('BF-KEYS-PERMISSIONS'));
    }
  });
  it('are refused when they are another user’s', async function () {
    if (process.getuid?.() !== 0) return; // Only root can give files away.
    const path = join(folder, 'foreign');
    await writePrivateFile(path, Uint8Array.of(1));
    await chown(path, 1, 1);
    await assert.rejects(readPrivateFile(path), coded('BF-KEYS-PERMISSIONS'));
  });
  it('are refused at once when they are pipes or devices', async function () {
    if (process.platform === 'win32') return;
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    for (const path of [pipe, '/dev/null']) await assert.rejects(readPrivateFile(path), coded('BF-USAGE-FILE'));
  });
  it('are named as the caller wants them named, also by what caused the error', async () => {
    const secret = join(folder, 'correct horse');
    await assert.rejects(
      readPrivateFile(secret, { missing: 'BF-USAGE-FILE', shownAs: 'the passphrase file' }),
      (error) => {
        assert.ok(error instanceof Error);
        assert.ok(!`${error.stack} ${inspect(error, { depth: 9 })}`.includes('correct horse'));
        return coded('BF-USAGE-FILE')(error);
      },
    );
  });
  it('are not replaced where that is forbidden', async () => {
    const path = join(folder, 'once');
    await writePrivateFile(path, Uint8Array.of(1), { replace: false });
    await assert.rejects(writePrivateFile(path, Uint8Array.of(2), { replace: false }), coded('BF-KEYS-EXIST'));
    assert.deepEqual(await readPrivateFile(path), Uint8Array.of(1));
  });
  it('say what is missing in the caller’s words', async () => {
    const path = join(folder, 'absent');
    await assert.rejects(readPrivateFile(path), coded('BF-KEYS-MISSING'));
    await assert.rejects(readPrivateFile(path, { missing: 'BF-JOB-UNKNOWN' }), coded('BF-JOB-UNKNOWN'));
    if (process.platform !== 'win32') await assert.rejects(readPrivateFile(folder), coded('BF-USAGE-FILE'));
    await removePrivateFile(path);
  });
});

describe('progress', () => {
  it('measures speed over the last seconds', () => {
    const meter = new RateMeter();
    assert.equal(meter.bytesPerSecond, 0);
    meter.add(0, 0);
    meter.add(1000, 2048);
    assert.equal(meter.bytesPerSecond, 2048);
    for (let s = 2; s <= 20; s++) meter.add(s * 1000, 2048 + (s - 1) * 100);
    assert.equal(meter.bytesPerSecond, 100);
  });
  it('says plain words a tenth at a time where there is no terminal', async () => {
    const clock = new ManualClock();
    const out = sink();
    const progress = createProgress('lines', clock, out.stream);
    progress.start('program', 102_400);
    for (let done = 0; done <= 102_400; done += 1024) {
      await clock.advance(100);
      progress.update(done);
    }
    const lines = out.text().trim().split('\n');
    assert.equal(lines.length, 10);
    assert.match(lines[4]!, /^program 50 % \(50 of 100 KiB, (9\.\d|10\.0) KiB\/s, 0:0\d left\)$/);
  });
  it('gives programs at most four objects a second, and always the last', async () => {
    const clock = new ManualClock();
    const out = sink();
    const progress = createProgress('json', clock, sink().stream, out.stream);
    progress.start('program', 1000);
    for (let done = 1; done <= 1000; done++) {
      await clock.advance(1);
      progress.update(done);
    }
    const records = out
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(records.length, 4);
    assert.equal(records.at(-1)?.['doneBytes'], 1000);
    assert.equal(records.at(-1)?.['secondsLeft'], 0);
  }).timeout(20_000);
  it('chooses its voice and its words', () => {
    assert.equal(progressMode(true, { isTTY: true }, 'xterm'), 'json');
    assert.equal(progressMode(false, { isTTY: true }, 'xterm'), 'bar');
    assert.equal(progressMode(false, { isTTY: true }, 'dumb'), 'lines');
    assert.equal(progressMode(false, {}, 'xterm'), 'lines');
    assert.equal(speedText(12_595), '12.3 KiB/s');
    assert.equal(timeText(65), '1:05');
    assert.equal(timeText(undefined), '-:--');
  });
});

describe('the system clock and chance', () => {
  it('call once and can be cancelled; a wait beyond a timer’s reach does not fire at once', async () => {
    const cancelFar = systemClock.after(2 ** 40, () => assert.fail('at once'));
    const cancel = systemClock.after(0, () => assert.fail('cancelled'));
    cancel();
    await new Promise<void>((resolve) => systemClock.after(1, resolve));
    cancelFar();
  });
  it('give as many bytes as asked, never the same', () => {
    assert.equal(systemRandom.bytes(32).length, 32);
    assert.notDeepEqual(systemRandom.bytes(32), systemRandom.bytes(32));
  });
});
