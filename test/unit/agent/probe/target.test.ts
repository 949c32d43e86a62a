// Proves: attaching changes nothing, resets are proven before they are believed, and everything is put back on each exit.
import assert from 'node:assert/strict';
import { attach, rdpLevel, restoreDebugState, withTarget } from '../../../../agent/target/attach.ts';
import { CortexM, decodeStatus } from '../../../../agent/target/cortex-m.ts';
import type { ErrorCode } from '../../../../shared/errors/errors.ts';
import { FakeTarget, type FakeTargetOptions } from './fake-target.ts';
import { EagerClock, hex, rejectsWith } from './support.ts';

const core = (target: FakeTarget, clock = new EagerClock()): CortexM => new CortexM(target, { clock });
/** What restoring the fake target's settings writes, in this order. */
const RESTORED = [
  'e0002000 = 3',
  'e0042004 = 7',
  'e0042008 = 1',
  'e004200c = 0',
  'e000edfc = 1000000',
  'e000edf0 = a05f0000',
];

describe('Cortex-M core', () => {
  it('halts and resumes', async () => {
    const target = new FakeTarget();
    await core(target).halt();
    assert.equal(target.running, false);
    await core(target).resume();
    assert.equal(target.running, true);
    assert.deepEqual(target.log, ['e000edf0 = a05f0003', 'e000ed30 = 1f', 'e000edf0 = a05f0001']);
  });

  it('gives a core that does not halt 200 ms', async () => {
    const clock = new EagerClock();
    await rejectsWith(core(new FakeTarget({ halts: false }), clock).halt(), 'BF-TARGET-NO-HALT');
    assert.equal(clock.now(), 200);
  });

  it('resets into halt by the core, and disarms the vector catch', async () => {
    const target = new FakeTarget();
    await core(target).resetHalt();
    assert.equal(target.running, false);
    assert.deepEqual(target.log, [
      'e000edf0 = a05f0003',
      'e000edfc = 1000001',
      'e000ed0c = 5fa0004',
      'e000edfc = 1000000',
    ]);
  });

  it('falls back to the pin when the core request does nothing', async () => {
    const target = new FakeTarget({ coreReset: false });
    await core(target).resetHalt();
    assert.deepEqual(target.log.slice(-3), ['nrst low', 'nrst high', 'e000edfc = 1000000']);
    assert.equal(target.running, false);
  });

  const FAILURES: readonly (readonly [what: string, options: FakeTargetOptions, code: ErrorCode])[] = [
    ['no way to reset works', { coreReset: false, nrst: false }, 'BF-TARGET-NO-RESET'],
    ['the vector catch is ignored', { catches: false }, 'BF-TARGET-NO-HALT'],
  ];
  for (const [what, options, code] of FAILURES) {
    it(`says ${code} when ${what}, after bounded polling`, async () => {
      const clock = new EagerClock();
      const target = new FakeTarget(options);
      await rejectsWith(core(target, clock).resetHalt(), code);
      assert.ok(clock.now() <= 1100, `${clock.now()} ms`);
      assert.equal(target.words.get(0xe000edfc), 0x01000000);
      assert.notEqual(target.log.at(-2), 'nrst low');
    });
  }

  it('connects under reset to a target that hides', async () => {
    const target = new FakeTarget({ hidden: true });
    await core(target).connectUnderReset();
    assert.equal(target.running, false);
    assert.deepEqual(target.log, [
      'nrst low',
      'connect',
      'e000edf0 = a05f0003',
      'e000edfc = 1000001',
      'nrst high',
      'e000edfc = 1000000',
    ]);
  });

  it('lets go of NRST when that fails', async () => {
    const target = new FakeTarget({ hidden: true, nrst: false });
    await rejectsWith(core(target).connectUnderReset(), 'BF-TARGET-NONE');
    assert.equal(target.log.at(-1), 'nrst high');
  });

  it('reads DHCSR as DDI0403 C1.6.2 lays it out', () => {
    assert.deepEqual(decodeStatus(0x020b0003), {
      dhcsr: 0x020b0003,
      debugEnabled: true,
      halted: true,
      sleeping: false,
      lockedUp: true,
      wasReset: true,
    });
  });

  it('names registers', async () => {
    assert.equal(await core(new FakeTarget()).readRegister('xpsr'), 0x1010);
  });
});

