// Backup SRAM: writes need DBP, reads follow the flash's read protection (docs/reference/stm32f4.md §2.4, §5.1, §8.3).
import { BusFault, type Device, type Master, type Width } from '../bus.ts';
import { StatefulPart, type Context } from './part.ts';

const BACKUP_SRAM_BASE = 0x40024000;
const SIZE = 4096;

export interface BackupSramNeighbours {
  writable(): boolean;
  blocked(master: Master): boolean;
}

export class BackupSram extends StatefulPart<{ bytes: Uint8Array }> implements Device {
  readonly plain = true;
  readonly #near: BackupSramNeighbours;

  constructor(context: Context, near: BackupSramNeighbours) {
    super(context, { bytes: new Uint8Array(SIZE) });
    this.#near = near;
  }
  /** No reset touches it. */
  reset(): void {}
  get bytes(): Uint8Array {
    return this.state.bytes;
  }
  read(offset: number, width: Width, master: Master): number {
    this.#admit(offset, master);
    const { bytes } = this.state;
    if (width === 1) return bytes[offset]!;
    const low = bytes[offset]! | (bytes[offset + 1]! << 8);
    return width === 2 ? low : (low | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
  }
  write(offset: number, value: number, width: Width, master: Master): void {
    this.#admit(offset, master);
    if (!this.#near.writable()) return;
    for (let i = 0; i < width; i++) this.state.bytes[offset + i] = (value >>> (8 * i)) & 0xff;
  }
  pure(): boolean {
    return true;
  }
  #admit(offset: number, master: Master): void {
    if (this.#near.blocked(master)) throw new BusFault(BACKUP_SRAM_BASE + offset, 'backup SRAM is read protected');
  }
}
