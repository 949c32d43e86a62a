// The job: every field of the plan that the stub must refuse, before it says anything (docs/protocol.md §7).
import assert from 'node:assert/strict';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import { FirmwareFixture } from './firmware-fixture.ts';
import { FLASH, smallPlan } from './sample-jobs.ts';
import { SealedController } from './sealed-controller.ts';

const MALFORMED = 1;
const WRONG_CHIP = 2;
const PROTECTED = 5;

/** What the stub makes of a plan: its state, error and detail. */
function verdict(plan: Plan | Uint8Array, options = {}): { state: string; error: number; detail: number } {
  const fixture = FirmwareFixture.booted(options);
  new SealedController(fixture, plan).giveJob();
  fixture.runUntil(() => fixture.state !== 'waiting', 200, 'verdict');
  return { state: fixture.state, error: fixture.error, detail: fixture.detail };
}

function changed(change: (plan: DataView) => void, plan: Plan = smallPlan()): Uint8Array {
  const bytes = encodePlan(plan);
  change(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return bytes;
}
const u8 = (at: number, value: number) => (view: DataView) => view.setUint8(at, value);
const u16 = (at: number, value: number) => (view: DataView) => view.setUint16(at, value, true);
const u32 = (at: number, value: number) => (view: DataView) => view.setUint32(at, value, true);

const BROKEN_BYTES: readonly (readonly [
  what: string,
  change: (view: DataView) => void,
  error: number,
  detail: number,
])[] = [
  ['another magic', u8(0, 0x41), MALFORMED, 0],
  ['a length that is not its own', u16(4, 76), MALFORMED, 4],
  ['kind 0', u8(6, 0), MALFORMED, 6],
  ['info, which the agent does alone', u8(6, 4), MALFORMED, 6],
  ['unlock', u8(6, 6), MALFORMED, 6],
  ['kind 8', u8(6, 8), MALFORMED, 6],
  ['mode 0', u8(7, 0), MALFORMED, 7],
  ['mode 2', u8(7, 2), MALFORMED, 7],
  ['another DEV_ID', u16(24, 0x413), WRONG_CHIP, 0x419],
  ['another flash size', u16(26, 1024), WRONG_CHIP, 2048],
  ['any flash size for a flash job', u16(26, 0), WRONG_CHIP, 2048],
  ['an idle limit below 1 s', u32(28, 999), MALFORMED, 28],
  ['an idle limit above 1 h', u32(28, 3_600_001), MALFORMED, 28],
  ['sector 24', u32(32, 0x01000001), MALFORMED, 32],
  ['sector 31', u32(32, 0x80000001), MALFORMED, 32],
  ['no sector to erase', u32(32, 0), MALFORMED, 64],
  ['no boot words', u32(36, 0xffffffff), MALFORMED, 36],
  ['boot words off a word', u32(36, FLASH + 2), MALFORMED, 36],
  ['boot words across the end of a range', u32(36, FLASH + 8192 - 32), MALFORMED, 36],
  ['boot words in RAM', u32(36, 0x20000000), MALFORMED, 36],
  ['boot words below the range', u32(36, FLASH - 4), MALFORMED, 36],
  ['programming width 3', u8(40, 3), MALFORMED, 40],
  ['lock 3', u8(41, 3), MALFORMED, 41],
  ['final action 2', u8(42, 2), MALFORMED, 42],
  ['65 ranges', u8(43, 65), MALFORMED, 43],
  ['one range too many for its length', u8(43, 2), MALFORMED, 4],
  ['a label of 65', u8(44, 65), MALFORMED, 44],
  ['a label longer than the plan', u8(44, 12), MALFORMED, 4],
  ['a label that leaves a byte of padding set', u8(44, 3), MALFORMED, 79],
  ['an unknown flag', u8(45, 8), MALFORMED, 45],
  ['the highest flag', u8(45, 0x80), MALFORMED, 45],
  ['what was never lifted kept lifted', u8(45, 4), MALFORMED, 45],
  ['a set reserved byte', u8(46, 1), MALFORMED, 46],
  ['the other reserved byte', u8(47, 0x80), MALFORMED, 46],
  ['a mask of OPTCR', u32(48, 4), MALFORMED, 48],
  ['a value of OPTCR', u32(52, 0xcc00), MALFORMED, 48],
  ['a mask of OPTCR1', u32(56, 0x10000), MALFORMED, 48],
  ['a value of OPTCR1', u32(60, 0x80000000), MALFORMED, 48],
  ['a range off a word', u32(64, FLASH + 2), MALFORMED, 64],
  ['a range of odd length', u32(68, 8190), MALFORMED, 64],
  ['an empty range', u32(68, 0), MALFORMED, 64],
  ['a range beyond its sector', u32(68, 16384 + 4), MALFORMED, 64],
  ['a range that wraps', u32(68, 0xfffffffc), MALFORMED, 64],
  ['a range in OTP', u32(64, 0x1fff7800), MALFORMED, 64],
  ['a range in the option bytes', u32(64, 0x1fffc000), MALFORMED, 64],
  ['a range in RAM', u32(64, 0x20000000), MALFORMED, 64],
  ['a range below flash', u32(64, 0x07fffffc), MALFORMED, 64],
  ['a range at the end of memory', u32(64, 0xfffffffc), MALFORMED, 64],
  ['a range to program in a sector that is not erased', u32(64, FLASH + 0x4000), MALFORMED, 64],
  ['range use 0', u32(72, 0), MALFORMED, 72],
  ['range use 3', u32(72, 3), MALFORMED, 72],
  ['a digest-only range as the only one', u32(72, 2), MALFORMED, 43],
];

const program = (address: number, length: number) => ({ address, length, use: 'program' as const });
const digest = (address: number, length: number) => ({ address, length, use: 'digest' as const });
const none = { sectors: [], bootAddress: undefined, ranges: [] };

const data = { bootAddress: undefined, sectors: [1], ranges: [program(FLASH + 0x4000, 64)] };

const BROKEN_PLANS: readonly (readonly [what: string, plan: Plan])[] = [
  ['overlapping ranges', smallPlan({ ranges: [program(FLASH, 128), program(FLASH + 124, 128)] })],
  ['descending ranges', smallPlan({ ranges: [program(FLASH + 256, 128), program(FLASH, 128)] })],
  ['data in the sector the chip starts from', smallPlan({ bootAddress: undefined })],
  ['data that locks', smallPlan({ ...data, lock: 'level 1' })],
  ['verify that erases', smallPlan({ kind: 'verify', bootAddress: undefined, ranges: [digest(FLASH, 4)] })],
  ['verify that programs', smallPlan({ kind: 'verify', bootAddress: undefined })],
  ['verify of nothing', smallPlan({ ...none, kind: 'verify' })],
  ['erase with a range', smallPlan({ kind: 'erase', bootAddress: undefined, ranges: [digest(FLASH, 4)] })],
  ['erase of nothing', smallPlan({ ...none, kind: 'erase' })],
  ['erase with boot words', smallPlan({ kind: 'erase', ranges: [] })],
  ['erase that locks', smallPlan({ kind: 'erase', bootAddress: undefined, ranges: [], lock: 'level 1' })],
  ['erase of blank sectors as well', smallPlan({ ...none, kind: 'erase', sectors: [0], flags: ['always erase'] })],
  [
    'verify that lifts',
    smallPlan({ ...none, kind: 'verify', ranges: [digest(FLASH, 4)], flags: ['lift write protection'] }),
  ],
];

const GOOD_PLANS: readonly (readonly [what: string, plan: Plan, options?: object])[] = [
  ['flash', smallPlan()],
  ['data', smallPlan(data)],
  ['flash that locks', smallPlan({ lock: 'level 1' })],
  [
    '64 ranges',
    smallPlan({
      ranges: [program(FLASH, 64), ...Array.from({ length: 63 }, (_, i) => program(FLASH + 64 + 8 * i, 4))],
    }),
  ],
  ['a label of 64', smallPlan({ label: 'x'.repeat(64) })],
  ['no label', smallPlan({ label: '' })],
  [
    'verify',
    smallPlan({ ...none, kind: 'verify', ranges: [digest(FLASH, 0x4000), digest(FLASH + 0x1e0000, 0x20000)] }),
  ],
  ['erase of all 24 sectors', smallPlan({ ...none, kind: 'erase', sectors: Array.from({ length: 24 }, (_, i) => i) })],
  ['flash with all flags', smallPlan({ flags: ['always erase', 'lift write protection', 'keep lifted'] })],
  ['erase that lifts', smallPlan({ ...none, kind: 'erase', sectors: [0], flags: ['lift write protection'] })],
];

describe('stub job', () => {
  for (const [what, change, error, detail] of BROKEN_BYTES) {
    it(`refuses ${what}`, () => assert.deepEqual(verdict(changed(change)), { state: 'refused', error, detail }));
  }
  for (const [what, plan] of BROKEN_PLANS) {
    it(`refuses ${what}`, () => {
      const { state, error } = verdict(plan);
      assert.deepEqual([state, error], ['refused', MALFORMED]);
    });
  }
  for (const [what, plan] of GOOD_PLANS) {
    it(`takes ${what}`, () => assert.deepEqual(verdict(plan), { state: 'offered', error: 0, detail: 0 }));
  }

  it('refuses a chip that is read protected', () => {
    const said = verdict(smallPlan(), { rdp: 1 });
    assert.deepEqual([said.state, said.error], ['refused', PROTECTED]);
    assert.notEqual((said.detail >>> 8) & 0xff, 0xaa);
  });
  for (const [what, change] of [
    ['another magic', (job: Uint8Array) => void (job[0]! ^= 1)],
    ['another length inside', (job: Uint8Array) => void (job[4]! += 4)],
  ] as const) {
    it(`refuses a job area with ${what}`, () => {
      const fixture = FirmwareFixture.booted();
      new SealedController(fixture, smallPlan()).giveJob(change);
      fixture.runUntil(() => fixture.state === 'refused', 200, 'refusal');
      assert.equal(fixture.error, MALFORMED);
    });
  }
  for (const length of [0, 72 + 60, 72 + 1540, 0x80000000, 0xfffffff0]) {
    it(`refuses a job length of ${length}`, () => {
      const fixture = FirmwareFixture.booted();
      fixture.setControl('JOB_LENGTH', length);
      fixture.commandTo('job', 'refused');
      assert.equal(fixture.error, MALFORMED);
    });
  }
  it('keeps its own copy: a job area changed later changes nothing', () => {
    const fixture = FirmwareFixture.booted();
    const controller = new SealedController(fixture, smallPlan());
    controller.giveJob();
    fixture.runUntil(() => fixture.state === 'offered', 200, 'M1');
    fixture.write(0x2002d400, new Uint8Array(3072).fill(0x55));
    controller.shake();
    assert.equal(controller.ask({ name: 'PING' }).name, 'PONG');
  });
  it('refused is final: neither job nor handshake is taken', () => {
    const fixture = FirmwareFixture.booted();
    new SealedController(fixture, changed(u8(6, 0))).giveJob();
    fixture.runUntil(() => fixture.state === 'refused', 200, 'refusal');
    new SealedController(fixture, smallPlan()).giveJob();
    fixture.runMs(50);
    fixture.command('handshake');
    fixture.runMs(50);
    assert.equal(fixture.state, 'refused');
    assert.equal(fixture.control('COMMAND'), 0);
  });
});
