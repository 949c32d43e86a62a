// Our core on a chip that is nothing but 4 MB of code memory at 0 and 4 MB of RAM at 0x20000000, like the mps2 board.
import { BoardTime } from '../../../sim/board-time.ts';
import { BusMap } from '../../../sim/cpu/bus-map.ts';
import { CortexM4 } from '../../../sim/cpu/cortex-m4.ts';

const MEMORY_BYTES = 4 * 1024 * 1024;
const SLICE_NS = 1e6;

/** Runs `image` from reset to its first BKPT; the RAM afterwards and the cycles it took. */
export function runToBreakpoint(image: Uint8Array, limitNs: number): { ram: Uint8Array; cycles: number } {
  const time = new BoardTime();
  const bus = new BusMap();
  const code = new Uint8Array(MEMORY_BYTES);
  const ram = new Uint8Array(MEMORY_BYTES);
  code.set(image);
  bus.addMemory({ name: 'code', base: 0, bytes: code, fetchable: true });
  bus.addMemory({ name: 'ram', base: 0x20000000, bytes: ram, fetchable: true });
  const core = new CortexM4({ time, bus, events: { systemResetRequested: () => undefined }, idcodePart: 0x419 });
  core.enterReset('power');
  core.leaveReset();
  bus.write(0xe000edf0, 0xa05f0001, 4, 'debugger');
  while (!core.halted && time.now < limitNs) time.advance(time.now + SLICE_NS, core);
  if (!core.halted) throw new Error(`core did not reach a BKPT: pc 0x${core.regs[15]!.toString(16)}`);
  return { ram, cycles: time.cycles };
}
