// The floating-point unit: access control, contexts of exceptions with lazy stacking, the debugger's view, and rounding
// against the host's own arithmetic. Its instructions are judged by QEMU and Unicorn in test/interop/qemu-lockstep.
import assert from 'node:assert/strict';
import { add, divide, fusedMultiplyAdd, multiply, squareRoot } from '../../../../sim/cpu/float/arithmetic.ts';
import { roundSingle, toBits, toNumber } from '../../../../sim/cpu/float/rounding.ts';
import { Machine, STACK_TOP } from './machine.ts';

const CPACR = 0xe000ed88;
const CFSR = 0xe000ed28;
const FPCCR = 0xe000ef34;
const FPCAR = 0xe000ef38;
const NOCP = 1 << 19;
const BKPT = 0xbe00;
/** vadd.f32 s0, s0, s0 */
const VADD = [0xee30, 0x0a00];
const MODES = { nearest: 0, plus: 1 << 22, minus: 2 << 22, zero: 3 << 22 };

/** A machine with the unit on; SVC's handler is `handler` at 0x500. */
function machine(main: number[], handler: number[] = [0x4770], cpacr = 0xf00000): Machine {
  const made = new Machine({ fpu: true }).place(0x400, ...main).place(0x500, ...handler);
  for (let n = 2; n < 11; n++) made.vector(n, 0x601);
  made.place(0x600, BKPT);
  made.vector(11, 0x501);
  made.start();
  made.write(CPACR, cpacr);
  made.write(0xe000edf0, 0xa05f0001);
  return made;
}
function readCore(made: Machine, number: number): number {
  made.write(0xe000edf4, number);
  return made.read(0xe000edf8);
}
function writeCore(made: Machine, number: number, value: number): void {
  made.write(0xe000edf8, value);
  made.write(0xe000edf4, 0x10000 | number);
}

describe('floating-point unit', () => {
  it('is closed after reset: NOCP, and open after CPACR', () => {
    const closed = machine([...VADD, BKPT], [0x4770], 0).run(100);
    assert.equal(closed.core.regs[15], 0x600);
    assert.equal(closed.read(CFSR), NOCP);
    const open = machine([...VADD, BKPT]).run(100);
    assert.equal(open.core.regs[15], 0x404);
  });

  it('shows S0-S31, FPSCR and CONTROL.FPCA to the debugger, and takes what it writes', () => {
    const made = machine([BKPT, ...VADD, BKPT]).run(10);
    assert.equal(made.core.halted, true);
    writeCore(made, 0x40, toBits(1.5));
    writeCore(made, 0x5f, 0x12345678);
    writeCore(made, 0x21, 0xffffffff);
    assert.equal(readCore(made, 0x5f), 0x12345678);
    assert.equal(readCore(made, 0x21), 0xf7c0009f);
    writeCore(made, 0x21, 0);
    assert.equal(readCore(made, 20) >>> 24, 0, 'no context before the first instruction');
    writeCore(made, 15, 0x402);
    made.write(0xe000edf0, 0xa05f0001);
    made.run(20);
    assert.equal(readCore(made, 0x40), toBits(3));
    assert.equal(readCore(made, 20) >>> 24, 4);
  });

  it('reserves an extended frame and fills it only when the handler uses the unit', () => {
    // vadd; svc 0; bkpt — the handler stops at once
    const lazy = machine([...VADD, 0xdf00, BKPT], [BKPT]).run(100);
    assert.equal(lazy.core.regs[14], 0xffffffe9);
    const frame = STACK_TOP - 0x68;
    assert.equal(lazy.core.regs[13], frame);
    assert.equal(lazy.read(FPCAR), frame + 0x20);
    assert.equal(lazy.read(FPCCR) & 0xc0000009, (0xc0000009 | 0) & 0xc0000009);
    assert.equal(lazy.read(frame + 0x20), 0, 'S0 is not there yet');
    assert.equal(readCore(lazy, 20) >>> 24, 0);

    // vmov.f32 s0,#1.0; svc 0; bkpt — vmov.f32 s0,#2.0 in the handler; bx lr
    const filled = machine([0xeeb7, 0x0a00, 0xdf00, BKPT], [0xeeb0, 0x0a00, BKPT, 0x4770]).run(100);
    assert.equal(filled.core.regs[15], 0x504);
    assert.equal(filled.read(frame + 0x20), toBits(1), 'S0 of the interrupted code');
    assert.equal(readCore(filled, 0x40), toBits(2));
    writeCore(filled, 15, 0x506);
    filled.write(0xe000edf0, 0xa05f0001);
    filled.run(100);
    assert.equal(filled.core.regs[15], 0x406);
    assert.equal(readCore(filled, 0x40), toBits(1), 'S0 came back');
    assert.equal(filled.core.regs[13], STACK_TOP);
  });

  it('stacks at once without LSPEN, and keeps a basic frame without a context', () => {
    const made = machine([0xeeb7, 0x0a00, 0xdf00, BKPT], [BKPT]);
    made.write(FPCCR, 0x80000000);
    made.run(100);
    assert.equal(made.read(STACK_TOP - 0x68 + 0x20), toBits(1));
    const basic = machine([0xdf00, BKPT], [BKPT]).run(100);
    assert.equal(basic.core.regs[14], 0xfffffff9);
    assert.equal(basic.core.regs[13], STACK_TOP - 32);
  });

  it('turns lazy stacking into a stack that is gone into a bus fault with LSPERR', () => {
    const made = machine([...VADD, 0xdf00, BKPT], [...VADD, 0x4770]);
    made.run(40);
    const again = machine([...VADD, 0xdf00, BKPT], [BKPT, ...VADD, 0x4770]).run(100);
    again.write(FPCAR, 0x30000000);
    again.write(0xe000ed24, 1 << 17);
    writeCore(again, 15, 0x502);
    again.write(0xe000edf0, 0xa05f0001);
    again.run(100);
    assert.equal(again.read(CFSR) & (1 << 13), 1 << 13);
  });

  it('is part of a snapshot', () => {
    const made = machine([0xeeb7, 0x0a00, ...VADD, BKPT]).run(2);
    const state = structuredClone(made.core.snapshot());
    made.run(100);
    assert.equal(readCore(made, 0x40), toBits(2));
    made.core.restore(state);
    made.run(100);
    assert.equal(readCore(made, 0x40), toBits(2));
  });

  it('leaves a core without the unit as it was', () => {
    const made = new Machine().place(0x400, ...VADD);
    for (let n = 2; n < 11; n++) made.vector(n, 0x601);
    made.place(0x600, BKPT).start();
    made.write(CPACR, 0xf00000);
    made.write(0xe000edf0, 0xa05f0001);
    made.run(100);
    assert.equal(made.read(CFSR), 1 << 16);
    assert.equal(made.read(FPCCR), 0);
  });
});

