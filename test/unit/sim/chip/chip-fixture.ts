// A powered virtual board and short words for poking it. Addresses and keys are spelled again from the reference
// (docs/reference/stm32f4.md §2.6, §3.1), never imported from the model.
import { Board, type BoardOptions } from '../../../../sim/board.ts';
import { BusFault, type Master, type Width } from '../../../../sim/bus.ts';
import assert from 'node:assert/strict';

export const FLASH = {
  acr: 0x40023c00,
  keyr: 0x40023c04,
  optkeyr: 0x40023c08,
  sr: 0x40023c0c,
  cr: 0x40023c10,
  optcr: 0x40023c14,
  optcr1: 0x40023c18,
} as const;
export const RCC = {
  cr: 0x40023800,
  pllcfgr: 0x40023804,
  cfgr: 0x40023808,
  ahb1enr: 0x40023830,
  ahb2enr: 0x40023834,
  apb1enr: 0x40023840,
  apb2enr: 0x40023844,
  bdcr: 0x40023870,
  csr: 0x40023874,
} as const;
export const MS = 1e6;

export class ChipFixture {
  readonly board: Board;
  constructor(options: BoardOptions = {}) {
    this.board = new Board(options);
    this.board.powerOn();
    this.wait(2 * MS);
  }
  wait(ns: number): void {
    this.board.runTo(this.board.time.now + ns);
  }
  peek(address: number, width: Width = 4, master: Master = 'cpu'): number {
    return this.board.bus.read(address, width, master);
  }
  poke(address: number, value: number, width: Width = 4, master: Master = 'cpu'): void {
    this.board.bus.write(address, value, width, master);
  }
  get sr(): number {
    return this.peek(FLASH.sr);
  }
  clearSr(): void {
    this.poke(FLASH.sr, 0x1f3);
  }
  unlock(): void {
    this.poke(FLASH.keyr, 0x45670123);
    this.poke(FLASH.keyr, 0xcdef89ab);
  }
  unlockOptions(): void {
    this.poke(FLASH.optkeyr, 0x08192a3b);
    this.poke(FLASH.optkeyr, 0x4c5d6e7f);
  }
  /** Starts a sector erase at x32 by its SNB code. */
  erase(snb: number): void {
    this.poke(FLASH.cr, 0x202 | (snb << 3));
    this.poke(FLASH.cr, 0x10202 | (snb << 3));
  }
  /** Word programming at x32 from here on. */
  programMode(): void {
    this.poke(FLASH.cr, 0x201);
  }
  program(address: number, word: number): void {
    this.poke(address, word);
    this.wait(20_000);
  }
  get busy(): boolean {
    return (this.peek(FLASH.sr) & 0x10000) !== 0;
  }
  faults(run: () => void): void {
    assert.throws(run, BusFault);
  }
}
