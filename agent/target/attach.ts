// Attaching to the target without disturbing it: read who it is without stopping it, and remember its debug settings,
// which debug-state.ts puts back. Facts: docs/reference/stm32f4.md §1 (identity), §3.1 and §4 (OPTCR, RDP);
// docs/reference/cortex-m-debug.md §4, §5; docs/product.md §2; docs/protocol.md §9.
import { findChip, protectionLevel, type Chip } from '../../shared/chips/index.ts';
import { hexNumber } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { silentLog, type Clock, type Log } from '../../shared/ports.ts';
import type { MemoryAccess } from '../probe/adi/memory-access.ts';
import { AHB_AP_CORTEX_M4, AP, MEM_AP } from '../probe/adi/registers.ts';
import type { Probe } from '../probe/probe.ts';
import { CHIP, type SavedDebugState } from './debug-state.ts';
import { reach, type ConnectMode, type Reached, type ReachOptions } from './reach.ts';
import { CortexM, SCS } from './cortex-m.ts';

const CORTEX_M4_PART = 0x410fc240;
const CPUID_WITHOUT_REVISION = 0xff0ffff0;

/** Everything about the target that can be known without stopping it. Numbers are unsigned 32-bit as read. */
export interface TargetIdentity {
  readonly dpidr: number;
  readonly apIdr: number;
  readonly cpuid: number;
  /** DBGMCU_IDCODE, whole; its parts beside it. */
  readonly idcode: number;
  readonly devId: number;
  readonly revId: number;
  readonly optcr: number;
  /** 0 on a part of one bank. */
  readonly optcr1: number;
  readonly rdp: 0 | 1 | 2;
  /** 12 bytes as they lie in memory; undefined on a protected chip, where it is not read. */
  readonly uid: Uint8Array | undefined;
  /** KiB; undefined on a protected chip. */
  readonly flashKiB: number | undefined;
  /** The core was found halted (an earlier tool left it so) or locked up. */
  readonly foundHalted: boolean;
  readonly foundLockedUp: boolean;
}

export interface AttachOptions {
  readonly clock: Clock;
  readonly log?: Log;
  readonly connect?: ConnectMode | undefined;
  readonly ask?: ReachOptions['ask'];
}

/** An attached target. Whoever holds one calls `restoreDebugState` with what was saved, on every way out. */
export interface Attachment {
  readonly identity: TargetIdentity;
  readonly saved: SavedDebugState;
  /** In all ways but the first the program was stopped, and stands still. */
  readonly how: Reached;
}

/**
 * Connects and identifies. Unless the chip cannot be reached otherwise nothing is halted, reset or written, and a
 * protected chip's flash is not touched: its level comes from OPTCR.
 * @throws BF-TARGET-NONE, -NO-POWER, -WRONG-CHIP, -RDP2 and what the wire brings.
 */
export async function attach(probe: Probe, options: AttachOptions): Promise<Attachment> {
  const log = options.log ?? silentLog;
  const core = new CortexM(probe, { clock: options.clock, log });
  const { how, saved, seen: identity } = await reach({ probe, ...options, log }, () => identify(probe, core));
  log.info({ idcode: identity.idcode, rdp: identity.rdp, flashKiB: identity.flashKiB }, 'target attached');
  return { identity, saved, how };
}

async function identify(probe: Probe, core: CortexM): Promise<TargetIdentity> {
  const dpidr = await probe.readDpIdr();
  const apIdr = await probe.readAp(MEM_AP, AP.IDR);
  const cpuid = await probe.readWord(SCS.CPUID);
  const idcode = await probe.readWord(CHIP.DBGMCU_IDCODE);
  const devId = idcode & 0xfff;
  const rightCore = apIdr === AHB_AP_CORTEX_M4 && (cpuid & CPUID_WITHOUT_REVISION) >>> 0 === CORTEX_M4_PART;
  const row = findChip(devId);
  if (!rightCore || row?.stub === undefined) {
    throw fail(
      'BF-TARGET-WRONG-CHIP',
      `AP ${hexNumber(apIdr)}, CPUID ${hexNumber(cpuid)}, IDCODE ${hexNumber(idcode)}`,
    );
  }
  const { halted, lockedUp } = await core.status();
  const optcr = await probe.readWord(CHIP.FLASH_OPTCR);
  const optcr1 = row.banks === 2 ? await probe.readWord(CHIP.FLASH_OPTCR1) : 0;
  const rdp = protectionLevel(optcr);
  if (rdp === 2) throw fail('BF-TARGET-RDP2', `OPTCR ${hexNumber(optcr)}`);
  const open = rdp === 0 ? await readOpenIdentity(probe, row) : { uid: undefined, flashKiB: undefined };
  const chip = { dpidr, apIdr, cpuid, idcode, devId, revId: idcode >>> 16, optcr, optcr1, rdp };
  return { ...chip, ...open, foundHalted: halted, foundLockedUp: lockedUp };
}

/** UID and flash size lie in the flash's information block: read on open chips only. */
async function readOpenIdentity(memory: MemoryAccess, chip: Chip): Promise<{ uid: Uint8Array; flashKiB: number }> {
  const uid = await memory.readMemory(chip.uidAddress, 12, 32);
  // The size register is 16 bits wide; the word it lies in is read.
  const word = await memory.readWord(chip.flashSizeAddress & ~3);
  return { uid, flashKiB: (word >>> (8 * (chip.flashSizeAddress & 3))) & 0xffff };
}
