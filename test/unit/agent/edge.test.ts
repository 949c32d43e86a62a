// What the agent keeps on disk, brings along, and tells as a doctor.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAgent } from '../../../cli/customer/agent.ts';
import { helloOf } from '../../../agent/session/hello.ts';
import { HEADER } from '../../../shared/mailbox/layout.ts';
import { HelloSchema } from '../../../shared/tunnel/bodies.ts';
import { bundledStubs } from '../../../agent/node/bundled-stubs.ts';
import { asItIsNow, readResumeFile, resumableJobs, ResumeFile } from '../../../agent/node/resume-file.ts';
import { examine, type Finding } from '../../../agent/target/doctor.ts';
import { KnownStubs } from '../../../agent/target/stubs.ts';
import { psk } from '../../../shared/crypto/keys.ts';
import { holderKey, publicInviteHash } from '../../../shared/tunnel/invite.ts';
import { silentLog } from '../../../shared/ports.ts';
import { INVITE } from './support.ts';
import { STUB_IMAGE, STUBS, BoardFixture } from '../../fixtures/board.ts';

describe('resume file', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'bf-resume-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const NOW = 1_800_000_000;

  const secret = (value: number) => psk(new Uint8Array(32).fill(value));
  const CONSENT = {
    hash: new Uint8Array(64).fill(9),
    plan: new Uint8Array(48).fill(8),
    receiptPublic: new Uint8Array(32).fill(6),
    uid: new Uint8Array(12).fill(5),
  };
  const jobsIn = (where: string) => resumableJobs(where, NOW * 1000).jobs;

  it('writes nothing before there is something to keep, then a file of its owner alone, then nothing again', () => {
    const file = ResumeFile.forInvite(join(folder, 'agent'), INVITE);
    assert.equal(existsSync(file.path), false);
    file.keepSecrets([secret(7)]);
    if (process.platform !== 'win32') {
      assert.equal(statSync(file.path).mode & 0o777, 0o600);
      assert.equal(statSync(join(folder, 'agent')).mode & 0o777, 0o700);
    }
    assert.deepEqual(readdirSync(join(folder, 'agent')).length, 1);
    file.forget();
    assert.equal(existsSync(file.path), false);
  });

  it('gives back what was kept, and holds no more than the way back', () => {
    const file = ResumeFile.forInvite(folder, INVITE);
    file.keepSecrets([secret(7), secret(8)]);
    file.keepConsent(CONSENT);
    file.countLoad();
    const [again] = jobsIn(folder);
    assert.deepEqual(again?.secrets, [secret(7), secret(8)], 'newest first');
    assert.deepEqual(again?.consent, CONSENT);
    assert.deepEqual([again?.stubLoaded, again?.loads], [true, 1]);
    assert.deepEqual(publicInviteHash(again!.invite), publicInviteHash(INVITE));
    assert.deepEqual(again?.holderSeed, holderKey(INVITE.secret).secretKey.slice(0, 32));
    assert.equal(readFileSync(file.path, 'utf8').includes(Buffer.from(INVITE.secret).toString('hex')), false);
    file.keepSecrets([secret(7)]);
    assert.deepEqual(jobsIn(folder)[0]?.secrets, [secret(7)], 'the older one is gone');
  });

  it('counts loads over processes, from 0 again with another yes', () => {
    const file = ResumeFile.forInvite(folder, INVITE);
    file.keepSecrets([secret(7)]);
    for (let load = 0; load < 3; load++) jobsIn(folder)[0]!.countLoad();
    assert.equal(jobsIn(folder)[0]?.loads, 3);
    jobsIn(folder)[0]!.keepConsent(CONSENT);
    assert.equal(jobsIn(folder)[0]?.loads, 0);
  });

  it('finds the same job when the same invite is pasted again', () => {
    ResumeFile.forInvite(folder, INVITE).keepSecrets([secret(7)]);
    const read = readResumeFile(ResumeFile.forInvite(folder, INVITE).path)!;
    ResumeFile.forInvite(folder, INVITE).keepSecrets([secret(8)]);
    assert.deepEqual(asItIsNow(read)?.secrets, [secret(8)], 'not what was read before another process went on');
    read.forget();
    assert.equal(asItIsNow(read), undefined);
    ResumeFile.forInvite(folder, INVITE).keepSecrets([secret(7)]);
    assert.deepEqual(ResumeFile.forInvite(folder, INVITE).secrets, [secret(7)]);
  });

  it('knows a vendor from the first yes on, in other jobs too, and no other one', () => {
    const file = ResumeFile.forInvite(folder, INVITE);
    assert.equal(file.vendorKnown, false);
    file.keepSecrets([secret(7)]);
    assert.equal(file.vendorKnown, false);
    file.keepConsent(CONSENT);
    file.forget();
    assert.equal(ResumeFile.forInvite(folder, { ...INVITE, expires: NOW + 5 }).vendorKnown, true);
    assert.equal(ResumeFile.forInvite(folder, { ...INVITE, vendor: new Uint8Array(32) }).vendorKnown, false);
  });

  it('removes expired jobs and passes over damaged files', () => {
    const file = ResumeFile.forInvite(folder, { ...INVITE, expires: NOW - 1 });
    file.keepSecrets([secret(0)]);
    assert.deepEqual(jobsIn(folder), []);
    assert.equal(existsSync(file.path), false);
    writeFileSync(join(folder, '0123456789abcdef.json'), '{"version":2,"version":2}', { mode: 0o600 });
    assert.deepEqual(jobsIn(folder), []);
    assert.deepEqual(jobsIn(join(folder, 'none')), []);
  });

  it('does not go on with a file of version 1, and says which', () => {
    const path = join(folder, '0123456789abcdef.json');
    writeFileSync(path, JSON.stringify({ version: 1, resumeSecret: '07'.repeat(32) }), { mode: 0o600 });
    assert.deepEqual(resumableJobs(folder, NOW * 1000), { jobs: [], foreign: [path] });
    assert.throws(() => readResumeFile(path), { code: 'BF-VERSION-FILE' });
  });

  it('removes drafts that a crash left behind, and not one that is being written', () => {
    const [old, fresh] = [join(folder, 'a.json.new'), join(folder, 'b.json.new')];
    for (const path of [old, fresh]) writeFileSync(path, 'draft', { mode: 0o600 });
    utimesSync(old, NOW - 120, NOW - 120);
    utimesSync(fresh, NOW, NOW);
    jobsIn(folder);
    assert.deepEqual([existsSync(old), existsSync(fresh)], [false, true]);
  });

  describe('what somebody else could read or have written', function () {
    before(function () {
      if (process.platform === 'win32') this.skip();
    });
    let file: ResumeFile;
    beforeEach(() => {
      file = ResumeFile.forInvite(folder, INVITE);
      file.keepSecrets([secret(7)]);
    });
    const refuses = (): void => assert.throws(() => readResumeFile(file.path), { code: 'BF-KEYS-PERMISSIONS' });

    for (const mode of [0o644, 0o640, 0o602]) {
      it(`refuses a file of mode ${mode.toString(8)}`, () => {
        chmodSync(file.path, mode);
        refuses();
      });
    }

    it('refuses a folder others may write to', () => {
      chmodSync(folder, 0o720);
      refuses();
      assert.throws(() => file.keepSecrets([secret(8)]), { code: 'BF-KEYS-PERMISSIONS' });
    });

    it('refuses what belongs to another user', () => {
      const { getuid } = process;
      process.getuid = () => (getuid?.() ?? 0) + 1;
      try {
        refuses();
      } finally {
        if (getuid !== undefined) process.getuid = getuid;
      }
    });

    it('follows no symbolic link', () => {
      renameSync(file.path, join(folder, 'elsewhere'));
      symlinkSync(join(folder, 'elsewhere'), file.path);
      refuses();
    });

    it('waits for no pipe', () => {
      rmSync(file.path);
      execFileSync('mkfifo', ['-m', '600', file.path]);
      refuses();
    });
  });
});

