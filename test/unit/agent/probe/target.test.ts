// Proves: attaching changes nothing, resets are proven before they are believed, and everything
// is put back on each exit.
import assert from 'node:assert/strict';
import { attach } from '../../../../agent/target/attach.ts';
import { restoreDebugState } from '../../../../agent/target/debug-state.ts';
import { CortexM, decodeStatus } from '../../../../agent/target/cortex-m.ts';
import { protectionLevel } from '../../../../shared/chips/index.ts';
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
  it('resumes', async () => {
    const target = new FakeTarget();
    await core(target).resetHalt();
    target.log.length = 0;
    await core(target).resume();
    assert.equal(target.running, true);
    assert.deepEqual(target.log, ['e000ed30 = 1f', 'e000edf0 = a05f0001']);
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

  it('reads DHCSR as DDI0403 C1.6.2 lays it out', () => {
    assert.deepEqual(decodeStatus(0x020b0003), {
      dhcsr: 0x020b0003,
      halted: true,
      lockedUp: true,
      wasReset: true,
    });
  });
});

describe('attaching', () => {
  const options = { clock: new EagerClock() };

  it('identifies without writing a word', async () => {
    const target = new FakeTarget();
    const { identity } = await attach(target, options);
    assert.deepEqual(target.log, ['connect']);
    assert.equal(identity.devId, 0x419);
    assert.equal(identity.revId, 0x2003);
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
    assert.deepEqual([0x0fffaaed, 0x0fffcced, 0x0fff55ed, 0x0fff00ed].map(protectionLevel), [0, 2, 1, 1]);
  });

  it('refuses another chip before it touches its flash controller', async () => {
    const target = new FakeTarget();
    target.words.set(0xe0042000, 0x10016441);
    const error = await rejectsWith(attach(target, options), 'BF-TARGET-WRONG-CHIP');
    assert.match(error.message, /10016441/);
    assert.ok(!target.reads.includes(0x40023c14));
  });

  it('puts everything back, DHCSR last', async () => {
    const target = new FakeTarget();
    const { saved } = await attach(target, options);
    await core(target).resetHalt();
    target.log.length = 0;
    await restoreDebugState(target, saved);
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
});
