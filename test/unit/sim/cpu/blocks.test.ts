// A compiled block must do what its instructions do one by one: registers, flags, memory and cycles. Random blocks of
// every instruction that may stand in one run in a loop, once compiled and once with a time limit at every instruction,
// which keeps blocks out.
import assert from 'node:assert/strict';
import type { Piece } from '../../../../sim/cpu/block-source.ts';
import { isBranch, piece16 } from '../../../../sim/cpu/block-source16.ts';
import { piece32 } from '../../../../sim/cpu/block-source32.ts';
import { seededRandom } from '../../../fixtures/seeded.ts';
import { Machine, RAM } from './machine.ts';

const PROGRAMS = 120;
const CYCLES = 1200;
/** movw r12, #TABLE; movt r12, #TABLE; ldm r12, {r0-r7, lr}: every turn starts from the same registers. */
const PROLOGUE = [0xf248, 0x0c00, 0xf2c2, 0x0c00, 0xe89c, 0x40ff];
const NOP = 0xbf00;

type Random = ReturnType<typeof seededRandom>;

/** 32-bit instructions are rare among random half-words; these are the groups that have them. */
const WIDE = [0xe900, 0xea00, 0xeb00, 0xf000, 0xf100, 0xf200, 0xf300, 0xf800, 0xfb00, 0xe880] as const;

/** Whether it goes to memory by r0 to r3 alone and leaves these alone, so that most programs run on without a fault. */
function isTame({ text, access }: Piece): boolean {
  const base = /^a = (\(r\[[0-3]\] [+-] \d+\) \| 0|r\[[0-3]\]);/.test(text);
  const moves = /\br\[([0-3]|12)\] = (?!\(r\[\1\] [+-] \d+\) \| 0)/.test(text);
  return !moves && (access === 'none' || base);
}

/** A random instruction that may stand in a block, as half-words. */
function instruction(random: Random): number[] {
  const wild = random.int(60) === 0;
  for (;;) {
    const first = random.int(2) === 0 ? random.int(0xe800) : WIDE[random.int(WIDE.length)]! | random.int(0x100);
    const second = random.int(0x10000);
    const wide = first >>> 11 >= 0x1d;
    const piece = wide ? piece32(first, second) : piece16(first, 0x400);
    if (piece !== undefined && (wild || isTame(piece))) return wide ? [first, second] : [first];
  }
}

function program(seed: number): number[] {
  const random = seededRandom(seed);
  const body = Array.from({ length: 4 + random.int(20) }, () => instruction(random)).flat();
  const code = [...PROLOGUE, ...body];
  // b.w back to the start, for the offset may exceed that of b.
  const offset = -(2 * code.length + 4);
  return [...code, 0xf000 | ((offset >>> 12) & 0x3ff) | 0x400, 0xb800 | ((offset >>> 1) & 0x7ff)];
}

function machine(seed: number, code: readonly number[]): Machine {
  const random = seededRandom(seed ^ 0x5eed);
  const made = new Machine();
  made.ram.bytes.set(random.bytes(0x2000), 0x8000);
  const table = new DataView(made.ram.bytes.buffer, 0x8000);
  // Mostly pointers into RAM, some of them misaligned or at the end of a page, and plain numbers.
  for (let n = 0; n < 9; n++) {
    const pointer = RAM + 0x8400 + random.int(0x1000) * (random.int(4) === 0 ? 1 : 4);
    table.setUint32(4 * n, random.int(5) === 0 ? random.int(0x7fffffff) : pointer, true);
  }
  made.place(0x400, ...code);
  for (let vector = 3; vector < 8; vector++) made.vector(vector, 0x201);
  made.place(0x200, 0xe7fe);
  // Every turn may be like the one before, and would be skipped.
  made.core.idleSkip = false;
  return made.start();
}

function seen({ core, time, ram }: Machine): unknown {
  return {
    registers: [...core.regs],
    xpsr: core.xpsr,
    cycles: time.cycles,
    ram: Buffer.from(ram.bytes).toString('base64'),
  };
}

describe('blocks', function () {
  this.timeout(60_000);

  it(`${PROGRAMS} random ones do what their instructions do, cycle for cycle`, () => {
    let compiled = 0;
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const code = program(seed);
      const [whole, single] = [machine(seed, code), machine(seed, code)];
      whole.run(CYCLES);
      while (single.time.cycles < whole.time.cycles) single.steps(1);
      assert.deepEqual(seen(whole), seen(single), `seed ${seed}: ${code.map((one) => one.toString(16)).join(' ')}`);
      compiled += whole.core.blocksCompiled;
    }
    assert.ok(compiled > PROGRAMS / 2, `${compiled} blocks were compiled`);
  });

  it('code changed inside one runs as changed, by a store of the core or from outside', () => {
    // str r1, [r0] over the third of the instructions behind it: adds r2, #1 becomes adds r2, #4.
    const run = (outside: boolean): Machine => {
      const made = new Machine();
      made.place(RAM + 0x100, 0x3201, 0x3301, 0x3201, 0x3301, outside ? NOP : 0x6001, 0xe7f9);
      made.vector(1, RAM + 0x101);
      made.start();
      made.core.regs[0] = RAM + 0x104;
      made.core.regs[1] = 0x33013201;
      made.run(2000);
      made.core.regs[1] = 0x33013204;
      if (outside) made.place(RAM + 0x104, 0x3204, 0x3301);
      return made;
    };
    for (const outside of [false, true]) {
      const made = run(outside);
      made.run(200);
      const before = made.core.regs[2]!;
      const turns = made.core.regs[3]!;
      made.run(2000);
      assert.equal((made.core.regs[2]! - before) / ((made.core.regs[3]! - turns) / 2), 5, `outside: ${outside}`);
    }
  });

  it('ends before what is no plain computation, and only branches that cannot fault end one', () => {
    for (const other of [0xbf08, 0xbe00, 0xdf00, 0xbd01, 0x4478, 0x4700]) {
      assert.equal(piece16(other, 0x400), undefined);
    }
    for (const branch of [0xd0fe, 0xe7fe, 0xb108, 0x4770, 0x4780]) assert.ok(isBranch(branch, 0));
    for (const other of [0xde00, 0xdf00, 0xbd00, 0x4778, 0xbf00]) assert.ok(!isBranch(other, 0));
    assert.ok(isBranch(0xf000, 0xf800));
    assert.ok(!isBranch(0xf3bf, 0x8f4f));
  });
});
