// Reset and clock control: oscillators that take time, the PLL, the clock switch, enable bits and reset flags
// (docs/reference/stm32f4.md §3.10, §8.2).
import type { BoardTimer } from '../board-time.ts';
import type { Master } from '../bus.ts';
import type { ResetKind } from '../core-port.ts';
import {
  ahbDivider,
  apbDivider,
  HSI_HZ,
  LSI_HZ,
  pllFaults,
  pllOutputs,
  pllSettings,
  speedFaults,
} from './clock-tree.ts';
import { bit, RegisterBlock, type Context } from './part.ts';

const BASE = 0x40023800;
const REG = { cr: 0x00, pllcfgr: 0x04, cfgr: 0x08, bdcr: 0x70, csr: 0x74 } as const;

/** Enable registers by bus, and the peripheral reset registers 0x20 below them. */
const ENABLE = { AHB1: 0x30, AHB2: 0x34, AHB3: 0x38, APB1: 0x40, APB2: 0x44 } as const;
export type EnableBus = keyof typeof ENABLE;

const RESET_WORDS: Readonly<Record<number, number>> = {
  [REG.cr]: 0x00000083,
  [REG.pllcfgr]: 0x24003010,
  0x30: 0x00100000,
  0x50: 0x7e6791ff,
  0x54: 0x000000f1,
  0x58: 0x00000001,
  0x60: 0xf6fec9ff,
  0x64: 0x04777f33,
  0x84: 0x20003000,
  0x88: 0x24003000,
};
const CSR_AFTER_POWER_ON = 0x0e000000;
const CSR_FLAGS = 0xfe000000;
const FLAG = { bor: 25, pin: 26, por: 27, software: 28, iwdg: 29, wwdg: 30, lowPower: 31 } as const;
export type ResetFlag = keyof typeof FLAG;

/** Oscillators: where they are switched on and seen ready, and how long they take. */
const OSCILLATORS = {
  hsi: { register: REG.cr, on: 0, ready: 1, ns: 2_200 },
  hse: { register: REG.cr, on: 16, ready: 17, ns: 2_000_000 },
  pll: { register: REG.cr, on: 24, ready: 25, ns: 200_000 },
  plli2s: { register: REG.cr, on: 26, ready: 27, ns: 200_000 },
  pllsai: { register: REG.cr, on: 28, ready: 29, ns: 200_000 },
  lsi: { register: REG.csr, on: 0, ready: 1, ns: 40_000 },
  lse: { register: REG.bdcr, on: 0, ready: 1, ns: 2_000_000_000 },
} as const;
type Oscillator = keyof typeof OSCILLATORS;
const OSCILLATOR_NAMES = Object.keys(OSCILLATORS) as Oscillator[];
const READY_BITS = { [REG.cr]: 0x2a020002, [REG.csr]: 2, [REG.bdcr]: 2 } as const;
const SOURCES = ['hsi', 'hse', 'pll'] as const;

/** What the clock control asks of the power control, and tells the rest of the chip. */
export interface RccNeighbours {
  /** Frequency of the crystal on HSE, Hz; undefined: none fitted. */
  readonly hseHz: number | undefined;
  readonly lseFitted: boolean;
  /** What HSI really runs at, Hz. */
  readonly hsiHz: number;
  /** Voltage scale in force (1-3) and whether over-drive is on. */
  scale(): { vos: 1 | 2 | 3; overDrive: boolean };
  /** PWR_CR.DBP: backup domain registers may be written. */
  backupWritable(): boolean;
  clockChanged(fromAccess: boolean): void;
  /** A peripheral reset bit rose. */
  peripheralReset(bus: EnableBus, index: number): void;
  backupDomainReset(): void;
}

interface RccState {
  words: Record<number, number>;
  /** Index into SOURCES that drives SYSCLK (SWS). */
  source: number;
  /** The IWDG keeps LSI on. */
  lsiForced: boolean;
}

export class Rcc extends RegisterBlock<RccState> {
  readonly #near: RccNeighbours;
  readonly #timers: Record<Oscillator, BoardTimer>;

  constructor(context: Context, near: RccNeighbours) {
    super(context, { words: { ...RESET_WORDS }, source: 0, lsiForced: false });
    this.#near = near;
    const timer = (name: Oscillator) => context.time.timer(`rcc ${name}`, () => this.#ready(name));
    this.#timers = {
      hsi: timer('hsi'),
      hse: timer('hse'),
      pll: timer('pll'),
      plli2s: timer('plli2s'),
      pllsai: timer('pllsai'),
      lsi: timer('lsi'),
      lse: timer('lse'),
    };
  }

