// Texts of 32-bit Thumb-2 instructions for compiled blocks (block-source.ts). Layout: ARMv7-M A5.3.
import { decodeShift, expandImmediate, SHIFT } from './alu.ts';
import {
  addition,
  carried,
  flagged,
  LEAVE,
  load,
  loadMultiple,
  type Multiple,
  PC,
  type Piece,
  plain,
  reg,
  SP,
  store,
  storeMultiple,
  subtraction,
  unmarked,
  wordsAt,
} from './block-source.ts';
import { EXTRA } from './cycles.ts';

/**
 * The 32-bit instruction whose half-words are `hw1`, `hw2`, outside an IT block; undefined when a block ends before it.
 */
export function piece32(hw1: number, hw2: number): Piece | undefined {
  const group = hw1 >>> 9;
  if (group === 0x75) return shiftedRegister(hw1, hw2);
  if (group === 0x74) return hw1 & 0x40 ? dual(hw1, hw2) : multiple32(hw1, hw2);
  if (hw1 >>> 11 === 0x1e) return hw2 & 0x8000 ? undefined : immediate32(hw1, hw2);
  if (group === 0x7c) return single(hw1, hw2);
  if (group === 0x7d) return multiply(hw1, hw2);
  return undefined;
}

/** A shifted operand without flags. */
function shifted(rm: string, type: number, amount: number): string | undefined {
  if (type === SHIFT.lsl) return amount === 0 ? rm : `(${rm} << ${amount})`;
  if (type === SHIFT.lsr) return amount === 32 ? '0' : `(${rm} >>> ${amount} | 0)`;
  if (type === SHIFT.asr) return `(${rm} >> ${Math.min(amount, 31)})`;
  if (type === SHIFT.ror) return `((${rm} >>> ${amount}) | (${rm} << ${32 - amount}))`;
  return undefined;
}

function shiftedRegister(hw1: number, hw2: number): Piece | undefined {
  const rm = hw2 & 15;
  const { type, amount } = decodeShift((hw2 >>> 4) & 3, ((hw2 >>> 10) & 0x1c) | ((hw2 >>> 6) & 3));
  const operand = shifted(reg(rm), type, amount);
  if (operand === undefined || rm === SP || rm === PC) return undefined;
  const shifts = type !== SHIFT.lsl || amount !== 0;
  return computed(hw1, hw2, operand, (op) => shifts && op <= 4);
}

function immediate32(hw1: number, hw2: number): Piece | undefined {
  if (hw1 & 0x200) return plainImmediate(hw1, hw2);
  const { value, carry } = expandImmediate(((hw1 & 0x400) << 1) | ((hw2 & 0x7000) >>> 4) | (hw2 & 0xff));
  return computed(hw1, hw2, `(${value})`, (op) => carry !== undefined && op <= 4);
}

/**
 * AND … RSB of Rn and an operand. Flag-setting ones whose operand gives a carry of its own are left to the decoders.
 */
function computed(hw1: number, hw2: number, operand: string, givesCarry: (op: number) => boolean): Piece | undefined {
  const op = (hw1 >>> 5) & 15;
  const setFlags = (hw1 & 0x10) !== 0;
  const [rn, rd] = [hw1 & 15, (hw2 >>> 8) & 15];
  const sourceless = rn === PC && (op === 2 || op === 3);
  if ((rn === PC && !sourceless) || rd === SP || (rd === PC && !setFlags)) return undefined;
  if (setFlags && givesCarry(op)) return undefined;
  const into = rd === PC ? '' : `${reg(rd)} = c;`;
  const a = sourceless ? '0' : reg(rn);
  const text = setFlags ? withFlags(op, a, operand, into) : withoutFlags(op, a, operand, reg(rd));
  return text === undefined ? undefined : plain(4, text);
}

function withoutFlags(op: number, a: string, b: string, rd: string): string | undefined {
  const values: Readonly<Record<number, string>> = {
    0: `${a} & ${b}`,
    1: `${a} & ~${b}`,
    2: `${a} | ${b}`,
    3: `${a} | ~${b}`,
    4: `${a} ^ ${b}`,
    8: `${a} + ${b}`,
    10: `${a} + ${b} + s.c`,
    11: `${a} - ${b} - 1 + s.c`,
    13: `${a} - ${b}`,
    14: `${b} - ${a}`,
  };
  return values[op] === undefined ? undefined : `${rd} = (${values[op]}) | 0;`;
}

