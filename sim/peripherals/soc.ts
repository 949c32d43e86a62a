// The chip apart from its core: every part built, wired to its neighbours and put on the bus.
import { BusFault, type Bus, type Device, type Gate } from '../bus.ts';
import type { ResetKind } from '../core-port.ts';
import { BLOCKS, BLOCK_SIZE, GPIO_LETTERS, type Block } from './address-map.ts';
import { BackupSram } from './backup-sram.ts';
import { busPort } from './bus-port.ts';
import { HSI_HZ } from './clock-tree.ts';
import { Crc } from './crc.ts';
import { Dbgmcu } from './dbgmcu.ts';
import { Dma, type DmaName, type DmaRequest } from './dma.ts';
import { Exti } from './exti.ts';
import { FLASH_BASE } from './flash-array.ts';
import { FlashController } from './flash-controller.ts';
import type { FlashTiming } from './flash-timing.ts';
import { Gpio } from './gpio.ts';
import { Iwdg } from './iwdg.ts';
import {
  identityBlock,
  INFO_BASE,
  INFO_SIZE,
  infoBytes,
  makeMemories,
  OTP_SIZE,
  otpGate,
  resetGate,
  scrambleRam,
  type Memories,
} from './memories.ts';
import type { ModelSwitches } from './model-switches.ts';
import { OptionBytes, optionArea, type OptionByteWords } from './option-bytes.ts';
import type { Context, Part } from './part.ts';
import { Pwr } from './pwr.ts';
import { fillNoise, randomState, type RandomState } from './random.ts';
import { Rcc } from './rcc.ts';
import { ReadProtection } from './read-protection.ts';
import { RegisterStore } from './register-store.ts';
import { Rng } from './rng.ts';
import { Rtc } from './rtc.ts';
import { Syscfg, type BootMode } from './syscfg.ts';
import { Usart } from './usart.ts';
import { USART_NAMES, type UsartName } from './usart-table.ts';
import { Wwdg } from './wwdg.ts';

const PVD_LINE = 16;
const OPTION_AREAS = [0x1fffc000, 0x1ffec000] as const;
const OPTION_AREA_SIZE = 16;
const DEBUG_PINS = [13, 14] as const;
const DBGMCU_BASE = 0xe0042000;

export interface SocOptions {
  readonly seed: number;
  readonly uid: Uint8Array;
  readonly flashTiming: FlashTiming;
  readonly switches: ModelSwitches;
  readonly hseHz: number | undefined;
  /** HSI's error, as a part of its frequency. */
  readonly hsiDeviation: number;
  supplyVolts(): number;
  /** A watchdog bit. */
  watchdogExpired(which: 'iwdg' | 'wwdg'): void;
  /** The core clock changed. */
  clockChanged(): void;
  /** The RTC would wake the chip from Standby. */
  rtcWakeUp(): void;
}

interface SocState {
  held: boolean;
  random: RandomState;
  options: OptionByteWords;
  optionsDead: boolean;
  protection: unknown;
  cache: unknown;
  flash: Uint8Array;
  otp: Uint8Array;
  ram: Uint8Array[];
  parts: Record<string, unknown>;
}

export class Soc {
  readonly optionBytes = new OptionBytes();
  readonly protection: ReadProtection;
  readonly memories: Memories;
  readonly flash: FlashController;
  readonly rcc: Rcc;
  readonly pwr: Pwr;
  readonly rng: Rng;
  readonly rtc: Rtc;
  readonly iwdg: Iwdg;
  readonly wwdg: Wwdg;
  readonly usarts: Readonly<Record<UsartName, Usart>>;
  readonly dmas: readonly [dma1: Dma, dma2: Dma];
  readonly dbgmcu: Dbgmcu;
  readonly exti: Exti;
  readonly syscfg: Syscfg;
  readonly backupSram: BackupSram;
  readonly gpio: Readonly<Record<string, Gpio>>;
  readonly #bus: Bus;
  readonly #parts: Readonly<Record<string, Part & Device>>;
  /** Every part but flash, in the order of their names' declaration. */
  readonly #afterFlash: readonly Part[];
  readonly #resetGate: Gate;
  readonly #otpGate: Gate;
  readonly #otp = new Uint8Array(OTP_SIZE).fill(0xff);
  #random: RandomState;
  #held = true;

