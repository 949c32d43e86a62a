// Core registers as a halting debugger numbers them in DCRSR: R0 to R15, xPSR, MSP, PSP, the special registers packed
// into one word, then the floating-point unit's. ARMv7-M C1.6.3.
import type { FloatingPoint } from './fpu-port.ts';
import type { CpuState } from './state.ts';

/** What DCRDR shows for a register number. */
export function readDebugRegister(s: CpuState, fpu: FloatingPoint, number: number): number {
  if (number < 16) return s.r[number]!;
  if (number === 16) return s.xpsr;
  if (number === 17) return s.msp;
  if (number === 18) return s.psp;
  if (number === 20) return (s.control << 24) | (s.faultmask << 16) | (s.basepri << 8) | s.primask;
  return fpu.readRegister(number);
}

/** Stores what DCRDR holds into a register. */
export function writeDebugRegister(s: CpuState, fpu: FloatingPoint, number: number, value: number): void {
  s.attention = true;
  s.excReturn = 0;
  if (number === 13) {
    s.r[13] = value & ~3;
  } else if (number === 15) {
    s.r[15] = value & ~1;
  } else if (number < 16) {
    s.r[number] = value;
  } else if (number === 16) {
    s.setApsrEpsr(value);
    s.setMode(value & 0x1ff, s.control);
  } else if (number === 17) {
    s.msp = value;
  } else if (number === 18) {
    s.psp = value;
  } else if (number === 20) {
    s.setMode(s.ipsr, (value >>> 24) & s.controlMask);
    s.faultmask = (value >>> 16) & 1;
    s.basepri = (value >>> 8) & 0xf0;
    s.primask = value & 1;
  } else {
    fpu.writeRegister(number, value);
  }
}
