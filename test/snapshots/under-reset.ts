// A debugger that pulls the reset line, asks for a halt at the first instruction, lets go and reads registers
// (docs/reference/cortex-m-debug.md §2).
import type { Board } from '../../sim/board.ts';
import { REGISTERS } from './sampler.ts';

const DHCSR = 0xe000edf0;
const DCRSR = 0xe000edf4;
const DCRDR = 0xe000edf8;
const DEMCR = 0xe000edfc;
const DEBUG = 0xa05f0001;
const HALTED = 1 << 17;
const VC_CORERESET = 1;
const PULSE_NS = 100_000;

/** r0 to r12 behind a reset at this instant. @throws when the core does not halt */
export function afterReset(board: Board): Uint32Array {
  const write = (address: number, value: number): void => board.bus.write(address, value, 4, 'debugger');
  const read = (address: number): number => board.bus.read(address, 4, 'debugger') >>> 0;
  board.assertNrst();
  board.runTo(board.time.now + PULSE_NS);
  write(DHCSR, DEBUG);
  write(DEMCR, VC_CORERESET);
  board.releaseNrst();
  board.runTo(board.time.now + PULSE_NS);
  if ((read(DHCSR) & HALTED) === 0) throw new Error('the core did not halt at the reset');
  return Uint32Array.from({ length: REGISTERS }, (_, index) => {
    write(DCRSR, index);
    return read(DCRDR);
  });
}
