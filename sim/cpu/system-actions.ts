// What system instructions do beyond registers and memory: WFI, WFE, SEV, MRS, MSR, CPS, SVC, BKPT. ARMv7-M B5.2.
import type { SystemActions } from './decode-context.ts';
import type { Nvic } from './nvic.ts';
import { readSpecial, writeSpecial } from './special-registers.ts';
import type { CpuState } from './state.ts';

/** What the core itself has to do. */
export interface SystemHooks {
  supervisorCall(): void;
  breakpoint(pc: number): void;
  /** Until an interrupt, or for WFE also an event. */
  sleep(until: 'interrupt' | 'event'): void;
  /** Thread mode is unprivileged from now on. */
  privilegeDropped(): void;
}

/** SYSm of PRIMASK and FAULTMASK. */
const PRIMASK = 16;
const FAULTMASK = 19;

export function systemActions(s: CpuState, nvic: Nvic, hooks: SystemHooks): SystemActions {
  return {
    supervisorCall: hooks.supervisorCall,
    breakpoint: hooks.breakpoint,
    waitForInterrupt: () => {
      if (!nvic.wakes) hooks.sleep('interrupt');
    },
    waitForEvent: () => {
      if (s.eventRegister === 1) s.eventRegister = 0;
      else hooks.sleep('event');
    },
    sendEvent: () => {
      s.eventRegister = 1;
    },
    readSpecial: (sysm) => readSpecial(s, sysm),
    writeSpecial: (sysm, mask, value) => {
      writeSpecial(s, nvic, sysm, mask, value);
      if (s.control & 1) hooks.privilegeDropped();
    },
    changeState: (disable, primask, faultmask) => {
      if (primask) writeSpecial(s, nvic, PRIMASK, 0, disable ? 1 : 0);
      if (faultmask) writeSpecial(s, nvic, FAULTMASK, 0, disable ? 1 : 0);
    },
  };
}
