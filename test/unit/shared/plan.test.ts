// The plan: one text per meaning, every rule of docs/protocol.md §7 broken once, and what decoders make of garbage.
import assert from 'node:assert/strict';
import { foreignText } from '../../../shared/codec/foreign-text.ts';
import fc from 'fast-check';
import { CHIPS, STM32F42X, type Chip } from '../../../shared/chips/index.ts';
import type { ErrorCode } from '../../../shared/errors/errors.ts';
import {
  decodePlan,
  encodePlan,
  NO_OPTIONS,
  planHash,
  type OptionChange,
  type Plan,
} from '../../../shared/plan/plan.ts';
import { bootRange, checkPlan } from '../../../shared/plan/rules.ts';
import { hex, onlyCoded, refuses } from './support.ts';

const flash: Plan = {
  kind: 'flash',
  mode: 'host-blind',
  job: new Uint8Array(16).fill(0xab),
  devId: 0x419,
  flashKiB: 2048,
  idleLimitMs: 60_000,
  sectors: [0, 12],
  bootAddress: 0x08000000,
  widest: 'x32',
  lock: 'none',
  finalAction: 'run',
  flags: [],
  options: NO_OPTIONS,
  ranges: [
    { address: 0x08000000, length: 0x100, use: 'program' },
    { address: 0x08004000, length: 0x4000, use: 'digest' },
    { address: 0x08100000, length: 4, use: 'program' },
  ],
  label: 'bench',
};
const release = { product: 7, version: 5, floor: 3 };
const device: Plan = {
  ...flash,
  mode: 'seeded',
  release,
  sectors: [4, 12],
  bootAddress: 0x08010000,
  ranges: [
    { address: 0x08010000, length: 0x100, use: 'program' },
    { address: 0x08100000, length: 4, use: 'program' },
  ],
};
const nothing = { sectors: [], ranges: [], bootAddress: undefined } as const;
const verify: Plan = { ...flash, ...nothing, kind: 'verify', ranges: [flash.ranges[1]] };
const erase: Plan = { ...flash, ...nothing, kind: 'erase', sectors: [3] };
const info: Plan = { ...flash, ...nothing, kind: 'info', flashKiB: 0 };
const enroll: Plan = {
  ...flash,
  ...nothing,
  kind: 'enroll',
  mode: 'lock-then-load',
  release: { product: 7, version: 0, floor: 0 },
};
const keys: Plan = { ...flash, ...nothing, kind: 'keys', mode: 'seeded', cleared: [0, 2] };
const check: Plan = { ...verify, mode: 'seeded', release: enroll.release! };
const reset: Plan = { ...info, kind: 'reset' };
const change = (optcrMask: number, optcr: number, optcr1Mask = 0, optcr1 = 0): OptionChange => ({
  mask: { optcr: optcrMask, optcr1: optcr1Mask },
  value: { optcr, optcr1 },
});
const unlock: Plan = { ...info, kind: 'unlock', options: change(0xcfffff10, 0x0fffaa00, 0x0fff0000, 0x0fff0000) };
const options: Plan = { ...info, kind: 'options', options: change(0x0fff00ec, 0x0ffd0084, 0x0fff0000, 0x07ff0000) };
const lifting: Plan = { ...flash, flags: ['always erase', 'lift write protection', 'keep lifted'] };
const data: Plan = {
  ...flash,
  sectors: [12],
  bootAddress: undefined,
  ranges: [{ address: 0x08100000, length: 64, use: 'program' }],
  lock: 'none',
};
const planting: Plan = { ...flash, lock: 'level 1, sector 0' };
const behind = { address: 0x08010000, length: 64, use: 'program' } as const;
const boot = flash.ranges[0];

