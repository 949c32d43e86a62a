// The memory protection unit against ARMv7-M B3.5: registers, regions, who may do what, faults and what they record;
// unaligned access to Device memory.
import assert from 'node:assert/strict';
import { Machine, RAM } from './machine.ts';

const MPU = { type: 0xe000ed90, ctrl: 0xe000ed94, rnr: 0xe000ed98, rbar: 0xe000ed9c, rasr: 0xe000eda0 } as const;
const CFSR = 0xe000ed28;
const MMFAR = 0xe000ed34;
const SHCSR = 0xe000ed24;
const BKPT = 0xbe00;
const ON = 1;
const ON_WITH_BACKGROUND = 5;
const FULL = 3;
const NONE = 0;
const READ_ONLY = 6;
const PRIVILEGED_ONLY = 1;
const XN = 1 << 28;
const NORMAL = 1 << 17;
/** Device memory of the test bed. */
const DEVICE = 0x40024000;
const MEM_MANAGE = 4;
const USAGE_FAULT = 6;
const HARD_FAULT = 3;
const LDR_R0_R1 = 0x6808;
const STR_R0_R1 = 0x6008;
const NOP = 0xbf00;
/** 64 KB whose upper end is the stack's. */
const STACK = RAM + 0x20000;

/** A core whose faults end in a BKPT each, MemManage enabled; code at 400. */
class MpuMachine extends Machine {
  constructor(...code: number[]) {
    super();
    const bytes = new Uint8Array(0x1000);
    this.bus.addDevice(
      DEVICE,
      0x1000,
      {
        read: (offset, width) => {
          let value = 0;
          for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[offset + i]!;
          return value;
        },
        write: (offset, value, width) => {
          for (let i = 0; i < width; i++) bytes[offset + i] = value >>> (8 * i);
        },
      },
      'device',
    );
    this.place(0x400, ...code, BKPT);
    for (let n = 2; n < 16; n++) {
      this.vector(n, 0x601 + 16 * n);
      this.place(0x600 + 16 * n, BKPT);
    }
    this.start();
    this.write(0xe000edf0, 0xa05f0001);
    this.write(SHCSR, 1 << 16);
  }
  region(n: number, base: number, sizeBits: number, access: number, more = NORMAL, subregions = 0): this {
    this.write(MPU.rbar, base | 0x10 | n);
    this.write(MPU.rasr, (more | (access << 24) | (subregions << 8) | ((sizeBits - 1) << 1) | 1) >>> 0);
    return this;
  }
  on(ctrl: number = ON_WITH_BACKGROUND): this {
    this.write(MPU.ctrl, ctrl);
    return this;
  }
  /** Runs to the BKPT: the exception whose handler it stands in, 0 for the program's own. */
  outcome(): number {
    this.run(400);
    assert.ok(this.core.halted);
    const pc = this.core.regs[15]!;
    return pc >= 0x600 ? (pc - 0x600) / 16 : 0;
  }
  /** The outcome of the program with r1 at `address`. */
  at(address: number): number {
    this.core.regs[1] = address;
    return this.outcome();
  }
}

const access = (instruction: number, address: number, set: (machine: MpuMachine) => void): number => {
  const machine = new MpuMachine(instruction);
  set(machine);
  return machine.at(address);
};

