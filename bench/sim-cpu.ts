// Speed of the Cortex-M4 interpreter: million emulated instructions per second (MIPS), and the seconds that one
// virtual second of such a loop takes on a core at 168 MHz (168e6 cycles of it; loops that only wait are skipped and
// free). Method: four hand-assembled loops with a known number of instructions per turn run from RAM on an otherwise
// empty chip, two warm-up slices first, then the best of five slices of 30 million cycles. Seconds are the process's
// CPU time, which on an idle machine is wall time, so that other load does not count. Run: npx tsx bench/sim-cpu.ts
import { Machine, RAM } from '../test/unit/sim/cpu/machine.ts';

interface Loop {
  readonly name: string;
  readonly instructions: number;
  readonly code: readonly number[];
}

const LOOPS: readonly Loop[] = [
  {
    name: 'ALU, load, store',
    instructions: 8,
    // adds r0,#1; eors r2,r0; add.w r3,r2,r0,lsl #3; str r3,[r4]; ldr r5,[r4]; adds r5,r5,r0; subs r6,#1; bne
    code: [0x3001, 0x4042, 0xeb02, 0x03c0, 0x6023, 0x6825, 0x182d, 0x3e01, 0xd1f6],
  },
  {
    name: 'rotate and exclusive-or (stream cipher)',
    instructions: 7,
    // eor.w r0,r0,r1,ror #25; add.w r2,r0,r3; eor.w r1,r1,r2,ror #23; add.w r3,r1,r0; eor.w
    // r5,r5,r3,ror #19; subs r6,#1; bne
    code: [0xea80, 0x6071, 0xeb00, 0x0203, 0xea81, 0x51f2, 0xeb01, 0x0300, 0xea85, 0x45f3, 0x3e01, 0xd1f3],
  },
  {
    name: 'UMAAL (bignum)',
    instructions: 5,
    // ldr r0,[r4]; umaal r1,r2,r0,r3; str r1,[r4,#4]; subs r6,#1; bne
    code: [0x6820, 0xfbe0, 0x1263, 0x6061, 0x3e01, 0xd1f9],
  },
  {
    name: 'single-precision multiply and add',
    instructions: 5,
    // vmul.f32 s1,s2,s3; vadd.f32 s4,s4,s1; vfma.f32 s5,s2,s3; subs r6,#1; bne
    code: [0xee61, 0x0a21, 0xee32, 0x2a20, 0xeee1, 0x2a21, 0x3e01, 0xd1f7],
  },
];

const SLICE_CYCLES = 30e6;
const CORE_HZ = 168e6;

/** MIPS of one loop: instructions follow from the turns that r6 counted. */
function measure(loop: Loop): { mips: number; cyclesPerTurn: number } {
  const machine = new Machine({ fpu: true });
  machine.place(RAM, ...loop.code);
  machine.vector(1, RAM | 1);
  machine.start();
  machine.write(0xe000ed88, 0xf00000);
  const { regs } = machine.core;
  regs[4] = RAM + 0x8000;
  const slice = (): { mips: number; cyclesPerTurn: number } => {
    regs[6] = 0xffffffff;
    const cycles = machine.time.cycles;
    const begin = process.cpuUsage();
    machine.run(SLICE_CYCLES);
    const { user, system } = process.cpuUsage(begin);
    const seconds = (user + system) / 1e6;
    const turns = 0xffffffff - regs[6]!;
    return { mips: (turns * loop.instructions) / seconds / 1e6, cyclesPerTurn: (machine.time.cycles - cycles) / turns };
  };
  slice();
  slice();
  return Array.from({ length: 5 }, slice).reduce((best, one) => (one.mips > best.mips ? one : best));
}

for (const loop of LOOPS) {
  const { mips, cyclesPerTurn } = measure(loop);
  const wallSeconds = CORE_HZ / ((cyclesPerTurn / loop.instructions) * mips * 1e6);
  const figures = `${mips.toFixed(1)} MIPS, ${cyclesPerTurn.toFixed(2)} cycles a turn`;
  console.log(`${loop.name}: ${figures}, ${wallSeconds.toFixed(2)} wall s per virtual s at 168 MHz`);
}
