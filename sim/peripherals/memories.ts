// The plain memories of the chip: RAM, flash, system memory, one-time programmable bytes, identity words
// (docs/reference/stm32f4.md §1.1, §2.1, §2.4).
import { BusFault, type Device, type Gate, type Memory } from '../bus.ts';
import type { ChipRow } from '../chips/stm32f4.ts';
import type { FlashController } from './flash-controller.ts';
import { FLASH_BASE } from './flash-array.ts';
import { fillNoise, nextWord, randomState, type RandomState } from './random.ts';
import type { ReadProtection } from './read-protection.ts';

const SYSTEM_BASE = 0x1fff0000;
const SYSTEM_SIZE = 30 * 1024;
export const OTP_BASE = 0x1fff7800;
/** 512 data bytes and 16 lock bytes. */
export const OTP_SIZE = 528;
export const INFO_BASE = 0x1fff7a10;
export const INFO_SIZE = 0x1f0;
const INFO = { uid: 0x00, flashKb: 0x12, package: 0x1e0 } as const;

export interface Memories {
  readonly ram: readonly Memory[];
  readonly flash: Memory;
  readonly system: Memory;
  readonly otp: Memory;
}

/** A gate that shuts while the chip is held in reset. */
export function resetGate(): Gate {
  return {
    closed: true,
    check: (address) => {
      throw new BusFault(address, 'memory is held in reset');
    },
  };
}

/** OTP's gate: reset as above, and read protection. */
export function otpGate(held: () => boolean, protection: ReadProtection): Gate {
  return {
    closed: true,
    check: (address, master) => {
      if (held() || protection.refuses('otp', master)) throw new BusFault(address, 'OTP is closed');
    },
  };
}

/** Unique id, flash size, package: read-only; what a debugger gets of it while read protection blocks is a switch. */
export function identityBlock(
  bytes: Uint8Array,
  held: () => boolean,
  protection: ReadProtection,
  write: Device['write'],
): Device {
  const view = new DataView(bytes.buffer);
  return {
    read: (offset, width, master) => {
      const { identityAtL1 } = protection.switches;
      const hidden = master === 'debugger' && protection.blocking && identityAtL1 !== 'readable';
      if (held() || (hidden && identityAtL1 === 'refused')) {
        throw new BusFault(INFO_BASE + offset, 'identity is closed');
      }
      if (hidden) return 0;
      return width === 4 ? view.getUint32(offset, true) : width === 2 ? view.getUint16(offset, true) : bytes[offset]!;
    },
    write,
    pure: () => true,
  };
}

export function makeMemories(
  chip: ChipRow,
  flash: FlashController,
  otpBytes: Uint8Array,
  gates: { reset: Gate; otp: Gate },
): Memories {
  const readOnly = flash.stores('read-only');
  return {
    ram: chip.ram.map(({ name, base, size, fetchable }) => ({
      name,
      base,
      fetchable,
      bytes: new Uint8Array(size),
      gate: gates.reset,
    })),
    flash: {
      name: 'flash',
      base: FLASH_BASE,
      fetchable: true,
      bytes: flash.bytes,
      gate: flash.gate,
      writes: flash.stores('main'),
    },
    system: {
      name: 'system memory',
      base: SYSTEM_BASE,
      fetchable: true,
      bytes: fillerRom(),
      gate: gates.reset,
      writes: readOnly,
    },
    otp: {
      name: 'OTP',
      base: OTP_BASE,
      fetchable: false,
      bytes: otpBytes,
      gate: gates.otp,
      writes: flash.stores('otp'),
    },
  };
}

/** Not the maker's ROM, which is not ours to copy: a vector table and a loop on the spot. */
function fillerRom(): Uint8Array {
  const bytes = new Uint8Array(SYSTEM_SIZE).fill(0xff);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20002000, true);
  for (let vector = 1; vector < 16; vector++) view.setUint32(4 * vector, SYSTEM_BASE + 0x41, true);
  view.setUint16(0x40, 0xe7fe, true);
  return bytes;
}

/** The identity block's content. */
export function infoBytes(chip: ChipRow, uid: Uint8Array): Uint8Array {
  if (uid.length !== 12) throw new Error('a unique id has 12 bytes');
  const bytes = new Uint8Array(INFO_SIZE).fill(0xff);
  bytes.set(uid, INFO.uid);
  new DataView(bytes.buffer).setUint16(INFO.flashKb, chip.flashKb, true);
  return bytes;
}

/** A unique id in the documented shape: wafer position, wafer number, lot in ASCII. */
export function uidFromSeed(seed: number): Uint8Array {
  const random = randomState(seed, 'uid');
  const position = nextWord(random) & 0x007f007f;
  const lot = [...String(nextWord(random) % 1e7).padStart(7, '0')].map((digit) => digit.charCodeAt(0));
  return Uint8Array.of(position & 0xff, 0, position >>> 16, 0, 1 + (nextWord(random) % 25), ...lot);
}

/** RAM content after power comes up: noise, never zeros. */
export function scrambleRam(memories: Memories, random: RandomState): void {
  for (const { bytes } of memories.ram) fillNoise(random, bytes);
}