describe('the MPU', () => {
  it('has eight regions, aliases of their registers, and is off after a reset', () => {
    const machine = new MpuMachine();
    assert.equal(machine.read(MPU.type), 0x800);
    machine.write(MPU.rnr, 3);
    machine.write(MPU.rbar, 0x20001fe0);
    machine.write(MPU.rasr, 0xffffffff);
    assert.equal(machine.read(MPU.rbar), 0x20001fe3);
    assert.equal(machine.read(MPU.rasr), 0x173fff3f);
    machine.write(MPU.rbar + 8, 0x20002015);
    machine.write(MPU.rasr + 8, 0x03000009);
    assert.equal(machine.read(MPU.rnr), 5);
    assert.equal(machine.read(MPU.rbar + 16), 0x20002005);
    assert.equal(machine.read(MPU.rasr + 24), 0x03000009);
    machine.write(MPU.ctrl, 5);
    machine.start();
    assert.equal(machine.read(MPU.ctrl), 0);
    machine.write(MPU.rnr, 5);
    assert.equal(machine.read(MPU.rasr), 0);
  });

  it('refuses data by access permission, records where and what, and lets the rest pass', () => {
    const rows = [
      [LDR_R0_R1, NONE, MEM_MANAGE],
      [STR_R0_R1, NONE, MEM_MANAGE],
      [LDR_R0_R1, PRIVILEGED_ONLY, 0],
      [STR_R0_R1, PRIVILEGED_ONLY, 0],
      [LDR_R0_R1, READ_ONLY, 0],
      [STR_R0_R1, READ_ONLY, MEM_MANAGE],
      [LDR_R0_R1, FULL, 0],
      [STR_R0_R1, FULL, 0],
    ] as const;
    for (const [instruction, ap, outcome] of rows) {
      const machine = new MpuMachine(instruction).region(0, RAM + 0x1000, 5, ap).on();
      machine.core.regs[0] = 0x1234;
      assert.equal(machine.at(RAM + 0x1008), outcome, `${instruction.toString(16)} ${ap}`);
      if (outcome === 0) continue;
      assert.equal(machine.read(CFSR), 0x82);
      assert.equal(machine.read(MMFAR), RAM + 0x1008);
      assert.equal(machine.read(RAM + 0x1008), 0, 'nothing is stored');
      // 32 bytes and no more.
      for (const beside of [RAM + 0xffc, RAM + 0x1020]) {
        const other = new MpuMachine(instruction).region(0, RAM + 0x1000, 5, ap).on();
        assert.equal(other.at(beside), 0);
      }
    }
  });

  it('is a hard fault where MemManage is not enabled', () => {
    const machine = new MpuMachine(LDR_R0_R1).region(0, RAM, 10, NONE).on();
    machine.write(SHCSR, 0);
    assert.equal(machine.at(RAM), HARD_FAULT);
  });

  it('knows the highest region that matches, and switches subregions off', () => {
    const set = (machine: MpuMachine) =>
      machine
        .region(0, RAM, 12, NONE)
        .region(1, RAM + 0x400, 10, FULL, NORMAL, 0b10000000)
        .on();
    assert.equal(access(LDR_R0_R1, RAM + 0x3fc, set), MEM_MANAGE);
    assert.equal(access(LDR_R0_R1, RAM + 0x400, set), 0);
    assert.equal(access(LDR_R0_R1, RAM + 0x77c, set), 0);
    assert.equal(access(LDR_R0_R1, RAM + 0x780, set), MEM_MANAGE, 'the last eighth belongs to region 0');
    assert.equal(access(LDR_R0_R1, RAM + 0x1000, set), 0, 'background');
  });

  it('has no background without PRIVDEFENA, but always the private peripheral bus', () => {
    const set = (machine: MpuMachine) => machine.region(0, 0, 16, READ_ONLY).region(1, STACK, 16, FULL).on(ON);
    assert.equal(access(LDR_R0_R1, RAM, set), MEM_MANAGE);
    assert.equal(access(LDR_R0_R1, 0xe000ed00, set), 0);
    assert.equal(access(LDR_R0_R1, 0x500, set), 0);
  });

  it('stops instructions in execute-never regions, at the border of one page too', () => {
    // bx r1
    const jump = (to: number, set: (machine: MpuMachine) => void) => {
      const machine = new MpuMachine(0x4708);
      machine.place(RAM + 0x40, NOP, NOP, NOP, NOP, 0xe7fe);
      set(machine);
      machine.core.regs[1] = to | 1;
      machine.run(100);
      return machine;
    };
    const never = jump(RAM + 0x40, (machine) => machine.region(0, RAM, 10, FULL, NORMAL | XN).on());
    assert.equal(never.core.regs[15], 0x600 + 16 * MEM_MANAGE);
    assert.equal(never.read(CFSR), 1, 'IACCVIOL, no MMFAR');
    const halfway = jump(RAM + 0x40, (machine) =>
      machine.region(0, RAM + 0x40, 5, FULL).region(1, RAM + 0x40, 5, FULL),
    );
    assert.ok(!halfway.core.halted, 'it is off');
    // Into the next 32 bytes, which are execute-never: code runs up to them.
    const machine = new MpuMachine(0x4708);
    machine.place(RAM + 0x5c, NOP, NOP, NOP);
    machine.region(0, RAM + 0x60, 5, FULL, NORMAL | XN).on();
    machine.core.regs[1] = RAM + 0x5d;
    machine.run(100);
    assert.equal(machine.core.regs[15], 0x600 + 16 * MEM_MANAGE);
    assert.equal(machine.read(machine.core.msp + 24), RAM + 0x60, 'the frame names the first forbidden instruction');
  });

  it('holds unprivileged code to its own permissions', () => {
    // movs r0,#1; msr control,r0; ldr r0,[r1]
    const machine = new MpuMachine(0x2001, 0xf380, 0x8814, LDR_R0_R1);
    machine
      .region(0, 0, 16, READ_ONLY)
      .region(1, RAM, 18, FULL)
      .region(2, RAM + 0x1000, 8, PRIVILEGED_ONLY)
      .on();
    assert.equal(machine.at(RAM + 0x1000), MEM_MANAGE);
    const allowed = new MpuMachine(0x2001, 0xf380, 0x8814, LDR_R0_R1);
    allowed
      .region(0, 0, 16, READ_ONLY)
      .region(1, RAM, 18, FULL)
      .region(2, RAM + 0x1000, 8, PRIVILEGED_ONLY)
      .on();
    assert.equal(allowed.at(RAM + 0x1100), 0);
    const background = new MpuMachine(0x2001, 0xf380, 0x8814, LDR_R0_R1);
    background.region(0, 0, 16, READ_ONLY).region(1, STACK, 16, FULL).on();
    assert.equal(background.at(RAM), MEM_MANAGE, 'the background map is for privileged code');
  });

  it('is out of force in HardFault unless HFNMIENA is set', () => {
    for (const [ctrl, locked] of [
      [5, false],
      [7, true],
    ] as const) {
      const machine = new MpuMachine(LDR_R0_R1);
      machine.place(0x600 + 16 * HARD_FAULT, LDR_R0_R1, BKPT);
      machine.write(SHCSR, 0);
      machine.region(0, RAM, 10, NONE).on(ctrl);
      machine.core.regs[1] = RAM;
      machine.run(400);
      assert.equal(machine.core.lockedUp, locked);
      assert.equal(machine.core.halted, !locked);
    }
  });

  it('catches a stack that runs into a forbidden strip, by push and by exception entry', () => {
    const push = new MpuMachine(0xb403).region(0, RAM + 0x2000, 8, NONE).on();
    push.core.regs[13] = RAM + 0x2108;
    assert.equal(push.outcome(), 0);
    const bad = new MpuMachine(0xb403);
    bad.region(0, RAM + 0x2000, 8, NONE).on();
    bad.core.regs[13] = RAM + 0x2100;
    bad.run(400);
    // MemManage itself cannot stack there either: MSTKERR; its handler runs all the same, on what is left of the stack.
    assert.equal(bad.read(CFSR) & 0x12, 0x12);
  });

  it('gives a program its speed back: what is allowed everywhere is not asked for', () => {
    // adds r0,#1; str r0,[r1]; ldr r2,[r1]; b .-6
    const loop = [0x3001, STR_R0_R1, 0x680a, 0xe7fb];
    const turns = (set: (machine: MpuMachine) => void) => {
      const machine = new MpuMachine(...loop);
      set(machine);
      machine.core.regs[1] = RAM + 0x8000;
      machine.run(100_000);
      return machine.core.regs[0];
    };
    const off = turns(() => undefined);
    assert.equal(
      turns((machine) => machine.region(0, RAM + 0x1000, 5, NONE).on()),
      off,
    );
    assert.equal(
      turns((machine) => machine.region(0, RAM + 0x8020, 5, NONE).on()),
      off,
      'the same page',
    );
  });

  it('forgets what it allowed when a region changes', () => {
    // ldr r0,[r1]; b .-2
    const machine = new MpuMachine(LDR_R0_R1, 0xe7fd)
      .region(0, RAM, 5, FULL)
      .region(1, RAM + 0x40, 5, NONE)
      .on();
    machine.core.regs[1] = RAM;
    machine.run(100);
    assert.ok(!machine.core.halted);
    machine.region(0, RAM, 5, NONE);
    assert.equal(machine.outcome(), MEM_MANAGE);
  });

  it('goes on in a saved machine', () => {
    const machine = new MpuMachine(LDR_R0_R1).region(0, RAM, 10, NONE).on();
    const other = new MpuMachine(LDR_R0_R1);
    other.core.restore(machine.core.snapshot());
    assert.equal(other.at(RAM), MEM_MANAGE);
  });
});

