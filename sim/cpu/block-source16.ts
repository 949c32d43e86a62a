// Texts of 16-bit Thumb instructions for compiled blocks (block-source.ts), and which branches may end
// one. Layout: ARMv7-M A5.2.
import type { Width } from '../bus.ts';
import {
  addition,
  carried,
  flagged,
  load,
  loadMultiple,
  low,
  PC,
  type Piece,
  plain,
  reg,
  SP,
  store,
  storeMultiple,
  subtraction,
} from './block-source.ts';

/** The 16-bit instruction `hw` at `pc` outside an IT block; undefined when a block ends before it. */
export function piece16(hw: number, pc: number): Piece | undefined {
  switch (hw >>> 12) {
    case 0:
    case 1:
      return shiftAddSubtract(hw);
    case 2:
    case 3:
      return immediate8(hw);
    case 4:
      if (hw & 0x0800) return load(2, 4, false, low(hw, 8), String((((pc + 4) & ~3) + (hw & 0xff) * 4) | 0));
      return hw & 0x0400 ? highRegisters(hw) : dataProcessing(hw);
    case 5:
      return registerOffset(hw);
    case 6:
    case 7:
    case 8:
    case 9:
      return immediateOffset(hw);
    case 10:
      return addressOf(hw, pc);
    case 11:
      return miscellaneous(hw);
    case 12:
      return multiple16(hw);
    default:
      return undefined;
  }
}

function shiftAddSubtract(hw: number): Piece {
  const into = `${reg(low(hw, 0))} = c;`;
  const rm = reg(low(hw, 3));
  const field = (hw >>> 6) & 31;
  switch ((hw >>> 11) & 3) {
    case 0:
      return plain(
        2,
        `${field === 0 ? '' : `s.c = (${rm} >>> ${32 - field}) & 1; `}${flagged(`${rm} << ${field}`, into)}`,
      );
    case 1:
      if (field === 0) return plain(2, `s.c = ${rm} >>> 31; ${flagged('0', into)}`);
      return plain(2, `s.c = (${rm} >>> ${field - 1}) & 1; ${flagged(`(${rm} >>> ${field}) | 0`, into)}`);
    case 2: {
      const last = field === 0 ? 31 : field - 1;
      return plain(2, `s.c = (${rm} >>> ${last}) & 1; ${flagged(`${rm} >> ${field === 0 ? 31 : field}`, into)}`);
    }
    default: {
      const operand = hw & 0x0400 ? String(low(hw, 6)) : reg(low(hw, 6));
      return plain(2, (hw & 0x0200 ? subtraction : addition)(rm, operand, into));
    }
  }
}

function immediate8(hw: number): Piece {
  const rd = reg(low(hw, 8));
  const value = String(hw & 0xff);
  switch ((hw >>> 11) & 3) {
    case 0:
      return plain(2, flagged(value, `${rd} = c;`));
    case 1:
      return plain(2, subtraction(rd, value, ''));
    case 2:
      return plain(2, addition(rd, value, `${rd} = c;`));
    default:
      return plain(2, subtraction(rd, value, `${rd} = c;`));
  }
}

function dataProcessing(hw: number): Piece | undefined {
  const [rd, rm] = [reg(low(hw, 0)), reg(low(hw, 3))];
  const into = `${rd} = c;`;
  const texts: Readonly<Record<number, string>> = {
    0: flagged(`${rd} & ${rm}`, into),
    1: flagged(`${rd} ^ ${rm}`, into),
    5: carried(rd, rm, into),
    6: carried(rd, `~${rm}`, into),
    8: flagged(`${rd} & ${rm}`, ''),
    9: subtraction('0', rm, into),
    10: subtraction(rd, rm, ''),
    11: addition(rd, rm, ''),
    12: flagged(`${rd} | ${rm}`, into),
    13: flagged(`Math.imul(${rd}, ${rm})`, into),
    14: flagged(`${rd} & ~${rm}`, into),
    15: flagged(`~${rm}`, into),
  };
  const text = texts[(hw >>> 6) & 15];
  return text === undefined ? undefined : plain(2, text);
}

