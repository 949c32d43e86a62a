// Floating-point instructions and operand values for the lock-step check; placeholders as in templates.ts, and
// {fd}{fn}{fm} single registers, {flist}{dlist} register lists, {fimm} a VMOV constant.
import type { Dice } from './dice.ts';

const THREE = [
  'vadd',
  'vsub',
  'vmul',
  'vnmul',
  'vdiv',
  'vmla',
  'vmls',
  'vnmla',
  'vnmls',
  'vfma',
  'vfms',
  'vfnma',
  'vfnms',
];

export const FLOAT_TEMPLATES: readonly string[] = [
  ...[...THREE, ...THREE].map((op) => `${op}{c}.f32 {fd}, {fn}, {fm}`),
  ...['vabs', 'vneg', 'vsqrt', 'vmov'].map((op) => `${op}{c}.f32 {fd}, {fm}`),
  'vmov{c}.f32 {fd}, #{fimm}',
  ...['vcmp', 'vcmpe'].flatMap((op) => [`${op}{c}.f32 {fd}, {fm}`, `${op}{c}.f32 {fd}, #0.0`]),
  'vmrs{c} APSR_nzcv, fpscr',
  'vmrs{c} {d}, fpscr',
  ...['s32.f32', 'u32.f32', 'f32.s32', 'f32.u32'].map((types) => `vcvt{c}.${types} {fd}, {fm}`),
  ...['s32.f32', 'u32.f32'].map((types) => `vcvtr{c}.${types} {fd}, {fm}`),
  ...['s32', 'u32'].map((type) => `vcvt{c}.${type}.f32 s5, s5, #{i:1:32}`),
  ...['s16', 'u16'].map((type) => `vcvt{c}.${type}.f32 s7, s7, #{i:1:16}`),
  ...['vcvtb', 'vcvtt'].flatMap((op) => [`${op}{c}.f32.f16 {fd}, {fm}`, `${op}{c}.f16.f32 {fd}, {fm}`]),
  'vmov{c} {d}, {fm}',
  'vmov{c} {fd}, {m}',
  'vmov{c} {d}, {e}, s12, s13',
  'vmov{c} s14, s15, {d}, {e}',
  'vmov{c} {d}, {e}, d9',
  'vmov{c} d8, {d}, {e}',
  'vldr{c} {fd}, [r10, #{i4:7}]',
  'vldr{c} d3, [r10, #-{i4:7}]',
  'vstr{c} {fd}, [r10, #{i4:7}]',
  'vstr{c} d5, [r10, #-{i4:7}]',
  'vldmia{c} r10, {flist}',
  'vstmia{c} r10, {dlist}',
  'add{c}.w {d}, {n}, {m}',
];

/**
 * For QEMU alone: Unicorn 2.0.1 rounds fixed point to single by FPSCR.RMode where the architecture says to nearest
 * (ARMv7-M VCVT, "round_nearest").
 */
export const FLOAT_FROM_FIXED: readonly string[] = [
  ...['s32', 'u32'].map((type) => `vcvt{c}.f32.${type} s6, s6, #{i:1:32}`),
  ...['s16', 'u16'].map((type) => `vcvt{c}.f32.${type} s8, s8, #{i:1:16}`),
];

export const FLOAT_SEQUENCES: readonly string[] = [
  'movs r8, #{i:0:31}\n\tlsls r8, #22\n\tvmsr fpscr, r8',
  'mov r8, r10\n\tvldmia r8!, {dlist}\n\tvstmia r8!, {flist}\n\tvldmdb r8!, {flist}\n\tvstmdb r8!, {dlist}\n\tsub r8, r10',
  'vpush {dlist}\n\tvpop {dlist}\n\tmovw r8, #0x8000\n\tmovt r8, #0x2000\n\tmov sp, r8',
  'vpush {{s2-s5}}\n\tvpop {{s20-s23}}',
  'vpush {{d1-d3}}\n\tvpop {{d10-d12}}',
  'vldr {fd}, 1f\n\tb 2f\n\t.align 2\n1:\t.word {i:0:65535}\n2:',
  // Results near the edges: a value, its double and its half meet again.
  'vadd.f32 {fd}, {fn}, {fn}\n\tvmul.f32 {fm}, {fd}, {fn}\n\tvdiv.f32 {fd}, {fm}, {fd}\n\tvsub.f32 {fm}, {fd}, {fn}',
  'vcvt.f32.s32 {fd}, {fm}\n\tvsqrt.f32 {fm}, {fd}\n\tvfma.f32 {fd}, {fm}, {fm}',
];

const CORNERS = [
  0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x3f800000, 0xbf800000, 0x3f7fffff,
  0x3f800001, 0x40000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00123, 0x7f800001,
  0xffa00055, 0x4f000000, 0xcf000000, 0x4f7fffff, 0x4effffff, 0xcf000001, 0x33800000, 0x33000000, 0x477fe000,
  0x477ff000, 0x38800000, 0x387fc000, 0x33ffffff, 0x00ffffff, 0x3f000000, 0x3fc00000, 0x40200000,
];

/** Bits of a single: corners, numbers of moderate size, subnormals, integers, anything. */
export function singleValue(dice: Dice): number {
  switch (dice.below(6)) {
    case 0:
      return dice.pick(CORNERS);
    case 1:
      return ((dice.word() & 0x807fffff) | ((112 + dice.below(32)) << 23)) >>> 0;
    case 2:
      return (dice.word() & 0x80ffffff & ~(0x7fffff >>> dice.below(24))) >>> 0;
    case 3:
      return ((dice.word() & 0x807ff000) | ((120 + dice.below(16)) << 23)) >>> 0;
    case 4:
      return (dice.below(2) * 0x80000000 + dice.below(1 << dice.below(31))) >>> 0;
    default:
      return dice.word();
  }
}