describe('an unaligned access', () => {
  it('to Device memory is a usage fault, unless a region makes it Normal', () => {
    const aligned = new MpuMachine(LDR_R0_R1);
    assert.equal(aligned.at(DEVICE + 4), 0);
    for (const instruction of [LDR_R0_R1, STR_R0_R1]) {
      const machine = new MpuMachine(instruction);
      machine.write(SHCSR, 1 << 18);
      assert.equal(machine.at(DEVICE + 5), USAGE_FAULT);
      assert.equal(machine.read(CFSR), 0x01000000);
      const normal = new MpuMachine(instruction).region(0, DEVICE, 12, FULL, NORMAL | XN).on();
      assert.equal(normal.at(DEVICE + 5), 0);
      const device = new MpuMachine(instruction).region(0, DEVICE, 12, FULL, (1 << 16) | XN).on();
      device.write(SHCSR, 1 << 18);
      assert.equal(device.at(DEVICE + 5), USAGE_FAULT);
    }
  });
  it('to memory is split as before', () => {
    const machine = new MpuMachine(LDR_R0_R1);
    machine.write(RAM, 0x44332211);
    machine.write(RAM + 4, 0x88776655);
    assert.equal(machine.at(RAM + 1), 0);
    assert.equal(machine.core.regs[0], 0x55443322);
  });
});
