// What the agent keeps on disk, brings along, and tells as a doctor.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAgent } from '../../../cli/customer/agent.ts';
import { bundledStubs } from '../../../agent/node/bundled-stubs.ts';
import { readResumeFile, resumableJobs, ResumeFile } from '../../../agent/node/resume-file.ts';
import { examine, type Finding } from '../../../agent/target/doctor.ts';
import { StubRegistry } from '../../../agent/target/stubs.ts';
import { psk } from '../../../shared/crypto/keys.ts';
import { holderKey, publicInviteHash } from '../../../shared/tunnel/invite.ts';
import { silentLog } from '../../../shared/ports.ts';
import { INVITE } from './support.ts';
import { STUBS, BoardFixture } from '../../fixtures/board.ts';

describe('resume file', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'bf-resume-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const NOW = 1_800_000_000;

  it('writes nothing before there is something to keep, then a file of its owner alone, then nothing again', () => {
    const file = ResumeFile.forInvite(join(folder, 'agent'), INVITE);
    assert.equal(existsSync(file.path), false);
    file.saveSecret(psk(new Uint8Array(32).fill(7)));
    if (process.platform !== 'win32') {
      assert.equal(statSync(file.path).mode & 0o777, 0o600);
      assert.equal(statSync(join(folder, 'agent')).mode & 0o777, 0o700);
    }
    assert.deepEqual(readdirSync(join(folder, 'agent')).length, 1);
    file.forget();
    assert.equal(existsSync(file.path), false);
  });

  it('gives back what was kept, and never holds the invite’s secret', () => {
    const file = ResumeFile.forInvite(folder, INVITE);
    file.saveSecret(psk(new Uint8Array(32).fill(7)));
    file.saveConsent(new Uint8Array(64).fill(9));
    file.saveStubLoaded(true);
    const [again] = resumableJobs(folder, NOW);
    assert.deepEqual(again?.resumeSecret, new Uint8Array(32).fill(7));
    assert.deepEqual(again?.consented, new Uint8Array(64).fill(9));
    assert.equal(again?.stubLoaded, true);
    assert.deepEqual(publicInviteHash(again!.invite), publicInviteHash(INVITE));
    assert.deepEqual(again?.holderSeed, holderKey(INVITE.secret).secretKey.slice(0, 32));
    assert.equal(readFileSync(file.path, 'utf8').includes(Buffer.from(INVITE.secret).toString('hex')), false);
  });

  it('finds the same job when the same invite is pasted again', () => {
    ResumeFile.forInvite(folder, INVITE).saveSecret(psk(new Uint8Array(32).fill(7)));
    assert.notEqual(ResumeFile.forInvite(folder, INVITE).resumeSecret, undefined);
  });

  it('removes expired jobs and passes over damaged files', () => {
    const file = ResumeFile.forInvite(folder, { ...INVITE, expires: NOW - 1 });
    file.saveSecret(psk(new Uint8Array(32)));
    assert.deepEqual(resumableJobs(folder, NOW), []);
    assert.equal(existsSync(file.path), false);
    assert.deepEqual(resumableJobs(join(folder, 'none'), NOW), []);
  });

  it('refuses a file others can read', function () {
    if (process.platform === 'win32') this.skip();
    const file = ResumeFile.forInvite(folder, INVITE);
    file.saveSecret(psk(new Uint8Array(32)));
    chmodSync(file.path, 0o644);
    assert.throws(() => readResumeFile(file.path), { code: 'BF-KEYS-PERMISSIONS' });
  });
});

describe('bundled stubs', () => {
  it('are there, checked, and the same the tests load', () => {
    assert.deepEqual(bundledStubs().hashes, STUBS.hashes);
    assert.match(STUBS.hashes[0] ?? '', /^[0-9a-f]{128}$/);
  });

  it('are refused when they are not stubs', () => {
    assert.throws(() => new StubRegistry([{ name: 'stm32f42x', image: new Uint8Array(2048) }]), {
      code: 'BF-INTERNAL-BUILD',
    });
    assert.throws(() => new StubRegistry([{ name: 'stm32f42x', image: new Uint8Array(8) }]), {
      code: 'BF-INTERNAL-BUILD',
    });
    assert.throws(() => new StubRegistry([]).forDevice(0x419), { code: 'BF-STUB-UNKNOWN' });
    assert.throws(() => STUBS.forDevice(0x441), { code: 'BF-TARGET-WRONG-CHIP' });
  });
});

describe('agent command', () => {
  it('refuses an invite on the command line and says that it is spent', async () => {
    await assert.rejects(runAgent({ words: ['bf1.AAAA'] }), { code: 'BF-USAGE-SECRET-ARGUMENT' });
    await assert.rejects(runAgent({ words: ['hello'] }), { code: 'BF-USAGE' });
  });
});

describe('doctor', function () {
  this.timeout(30_000);
  const roundOn = async (hardware: BoardFixture): Promise<Finding[]> => {
    const findings: Finding[] = [];
    const round = async (): Promise<void> => {
      for await (const finding of examine(hardware.probe(), hardware.queue, silentLog)) findings.push(finding);
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
    const locked = await roundOn(new BoardFixture({ rdp: 1 }));
    assert.equal(locked.find(({ what }) => what === 'protection')?.code, 'BF-TARGET-RDP1');
    const other = await roundOn(new BoardFixture({ chip: 'stm32f446' }));
    assert.equal(other.find(({ what }) => what === 'chip')?.code, 'BF-TARGET-NO-RANDOM');
    for (const finding of locked) if (finding.verdict === 'bad') assert.notEqual(finding.remedy, undefined);
  });
});
