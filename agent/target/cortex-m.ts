// The Cortex-M4 core as a debugger sees it: SCS registers as a table; resume, registers, reset into halt. Facts:
// docs/reference/cortex-m-debug.md §4 (registers), §5 (behaviour); docs/reference/stm32f4.md §8.7 (NRST).
import { fail, isBlindflashError, mayRepeatAccess } from '../../shared/errors/errors.ts';
import { silentLog, type Clock, type Log } from '../../shared/ports.ts';
import { pause } from '../probe/deadline.ts';
import type { Probe } from '../probe/probe.ts';

/** Word addresses of the debug registers, §4. */
export const SCS = {
  AIRCR: 0xe000ed0c,
  CPUID: 0xe000ed00,
  DFSR: 0xe000ed30,
  DHCSR: 0xe000edf0,
  DEMCR: 0xe000edfc,
  FP_CTRL: 0xe0002000,
} as const satisfies Record<string, number>;

/** DHCSR bits, §4. A write needs DHCSR_KEY in the upper half. */
const DHCSR = {
  C_DEBUGEN: 1 << 0,
  C_HALT: 1 << 1,
  S_HALT: 1 << 17,
  S_LOCKUP: 1 << 19,
  S_RESET_ST: 1 << 25,
} as const satisfies Record<string, number>;

export const DHCSR_KEY = 0xa05f0000;
const DEMCR_VC_CORERESET = 1 << 0;
/** System reset through AIRCR: key and SYSRESETREQ. */
const AIRCR_SYSRESETREQ = 0x05fa0004;
/** Every reason bit of DFSR, written to clear them. */
const DFSR_ALL = 0x1f;

/** The core registers this program sets, by DCRSR number, §4. */
const CORE_REGISTER = {
  sp: 13,
  lr: 14,
  pc: 15,
  xpsr: 16,
} as const satisfies Record<string, number>;

export type CoreRegister = keyof typeof CORE_REGISTER;

export interface CoreStatus {
  /** DHCSR as read. Reading it has cleared S_RESET_ST in the chip. */
  readonly dhcsr: number;
  readonly halted: boolean;
  readonly lockedUp: boolean;
  /** A reset has happened since the last read, or is still going on. */
  readonly wasReset: boolean;
}

/** Limits we chose; milliseconds. */
const RESET_MS = 500;
const HALT_MS = 500;
const POLL_MS = 1;
/** How long NRST is held low: far beyond the 20 µs the chip asks for, for the sake of capacitors on the line. */
const NRST_LOW_MS = 20;

export interface CortexMOptions {
  readonly clock: Clock;
  readonly log?: Log;
}

