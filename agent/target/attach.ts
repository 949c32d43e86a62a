// Attaching to the target without disturbing it: read who it is without stopping it, remember its debug settings, put
// them back. Facts: docs/reference/stm32f4.md §1 (identity), §3.1 and §4 (OPTCR, RDP); docs/reference/cortex-m-debug.md
// §4, §5; docs/product.md §2; docs/protocol.md §9.
import { findChip, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { silentLog, type Clock, type Log } from '../../shared/ports.ts';
import type { MemoryAccess } from '../probe/adi/memory-access.ts';
import { AHB_AP_CORTEX_M4, AP, MEM_AP } from '../probe/adi/registers.ts';
import type { Probe } from '../probe/probe.ts';
import { CortexM, DHCSR_KEY, SCS } from './cortex-m.ts';

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
const CORTEX_M4_PART = 0x410fc240;
const CPUID_WITHOUT_REVISION = 0xff0ffff0;
const RDP_LEVEL_0 = 0xaa;
const RDP_LEVEL_2 = 0xcc;
/** FP_CTRL is written only with its key bit. */
const FP_CTRL_KEY = 1 << 1;

/** Everything about the target that can be known without stopping it. Numbers are unsigned 32-bit as read. */
export interface TargetIdentity {
  readonly dpidr: number;
  readonly apIdr: number;
  readonly cpuid: number;
  /** DBGMCU_IDCODE, whole; its parts beside it. */
  readonly idcode: number;
  readonly deviceId: number;
  readonly revisionId: number;
  readonly optcr: number;
  /** 0 on a part of one bank. */
  readonly optcr1: number;
  readonly rdp: 0 | 1 | 2;
  /** 12 bytes as they lie in memory; undefined on a protected chip, where even looking is not gentle. */
  readonly uid: Uint8Array | undefined;
  /** KiB; undefined on a protected chip. */
  readonly flashKiB: number | undefined;
  /** The core was found halted (an earlier tool left it so) or locked up. */
  readonly foundHalted: boolean;
  readonly foundLockedUp: boolean;
}

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

export interface AttachOptions {
  readonly clock: Clock;
  readonly log?: Log;
}

/** A target in hand. Whoever holds one calls `restoreDebugState` with what was saved, on every way out. */
export interface Attachment {
  readonly identity: TargetIdentity;
  readonly saved: SavedDebugState;
}

/**
 * Connects and identifies. Nothing is halted, reset or written, and a protected chip's flash is not touched: its level
 * comes from OPTCR.
 * @throws BF-TARGET-NONE, -NO-POWER, -WRONG-CHIP, -RDP2 and what the wire brings.
 */
export async function attach(probe: Probe, options: AttachOptions): Promise<Attachment> {
  const log = options.log ?? silentLog;
  const core = new CortexM(probe, { clock: options.clock, log });
  await probe.connect();
  const saved = await readDebugState(probe);
  const identity = await identify(probe, core);
  log.info({ idcode: identity.idcode, rdp: identity.rdp, flashKiB: identity.flashKiB }, 'target attached');
  return { identity, saved };
}

/** Reads the settings `restoreDebugState` puts back. Only private-bus words; the core does not notice. */
async function readDebugState(memory: MemoryAccess): Promise<SavedDebugState> {
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
 * @throws the first error met.
 */
export async function restoreDebugState(memory: MemoryAccess, saved: SavedDebugState): Promise<void> {
  const errors: unknown[] = [];
  for (const [address, value] of RESTORE) {
    await memory.writeWord(address, value(saved) >>> 0).catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}

/** RDP level of an OPTCR value: AA is level 0, CC level 2, anything else level 1 (docs/reference/stm32f4.md §4). */
export function rdpLevel(optcr: number): 0 | 1 | 2 {
  const rdp = (optcr >>> 8) & 0xff;
  if (rdp === RDP_LEVEL_0) return 0;
  return rdp === RDP_LEVEL_2 ? 2 : 1;
}

async function identify(probe: Probe, core: CortexM): Promise<TargetIdentity> {
  const dpidr = await probe.readDpIdr();
  const apIdr = await probe.readAp(MEM_AP, AP.IDR);
  const cpuid = await probe.readWord(SCS.CPUID);
  const idcode = await probe.readWord(CHIP.DBGMCU_IDCODE);
  const deviceId = idcode & 0xfff;
  const rightCore = apIdr === AHB_AP_CORTEX_M4 && (cpuid & CPUID_WITHOUT_REVISION) >>> 0 === CORTEX_M4_PART;
  const row = findChip(deviceId);
  if (!rightCore || row?.stub === undefined) {
    throw fail('BF-TARGET-WRONG-CHIP', `AP ${hex(apIdr)}, CPUID ${hex(cpuid)}, IDCODE ${hex(idcode)}`);
  }
  const { halted, lockedUp } = await core.status();
  const optcr = await probe.readWord(CHIP.FLASH_OPTCR);
  const optcr1 = row.banks === 2 ? await probe.readWord(CHIP.FLASH_OPTCR1) : 0;
  const rdp = rdpLevel(optcr);
  if (rdp === 2) throw fail('BF-TARGET-RDP2', `OPTCR ${hex(optcr)}`);
  const open = rdp === 0 ? await readOpenIdentity(probe, row) : { uid: undefined, flashKiB: undefined };
  const chip = { dpidr, apIdr, cpuid, idcode, deviceId, revisionId: idcode >>> 16, optcr, optcr1, rdp };
  return { ...chip, ...open, foundHalted: halted, foundLockedUp: lockedUp };
}

/** UID and flash size lie in the flash's information block: read on open chips only. */
async function readOpenIdentity(memory: MemoryAccess, chip: Chip): Promise<{ uid: Uint8Array; flashKiB: number }> {
  const uid = await memory.readMemory(chip.uidAddress, 12, 32);
  // The size register is 16 bits wide; the word it lies in is read.
  const word = await memory.readWord(chip.flashSizeAddress & ~3);
  return { uid, flashKiB: (word >>> (8 * (chip.flashSizeAddress & 3))) & 0xffff };
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}
