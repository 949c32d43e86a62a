// The serial wire debug port: transfers in, acknowledges out. docs: docs/reference/cortex-m-debug.md §1;
// docs/reference/stm32f4.md §1.1 (IHI0031, DPv1).
import { BusFault, BusWait } from '../bus.ts';
import { AhbAp } from './ahb-ap.ts';
import type { AhbApOptions } from './ahb-ap.ts';
import type { DebugTarget } from './debug-target.ts';

/** What the three acknowledge bits say; `none` is a line nobody drives. */
export type Ack = 'ok' | 'wait' | 'fault' | 'none';

export interface SwdReply {
  readonly ack: Ack;
  /** Data of a read acknowledged with `ok`, else 0. */
  readonly value: number;
}

export const DP_REGISTER = {
  dpidr: 0x0,
  abort: 0x0,
  ctrlStat: 0x4,
  select: 0x8,
  resend: 0x8,
  rdbuff: 0xc,
} as const satisfies Record<string, number>;

const DPIDR_F427 = 0x2ba01477;

const STAT = {
  stickyOverrun: 1 << 1,
  stickyCompare: 1 << 4,
  stickyError: 1 << 5,
  writeDataError: 1 << 7,
  debugPowerRequest: 1 << 28,
  systemPowerRequest: 1 << 30,
} as const satisfies Record<string, number>;

/** ABORT bit → the CTRL/STAT flag it clears. */
const ABORT_CLEARS: readonly (readonly [number, number])[] = [
  [1 << 1, STAT.stickyCompare],
  [1 << 2, STAT.stickyError],
  [1 << 3, STAT.writeDataError],
  [1 << 4, STAT.stickyOverrun],
];

const DAP_ABORT = 1;
const CTRL_WRITABLE = 0x54ffff0d;
const STICKY = STAT.stickyOverrun | STAT.stickyCompare | STAT.stickyError | STAT.writeDataError;

const reply = (ack: Ack, value = 0): SwdReply => ({ ack, value: value >>> 0 });
const OK = reply('ok');
const WAIT = reply('wait');
const FAULT = reply('fault');
const NONE = reply('none');

/** One SW-DP with one AHB-AP behind it (AP 0); every other AP reads as zero. */
export class SwDp {
  readonly #target: DebugTarget;
  readonly #ap: AhbAp;
  #powerUps: number | undefined;
  /** What the line is good for: another protocol, waiting for DPIDR after a line reset, or transfers. */
  #line: 'elsewhere' | 'reset' | 'ready' = 'elsewhere';
  #control = 0;
  #flags = 0;
  #select = 0;
  #dlcr = 0;
  #readBuffer = 0;
  #lastRead = 0;
  /** An AP transfer is in flight and the access port has no clock to finish it with. */
  #stuck = false;

  constructor(target: DebugTarget, options: AhbApOptions = {}) {
    this.#target = target;
    this.#ap = new AhbAp(target, options);
    this.#powerUps = target.powerUps;
  }