  /** Keeps CSR's flags and the backup domain; HSI drives everything again. */
  reset(kind: ResetKind): void {
    const { words } = this.state;
    const csr = kind === 'power' ? CSR_AFTER_POWER_ON : this.#word(REG.csr) & CSR_FLAGS;
    this.state.words = { ...RESET_WORDS, [REG.csr]: csr >>> 0, [REG.bdcr]: words[REG.bdcr] ?? 0 };
    this.state.source = 0;
    this.state.lsiForced = false;
    for (const name of OSCILLATOR_NAMES) if (name !== 'lse') this.#timers[name].clear();
    this.context.time.setClock(this.#near.hsiHz);
  }
  /** Stop mode: HSE and the PLLs go off, and HSI is what runs when it ends. */
  stop(): void {
    for (const name of ['hse', 'pll', 'plli2s', 'pllsai'] as const) {
      this.#stop(name);
      this.#set(REG.cr, OSCILLATORS[name].on, false);
    }
    this.#set(REG.cr, OSCILLATORS.hsi.on, true);
    this.#set(REG.cr, OSCILLATORS.hsi.ready, true);
    this.state.words[REG.cfgr] = (this.#word(REG.cfgr) & ~3) >>> 0;
    this.#switch(false);
  }
  /** V_DD and V_BAT were both lost. */
  loseBackupDomain(): void {
    this.state.words[REG.bdcr] = 0;
    this.#timers.lse.clear();
  }
  /** Records why a reset happened; every internal reset pulls NRST as well. */
  flag(cause: ResetFlag): void {
    this.#set(REG.csr, FLAG[cause], true);
    this.#set(REG.csr, FLAG.pin, true);
  }
  /** A reset that was none of the supply says that it was. */
  flagPowerReset(): void {
    for (const flag of ['por', 'bor'] as const) this.#set(REG.csr, FLAG[flag], true);
  }
  /** The watchdog needs LSI and switches it on. */
  forceLsi(): void {
    this.state.lsiForced = true;
    if (!bit(this.#word(REG.csr), 1) && this.#timers.lsi.dueNs === Infinity) this.#start('lsi');
  }
  enabled(bus: EnableBus, index: number): boolean {
    return bit(this.#word(ENABLE[bus]), index);
  }
  get pllOn(): boolean {
    return bit(this.#word(REG.cr), OSCILLATORS.pll.on);
  }
  get pllReady(): boolean {
    return bit(this.#word(REG.cr), OSCILLATORS.pll.ready);
  }
  /** PLL48CLK, Hz; 0 while the PLL does not run. */
  get pll48Hz(): number {
    return this.pllReady ? this.#pllOutputs.pll48 : 0;
  }
  /** Clock of APB bus 1 or 2, Hz. */
  apbHz(bus: 1 | 2): number {
    return this.context.time.hz / apbDivider(this.#word(REG.cfgr), bus);
  }
  /** RTC clock in Hz by BDCR.RTCSEL, 0 while off. */
  get rtcHz(): number {
    const bdcr = this.#word(REG.bdcr);
    if (!bit(bdcr, 15)) return 0;
    const select = (bdcr >>> 8) & 3;
    if (select === 1) return bit(bdcr, 1) ? 32768 : 0;
    return select === 2 && bit(this.#word(REG.csr), 0) ? LSI_HZ : 0;
  }

  override pure(): boolean {
    return true;
  }
  protected override load(offset: number): number {
    const word = this.#word(offset);
    return offset === REG.cfgr ? ((word & ~0xc) | (this.state.source << 2)) >>> 0 : word;
  }
  protected override store(offset: number, value: number, _master: Master): void {
    switch (offset) {
      case REG.cr:
        return this.#storeCr(value);
      case REG.pllcfgr:
        if (!this.pllOn) this.state.words[offset] = value;
        else this.context.complain(BASE + offset, 'RCC_PLLCFGR written while the PLL is on: ignored');
        return;
      case REG.cfgr:
        this.state.words[offset] = (value & ~0xc) >>> 0;
        return this.#switch(true);
      case REG.bdcr:
        return this.#storeBdcr(value);
      case REG.csr:
        return this.#storeCsr(value);
      default:
        return this.#storePlain(offset, value);
    }
  }

  #storePlain(offset: number, value: number): void {
    const old = this.#word(offset);
    this.state.words[offset] = value;
    const bus = (Object.keys(ENABLE) as EnableBus[]).find((name) => ENABLE[name] - 0x20 === offset);
    if (bus === undefined) return;
    for (let index = 0; index < 32; index++) {
      if (bit(value, index) && !bit(old, index)) this.#near.peripheralReset(bus, index);
    }
  }
  #storeCr(value: number): void {
    const old = this.#word(REG.cr);
    const used = SOURCES[this.state.source]!;
    let next = (value & ~READY_BITS[REG.cr]) | (old & READY_BITS[REG.cr]);
    if (!bit(next, OSCILLATORS[used].on)) next |= 1 << OSCILLATORS[used].on;
    this.state.words[REG.cr] = next >>> 0;
    if (bit(next, 24) && !bit(old, 24)) this.#validatePll();
    this.#toggle(REG.cr, old, next);
  }
  #storeCsr(value: number): void {
    const old = this.#word(REG.csr);
    const kept = bit(value, 24) ? 0 : old & CSR_FLAGS;
    this.state.words[REG.csr] = (kept | (old & 2) | (value & 1)) >>> 0;
    this.#toggle(REG.csr, old, value);
  }
  #storeBdcr(value: number): void {
    if (!this.#near.backupWritable()) return;
    const old = this.#word(REG.bdcr);
    if (bit(value, 16)) {
      this.loseBackupDomain();
      this.state.words[REG.bdcr] = 0x10000;
      return this.#near.backupDomainReset();
    }
    const select = old & 0x300 ? old & 0x300 : value & 0x300;
    this.state.words[REG.bdcr] = ((value & 0x800d) | select | (old & 2)) >>> 0;
    this.#toggle(REG.bdcr, old, value);
  }

  #toggle(register: number, old: number, next: number): void {
    for (const name of OSCILLATOR_NAMES) {
      const { register: home, on } = OSCILLATORS[name];
      if (home !== register || bit(old, on) === bit(next, on)) continue;
      if (bit(next, on)) this.#start(name);
      else this.#stop(name);
    }
  }
  #start(name: Oscillator): void {
    const { ns, register, ready } = OSCILLATORS[name];
    const fitted = name === 'hse' ? this.#near.hseHz !== undefined : name !== 'lse' || this.#near.lseFitted;
    if (fitted && !bit(this.#word(register), ready)) this.#timers[name].set(this.context.time.now + ns);
  }
  #stop(name: Oscillator): void {
    if (name === 'lsi' && this.state.lsiForced) return;
    const { register, ready } = OSCILLATORS[name];
    this.#timers[name].clear();
    this.#set(register, ready, false);
  }
  #ready(name: Oscillator): void {
    const { register, ready } = OSCILLATORS[name];
    this.#set(register, ready, true);
    if (register === REG.cr) this.#switch(false);
  }
  #validatePll(): void {
    const settings = pllSettings(this.#word(REG.pllcfgr));
    for (const fault of pllFaults(settings, this.#near.hseHz ?? 0)) this.context.complain(BASE, fault);
  }

  /** Follows CFGR: takes the wanted source once it is ready, applies the prescaler. */
  #switch(fromAccess: boolean): void {
    const wanted = this.#word(REG.cfgr) & 3;
    const name = SOURCES[wanted];
    if (name === undefined) return this.context.complain(BASE + REG.cfgr, 'RCC_CFGR.SW is 3: not allowed');
    if (bit(this.#word(REG.cr), OSCILLATORS[name].ready)) this.state.source = wanted;
    const hz = this.#sysclkHz / ahbDivider(this.#word(REG.cfgr));
    if (Math.abs(hz - this.context.time.hz) > 1) this.context.time.setClock(hz);
    this.#checkSpeed(hz, fromAccess);
    this.#near.clockChanged(fromAccess);
  }
  #checkSpeed(hz: number, fromAccess: boolean): void {
    const { vos, overDrive } = this.#near.scale();
    for (const fault of speedFaults(hz / this.#deviation, this.#word(REG.cfgr), vos, overDrive)) {
      if (fromAccess) this.context.complain(BASE + REG.cfgr, fault);
      else this.context.warn(fault);
    }
  }
  get #sysclkHz(): number {
    if (this.state.source === 0) return this.#near.hsiHz;
    if (this.state.source === 1) return this.#near.hseHz ?? this.#near.hsiHz;
    return this.#pllOutputs.sysclk;
  }
  /** By what the core clock is off because HSI is. */
  get #deviation(): number {
    const fromHse =
      this.state.source === 1 || (this.state.source === 2 && pllSettings(this.#word(REG.pllcfgr)).fromHse);
    return fromHse ? 1 : this.#near.hsiHz / HSI_HZ;
  }
  get #pllOutputs(): ReturnType<typeof pllOutputs> {
    const { hsiHz, hseHz = 0 } = this.#near;
    return pllOutputs(pllSettings(this.#word(REG.pllcfgr)), { hsiHz, hseHz });
  }
  #word(offset: number): number {
    return this.state.words[offset] ?? 0;
  }
  #set(register: number, index: number, on: boolean): void {
    const word = this.#word(register);
    this.state.words[register] = (on ? word | (1 << index) : word & ~(1 << index)) >>> 0;
  }
}