describe('bundled stubs', () => {
  it('are there, checked, and the same the tests load', () => {
    assert.deepEqual(bundledStubs().hashes, STUBS.hashes);
    assert.match(STUBS.hashes[0] ?? '', /^[0-9a-f]{128}$/);
  });

  it('are refused when they are not stubs', () => {
    assert.throws(() => new KnownStubs([{ name: 'stm32f42x', image: new Uint8Array(2048) }]), {
      code: 'BF-INTERNAL-BUILD',
    });
    assert.throws(() => new KnownStubs([{ name: 'stm32f42x', image: new Uint8Array(8) }]), {
      code: 'BF-INTERNAL-BUILD',
    });
    const oldest = STUB_IMAGE.slice();
    for (const major of [0, 1, 3]) {
      oldest[HEADER.offset + HEADER.fields.version + 1] = major;
      assert.throws(() => new KnownStubs([{ name: 'stm32f42x', image: oldest }]), /its version is/, `${major}`);
    }
    assert.throws(() => new KnownStubs([]).forChip(0x419), { code: 'BF-STUB-UNKNOWN' });
    assert.throws(() => STUBS.forChip(0x441), { code: 'BF-TARGET-WRONG-CHIP' });
  });
});

describe('HELLO', () => {
  it('fits its fields, whatever the probe calls itself and measures', () => {
    const probe = { kind: '\u{1f50c}'.repeat(64), firmware: 'x'.repeat(500), serial: '\u001b[2J\u202e', path: 'usb' };
    const board = {
      devId: 0x419,
      revId: 0x2003,
      uid: new Uint8Array(12),
      flashKiB: 2048,
      rdp: 0,
      optcr: 1,
      optcr1: 0x0fff0000,
    } as const;
    for (const [measured, told] of [
      [3300, 3300],
      [100_001, null],
      [-5, null],
      [null, null],
    ] as const) {
      const hello = helloOf({ version: 'v'.repeat(99), programs: STUBS.hashes, probe, millivolts: measured, board });
      assert.equal(HelloSchema.safeParse(hello).success, true);
      assert.equal(HelloSchema.safeParse({ ...hello, agent: `${'\u{1f50c}'.repeat(32)}x` }).success, false);
      assert.equal(hello.probe.millivolts, told);
      assert.doesNotMatch(hello.probe.serial, /[\p{Cc}\p{Cf}]/u);
    }
  });
});