describe('attaching', () => {
  const options = { clock: new EagerClock() };

  it('identifies without writing a word', async () => {
    const target = new FakeTarget();
    const { identity } = await attach(target, options);
    assert.deepEqual(target.log, ['connect']);
    assert.equal(identity.deviceId, 0x419);
    assert.equal(identity.revisionId, 0x2003);
    assert.equal(identity.rdp, 0);
    assert.equal(identity.flashKiB, 2048);
    assert.equal(hex(identity.uid ?? new Uint8Array()), '22 00 33 00 06 51 36 30 39 38 30 38');
    assert.equal(identity.foundHalted, false);
    assert.equal(target.running, true);
  });

  it('knows RDP 1 from OPTCR and leaves the flash alone', async () => {
    const target = new FakeTarget();
    target.words.set(0x40023c14, 0x0fff55ed);
    const { identity } = await attach(target, options);
    assert.equal(identity.rdp, 1);
    assert.equal(identity.uid, undefined);
    assert.equal(identity.flashKiB, undefined);
    assert.ok(target.reads.every((address) => address >= 0x40000000));
  });

  it('tells the levels apart', () => {
    assert.deepEqual([0x0fffaaed, 0x0fffcced, 0x0fff55ed, 0x0fff00ed].map(rdpLevel), [0, 2, 1, 1]);
  });

  it('refuses another chip before it touches its flash controller', async () => {
    const target = new FakeTarget();
    target.words.set(0xe0042000, 0x10016441);
    const error = await rejectsWith(attach(target, options), 'BF-TARGET-WRONG-CHIP');
    assert.match(error.message, /10016441/);
    assert.ok(!target.reads.includes(0x40023c14));
  });

  it('lets a wrong chip run again that was caught under reset', async () => {
    const target = new FakeTarget({ hidden: true });
    target.words.set(0xe0042000, 0x10016441);
    await rejectsWith(attach(target, { ...options, underReset: true }), 'BF-TARGET-WRONG-CHIP');
    assert.equal(target.running, true);
    assert.equal(target.debugEnabled, false);
  });

  it('freezes both watchdogs before it takes the chip over', async () => {
    const target = new FakeTarget();
    const attachment = await attach(target, options);
    await attachment.takeOver();
    assert.equal(target.log[1], 'e0042008 = 1801');
    assert.equal(target.running, false);
  });

  it('puts everything back, DHCSR last', async () => {
    const target = new FakeTarget();
    const attachment = await attach(target, options);
    await attachment.takeOver();
    target.log.length = 0;
    await attachment.restore();
    assert.deepEqual(target.log, RESTORED);
    assert.equal(target.running, true);
    assert.equal(target.debugEnabled, false);
  });

  it('tries every write even when one fails, and says so', async () => {
    const target = new FakeTarget();
    const { saved } = await attach(target, options);
    target.log.length = 0;
    target.broken.add(0xe0042008);
    await rejectsWith(restoreDebugState(target, saved), 'BF-TARGET-FAULT');
    assert.deepEqual(target.log, RESTORED);
  });

  it('restores and disconnects after success and after failure, and tells the work’s own error', async () => {
    const good = new FakeTarget();
    assert.equal(await withTarget(good, options, async () => 7), 7);
    assert.deepEqual(good.log, ['connect', ...RESTORED, 'disconnect']);
    const bad = new FakeTarget();
    bad.broken.add(0xe000edf0 + 0xc);
    await rejectsWith(
      withTarget(bad, options, async () => 7),
      'BF-TARGET-FAULT',
    );
    assert.equal(bad.log.at(-1), 'disconnect');
    const failing = new FakeTarget();
    const work = withTarget(failing, options, async ({ core: its }) => {
      await its.halt();
      failing.broken.add(0xe0042008);
      throw new RangeError('the work');
    });
    await assert.rejects(work, RangeError);
    assert.equal(failing.running, true);
    assert.equal(failing.log.at(-1), 'disconnect');
  });
});