  constructor(context: Context, bus: Bus, options: SocOptions) {
    this.#bus = bus;
    this.#random = randomState(options.seed, 'ram');
    this.protection = new ReadProtection(options.switches, this.optionBytes, () => this.#protectionChanged());
    this.flash = this.#makeFlash(context, options);
    this.#resetGate = resetGate();
    this.#otpGate = otpGate(() => this.#held, this.protection);
    const gates = { reset: this.#resetGate, otp: this.#otpGate };
    this.memories = makeMemories(context.chip, this.flash, this.#otp, gates);
    this.#mapIdentity(infoBytes(context.chip, options.uid));
    this.exti = new Exti(context);
    this.rcc = this.#makeRcc(context, options);
    this.pwr = new Pwr(context, {
      supplyVolts: options.supplyVolts,
      pllOn: () => this.rcc.pllOn,
      detector: (below) => this.exti.setLine(PVD_LINE, below),
    });
    this.rtc = new Rtc(context, {
      backupWritable: () => this.pwr.backupWritable,
      clockHz: () => this.rcc.rtcHz,
      refuses: (master) => this.protection.refuses('rtc-backup', master),
      line: (line, high) => this.exti.setLine(line, high),
      wakeUp: options.rtcWakeUp,
    });
    this.iwdg = new Iwdg(context, {
      forceLsi: () => this.rcc.forceLsi(),
      expired: () => options.watchdogExpired('iwdg'),
    });
    this.rng = new Rng(context, { seed: options.seed, clockHz: () => this.rcc.pll48Hz });
    this.usarts = this.#makeUsarts(context, options.seed);
    this.dmas = [this.#makeDma(context, 'DMA1', 21), this.#makeDma(context, 'DMA2', 22)];
    this.dbgmcu = new Dbgmcu(context);
    this.syscfg = new Syscfg(context, (mode) => this.#showAtZero(mode));
    this.backupSram = new BackupSram(context, {
      writable: () => this.pwr.backupWritable,
      blocked: (master) => this.protection.refuses('backup-sram', master),
    });
    this.gpio = Object.fromEntries(GPIO_LETTERS.map((letter) => [letter, this.#makeGpio(context, letter)]));
    this.wwdg = new Wwdg(context, {
      clockHz: () => this.rcc.apbHz(1),
      expired: () => options.watchdogExpired('wwdg'),
    });
    this.#parts = this.#collect(context, { wwdg: this.wwdg, crc: new Crc(context) });
    this.#afterFlash = Object.values(this.#parts).filter((part) => part !== this.flash);
    this.#mapMemories();
    this.#mapBlocks(context);
  }

  /** Held in reset: only the debug side answers. */
  get held(): boolean {
    return this.#held;
  }
  /** SWDIO (PA13) and SWCLK (PA14) are where reset puts them: software may use these pins for something else. */
  get debugPinsConnected(): boolean {
    return DEBUG_PINS.every((pin) => this.gpio['A']!.alternate(pin) === 0);
  }
  /**
   * Puts every part into reset. Flash goes first, so that a broken-off operation is settled before options are read.
   */
  reset(kind: ResetKind): void {
    this.#hold(true);
    this.flash.reset(kind);
    for (const part of this.#afterFlash) part.reset(kind);
  }
  /** Enters Standby: as a reset, but watchdog, RTC and power flags live on. */
  sleep(kind: ResetKind): void {
    const alive = new Set<Part>([this.iwdg, this.rtc, this.pwr, this.rcc]);
    this.#hold(true);
    this.flash.reset(kind);
    for (const part of this.#afterFlash) if (!alive.has(part)) part.reset(kind);
  }
  /**
   * Stop mode begins or ends: what lives on the main clocks stands still meanwhile, and HSI drives the chip afterwards.
   */
  stop(on: boolean): void {
    if (on) this.rcc.stop();
    for (const usart of Object.values(this.usarts)) usart.clocked = !on;
    this.wwdg.freeze(on);
  }
  /** Lets go: option bytes loaded, boot memory shown at 0. */
  release(mode: BootMode): void {
    this.#hold(false);
    this.flash.release();
    const wanted = this.optionBytes.bootsBank2 ? 'system' : mode;
    const boot = this.protection.level === 2 ? 'flash' : wanted;
    this.syscfg.boot(boot);
    this.protection.booted(boot);
    if (this.optionBytes.hardwareWatchdog) this.iwdg.start();
  }
  /** Supply comes up: memories without supply until now hold noise. */
  scrambleRam(): void {
    scrambleRam(this.memories, this.#random);
  }
  loseBackupDomain(): void {
    this.rtc.resetBackupDomain();
    this.rcc.loseBackupDomain();
    this.pwr.loseBackupDomain();
  }
  /** Backup SRAM goes without the supply. @param onBattery V_BAT keeps the backup domain, or V_DD does in Standby */
  leaveBackupSram(onBattery: boolean): void {
    const { bkpSramAtPowerOff } = this.protection.switches;
    const regulated = onBattery && this.pwr.backupRegulated;
    const kept = bkpSramAtPowerOff === 'by-regulator' ? regulated : bkpSramAtPowerOff === 'kept';
    if (!kept) fillNoise(this.#random, this.backupSram.bytes);
  }
  supplyChanged(): void {
    this.pwr.supplyChanged();
    this.flash.checkLatency(false);
  }

  snapshot(): SocState {
    const parts: Record<string, unknown> = {};
    for (const [name, part] of Object.entries(this.#parts)) parts[name] = part.snapshot();
    return {
      held: this.#held,
      random: { ...this.#random },
      options: { ...this.optionBytes.words },
      optionsDead: this.optionBytes.dead,
      protection: this.protection.snapshot(),
      cache: this.flash.array.cache.snapshot(),
      flash: this.flash.bytes.slice(),
      otp: this.#otp.slice(),
      ram: this.memories.ram.map(({ bytes }) => bytes.slice()),
      parts,
    };
  }
  /**
   * Takes what `snapshot` gave. The core must be restored afterwards: it drops instructions decoded from other bytes.
   */
  restore(from: unknown): void {
    const state = from as SocState;
    this.#random = { ...state.random };
    this.optionBytes.words = { ...state.options };
    this.optionBytes.dead = state.optionsDead;
    this.protection.restore(state.protection);
    this.flash.bytes.set(state.flash);
    this.#otp.set(state.otp);
    this.memories.ram.forEach(({ bytes }, i) => bytes.set(state.ram[i]!));
    this.flash.array.cache.restore(state.cache);
    for (const [name, part] of Object.entries(this.#parts)) part.restore(state.parts[name]);
    this.#hold(state.held);
  }

  #makeFlash(context: Context, options: SocOptions): FlashController {
    const near = {
      options: this.optionBytes,
      protection: this.protection,
      otp: this.#otp,
      timing: options.flashTiming,
      seed: options.seed,
      supplyVolts: options.supplyVolts,
      wipeBackupSram: () => void this.backupSram.bytes.fill(0),
    };
    return new FlashController(context, near, (offset, length) => this.#bus.invalidate(FLASH_BASE + offset, length));
  }
  #makeRcc(context: Context, options: SocOptions): Rcc {
    return new Rcc(context, {
      hseHz: options.hseHz,
      lseFitted: false,
      hsiHz: HSI_HZ * (1 + options.hsiDeviation),
      scale: () => this.pwr.scale(),
      backupWritable: () => this.pwr.backupWritable,
      backupDomainReset: () => this.rtc.resetBackupDomain(),
      clockChanged: (fromAccess) => {
        options.clockChanged();
        this.flash.checkLatency(fromAccess);
        this.rng.clockChanged();
      },
      peripheralReset: (bus, index) => {
        for (const block of BLOCKS as readonly Block[]) {
          if (block.enable?.[0] === bus && block.enable[1] === index) this.#parts[partName(block)]!.reset('system');
        }
      },
    });
  }
  #makeUsarts(context: Context, seed: number): Readonly<Record<UsartName, Usart>> {
    const near = {
      seed,
      clockHz: (apb: 1 | 2) => this.rcc.apbHz(apb),
      hasPin: (pin: string, alternate: number) => this.gpio[pin[1]!]?.alternate(Number(pin.slice(2))) === alternate,
      dma: (request: DmaRequest) => this.dmas.some((dma) => dma.serve(request)),
    };
    const entries = USART_NAMES.map((name) => [name, new Usart(context, name, near)]);
    return Object.fromEntries(entries) as Record<UsartName, Usart>;
  }
  #makeDma(context: Context, name: DmaName, enableBit: number): Dma {
    return new Dma(context, name, {
      bus: this.#bus,
      reachesBackupSram: this.protection.switches.dmaReachesBkpSram,
      clocked: () => !this.#held && this.rcc.enabled('AHB1', enableBit),
      enabled: () => {
        for (const usart of Object.values(this.usarts)) usart.askDma();
      },
    });
  }
  #makeGpio(context: Context, letter: string): Gpio {
    const port = new Gpio(context, letter);
    const peers = USART_NAMES.map((name) => this.usarts[name].peer);
    port.wires = () =>
      new Map(
        peers
          .filter(({ rxPin }) => rxPin?.[1] === letter)
          .map((peer) => [Number(peer.rxPin!.slice(2)), { level: () => peer.level, busy: () => peer.busy }]),
      );
    return port;
  }
  /** Every part under its name, stores for the blocks nobody modelled included. */
  #collect(context: Context, rest: Record<string, Part & Device>): Record<string, Part & Device> {
    const { flash, rcc, pwr, rng, rtc, iwdg, exti, syscfg, backupSram, dbgmcu } = this;
    const parts: Record<string, Part & Device> = {
      flash,
      rcc,
      pwr,
      rng,
      rtc,
      iwdg,
      ...this.usarts,
      DMA1: this.dmas[0],
      DMA2: this.dmas[1],
      exti,
      syscfg,
      backupSram,
      dbgmcu,
      ...rest,
    };
    for (const [letter, port] of Object.entries(this.gpio)) parts[`gpio${letter}`] = port;
    for (const block of BLOCKS as readonly Block[]) {
      if (block.part === undefined) parts[block.name] = new RegisterStore(context, block.name, block.base);
    }
    return parts;
  }
  #mapMemories(): void {
    const { ram, flash, system, otp } = this.memories;
    for (const memory of [...ram, flash, system, otp]) this.#bus.addMemory(memory);
  }
  #mapIdentity(bytes: Uint8Array): void {
    const { write } = this.flash.stores('read-only');
    const block = identityBlock(bytes, () => this.#held, this.protection, write);
    this.#bus.addDevice(INFO_BASE, INFO_SIZE, block, 'identity');
  }
  #mapBlocks(context: Context): void {
    const near = {
      held: () => this.#held,
      clocked: ({ enable }: Block) => enable === undefined || this.rcc.enabled(enable[0], enable[1]),
    };
    for (const block of BLOCKS as readonly Block[]) {
      if (!exists(block, context)) continue;
      const port = busPort(context, block, this.#parts[partName(block)]!, near);
      this.#bus.addDevice(block.base, block.size ?? BLOCK_SIZE, port, block.name);
    }
    this.#bus.addDevice(DBGMCU_BASE, BLOCK_SIZE, this.dbgmcu, 'DBGMCU');
    this.#mapOptions(OPTION_AREAS[0], () => [this.optionBytes.words.user, this.optionBytes.words.wrp1]);
    if (context.chip.flashRegisters.secondBank) {
      this.#mapOptions(OPTION_AREAS[1], () => [0xffff, this.optionBytes.words.wrp2]);
    }
  }
  #mapOptions(base: number, read: () => readonly [number, number]): void {
    const check: Device['read'] = (offset, _width, master) => {
      if (this.#held || this.protection.refuses('options', master)) {
        throw new BusFault(base + offset, 'option bytes are closed');
      }
      return 0;
    };
    this.#bus.addDevice(
      base,
      OPTION_AREA_SIZE,
      optionArea(read, check, this.flash.stores('read-only').write),
      'options',
    );
  }
  #showAtZero(mode: BootMode): void {
    const { flash, system, ram } = this.memories;
    this.#bus.setAlias(0, { flash, system, sram: ram[0]! }[mode]);
  }
  #hold(held: boolean): void {
    this.#held = held;
    this.#resetGate.closed = held;
    this.#otpGate.closed = held || this.protection.blocking;
  }
  #protectionChanged(): void {
    this.#hold(this.#held);
    this.flash.protectionChanged();
  }
}

function partName(block: Block): string {
  return block.part ?? block.name;
}

function exists(block: Block, { chip }: Context): boolean {
  return (block.part !== 'rng' || chip.rng) && (block.part !== 'backupSram' || chip.backupSram);
}
