// Core control as the firmware does it: DHCSR, DCRSR and DCRDR through AP 0. docs: docs/reference/stlink.md §2.3 (33,
// 34, 3A), ARMv7-M C1.6.
import { STATUS } from './opcodes.ts';
import type { Status } from './opcodes.ts';
import type { MemoryPort } from './memory-port.ts';
import type { Steps } from './steps.ts';
import type { WireResult } from './swd-wire.ts';

export const SCS = {
  aircr: 0xe000ed0c,
  dhcsr: 0xe000edf0,
  dcrsr: 0xe000edf4,
  dcrdr: 0xe000edf8,
} as const satisfies Record<string, number>;

export const DHCSR = {
  detach: 0xa05f0000,
  run: 0xa05f0001,
  halt: 0xa05f0003,
  step: 0xa05f0005,
  registerReady: 1 << 16,
  halted: 1 << 17,
} as const satisfies Record<string, number>;

/** AIRCR with its key and SYSRESETREQ. */
export const SYSTEM_RESET = 0x05fa0004;
const WRITE_REGISTER = 1 << 16;
const READY_POLLS = 16;

/** Waits for S_REGRDY; DHCSR as it was then. */
function* ready(memory: MemoryPort, ap: number): Steps<WireResult> {
  for (let polls = 0; polls < READY_POLLS; polls++) {
    const state = yield* memory.readWord(ap, SCS.dhcsr);
    if (state.status !== STATUS.ok || (state.value & DHCSR.registerReady) !== 0) return state;
  }
  return { status: STATUS.unknownError, value: 0 };
}

/** Reads a core register by its DCRSR number; a core that runs has none to show. */
export function* readRegister(memory: MemoryPort, ap: number, register: number): Steps<WireResult | 'running'> {
  const status = yield* memory.writeWord(ap, SCS.dcrsr, register & 0x7f);
  if (status !== STATUS.ok) return { status, value: 0 };
  const state = yield* ready(memory, ap);
  if (state.status !== STATUS.ok) return { status: state.status, value: 0 };
  if ((state.value & DHCSR.halted) === 0) return 'running';
  return yield* memory.readWord(ap, SCS.dcrdr);
}

/** Writes a core register by its DCRSR number. */
export function* writeRegister(memory: MemoryPort, ap: number, register: number, value: number): Steps<Status> {
  let status = yield* memory.writeWord(ap, SCS.dcrdr, value);
  if (status === STATUS.ok) status = yield* memory.writeWord(ap, SCS.dcrsr, (register & 0x7f) | WRITE_REGISTER);
  return status === STATUS.ok ? (yield* ready(memory, ap)).status : status;
}