describe('single-precision arithmetic', () => {
  const values = [1, -1, 1 / 3, 1e-38, -3e-39, 1.5e-45, 3.4e38, -2.5e-20, 123456.7, 16777217, 0.1].map(Math.fround);

  it('agrees with the host, rounding to nearest', () => {
    for (const a of values) {
      for (const b of values) {
        const [x, y] = [toBits(a), toBits(b)];
        assert.equal(toNumber(add({ fpscr: 0 }, x, y)), Math.fround(a + b));
        assert.equal(toNumber(multiply({ fpscr: 0 }, x, y)), Math.fround(a * b));
        assert.equal(toNumber(divide({ fpscr: 0 }, x, y)), Math.fround(a / b));
      }
    }
    for (const a of values.filter((value) => value > 0)) {
      assert.equal(toNumber(squareRoot({ fpscr: 0 }, toBits(a))), Math.fround(Math.sqrt(a)));
    }
  });

  it('brackets the exact result between rounding down and rounding up, one step apart when inexact', () => {
    for (const a of values) {
      for (const b of values) {
        const [x, y] = [toBits(a), toBits(b)];
        const down = { fpscr: MODES.minus };
        const up = { fpscr: MODES.plus };
        const low = toNumber(divide(down, x, y));
        const high = toNumber(divide(up, x, y));
        const exact = (down.fpscr & 0x10) === 0;
        assert.equal(low === high, exact);
        if (!exact) assert.ok(low < high);
        assert.ok(low <= a / b && a / b <= high);
      }
    }
  });

  it('rounds a product and sum once', () => {
    // (1 + 2^-12)^2 - (1 + 2^-11) = 2^-24, lost when the product is rounded first.
    const a = toBits(1 + 2 ** -12);
    const c = toBits(-(1 + 2 ** -11));
    assert.equal(toNumber(fusedMultiplyAdd({ fpscr: 0 }, c, a, a)), 2 ** -24);
    assert.equal(toNumber(add({ fpscr: 0 }, c, multiply({ fpscr: 0 }, a, a))), 0);
  });

  it('raises overflow, underflow, flush and invalid where the architecture says', () => {
    const status = { fpscr: 0 };
    assert.equal(multiply(status, 0x7f7fffff, 0x7f7fffff), 0x7f800000);
    assert.equal(status.fpscr, 0x14);
    const zero = { fpscr: MODES.zero };
    assert.equal(multiply(zero, 0x7f7fffff, 0x7f7fffff), 0x7f7fffff);
    const tiny = { fpscr: 0 };
    const almost = { fpscr: 0 };
    assert.equal(multiply(tiny, 1, 1), 0);
    assert.equal(tiny.fpscr, 0x18);
    // 0x00FFFFFF / 2 lies below 2^-126 and rounds up to it: tiny before rounding is what counts.
    for (const halve of [
      () => multiply(almost, 0x00ffffff, toBits(0.5)),
      () => divide(almost, 0x00ffffff, toBits(2)),
    ]) {
      almost.fpscr = 0;
      assert.equal(halve(), 0x00800000);
      assert.equal(almost.fpscr, 0x18);
    }
    const flush = { fpscr: 1 << 24 };
    assert.equal(add(flush, 0x80000001 | 0, 0x80000001 | 0), 0x80000000 | 0);
    assert.equal(flush.fpscr, (1 << 24) | 0x80);
    const invalid = { fpscr: 0 };
    assert.equal(add(invalid, 0x7f800001, toBits(1)), 0x7fc00001);
    assert.equal(invalid.fpscr, 1);
    assert.equal(roundSingle({ fpscr: 0 }, -(2 ** -149)), 0x80000001 | 0);
  });
});
