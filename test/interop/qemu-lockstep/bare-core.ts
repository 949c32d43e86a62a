// Our core on a chip that is nothing but 4 MB of code memory at 0 and 4 MB of RAM at 0x20000000, like the mps2 board.
import { BoardTime } from '../../../sim/board-time.ts';
import { BusMap } from '../../../sim/cpu/bus-map.ts';
import { CortexM4 } from '../../../sim/cpu/cortex-m4.ts';

const MEMORY_BYTES = 4 * 1024 * 1024;
const SLICE_NS = 1e6;
const FINISH_VECTOR = 28;

interface BareCore {
  readonly time: BoardTime;
  readonly bus: BusMap;
  readonly core: CortexM4;
  readonly ram: Uint8Array;
}

/** The core with `image` at 0, out of reset. */
function bareCore(image: Uint8Array): BareCore {
  const time = new BoardTime();
  const bus = new BusMap();
  const code = new Uint8Array(MEMORY_BYTES);
  const ram = new Uint8Array(MEMORY_BYTES);
  code.set(image);
  bus.addMemory({ name: 'code', base: 0, bytes: code, fetchable: true });
  bus.addMemory({ name: 'ram', base: 0x20000000, bytes: ram, fetchable: true });
  const events = { systemResetRequested: () => undefined };
  const core = new CortexM4({ time, bus, events, idcodePart: 0x419, fpu: true });
  core.enterReset('power');
  core.leaveReset();
  return { time, bus, core, ram };
}

/** Runs `image` from reset to its first BKPT; the RAM afterwards and the cycles it took. */
export function runToBreakpoint(image: Uint8Array, limitNs: number): { ram: Uint8Array; cycles: number } {
  const { time, bus, core, ram } = bareCore(image);
  bus.write(0xe000edf0, 0xa05f0001, 4, 'debugger');
  while (!core.halted && time.now < limitNs) time.advance(time.now + SLICE_NS, core);
  if (!core.halted) throw new Error(`core did not reach a BKPT: pc 0x${core.regs[15]!.toString(16)}`);
  return { ram, cycles: time.cycles };
}

/** Whether the instruction about to run is inside an IT block whose condition fails. ARMv7-M A7.3.1. */
function isSkipped(xpsr: number): boolean {
  const it = ((xpsr >>> 25) & 3) | ((xpsr >>> 8) & 0xfc);
  if (it === 0) return false;
  const [n, z, c, v] = [31, 30, 29, 28].map((bit) => ((xpsr >>> bit) & 1) === 1);
  const cond = it >>> 4;
  const holds = [z, c, n, v, c && !z, n === v, n === v && !z, true][cond >>> 1];
  return holds === ((cond & 1) === 1 && cond !== 15);
}

/**
 * Runs `image` one instruction at a time up to the address in vector 7; interrupts do not occur. Instructions that an
 * IT block skips are counted apart.
 */
export function stepToFinish(
  image: Uint8Array,
  most: number,
): { ram: Uint8Array; cycles: number; instructions: number; skipped: number } {
  const { time, core, ram } = bareCore(image);
  core.idleSkip = false;
  const finish = new DataView(image.buffer, image.byteOffset).getUint32(FINISH_VECTOR, true) & ~1;
  let skipped = 0;
  for (let instructions = 0; instructions < most; instructions++) {
    if (core.regs[15] === finish) return { ram, cycles: time.cycles, instructions, skipped };
    if (isSkipped(core.xpsr)) skipped++;
    time.limit = time.cycles + 1;
    core.run();
  }
  throw new Error(`core did not reach its end in ${most} instructions: pc 0x${core.regs[15]!.toString(16)}`);
}
