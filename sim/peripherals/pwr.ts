// Power control: voltage scaling, over-drive, backup write protection, voltage detector, Standby flags
// (docs/reference/stm32f4.md §3.10, §5.5, §8.3-8.4; detector thresholds are nominal).
import type { BoardTimer } from '../board-time.ts';
import type { Master } from '../bus.ts';
import type { ResetKind } from '../core-port.ts';
import { bit, RegisterBlock, type Context } from './part.ts';

const REG = { cr: 0x00, csr: 0x04 } as const;
const BASE = 0x40007000;
const VOS = { shift: 14, one: 0x4000, two: 0xc000 } as const;
const CR = { pdds: 1, cwuf: 2, csbf: 3, pvde: 4, dbp: 8, oden: 16, odswen: 17 } as const;
const CR_WRITABLE = 0x000feff3;
const CSR = { wuf: 0, sbf: 1, pvdo: 2, brr: 3, ewup: 8, bre: 9, vosrdy: 14, odrdy: 16, odswrdy: 17 } as const;
const PVD_VOLTS = [2.0, 2.1, 2.3, 2.5, 2.6, 2.7, 2.8, 2.9] as const;
const PVD_SETTLE_NS = 30_000;
const REGULATOR_NS = 100_000;

export interface PwrNeighbours {
  supplyVolts(): number;
  pllOn(): boolean;
  /** The detector's output, wired to EXTI line 16. */
  detector(below: boolean): void;
}

interface PwrState {
  cr: number;
  /** CSR bits that are stored; PVDO is kept here as last decided. */
  csr: number;
}

export class Pwr extends RegisterBlock<PwrState> {
  readonly #near: PwrNeighbours;
  /** Bits of CR that are VOS; all set after a reset. */
  readonly #vos: number;
  readonly #pvd: BoardTimer;
  readonly #backupReady: BoardTimer;
  readonly #overDrive: BoardTimer;

  constructor(context: Context, near: PwrNeighbours) {
    super(context, { cr: vosMask(context), csr: 0 });
    this.#near = near;
    this.#vos = vosMask(context);
    this.#pvd = context.time.timer('pvd', () => this.#decide());
    this.#backupReady = context.time.timer('backup regulator', () => this.#set(CSR.brr, true));
    this.#overDrive = context.time.timer('over-drive', () => this.#followOverDrive());
  }
  /** BRE/BRR survive every reset. */
  reset(_kind: ResetKind): void {
    this.#pvd.clear();
    this.#overDrive.clear();
    this.state.cr = this.#vos;
    this.state.csr &= (1 << CSR.bre) | (1 << CSR.brr);
  }
  /** V_DD and V_BAT were both lost. */
  loseBackupDomain(): void {
    this.#backupReady.clear();
    this.state.csr = 0;
  }
  /** After a wake from Standby. */
  markStandby(wokenByEvent: boolean): void {
    this.#set(CSR.sbf, true);
    this.#set(CSR.wuf, wokenByEvent);
  }
  get standbySelected(): boolean {
    return bit(this.state.cr, CR.pdds);
  }
  get backupWritable(): boolean {
    return bit(this.state.cr, CR.dbp);
  }
  /** The backup regulator keeps backup SRAM in Standby and on V_BAT. */
  get backupRegulated(): boolean {
    return bit(this.state.csr, CSR.brr);
  }
  /**
   * Voltage scale in force as a value of the wide VOS (3 is scale 1): scale 3 while the PLL is off. One
   * bit knows scales 1 and 2.
   */
  scale(): { vos: 1 | 2 | 3; overDrive: boolean } {
    const bits = (this.state.cr & this.#vos) >>> VOS.shift;
    const code = this.#vos === VOS.one ? bits + 2 : bits;
    const vos = !this.#near.pllOn() || code === 0 ? 1 : (code as 1 | 2 | 3);
    return { vos, overDrive: bit(this.state.csr, CSR.odswrdy) };
  }
  /** The supply moved; the detector answers after its settling time. */
  supplyChanged(): void {
    if (bit(this.state.cr, CR.pvde)) this.#pvd.set(this.context.time.now + PVD_SETTLE_NS);
  }

  override pure(): boolean {
    return true;
  }
  protected override load(offset: number): number {
    if (offset === REG.cr) return this.state.cr;
    if (offset !== REG.csr) return 0;
    const settled = this.#near.pllOn() ? 1 << CSR.vosrdy : 0;
    return (this.state.csr | settled) >>> 0;
  }
  protected override store(offset: number, value: number, master: Master): void {
    if (offset === REG.cr) this.#storeCr(value, master);
    else if (offset === REG.csr) this.#storeCsr(value);
  }
  #storeCr(value: number, master: Master): void {
    if (master !== 'debugger' && (value & VOS.two & ~this.#vos) !== 0) {
      this.context.complain(BASE + REG.cr, 'PWR_CR.VOS has one bit on this part');
    }
    const scale = (this.#near.pllOn() ? this.state.cr : value) & this.#vos;
    this.state.cr = (value & CR_WRITABLE & ~VOS.two) | scale;
    if (bit(value, CR.cwuf)) this.#set(CSR.wuf, false);
    if (bit(value, CR.csbf)) this.#set(CSR.sbf, false);
    if (bit(value, CR.pvde)) this.#pvd.set(this.context.time.now + PVD_SETTLE_NS);
    else this.#decide();
    this.#overDrive.set(this.context.time.now + REGULATOR_NS);
  }
  #storeCsr(value: number): void {
    this.#set(CSR.ewup, bit(value, CSR.ewup));
    if (!this.backupWritable) return;
    this.#set(CSR.bre, bit(value, CSR.bre));
    if (bit(value, CSR.bre)) this.#backupReady.set(this.context.time.now + REGULATOR_NS);
    else this.loseRegulator();
  }
  loseRegulator(): void {
    this.#backupReady.clear();
    this.#set(CSR.brr, false);
  }
  #followOverDrive(): void {
    const oden = bit(this.state.cr, CR.oden);
    this.#set(CSR.odrdy, oden);
    this.#set(CSR.odswrdy, oden && bit(this.state.cr, CR.odswen));
  }
  #decide(): void {
    const threshold = PVD_VOLTS[(this.state.cr >>> 5) & 7]!;
    const below = bit(this.state.cr, CR.pvde) && this.#near.supplyVolts() < threshold;
    this.#set(CSR.pvdo, below);
    this.#near.detector(below);
  }
  #set(index: number, on: boolean): void {
    this.state.csr = (on ? this.state.csr | (1 << index) : this.state.csr & ~(1 << index)) >>> 0;
  }
}

function vosMask({ chip }: Context): number {
  return chip.vosBits === 1 ? VOS.one : VOS.two;
}
