// Port: a debug probe. Whatever is above (attach, stub loader, mailbox) knows this and no particular probe.
// Errors: every rejected promise is a BlindflashError of part probe or target.
import { isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { MemoryAccess } from './adi/memory-access.ts';

/** What a probe is, after it was opened. */
export interface ProbeInfo {
  /** For people: `ST-LINK/V2`, `ST-LINK/V2-1`, `STLINK-V3`. */
  readonly kind: string;
  /** As its maker prints it, for example `V2J37S7`. */
  readonly firmware: string;
  readonly serial: string | undefined;
  /** `usb` or `tcp:HOST:PORT`. */
  readonly path: string;
}

/** Below this a probe sees no supply worth the name; every STM32F4 needs 1.7 V. */
export const LOWEST_SUPPLY_VOLTS = 1.5;

/** `low` holds the target in reset, `high` lets go. */
export type NrstLevel = 'low' | 'high';

export interface Probe extends MemoryAccess {
  /** Valid after `open`. */
  readonly info: ProbeInfo;

  /** Takes the probe, leaves whatever mode its last user left it in, reads its version. Does not touch the target. */
  open(): Promise<void>;
  /** Lets go of target and probe. Never throws because of a probe that is gone; safe to call twice. */
  close(): Promise<void>;

  /** Target supply in volts; undefined if the probe cannot tell. */
  readVoltage(): Promise<number | undefined>;
  /** SWD clocks the probe knows, kHz, descending. */
  listSpeeds(): Promise<readonly number[]>;
  /** Sets the highest known SWD clock not above `kHz` (the slowest one if all are above); returns it. */
  setSpeed(kHz: number): Promise<number>;

  /** First contact with the target: SWD line, debug power, access port 0. Halts nothing, resets nothing. */
  connect(): Promise<void>;
  /** Lets go of the target, leaving its core as it is. */
  disconnect(): Promise<void>;

  /** DPIDR as the target gave it at `connect`. */
  readDpIdr(): Promise<number>;
  /** A register of access port `ap` by its byte address (adi/registers.ts). */
  readAp(ap: number, register: number): Promise<number>;

  /**
   * After BF-PROBE-TIMEOUT or -GARBAGE: a clean pipe and, if there was one, the same connection to the target again.
   * Halts nothing, resets nothing; the command that failed may or may not have been carried out.
   */
  recover(): Promise<void>;

  /** Core register by its DCRSR number (0–15, 16 xPSR, 17 MSP, 18 PSP, 20 …); the core must be halted. */
  readCoreRegister(register: number): Promise<number>;
  writeCoreRegister(register: number, value: number): Promise<void>;

  /** Moves the reset pin. Says nothing about whether it is wired to the target. */
  driveNrst(level: NrstLevel): Promise<void>;
}

/** True for what `setSpeed` throws when a probe does not take the clock asked for; it works on at the one it has. */
export function refusesSpeed(error: unknown): error is BlindflashError {
  return isBlindflashError(error, 'BF-PROBE-SPEED') || isBlindflashError(error, 'BF-PROBE-COMMAND');
}
