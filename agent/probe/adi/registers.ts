// The registers of an Arm debug port and of a memory access port that drivers use, and the rules that go with them.
// Arm Debug Interface Architecture Specification ADIv5 (IHI 0031), chapters B2 (debug port), C1 and C2 (access ports).

/** Debug port registers by byte address. */
export const DP = {
  /** Write only. */
  ABORT: 0x00,
} as const satisfies Record<string, number>;

/** ABORT: clears STICKYCMP, STICKYERR, WDATAERR and STICKYORUN; nothing is aborted. IHI 0031 §B2.2.1. */
export const ABORT_CLEAR_STICKY = 0x1e;

/** Access port registers by byte address. */
export const AP = {
  IDR: 0xfc,
} as const satisfies Record<string, number>;

/** IDR of the AHB-AP of a Cortex-M4; the only access port an STM32F4 has is number 0. */
export const AHB_AP_CORTEX_M4 = 0x24770011;
export const MEM_AP = 0;

/**
 * Control/Status Word of a memory access port for our accesses, the upper 24 bits: DbgSwEnable (31), master type
 * "debug" (29) and HPROT[1] "privileged" (25). Size and address increment, in the low byte, are the driver's. IHI 0031
 * §C2.2; what OpenOCD sends.
 */
export const CSW_PRIVILEGED_DATA = 0xa2000000;

/**
 * Address distance after which the counter in TAR may wrap: no transfer with automatic increment crosses a multiple of
 * it. ADIv5 promises at least 1 KB (IHI 0031 §C2.2.2); the AHB-AP of a Cortex-M4 and the ST-LINK's firmware count 4 KB.
 */
export const TAR_WRAP = 4096;
