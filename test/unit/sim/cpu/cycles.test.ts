// Costs per instruction against the table that was checked with published Cortex-M4 figures
// (docs/reference/crypto.md §1).
import assert from 'node:assert/strict';
import { Machine, RAM } from './machine.ts';

/** Cycles of each instruction of a straight or branching piece of code. */
function costs(count: number, ...code: number[]): number[] {
  const machine = new Machine().place(0x400, ...code).start();
  const { regs } = machine.core;
  regs.fill(RAM + 0x100, 0, 8);
  return Array.from({ length: count }, () => {
    const before = machine.time.cycles;
    machine.run(1);
    return machine.time.cycles - before;
  });
}

describe('cycles', () => {
  const ROWS = [
    { what: 'ALU and every multiply 1', code: [0x3001, 0x4348, 0xfbe0, 0x1263, 0xfb00, 0x1203], expect: [1, 1, 1, 1] },
    { what: 'a lone store 1, a lone load 2', code: [0x6001, 0x3001, 0x6849, 0xbf00], expect: [1, 1, 2, 1] },
    { what: 'a load behind a load or store 1', code: [0x6841, 0x6842, 0x6042, 0x6843], expect: [2, 1, 1, 1] },
    { what: 'LDM and STM 1 + N', code: [0xc80e, 0xc00e], expect: [4, 4] },
    { what: 'PUSH and POP 1 + N', code: [0xb50f, 0xbc0f], expect: [6, 5] },
    { what: 'LDRD and STRD 3', code: [0xe9d0, 0x2300, 0xe9c0, 0x2300], expect: [3, 3] },
    {
      what: 'a taken direct branch 3, one not taken 1',
      code: [0x2000, 0xd100, 0xd000, 0xbf00, 0xe7ff],
      expect: [1, 1, 3, 3],
    },
    { what: 'an indirect branch 4', code: [0xa700, 0x3703, 0x4738, 0xbf00], expect: [1, 1, 4, 1] },
    {
      what: 'division 2 to 12 by size of the quotient',
      code: [0x2101, 0xfbb1, 0xf2f0, 0xfbb0, 0xf2f1],
      expect: [1, 2, 10],
    },
  ];
  for (const { what, code, expect } of ROWS) {
    it(`charges ${what}`, () => {
      assert.deepEqual(costs(expect.length, ...code), expect);
    });
  }
});