function withFlags(op: number, a: string, b: string, into: string): string | undefined {
  const texts: Readonly<Record<number, string>> = {
    0: flagged(`${a} & ${b}`, into),
    1: flagged(`${a} & ~${b}`, into),
    2: flagged(`${a} | ${b}`, into),
    3: flagged(`${a} | ~${b}`, into),
    4: flagged(`${a} ^ ${b}`, into),
    8: addition(a, b, into),
    10: carried(a, b, into),
    11: carried(a, `~${b}`, into),
    13: subtraction(a, b, into),
    14: subtraction(b, a, into),
  };
  return texts[op];
}

/** ADDW, SUBW, MOVW, MOVT, UBFX, SBFX. */
function plainImmediate(hw1: number, hw2: number): Piece | undefined {
  const [rd, rn] = [(hw2 >>> 8) & 15, hw1 & 15];
  if (rd === SP || rd === PC) return undefined;
  const imm12 = ((hw1 & 0x400) << 1) | ((hw2 & 0x7000) >>> 4) | (hw2 & 0xff);
  const imm16 = ((hw1 & 15) << 12) | imm12;
  const kind = (hw1 >>> 4) & 31;
  if (kind === 4) return plain(4, `${reg(rd)} = ${imm16};`);
  if (kind === 12) return plain(4, `${reg(rd)} = (${reg(rd)} & 65535) | ${imm16 << 16};`);
  if (rn === PC) return undefined;
  if (kind === 0 || kind === 10) return plain(4, `${reg(rd)} = (${reg(rn)} + ${hw1 & 0x80 ? -imm12 : imm12}) | 0;`);
  if (kind !== 20 && kind !== 28) return undefined;
  const lsb = ((hw2 >>> 10) & 0x1c) | ((hw2 >>> 6) & 3);
  const field = hw2 & 31;
  if (lsb + field > 31) return undefined;
  const right = kind === 20 ? '>>' : '>>>';
  return plain(4, `${reg(rd)} = ((${reg(rn)} << ${31 - lsb - field}) ${right} ${31 - field}) | 0;`);
}

function multiple32(hw1: number, hw2: number): Piece | undefined {
  const direction = (hw1 >>> 7) & 3;
  if (direction === 0 || direction === 3) return undefined;
  const wback = (hw1 & 0x20) !== 0;
  const rn = hw1 & 15;
  // With the base in the list, or as the stack pointer of a list that moves it, the decoders know best.
  if ((hw2 >>> rn) & 1) return undefined;
  const place: Multiple = { size: 4, rn, list: hw2, decrement: direction === 2, wback };
  return hw1 & 0x10 ? loadMultiple(place) : storeMultiple(place);
}

/** LDRD and STRD. */
function dual(hw1: number, hw2: number): Piece | undefined {
  const rn = hw1 & 15;
  const [rt, rt2] = [hw2 >>> 12, (hw2 >>> 8) & 15];
  const [pre, wback] = [(hw1 & 0x100) !== 0, (hw1 & 0x20) !== 0];
  if ((!pre && !wback) || [rn, rt, rt2].includes(PC) || rt === SP || rt2 === SP || (wback && rn === SP)) {
    return undefined;
  }
  const moved = `(${reg(rn)} + ${(hw2 & 0xff) * (hw1 & 0x80 ? 4 : -4)}) | 0`;
  const writeBack = wback ? `${reg(rn)} = ${moved};` : '';
  const text =
    hw1 & 0x10
      ? `${wordsAt('readPages', 2)} b = (a - w.base) >>> 2; ${writeBack} ${reg(rt)} = w.i32[b]; ${reg(rt2)} = w.i32[b + 1];`
      : `${wordsAt('writePages', 2)} ${unmarked(2)} w.i32[b] = ${reg(rt)}; w.i32[b + 1] = ${reg(rt2)}; ${writeBack}`;
  return { size: 4, text: `a = ${pre ? moved : reg(rn)}; ${text}`, extra: EXTRA.doubleWord, access: 'other' };
}

/** LDR, LDRH, LDRB and stores with a 12-bit offset, an 8-bit one, or a register. */
function single(hw1: number, hw2: number): Piece | undefined {
  const width = ([1, 2, 4, undefined] as const)[(hw1 >>> 5) & 3];
  const [rn, rt] = [hw1 & 15, hw2 >>> 12];
  if (width === undefined || rn === PC || rt === PC || rt === SP) return undefined;
  const signed = (hw1 & 0x100) !== 0;
  const isLoad = (hw1 & 0x10) !== 0;
  if (signed && (width === 4 || !isLoad)) return undefined;
  const address = offsetAddress(hw1, hw2, rn);
  if (address === undefined) {
    return indexed(hw1, hw2, isLoad ? load(4, width, signed, rt, BASE) : store(4, width, rt, BASE));
  }
  return isLoad ? load(4, width, signed, rt, address) : store(4, width, rt, address);
}