function highRegisters(hw: number): Piece | undefined {
  const rd = (hw & 7) | ((hw >>> 4) & 8);
  const rm = (hw >>> 3) & 15;
  if (rd === PC || rm === PC) return undefined;
  const aligned = rd === SP ? ' & ~3' : ' | 0';
  switch ((hw >>> 8) & 3) {
    case 0:
      return plain(2, `${reg(rd)} = (${reg(rd)} + ${reg(rm)})${aligned};`);
    case 1:
      return plain(2, subtraction(reg(rd), reg(rm), ''));
    case 2:
      return plain(2, `${reg(rd)} = ${reg(rm)}${aligned};`);
    default:
      return undefined;
  }
}

function registerOffset(hw: number): Piece {
  const rt = low(hw, 0);
  const address = `(${reg(low(hw, 3))} + ${reg(low(hw, 6))}) | 0`;
  switch ((hw >>> 9) & 7) {
    case 0:
      return store(2, 4, rt, address);
    case 1:
      return store(2, 2, rt, address);
    case 2:
      return store(2, 1, rt, address);
    case 3:
      return load(2, 1, true, rt, address);
    case 4:
      return load(2, 4, false, rt, address);
    case 5:
      return load(2, 2, false, rt, address);
    case 6:
      return load(2, 1, false, rt, address);
    default:
      return load(2, 2, true, rt, address);
  }
}

function immediateOffset(hw: number): Piece {
  const imm5 = (hw >>> 6) & 31;
  const near = (scale: number): string => `(${reg(low(hw, 3))} + ${imm5 * scale}) | 0`;
  const one = (width: Width, rt: number, address: string): Piece =>
    hw & 0x0800 ? load(2, width, false, rt, address) : store(2, width, rt, address);
  switch (hw >>> 12) {
    case 6:
      return one(4, low(hw, 0), near(4));
    case 7:
      return one(1, low(hw, 0), near(1));
    case 8:
      return one(2, low(hw, 0), near(2));
    default:
      return one(4, low(hw, 8), `(${reg(SP)} + ${(hw & 0xff) * 4}) | 0`);
  }
}

function addressOf(hw: number, pc: number): Piece {
  const rd = reg(low(hw, 8));
  const imm = (hw & 0xff) * 4;
  if (hw & 0x0800) return plain(2, `${rd} = (${reg(SP)} + ${imm}) | 0;`);
  return plain(2, `${rd} = ${(((pc + 4) & ~3) + imm) | 0};`);
}

function miscellaneous(hw: number): Piece | undefined {
  switch ((hw >>> 8) & 15) {
    case 0:
      return plain(2, `${reg(SP)} = (${reg(SP)} + ${(hw & 0x7f) * (hw & 0x80 ? -4 : 4)}) | 0;`);
    case 2:
      return extension(hw);
    case 4:
    case 5:
      return storeMultiple({ size: 2, rn: SP, list: (hw & 0xff) | ((hw & 0x100) << 6), decrement: true, wback: true });
    case 12:
      return loadMultiple({ size: 2, rn: SP, list: hw & 0xff, decrement: false, wback: true });
    default:
      return undefined;
  }
}

function extension(hw: number): Piece {
  const rm = reg(low(hw, 3));
  const values = [`(${rm} << 16) >> 16`, `(${rm} << 24) >> 24`, `${rm} & 65535`, `${rm} & 255`];
  return plain(2, `${reg(low(hw, 0))} = ${values[(hw >>> 6) & 3]};`);
}

function multiple16(hw: number): Piece | undefined {
  const rn = low(hw, 8);
  const list = hw & 0xff;
  if ((hw & 0x0800) === 0) return storeMultiple({ size: 2, rn, list, decrement: false, wback: true });
  return loadMultiple({ size: 2, rn, list, decrement: false, wback: ((list >>> rn) & 1) === 0 });
}

/** Branches that may end a block: they neither access memory nor fault. */
export function isBranch(hw1: number, hw2: number): boolean {
  if (hw1 >>> 12 === 13) return ((hw1 >>> 8) & 15) < 14;
  if (hw1 >>> 11 === 0x1c || (hw1 & 0xf500) === 0xb100) return true;
  if (hw1 >>> 8 === 0x47) return ((hw1 >>> 3) & 15) !== PC;
  if (hw1 >>> 11 !== 0x1e || (hw2 & 0x8000) === 0) return false;
  const kind = hw2 & 0x5000;
  return kind === 0 ? ((hw1 >>> 7) & 7) !== 7 : kind !== 0x4000;
}