export class CortexM {
  readonly #probe: Probe;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(probe: Probe, options: CortexMOptions) {
    this.#probe = probe;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
  }

  async status(): Promise<CoreStatus> {
    return decodeStatus(await this.#probe.readWord(SCS.DHCSR));
  }

  /** Stops the core where it is; debug stays enabled. @throws BF-TARGET-NO-HALT */
  async halt(): Promise<void> {
    await this.#control(DHCSR.C_DEBUGEN | DHCSR.C_HALT);
    const halted = await this.#poll(HALT_MS, async () => (await this.status()).halted);
    if (!halted) throw fail('BF-TARGET-NO-HALT', `not halted within ${HALT_MS} ms`);
  }

  /**
   * Arms the reset vector catch on a core that may run: the next reset, whoever causes it, leaves the core before its
   * first instruction. `waitForResetCatch` follows.
   */
  async armResetCatch(): Promise<void> {
    await this.#control(DHCSR.C_DEBUGEN);
    const demcr = await this.#probe.readWord(SCS.DEMCR);
    await this.#probe.writeWord(SCS.DEMCR, (demcr | DEMCR_VC_CORERESET) >>> 0);
  }

  /** Waits until a core whose reset vector catch is armed stands, and disarms it. @throws BF-TARGET-NO-HALT */
  async waitForResetCatch(limitMs: number): Promise<void> {
    const caught = await this.#poll(limitMs, async () => (await this.status()).halted);
    if (!caught) throw fail('BF-TARGET-NO-HALT', `not halted ${limitMs} ms after its reset`);
    const demcr = await this.#probe.readWord(SCS.DEMCR);
    await this.#probe.writeWord(SCS.DEMCR, (demcr & ~DEMCR_VC_CORERESET) >>> 0);
  }

  /** Lets a halted core run on, debug staying enabled. Forgets the reasons of earlier halts. */
  async resume(): Promise<void> {
    await this.#probe.writeWord(SCS.DFSR, DFSR_ALL);
    await this.#control(DHCSR.C_DEBUGEN);
  }

  /** Only while halted. */
  readRegister(name: CoreRegister): Promise<number> {
    return this.#probe.readCoreRegister(CORE_REGISTER[name]);
  }

  /** Only while halted. */
  writeRegister(name: CoreRegister, value: number): Promise<void> {
    return this.#probe.writeCoreRegister(CORE_REGISTER[name], value);
  }

  /**
   * Resets the system and stops the core before its first instruction; proves both. SYSRESETREQ
   * is tried first, then NRST.
   * @throws BF-TARGET-NO-RESET when no reset was seen, BF-TARGET-NO-HALT when the core ran on after one.
   */
  async resetHalt(): Promise<void> {
    try {
      await this.#whileCatchingReset(() => this.#requestReset());
    } catch (error) {
      if (!isResetFailure(error)) throw error;
      this.#log.warn({ code: error.code }, 'reset by the core failed, trying the pin');
      await this.#whileCatchingReset(() => this.#pulseNrst());
    }
  }

  /** Resets the system by SYSRESETREQ and lets it run. The state of debug enable is left as it is. */
  async resetRun(): Promise<void> {
    await this.#requestReset();
  }

  /** Halts, arms the reset vector catch, causes the reset, watches for both, and disarms, whatever happens. */
  async #whileCatchingReset(cause: () => Promise<void>): Promise<void> {
    await this.#control(DHCSR.C_DEBUGEN | DHCSR.C_HALT);
    const demcr = await this.#probe.readWord(SCS.DEMCR);
    await this.#probe.writeWord(SCS.DEMCR, (demcr | DEMCR_VC_CORERESET) >>> 0);
    try {
      // This read clears the sticky bit: from here on S_RESET_ST means our reset.
      await this.status();
      await cause();
      await this.#watchReset();
    } finally {
      await this.#probe.writeWord(SCS.DEMCR, (demcr & ~DEMCR_VC_CORERESET) >>> 0).catch(() => {});
    }
  }

  /** Reset over means: the sticky bit was seen once, is gone at the next look, and the core stands still. */
  async #watchReset(): Promise<void> {
    let seen = false;
    const caught = await this.#poll(RESET_MS, async () => {
      const status = await this.status();
      const over = seen && !status.wasReset;
      seen ||= status.wasReset;
      return over && status.halted;
    });
    if (caught) return;
    if (!seen) throw fail('BF-TARGET-NO-RESET', `no reset seen within ${RESET_MS} ms`);
    throw fail('BF-TARGET-NO-HALT', `reset, but not halted within ${RESET_MS} ms`);
  }

  /** The write that resets may be cut off by the reset it causes: its own failure proves nothing. */
  async #requestReset(): Promise<void> {
    await this.#probe.writeWord(SCS.AIRCR, AIRCR_SYSRESETREQ).catch(rethrowUnlessSilent);
  }

  async #pulseNrst(): Promise<void> {
    try {
      await this.#probe.driveNrst('low');
      await pause(this.#clock, NRST_LOW_MS);
    } finally {
      await this.#probe.driveNrst('high');
    }
  }

  #control(bits: number): Promise<void> {
    return this.#probe.writeWord(SCS.DHCSR, (DHCSR_KEY | bits) >>> 0);
  }

  /** Looks every millisecond until `done` or the time is over. While a reset lasts the wire may answer with errors. */
  async #poll(limitMs: number, done: () => Promise<boolean>): Promise<boolean> {
    const end = this.#clock.now() + limitMs;
    for (;;) {
      const ready = await done().catch((error: unknown) => {
        rethrowUnlessSilent(error);
        return false;
      });
      if (ready) return true;
      if (this.#clock.now() >= end) return false;
      await pause(this.#clock, POLL_MS);
    }
  }
}

/** What a DHCSR value says. */
export function decodeStatus(dhcsr: number): CoreStatus {
  const has = (bit: number): boolean => (dhcsr & bit) !== 0;
  return {
    dhcsr,
    halted: has(DHCSR.S_HALT),
    lockedUp: has(DHCSR.S_LOCKUP),
    wasReset: has(DHCSR.S_RESET_ST),
  };
}

/** For accesses to a target that may not answer for a while: swallows that, and throws any other error on. */
export function rethrowUnlessSilent(error: unknown): void {
  if (!mayRepeatAccess(error, 'target') && !isBlindflashError(error, 'BF-TARGET-NONE')) throw error;
}

function isResetFailure(error: unknown): error is ReturnType<typeof fail> {
  return isBlindflashError(error, 'BF-TARGET-NO-RESET') || isBlindflashError(error, 'BF-TARGET-NO-HALT');
}