describe('plan', () => {
  for (const plan of [
    flash,
    data,
    verify,
    erase,
    info,
    reset,
    unlock,
    options,
    lifting,
    device,
    enroll,
    keys,
    check,
    planting,
  ]) {
    it(`a good ${[plan.kind, plan.mode, ...plan.flags].join(', ')} plan keeps the rules and survives the round trip`, () => {
      checkPlan(plan, STM32F42X);
      assert.deepEqual(decodePlan(encodePlan(plan)), { ...plan, label: foreignText(plan.label as string) });
    });
  }

  it('behind a loader the 16 bytes at 48 are product, version, floor and zero', () => {
    const words = new DataView(encodePlan(device).buffer);
    assert.deepEqual(
      [48, 52, 56, 60].map((at) => words.getUint32(at, true)),
      [7, 5, 3, 0],
    );
    assert.deepEqual([...encodePlan(keys).subarray(48, 64)], [5, ...new Array<number>(15).fill(0)]);
    const fifth = encodePlan(keys);
    fifth[48] = 0x10;
    refuses('BF-PLAN-MALFORMED', () => decodePlan(fifth));
    refuses('BF-INTERNAL-ARGUMENT', () => encodePlan({ ...keys, release: enroll.release! }));
    const bytes = encodePlan(device);
    bytes[60] = 1;
    refuses('BF-PLAN-MALFORMED', () => decodePlan(bytes));
    refuses('BF-INTERNAL-ARGUMENT', () => encodePlan({ ...flash, mode: 'seeded' }));
    refuses('BF-INTERNAL-ARGUMENT', () => encodePlan({ ...flash, release }));
  });

  const program = (address: number, length: number) => ({ address, length, use: 'program' }) as const;
  const broken: [string, ErrorCode, Plan][] = [
    ['another DEV_ID', 'BF-PLAN-WRONG-CHIP', { ...flash, devId: 0x413 }],
    ['a flash size the chip does not come with', 'BF-PLAN-WRONG-CHIP', { ...flash, flashKiB: 2047 }],
    ['no flash size', 'BF-PLAN-WRONG-CHIP', { ...flash, flashKiB: 0 }],
    ['too short an idle limit', 'BF-PLAN-MALFORMED', { ...flash, idleLimitMs: 999 }],
    ['too long an idle limit', 'BF-PLAN-MALFORMED', { ...flash, idleLimitMs: 3_600_001 }],
    ['a sector the chip does not have', 'BF-PLAN-RANGE', { ...flash, sectors: [0, 12, 24] }],
    ['a sector the smaller chip does not have', 'BF-PLAN-RANGE', { ...flash, flashKiB: 1024 }],
    ['descending ranges', 'BF-PLAN-RANGE', { ...flash, ranges: [...flash.ranges].reverse() }],
    ['overlapping ranges', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x080000fc, 8)] }],
    ['a range that starts off 4 bytes', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x08000102, 4)] }],
    ['a range that ends off 4 bytes', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x08000104, 6)] }],
    ['an empty range', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x08000104, 0)] }],
    ['a range across sectors', 'BF-PLAN-RANGE', { ...flash, sectors: [0, 1], ranges: [boot, program(0x08003ffc, 8)] }],
    ['a range behind flash', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x08200000, 4)] }],
    ['a range in OTP', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x1fff7800, 4)] }],
    ['a range that would wrap', 'BF-PLAN-RANGE', { ...flash, ranges: [boot, program(0x08000104, 0xfffffffc)] }],
    ['a range in the flash alias', 'BF-PLAN-RANGE', { ...flash, ranges: [program(0, 0x100)], bootAddress: 0 }],
    ['programming without erasing', 'BF-PLAN-RANGE', { ...flash, sectors: [0] }],
    ['flash without erasing', 'BF-PLAN-MALFORMED', { ...flash, sectors: [] }],
    ['flash without programming', 'BF-PLAN-MALFORMED', { ...flash, ranges: [flash.ranges[1]] }],
    ['data in the sector the chip starts from', 'BF-PLAN-RANGE', { ...flash, bootAddress: undefined }],
    [
      'a planting elsewhere',
      'BF-PLAN-OPTIONS',
      { ...planting, sectors: [4], bootAddress: 0x08010000, ranges: [behind] },
    ],
    ['a planting that lifts', 'BF-PLAN-OPTIONS', { ...planting, flags: ['lift write protection'] }],
    ['data that locks', 'BF-PLAN-OPTIONS', { ...data, lock: 'level 1' }],
    ['boot words off 4 bytes', 'BF-PLAN-RANGE', { ...flash, bootAddress: 0x08000002 }],
    ['boot words beyond their range', 'BF-PLAN-RANGE', { ...flash, bootAddress: 0x080000c4 }],
    ['boot words in a range to digest', 'BF-PLAN-RANGE', { ...flash, bootAddress: 0x08004000 }],
    [
      'boot words across two ranges',
      'BF-PLAN-RANGE',
      { ...flash, ranges: [program(0x08000000, 32), program(0x08000020, 32)] },
    ],
    ['flash of a loader in host-blind', 'BF-PLAN-MALFORMED', { ...flash, ...nothing, kind: 'enroll' }],
    ['erase in seeded', 'BF-PLAN-MALFORMED', { ...erase, mode: 'seeded', release }],
    ['info in lock-then-load', 'BF-PLAN-MALFORMED', { ...info, mode: 'lock-then-load', release }],
    ['a lock behind a loader', 'BF-PLAN-MALFORMED', { ...device, lock: 'level 1' }],
    ['lifting behind a loader', 'BF-PLAN-MALFORMED', { ...device, flags: ['lift write protection'] }],
    ['a sector of the loader', 'BF-PLAN-MALFORMED', { ...device, sectors: [3, 4, 12] }],
    ['data behind a loader', 'BF-PLAN-MALFORMED', { ...device, bootAddress: undefined, sectors: [4, 12] }],
    ['boot words elsewhere behind a loader', 'BF-PLAN-MALFORMED', { ...device, bootAddress: 0x08010004 }],
    ['a floor above the version', 'BF-PLAN-MALFORMED', { ...device, release: { ...release, floor: 6 } }],
    ['an enrolment for no product', 'BF-PLAN-MALFORMED', { ...enroll, release: { ...release, product: 0 } }],
    ['keys without one to clear', 'BF-PLAN-MALFORMED', { ...keys, cleared: [] }],
    ['keys in host-blind', 'BF-PLAN-MALFORMED', { ...info, flashKiB: 2048, kind: 'keys' }],
    ['comparing for no product', 'BF-PLAN-MALFORMED', { ...check, release: { ...release, product: 0 } }],
    ['an enrolment of a version', 'BF-PLAN-MALFORMED', { ...enroll, release }],
    ['an enrolment that erases', 'BF-PLAN-MALFORMED', { ...enroll, sectors: [4] }],
    ['verify that erases', 'BF-PLAN-MALFORMED', { ...verify, sectors: [1] }],
    ['verify that programs', 'BF-PLAN-MALFORMED', { ...verify, sectors: [0], ranges: [boot] }],
    ['verify of nothing', 'BF-PLAN-MALFORMED', { ...verify, ranges: [] }],
    ['verify with boot words', 'BF-PLAN-MALFORMED', { ...verify, bootAddress: 0x08000000 }],
    ['verify that locks', 'BF-PLAN-OPTIONS', { ...verify, lock: 'level 1' }],
    ['erase of nothing', 'BF-PLAN-MALFORMED', { ...erase, sectors: [] }],
    ['erase with ranges', 'BF-PLAN-MALFORMED', { ...erase, ranges: [flash.ranges[1]] }],
    ['erase that locks', 'BF-PLAN-OPTIONS', { ...erase, lock: 'level 1' }],
    ['info that erases', 'BF-PLAN-MALFORMED', { ...info, sectors: [3] }],
    ['info with ranges', 'BF-PLAN-MALFORMED', { ...info, ranges: [flash.ranges[1]] }],
    ['reset with boot words', 'BF-PLAN-MALFORMED', { ...reset, bootAddress: 0x08000000 }],
    ['reset that locks', 'BF-PLAN-OPTIONS', { ...reset, lock: 'level 1' }],
    ['erase of blank sectors as well', 'BF-PLAN-OPTIONS', { ...erase, flags: ['always erase'] }],
    ['verify that lifts', 'BF-PLAN-OPTIONS', { ...verify, flags: ['lift write protection'] }],
    ['what was never lifted kept lifted', 'BF-PLAN-OPTIONS', { ...flash, flags: ['keep lifted'] }],
    ['unlock with a flag', 'BF-PLAN-OPTIONS', { ...unlock, flags: ['lift write protection'] }],
    ['flash that changes option bytes', 'BF-PLAN-OPTIONS', { ...flash, options: options.options }],
    ['info that changes option bytes', 'BF-PLAN-OPTIONS', { ...info, options: unlock.options }],
    ['a value outside its mask', 'BF-PLAN-OPTIONS', { ...options, options: change(0x04, 0x0c) }],
    ['a value of OPTCR1 outside its mask', 'BF-PLAN-OPTIONS', { ...options, options: change(4, 0, 0, 0x10000) }],
    ['options that change nothing', 'BF-PLAN-OPTIONS', { ...options, options: NO_OPTIONS }],
    ['options with RDP level 2', 'BF-PLAN-OPTIONS', { ...options, options: change(0xff00, 0xcc00) }],
    ['options with RDP level 1', 'BF-PLAN-OPTIONS', { ...options, options: change(0xff00, 0x5500) }],
    ['options with one bit of RDP', 'BF-PLAN-OPTIONS', { ...options, options: change(0x0104, 4) }],
    ['options with SPRMOD', 'BF-PLAN-OPTIONS', { ...options, options: change(0x80000000, 0x80000000) }],
    ['options with BFB2', 'BF-PLAN-OPTIONS', { ...options, options: change(0x10, 0) }],
    ['options with DB1M', 'BF-PLAN-OPTIONS', { ...options, options: change(0x40000000, 0x40000000) }],
    ['options with OPTLOCK', 'BF-PLAN-OPTIONS', { ...options, options: change(1, 1) }],
    ['options with OPTSTRT', 'BF-PLAN-OPTIONS', { ...options, options: change(2, 2) }],
    ['options with a reserved bit', 'BF-PLAN-OPTIONS', { ...options, options: change(0x10000000, 0) }],
    ['options with a reserved bit of OPTCR1', 'BF-PLAN-OPTIONS', { ...options, options: change(4, 4, 1, 1) }],
    [
      'options with nWRP of a sector the part does not have',
      'BF-PLAN-OPTIONS',
      { ...options, flashKiB: 1024, options: change(0, 0, 0x10000, 0) },
    ],
    ['unlock to level 1', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0xff00, 0x5500) }],
    ['unlock to level 2', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0xff00, 0xcc00) }],
    ['unlock of half of RDP', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0xf000, 0xa000) }],
    ['unlock that leaves RDP', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0x80000000, 0) }],
    ['unlock that sets SPRMOD', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0x8000ff00, 0x8000aa00) }],
    ['unlock that sets BFB2', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0xff10, 0xaa10) }],
    ['unlock that protects a sector', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0x1ff00, 0xaa00) }],
    ['unlock that sets the brown-out level', 'BF-PLAN-OPTIONS', { ...unlock, options: change(0xff04, 0xaa04) }],
    ['unlock that erases by sector', 'BF-PLAN-MALFORMED', { ...unlock, sectors: [0] }],
    ['unlock that locks', 'BF-PLAN-OPTIONS', { ...unlock, lock: 'level 1' }],
  ];
  for (const [name, code, plan] of broken) {
    it(`${name} is refused`, () => refuses(code, () => checkPlan(decodePlan(encodePlan(plan)), STM32F42X)));
  }

  it('every change of a byte is refused or is another plan with another hash', () => {
    const bytes = encodePlan(flash);
    for (let offset = 0; offset < bytes.length; offset++) {
      for (const delta of [1, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[offset] ^= delta;
        try {
          assert.equal(hex(encodePlan(decodePlan(changed))), hex(changed));
        } catch (error) {
          refuses('BF-PLAN-MALFORMED', () => decodePlan(changed), String(error));
        }
        assert.notEqual(hex(planHash(changed)), hex(planHash(bytes)));
      }
    }
  });

  const RESERVED: [string, number, number][] = [
    ['magic', 0, 0x62],
    ['kind 0', 6, 0],
    ['kind 10', 6, 10],
    ['mode 0', 7, 0],
    ['mode 4', 7, 4],
    ['x64', 40, 3],
    ['lock 3', 41, 3],
    ['final action 2', 42, 2],
    ['R 65', 43, 65],
    ['label 65', 44, 65],
    ['an unknown flag', 45, 8],
    ['the highest flag', 45, 0x80],
    ['reserved 46', 46, 1],
    ['reserved 47', 47, 1],
    ['range use 0', 72, 0],
    ['range use 3', 72, 3],
    ['range use high byte', 75, 1],
  ];
  for (const [name, offset, value] of RESERVED) {
    it(`${name} is refused`, () => {
      const bytes = encodePlan(flash);
      bytes[offset] = value;
      refuses('BF-PLAN-MALFORMED', () => decodePlan(bytes));
    });
  }

  it('label padding, cut and lengthened plans are refused', () => {
    const bytes = encodePlan(flash);
    const padded = bytes.slice();
    padded[padded.length - 1] = 1;
    refuses('BF-PLAN-MALFORMED', () => decodePlan(padded));
    for (let length = 0; length < bytes.length; length++) {
      refuses('BF-PLAN-MALFORMED', () => decodePlan(bytes.subarray(0, length)));
    }
    refuses('BF-PLAN-MALFORMED', () => decodePlan(Uint8Array.of(...bytes, 0, 0, 0, 0)));
    const longer = Uint8Array.of(...bytes, 0, 0, 0, 0);
    longer[4] += 4;
    refuses('BF-PLAN-MALFORMED', () => decodePlan(longer));
    const notUtf8 = bytes.slice();
    notUtf8[bytes.length - 8] = 0xff;
    refuses('BF-PLAN-MALFORMED', () => decodePlan(notUtf8));
  });

  it('limits of what can be encoded', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => program(0x08000000 + 4 * i, 4));
    assert.equal(decodePlan(encodePlan({ ...flash, ranges: many(64), label: 'x'.repeat(64) })).ranges.length, 64);
    refuses('BF-PLAN-TOO-LONG', () => encodePlan({ ...flash, ranges: many(65) }));
    refuses('BF-PLAN-TOO-LONG', () => encodePlan({ ...flash, label: 'ü'.repeat(33) }));
    refuses('BF-INTERNAL-ARGUMENT', () => encodePlan({ ...flash, job: new Uint8Array(15) }));
    refuses('BF-INTERNAL-ARGUMENT', () => encodePlan({ ...flash, sectors: [4, 3] }));
    refuses('BF-INTERNAL-ARGUMENT', () => encodePlan({ ...flash, sectors: [32] }));
  });

  it('any plan survives the round trip', () => {
    const u32 = fc.integer({ min: 0, max: 0xfffffffe });
    const words = fc.record({ optcr: u32, optcr1: u32 }, { noNullPrototype: true });
    const plans = fc.record(
      {
        kind: fc.constantFrom('flash', 'verify', 'erase', 'info', 'reset', 'unlock', 'options'),
        mode: fc.constant('host-blind'),
        job: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        devId: fc.integer({ min: 0, max: 0xffff }),
        flashKiB: fc.integer({ min: 0, max: 0xffff }),
        idleLimitMs: u32,
        sectors: fc.uniqueArray(fc.integer({ min: 0, max: 31 })).map((list) => list.sort((a, b) => a - b)),
        bootAddress: fc.option(u32, { nil: undefined }),
        widest: fc.constantFrom('x8', 'x16', 'x32'),
        lock: fc.constantFrom('none', 'level 1'),
        finalAction: fc.constantFrom('halt', 'run'),
        flags: fc.subarray(['always erase', 'lift write protection', 'keep lifted']),
        options: fc.record({ mask: words, value: words }, { noNullPrototype: true }),
        ranges: fc.array(
          fc.record(
            { address: u32, length: u32, use: fc.constantFrom('program', 'digest') },
            { noNullPrototype: true },
          ),
          {
            maxLength: 64,
          },
        ),
        label: fc.string({ unit: 'grapheme', maxLength: 10 }).filter((text) => Buffer.byteLength(text) <= 64),
      },
      { noNullPrototype: true },
    ) as fc.Arbitrary<Plan>;
    fc.assert(
      fc.property(plans, (plan) =>
        assert.deepEqual(decodePlan(encodePlan(plan)), { ...plan, label: foreignText(plan.label as string) }),
      ),
      { numRuns: 200 },
    );
  });

  it('garbage only meets coded errors', () => {
    const good = encodePlan(flash);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(good.length), (noise, offset) => {
        onlyCoded(() => decodePlan(noise));
        const spoilt = good.slice();
        spoilt.set(noise.subarray(0, good.length - offset), offset);
        onlyCoded(() => checkPlan(decodePlan(spoilt), STM32F42X));
      }),
      { numRuns: 300 },
    );
  });

  it('a part of one bank: no OPTCR1, no SPRMOD, no BFB2 in any plan', () => {
    const f405 = CHIPS.find(({ devId }) => devId === 0x413) as Chip;
    const small = { ...unlock, devId: 0x413 };
    checkPlan({ ...small, options: change(0x0fffff00, 0x0fffaa00) }, f405);
    checkPlan({ ...options, devId: 0x413, options: change(0x0fff00ec, 0x0ffe0084) }, f405);
    for (const [mask, value, mask1] of [
      [0x8000ff00, 0xaa00, 0],
      [0xff10, 0xaa00, 0],
      [0xff00, 0xaa00, 0x10000],
    ] as const) {
      const plan = { ...small, options: change(mask, value, mask1, mask1) };
      refuses('BF-PLAN-OPTIONS', () => checkPlan(plan, f405));
    }
  });

  it('finds the range of the boot words', () => {
    assert.equal(bootRange(flash), boot);
    assert.equal(bootRange(erase), undefined);
  });
});
