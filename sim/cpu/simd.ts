// Parallel addition and subtraction: SADD16 … UHSUB8, with GE flags. ARMv7-M A5.3.13-A5.3.14.
import type { Binary, CpuState } from './state.ts';

interface Lane {
  /** Where the lane's two inputs sit in Rn and Rm, and whether it adds. */
  readonly a: number;
  readonly b: number;
  readonly add: boolean;
}

interface Shape {
  readonly bits: 8 | 16;
  readonly lanes: readonly Lane[];
}

const halves = (first: Partial<Lane>, second: Partial<Lane>): Shape => ({
  bits: 16,
  lanes: [
    { a: 0, b: 0, add: true, ...first },
    { a: 16, b: 16, add: true, ...second },
  ],
});
const bytes = (add: boolean): Shape => ({ bits: 8, lanes: [0, 8, 16, 24].map((at) => ({ a: at, b: at, add })) });

/** op1 (hw1 bits 6:4) → lanes. ASX adds on top and exchanges Rm's halves; SAX subtracts on top. */
const SHAPES: Readonly<Record<number, Shape>> = {
  0: bytes(true),
  1: halves({}, {}),
  2: halves({ b: 16, add: false }, { b: 0 }),
  4: bytes(false),
  5: halves({ add: false }, { add: false }),
  6: halves({ b: 16 }, { b: 0, add: false }),
};

/** hw2 bits 6:4 → how a lane's exact result becomes its bits. */
const FLAVOURS: Readonly<Record<number, { signed: boolean; kind: 'modulo' | 'saturate' | 'halve' }>> = {
  0: { signed: true, kind: 'modulo' },
  1: { signed: true, kind: 'saturate' },
  2: { signed: true, kind: 'halve' },
  4: { signed: false, kind: 'modulo' },
  5: { signed: false, kind: 'saturate' },
  6: { signed: false, kind: 'halve' },
};

/** The operation for op1, op2, or undefined when the encoding is unallocated. Modulo flavours set GE. */
export function parallelOperation(s: CpuState, op1: number, op2: number): Binary | undefined {
  const shape = SHAPES[op1];
  const flavour = FLAVOURS[op2];
  if (shape === undefined || flavour === undefined) return undefined;
  const { bits, lanes } = shape;
  const { signed, kind } = flavour;
  const mask = (1 << bits) - 1;
  const geMask = bits === 8 ? 1 : 3;
  const finish = finisher(bits, signed, kind);
  return (n, m) => {
    let result = 0;
    let ge = 0;
    for (const lane of lanes) {
      const a = laneValue(n, lane.a, bits, signed);
      const b = laneValue(m, lane.b, bits, signed);
      const exact = lane.add ? a + b : a - b;
      result |= (finish(exact) & mask) << lane.a;
      if (atLeast(exact, lane.add, signed, mask)) ge |= geMask << (lane.a >>> 3);
    }
    if (kind === 'modulo') s.ge = ge;
    return result;
  };
}

function laneValue(x: number, at: number, bits: number, signed: boolean): number {
  const up = x << (32 - bits - at);
  return signed ? up >> (32 - bits) : up >>> (32 - bits);
}

function finisher(bits: number, signed: boolean, kind: 'modulo' | 'saturate' | 'halve'): (exact: number) => number {
  if (kind === 'modulo') return (exact) => exact;
  if (kind === 'halve') return (exact) => exact >> 1;
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const min = signed ? -max - 1 : 0;
  return (exact) => Math.max(min, Math.min(max, exact));
}

/** GE: signed results ≥ 0; unsigned additions that carry, unsigned subtractions that do not borrow. */
function atLeast(exact: number, add: boolean, signed: boolean, mask: number): boolean {
  return signed || !add ? exact >= 0 : exact > mask;
}
