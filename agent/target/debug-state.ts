// The target's debug settings: which there are, read as found and put back on every way out (docs/protocol.md §9;
// docs/reference/cortex-m-debug.md §4, §5).
import type { MemoryAccess } from '../probe/adi/memory-access.ts';
import { isBlindflashError, partOf } from '../../shared/errors/errors.ts';
import { DHCSR_KEY, SCS } from './cortex-m.ts';

/** Word addresses read or written here, the same in the whole family; where identity lies is the chip row's to say. */
export const CHIP = {
  DBGMCU_IDCODE: 0xe0042000,
  DBGMCU_CR: 0xe0042004,
  DBGMCU_APB1_FZ: 0xe0042008,
  DBGMCU_APB2_FZ: 0xe004200c,
  FLASH_OPTCR: 0x40023c14,
  FLASH_OPTCR1: 0x40023c18,
  RCC_CSR: 0x40023874,
} as const satisfies Record<string, number>;

/** DBGMCU_APB1_FZ: both watchdogs stand still while the core is halted, docs/reference/cortex-m-debug.md §4. */
export const FREEZE_WATCHDOGS = (1 << 11) | (1 << 12);
/** FP_CTRL is written only with its key bit. */
const FP_CTRL_KEY = 1 << 1;

/** Debug settings as found; the names are those of the mailbox's save words. */
export interface SavedDebugState {
  readonly dhcsr: number;
  readonly demcr: number;
  readonly dbgmcuCr: number;
  readonly apb1Fz: number;
  readonly apb2Fz: number;
  readonly fpCtrl: number;
}

const SAVED: Readonly<Record<keyof SavedDebugState, number>> = {
  dhcsr: SCS.DHCSR,
  demcr: SCS.DEMCR,
  dbgmcuCr: CHIP.DBGMCU_CR,
  apb1Fz: CHIP.DBGMCU_APB1_FZ,
  apb2Fz: CHIP.DBGMCU_APB2_FZ,
  fpCtrl: SCS.FP_CTRL,
};

/** What is written back, in this order; DHCSR last, so that nothing can halt between the others. */
const RESTORE: readonly (readonly [address: number, value: (saved: SavedDebugState) => number])[] = [
  [SCS.FP_CTRL, ({ fpCtrl }) => (fpCtrl & 1) | FP_CTRL_KEY],
  [CHIP.DBGMCU_CR, ({ dbgmcuCr }) => dbgmcuCr],
  [CHIP.DBGMCU_APB1_FZ, ({ apb1Fz }) => apb1Fz],
  [CHIP.DBGMCU_APB2_FZ, ({ apb2Fz }) => apb2Fz],
  [SCS.DEMCR, ({ demcr }) => demcr],
  // Never back to "debug enabled": with nobody attached the next fault would stop the product for ever
  // (docs/reference/cortex-m-debug.md §5).
  [SCS.DHCSR, () => DHCSR_KEY],
];

/** Reads the settings `restoreDebugState` puts back. Only private-bus words; the core does not notice. */
export async function readDebugState(memory: MemoryAccess): Promise<SavedDebugState> {
  const found: Record<keyof SavedDebugState, number> = {
    dhcsr: 0,
    demcr: 0,
    dbgmcuCr: 0,
    apb1Fz: 0,
    apb2Fz: 0,
    fpCtrl: 0,
  };
  for (const name of Object.keys(SAVED) as (keyof SavedDebugState)[]) found[name] = await memory.readWord(SAVED[name]);
  return found;
}

/**
 * Writes saved settings back (this agent's, or those an earlier agent left in the mailbox), DHCSR last with debug off.
 * Every write is tried, whatever became of the one before.
 * @param mayFallSilent the program runs from then on and may not let the probe in any more: no answer to the last write
 * is no error
 * @throws the first error met.
 */
export async function restoreDebugState(
  memory: MemoryAccess,
  saved: SavedDebugState,
  mayFallSilent = false,
): Promise<void> {
  const errors: unknown[] = [];
  for (const [address, value] of RESTORE) {
    await memory.writeWord(address, value(saved) >>> 0).catch((error: unknown) => {
      if (mayFallSilent && address === SCS.DHCSR && isBlindflashError(error) && partOf(error.code) === 'target') return;
      errors.push(error);
    });
  }
  if (errors.length > 0) throw errors[0];
}
