// Port: memory of the target through a memory access port (MEM-AP, ADIv5). Everything above the probe that reads or
// writes words and bytes needs this and no more. The ST-LINK implements it by memory commands of its own, which drive
// DP and AP inside the probe; a probe that only carries DP and AP accesses would implement it by CSW, TAR and DRW.
// Errors: every rejected promise is a BlindflashError of part probe or target.

/** Width of the bus accesses a memory transfer is made of, in bits. */
export type AccessWidth = 8 | 16 | 32;

/** Whether the status of an access is asked for. */
export type StatusCheck = 'checked' | 'unchecked';

export interface MemoryAccess {
  /**
   * Reads any number of bytes in address order, in pieces that fit the driver and do not cross a TAR wrap, and checks
   * the status of each. With `width`, address and length must be its multiples and only accesses of that width are
   * made; without, bytes up to the first word, words, and bytes after the last one.
   * `unchecked`: nobody asks how it went, which saves a command; what was read may be anything then. For bytes that
   * carry a check of their own, or mean little.
   * @throws BF-TARGET-ALIGNMENT, -FAULT (detail: address), -WAIT, -WIRE
   */
  readMemory(address: number, length: number, width?: AccessWidth, check?: StatusCheck): Promise<Uint8Array>;
  /**
   * Writes any number of bytes under the same rules. `unchecked`: nobody asks how it went, which saves a command; a
   * write that failed shows at a later access, or not at all. For bytes whose reader checks them.
   */
  writeMemory(address: number, bytes: Uint8Array, width?: AccessWidth, check?: StatusCheck): Promise<void>;
  /** Reads one aligned 32-bit word; its status is known when the promise resolves. */
  readWord(address: number): Promise<number>;
  /** Writes one aligned 32-bit word; its status is known when the promise resolves. */
  writeWord(address: number, value: number): Promise<void>;
}