describe('agent command', () => {
  it('refuses an invite on the command line and says that it is spent', async () => {
    await assert.rejects(runAgent({ words: ['bf2.AAAA'] }), { code: 'BF-USAGE-SECRET-ARGUMENT' });
    await assert.rejects(runAgent({ words: ['hello'] }), { code: 'BF-USAGE' });
  });
});

describe('doctor', function () {
  this.timeout(30_000);
  const roundOn = async (hardware: BoardFixture): Promise<Finding[]> => {
    const findings: Finding[] = [];
    const round = async (): Promise<void> => {
      for await (const finding of examine(hardware.probe(), { clock: hardware.queue, log: silentLog })) {
        findings.push(finding);
      }
    };
    await hardware.queue.drive(round());
    return findings;
  };

  it('finds nothing wrong on a good board, and leaves debug off', async () => {
    const hardware = new BoardFixture();
    const findings = await roundOn(hardware);
    assert.deepEqual(
      findings.filter(({ verdict }) => verdict === 'bad'),
      [],
    );
    assert.match(findings.map(({ text }) => text).join('\n'), /STM32F42x.*2048 KiB/);
    assert.equal(hardware.board.bus.read(0xe000edf0, 4, 'debugger') & 1, 0);
  });

  it('says what to do about no power, a lock, and another chip', async () => {
    const dark = new BoardFixture();
    dark.board.powerOff();
    assert.equal(
      (await roundOn(dark)).some(({ code }) => code === 'BF-TARGET-NO-POWER'),
      true,
    );
    const faint = await roundOn(new BoardFixture({ supplyVolts: 1.2 }));
    assert.equal(faint.find(({ what }) => what === 'supply')?.code, 'BF-TARGET-NO-POWER');
    const locked = await roundOn(new BoardFixture({ rdp: 1 }));
    assert.equal(locked.find(({ what }) => what === 'protection')?.code, 'BF-TARGET-RDP1');
    const other = await roundOn(new BoardFixture({ chip: 'stm32f446' }));
    assert.equal(other.find(({ what }) => what === 'chip')?.code, 'BF-TARGET-NO-RANDOM');
    for (const finding of locked) if (finding.verdict === 'bad') assert.notEqual(finding.remedy, undefined);
  });
});
