// Port: a debug probe. Whatever is above (attach, stub-runner, mailbox) knows this and no particular probe.
// Errors: every rejected promise is a BlindflashError of group PROBE or TARGET.

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

/** What a probe can do; ask before use. */
export interface ProbeCapabilities {
  /** Drives the reset wire. Says nothing about whether the wire is connected. */
  readonly nrst: boolean;
  /** Reads and writes 16-bit units. */
  readonly memory16: boolean;
  /** Reads and writes DP and AP registers. */
  readonly dapRegisters: boolean;
  /** Measures the target's supply. */
  readonly voltage: boolean;
  /** Most bytes one 16/32-bit transfer carries. */
  readonly maxBlock: number;
  /** Most bytes one 8-bit transfer carries. */
  readonly maxBlock8: number;
}

/** Width of the bus accesses a memory transfer is made of, in bits. */
export type AccessWidth = 8 | 16 | 32;

/** `low` holds the target in reset, `high` lets go. */
export type NrstLevel = 'low' | 'high';

export interface Probe {
  /** Valid after `open`. */
  readonly info: ProbeInfo;
  /** Valid after `open`. */
  readonly capabilities: ProbeCapabilities;

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
  /** A register of access port `ap` (byte address, e.g. 0xFC = IDR). */
  readAp(ap: number, register: number): Promise<number>;

  /**
   * After BF-PROBE-TIMEOUT or -GARBAGE: a clean pipe and, if there was one, the same connection to the target again.
   * Halts nothing, resets nothing; the command that failed may or may not have been carried out.
   */
  recover(): Promise<void>;

  /**
   * Reads any number of bytes; splits at 4 KB address boundaries and at the probe's block size, and checks the status
   * of each piece. With `width`, address and length must be its multiples and nothing but accesses of that width is
   * made; without, bytes up to the first word, words, and bytes after the last one.
   * @throws BF-TARGET-ALIGNMENT, -FAULT (detail: address), -WAIT, -WIRE
   */
  readMemory(address: number, length: number, width?: AccessWidth): Promise<Uint8Array>;
  /** Writes any number of bytes under the same rules. */
  writeMemory(address: number, bytes: Uint8Array, width?: AccessWidth): Promise<void>;
  /** Reads one aligned 32-bit word with one command whose status is in its reply. */
  readWord(address: number): Promise<number>;
  /** Writes one aligned 32-bit word with one command whose status is in its reply. */
  writeWord(address: number, value: number): Promise<void>;

  /** Core register by its DCRSR number (0–15, 16 xPSR, 17 MSP, 18 PSP, 20 …); the core must be halted. */
  readCoreRegister(register: number): Promise<number>;
  writeCoreRegister(register: number, value: number): Promise<void>;

  driveNrst(level: NrstLevel): Promise<void>;
  /** System reset by the probe's own means; does not halt. */
  systemReset(): Promise<void>;
}