const BASE = '@base';

/** The 8-bit forms that write the base back, before the access or after it. */
function indexed(hw1: number, hw2: number, access: Piece): Piece | undefined {
  const rn = hw1 & 15;
  if ((hw2 & 0x900) !== 0x900 || (hw1 & 0x80) !== 0 || rn === SP) return undefined;
  const moved = `(${reg(rn)} + ${hw2 & 0x200 ? hw2 & 0xff : -(hw2 & 0xff)}) | 0`;
  const text = access.text.replace(BASE, hw2 & 0x400 ? moved : reg(rn));
  const end = text.lastIndexOf(LEAVE) + LEAVE.length;
  const writeBack = ` ${reg(rn)} = ${moved};`;
  // A loaded register wins over the base, and a stored one is the base as it was.
  const whole = hw1 & 0x10 ? text.slice(0, end) + writeBack + text.slice(end) : text + writeBack;
  return { ...access, text: whole };
}

function offsetAddress(hw1: number, hw2: number, rn: number): string | undefined {
  if (hw1 & 0x80) return `(${reg(rn)} + ${hw2 & 0xfff}) | 0`;
  const rm = hw2 & 15;
  if ((hw2 & 0xfc0) === 0) {
    return rm === PC ? undefined : `(${reg(rn)} + (${reg(rm)} << ${(hw2 >>> 4) & 3})) | 0`;
  }
  // [Rn, #-imm8] alone: neither write-back nor unprivileged.
  return (hw2 & 0xf00) === 0xc00 ? `(${reg(rn)} - ${hw2 & 0xff}) | 0` : undefined;
}

/** MUL, MLA, MLS, UMULL, UMLAL, UMAAL. */
function multiply(hw1: number, hw2: number): Piece | undefined {
  const [rn, rm, lo, hi] = [hw1 & 15, hw2 & 15, hw2 >>> 12, (hw2 >>> 8) & 15];
  if ([rn, rm, hi].some((n) => n === PC || n === SP) || lo === SP) return undefined;
  const op2 = (hw2 >>> 4) & 15;
  const product = `Math.imul(${reg(rn)}, ${reg(rm)})`;
  switch ((hw1 >>> 4) & 31) {
    case 16:
      if (op2 === 0) return plain(4, `${reg(hi)} = (${lo === PC ? '' : `${reg(lo)} + `}${product}) | 0;`);
      return op2 === 1 && lo !== PC ? plain(4, `${reg(hi)} = (${reg(lo)} - ${product}) | 0;`) : undefined;
    case 26:
      return op2 === 0 && lo !== PC ? plain(4, long(rn, rm, lo, hi, '', '')) : undefined;
    case 30:
      if (lo === PC) return undefined;
      if (op2 === 0) return plain(4, long(rn, rm, lo, hi, ` + (${reg(lo)} >>> 0)`, `${reg(hi)} + `));
      if (op2 !== 6) return undefined;
      return plain(4, long(rn, rm, lo, hi, ` + (${reg(lo)} >>> 0) + (${reg(hi)} >>> 0)`, ''));
    default:
      return undefined;
  }
}

/**
 * Rhi:Rlo = Rn · Rm and what is added to each half. The product as a double is at most 2^10 from the true one, and so,
 * the low word taken off, its upper word comes out exactly when rounded.
 */
function long(rn: number, rm: number, lo: number, hi: number, addLow: string, addHigh: string): string {
  const factors = `a = ${reg(rn)} >>> 0; b = ${reg(rm)} >>> 0; c = Math.imul(a, b) >>> 0; d = c${addLow};`;
  const product = '(((a * b - c) / 4294967296 + 0.5) >>> 0)';
  const high = `${reg(hi)} = (${addHigh}${product} + ((d / 4294967296) | 0)) | 0;`;
  // As in decode-dsp.ts a product alone is stored low half first, one that is added to high half first:
  // they may be one register.
  return addLow === '' ? `${factors} ${reg(lo)} = d | 0; ${high}` : `${factors} ${high} ${reg(lo)} = d | 0;`;
}
