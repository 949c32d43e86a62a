// MRS and MSR: special register numbers, masks and privilege. ARMv7-M B5.2.2-B5.2.3.
import type { Nvic } from './nvic.ts';
import type { CpuState } from './state.ts';

const SYSM = { msp: 8, psp: 9, primask: 16, basepri: 17, basepriMax: 18, faultmask: 19, control: 20 } as const;

/** Value of special register `sysm`; stack pointers and masks read zero when unprivileged. */
export function readSpecial(s: CpuState, sysm: number): number {
  if (sysm < 8) return ((sysm & 1) !== 0 && s.privileged ? s.ipsr : 0) | ((sysm & 4) === 0 ? s.apsr : 0);
  if (sysm === SYSM.control) return s.control;
  if (!s.privileged) return 0;
  switch (sysm) {
    case SYSM.msp:
      return s.msp;
    case SYSM.psp:
      return s.psp;
    case SYSM.primask:
      return s.primask;
    case SYSM.basepri:
    case SYSM.basepriMax:
      return s.basepri;
    case SYSM.faultmask:
      return s.faultmask;
    default:
      return 0;
  }
}

/** MSR: `mask` bit 1 writes NZCVQ, bit 0 writes GE; everything but APSR needs privilege. */
export function writeSpecial(s: CpuState, nvic: Nvic, sysm: number, mask: number, value: number): void {
  if (sysm < 4) {
    if (mask & 2) s.setNzcvq(value);
    if (mask & 1) s.ge = (value >>> 16) & 15;
    return;
  }
  if (!s.privileged) return;
  s.attention = true;
  const basepri = value & 0xf0;
  switch (sysm) {
    case SYSM.msp:
      s.msp = value;
      return;
    case SYSM.psp:
      s.psp = value;
      return;
    case SYSM.primask:
      s.primask = value & 1;
      return;
    case SYSM.basepri:
      s.basepri = basepri;
      return;
    case SYSM.basepriMax:
      if (basepri !== 0 && (basepri < s.basepri || s.basepri === 0)) s.basepri = basepri;
      return;
    case SYSM.faultmask:
      if ((value & 1) === 0 || nvic.executionPriority > -1) s.faultmask = value & 1;
      return;
    case SYSM.control:
      s.setMode(s.ipsr, (s.ipsr === 0 ? value : (value & ~2) | (s.control & 2)) & s.controlMask);
      return;
  }
}