  /** The host clocks a line reset and the JTAG-to-SWD sequence; DPIDR must be read next. */
  lineReset(): void {
    if (!this.#alive()) return;
    this.#target.debugEvent?.('line-reset');
    this.#line = 'reset';
    this.#select = 0;
  }

  /** One read transfer; `address` is 0, 4, 8 or 12. AP reads are posted: they return the result of the one before. */
  read(port: 'dp' | 'ap', address: number): SwdReply {
    if (!this.#answers(port === 'dp' && address === DP_REGISTER.dpidr)) return NONE;
    return port === 'dp' ? this.#readDp(address) : this.#readAp(address);
  }

  /** One write transfer; `address` is 0, 4, 8 or 12. */
  write(port: 'dp' | 'ap', address: number, value: number): SwdReply {
    if (!this.#answers(false)) return NONE;
    return port === 'dp' ? this.#writeDp(address, value >>> 0) : this.#writeAp(address, value >>> 0);
  }

  /** False when nothing drives the line; notices that the chip lost power since the last transfer. */
  #alive(): boolean {
    if (this.#powerUps !== this.#target.powerUps || !this.#target.powered) {
      this.#powerUps = this.#target.powerUps;
      this.#powerReset();
    }
    return this.#target.powered && this.#target.debugPortEnabled;
  }

  #powerReset(): void {
    this.#line = 'elsewhere';
    this.#stuck = false;
    this.#control = this.#flags = this.#select = this.#dlcr = this.#readBuffer = this.#lastRead = 0;
    this.#ap.powerReset();
  }

  #answers(isIdRead: boolean): boolean {
    if (!this.#alive() || this.#line === 'elsewhere') return false;
    if (this.#line === 'reset' && isIdRead) this.#line = 'ready';
    return this.#line === 'ready';
  }

  get #status(): number {
    const acknowledged = this.#control & (STAT.debugPowerRequest | STAT.systemPowerRequest | (1 << 26));
    return (this.#control | (acknowledged << 1) | this.#flags) >>> 0;
  }

  #readDp(address: number): SwdReply {
    if (address === DP_REGISTER.dpidr) return reply('ok', DPIDR_F427);
    if (address === DP_REGISTER.ctrlStat) return reply('ok', this.#banked());
    if ((this.#flags & STICKY) !== 0) return FAULT;
    if (this.#apInFlight) return WAIT;
    return reply('ok', address === DP_REGISTER.resend ? this.#lastRead : (this.#lastRead = this.#readBuffer));
  }

  /** Address 4 shows CTRL/STAT, or DLCR in bank 1; other banks read as zero on this version of the port. */
  #banked(): number {
    const bank = this.#select & 0xf;
    return bank === 0 ? this.#status : bank === 1 ? this.#dlcr : 0;
  }

  #writeDp(address: number, value: number): SwdReply {
    if (address === DP_REGISTER.abort) return this.#abort(value);
    if ((this.#flags & STICKY) !== 0 && address !== DP_REGISTER.ctrlStat) return FAULT;
    if (address === DP_REGISTER.select) {
      if (this.#apInFlight) return WAIT;
      this.#select = value;
    } else if (address === DP_REGISTER.ctrlStat) {
      if ((this.#select & 0xf) === 0) this.#setControl(value & CTRL_WRITABLE);
      else if ((this.#select & 0xf) === 1) this.#dlcr = value & 0x3c0;
    }
    return OK;
  }

  #setControl(value: number): void {
    if ((value & ~this.#control & STAT.debugPowerRequest) !== 0) this.#target.debugEvent?.('power-up-request');
    this.#control = value;
  }

  /** What needs the outcome of the AP's last transfer has to wait for it. */
  get #apInFlight(): boolean {
    return this.#stuck && this.#target.debugBusStopped === true;
  }

  #abort(value: number): SwdReply {
    if ((value & DAP_ABORT) !== 0) this.#stuck = false;
    for (const [bit, flag] of ABORT_CLEARS) if ((value & bit) !== 0) this.#flags &= ~flag;
    return OK;
  }

  /** AP transfers are refused while an error sticks, and stick an error while the debug domain is not powered. */
  #apRefused(): boolean {
    if ((this.#control & STAT.debugPowerRequest) === 0) this.#flags |= STAT.stickyError;
    return (this.#flags & STICKY) !== 0;
  }

  #apRegister(address: number): number {
    return (this.#select & 0xf0) | (address & 0xc);
  }

  #readAp(address: number): SwdReply {
    if (this.#apRefused()) return FAULT;
    const posted = this.#readBuffer;
    const ack = this.#onBus(() => {
      this.#readBuffer = this.#select >>> 24 === 0 ? this.#ap.read(this.#apRegister(address)) : 0;
    });
    if (ack !== OK) return ack;
    this.#lastRead = posted;
    return reply('ok', posted);
  }

  #writeAp(address: number, value: number): SwdReply {
    if (this.#apRefused()) return FAULT;
    return this.#onBus(() => {
      if (this.#select >>> 24 === 0) this.#ap.write(this.#apRegister(address), value);
    });
  }

  /** Runs one AP access. A bus error is found out after this transfer was acknowledged: it only sets STICKYERR. */
  #onBus(access: () => void): SwdReply {
    try {
      access();
      this.#stuck = false;
    } catch (error) {
      if (error instanceof BusWait) {
        this.#stuck = true;
        return WAIT;
      }
      if (!(error instanceof BusFault)) throw error;
      this.#flags |= STAT.stickyError;
    }
    return OK;
  }
}
