// The synchronous exceptions an instruction can raise; thrown by decoded instructions, caught by
// the run loop. ARMv7-M B1.5.

/** `cfsr` holds the fault's CFSR bits; `address` goes to MMFAR or BFAR when given. */
export class CpuFault extends Error {
  readonly exception: number;
  readonly cfsr: number;
  readonly address: number | undefined;
  constructor(exception: number, cfsr: number, address?: number) {
    super(`exception ${exception}, CFSR 0x${cfsr.toString(16)}`);
    this.exception = exception;
    this.cfsr = cfsr;
    this.address = address;
  }
}
