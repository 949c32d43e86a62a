// The virtual board: one chip of the F4 family, its supply, its reset line and its time (docs/simulation.md, "Board";
// docs/reference/stm32f4.md §8). Core and bus live in sim/cpu, everything else on the chip in sim/peripherals.
import { BoardTime, type BoardTimer } from './board-time.ts';
import { BusFault, BusWait } from './bus.ts';
import { CHIPS, type ChipRow } from './chips/stm32f4.ts';
import { BusMap } from './cpu/bus-map.ts';
import type { ResetKind } from './core-port.ts';
import { CortexM4 } from './cpu/cortex-m4.ts';
import type { FlashController } from './peripherals/flash-controller.ts';
import { DEFAULT_SWITCHES, type DebugEvent } from './peripherals/model-switches.ts';
import { uidFromSeed } from './peripherals/memories.ts';
import type { OptionBytes } from './peripherals/option-bytes.ts';
import type { Context } from './peripherals/part.ts';
import type { ResetFlag } from './peripherals/rcc.ts';
import type { Rng } from './peripherals/rng.ts';
import type { BoardOptions, BoardSnapshot, PhysicalState } from './board-options.ts';
import { Soc } from './peripherals/soc.ts';
import type { SerialPeer } from './serial/serial-peer.ts';
import { StopMode } from './stop-mode.ts';
import type { BootMode } from './peripherals/syscfg.ts';
import type { Usart } from './peripherals/usart.ts';
import type { UsartName } from './peripherals/usart-table.ts';

export type { BoardOptions, BoardSnapshot } from './board-options.ts';

const POWER_ON_NS = 1_500_000;
const RESET_PULSE_NS = 20_000;
const STANDBY_WAKE_NS = 318_000;
/** Brown-out thresholds by BOR_LEV code, V. */
const BROWN_OUT = { falling: [2.83, 2.5, 2.19, 1.68], rising: [2.92, 2.59, 2.29, 1.72] } as const;
const RAM_LOST_VOLTS = 1.68;
const SCR = 0xe000ed10;
const SLEEPDEEP = 4;

export class Board {
  readonly time = new BoardTime();
  readonly bus = new BusMap();
  readonly core: CortexM4;
  readonly chip: ChipRow;
  /** Program errors noticed so far, each once. */
  readonly warnings: string[] = [];
  /** The chip's parts, for tests that look inside. */
  readonly soc: Soc;
  readonly #battery: boolean;
  readonly #release: BoardTimer;
  readonly #cut: BoardTimer;
  readonly #stop: StopMode;
  readonly #nrstRiseNs: number;
  readonly #runner: { readonly runnable: boolean; run(): void };
  #state: PhysicalState;
  /** Counts resets and power cuts: a bus stall that began before one ends with it. */
  #resets = 0;

  constructor(options: BoardOptions = {}) {
    this.chip = CHIPS[options.chip ?? 'stm32f427'];
    this.#battery = options.battery ?? false;
    this.#nrstRiseNs = options.nrstRiseNs ?? 0;
    this.#state = {
      supplied: false,
      powerUps: 0,
      probePullsNrst: false,
      buttonPressed: false,
      stopped: false,
      brownOut: false,
      standby: undefined,
      supplyVolts: options.supplyVolts ?? 3.3,
      boot: options.boot ?? 'flash',
    };
    const seed = options.seed ?? 1;
    const switches = { ...DEFAULT_SWITCHES, ...options.switches };
    const events = { systemResetRequested: () => this.#systemReset('software') };
    this.core = new CortexM4({
      time: this.time,
      bus: this.bus,
      events,
      idcodePart: this.chip.devId,
      fpu: this.chip.fpu,
      keepRegisters: switches.registersAtReset === 'kept',
      unalignedDevice: switches.unalignedDevice === 'splits',
    });
    this.soc = new Soc(this.#context(options.strict ?? false), this.bus, {
      seed,
      uid: options.uid ?? uidFromSeed(seed),
      flashTiming: options.flashTiming ?? 'typ',
      switches,
      hseHz: options.hseHz === 0 ? undefined : (options.hseHz ?? 8e6),
      hsiDeviation: options.hsiDeviation ?? 0,
      supplyVolts: () => this.#state.supplyVolts,
      watchdogExpired: (which) => this.#watchdog(which),
      clockChanged: () => this.core.clockChanged(),
      rtcWakeUp: () => this.#wake(true),
    });
    this.#stop = new StopMode(this.core, this.soc);
    this.#release = this.time.timer('reset release', () => this.#releaseReset());
    this.#cut = this.time.timer('power cut', () => this.powerOff());
    this.#runner = this.#makeRunner();
    this.core.enterReset('power');
    this.soc.scrambleRam();
    this.soc.leaveBackupSram(false);
    this.soc.loseBackupDomain();
    if (options.flash !== undefined) this.flash.bytes.set(options.flash);
    this.options.load(options.optcr ?? this.options.optcr, options.optcr1 ?? this.options.optcr1);
    if (options.rdp !== undefined) this.options.rdpLevel = options.rdp;
  }

  /** The flash controller; `flash.bytes` is the array, `flash.onOperation` its journal, `flash.stalls` a counter. */
  get flash(): FlashController {
    return this.soc.flash;
  }
  /** The programmed option bytes. */
  get options(): OptionBytes {
    return this.soc.optionBytes;
  }
  get rng(): Rng {
    return this.soc.rng;
  }
  /** USART1 with the other end of its wire. */
  get uart(): Usart {
    return this.soc.usarts.USART1;
  }
  /** The far end of a serial port's wires. */
  serial(name: UsartName): SerialPeer {
    return this.soc.usarts[name].peer;
  }
  /** The chip's main domain has power: off without supply, in brown-out and in Standby. */
  get powered(): boolean {
    return this.#state.supplied && !this.#state.brownOut && this.#state.standby !== 'off';
  }
  /** The supply is on, whatever the chip makes of it: what a probe's voltmeter sees. */
  get supplied(): boolean {
    return this.#state.supplied;
  }
  /** Changes whenever the main domain, and with it the debug port, lost its power. */
  get powerUps(): number {
    return this.#state.powerUps;
  }
  get nrstAsserted(): boolean {
    return this.#state.probePullsNrst || this.#state.buttonPressed;
  }
  get inReset(): boolean {
    return this.soc.held;
  }
  get inStandby(): boolean {
    return this.#state.standby !== undefined;
  }
  get inStop(): boolean {
    return this.#stop.active;
  }
  /** The AHB-AP has no clock: the core sleeps or is in Stop and DBGMCU_CR does not keep it (docs/simulation.md). */
  get debugBusStopped(): boolean {
    return this.powered && this.#stop.debugBusStopped;
  }
  /**
   * False at read protection level 2, and while software uses PA13 or PA14 otherwise
   * (docs/reference/cortex-m-debug.md §1).
   */
  get debugPortEnabled(): boolean {
    return this.soc.protection.debugPortEnabled && this.soc.debugPinsConnected;
  }
  get boot(): BootMode {
    return this.#state.boot;
  }
  /** Boot pins, sampled at the next reset release. */
  set boot(mode: BootMode) {
    this.#state.boot = mode;
  }
  /** BOOT0 to the supply or to ground, BOOT1 low. */
  strapBoot0(high: boolean): void {
    this.#state.boot = high ? 'system' : 'flash';
  }
  get supplyVolts(): number {
    return this.#state.supplyVolts;
  }
  /** Moves the supply: voltage detector and brown-out reset follow. */
  set supplyVolts(volts: number) {
    this.#state.supplyVolts = volts;
    if (!this.#state.supplied) return;
    this.soc.supplyChanged();
    this.#followSupply();
  }

  /** Switches the supply on. The core leaves reset 1.5 ms later. */
  powerOn(): void {
    if (this.#state.supplied) return;
    this.#state.supplied = true;
    this.#powerReset(POWER_ON_NS);
    this.#followSupply();
  }
  /** Cuts the supply at this instant, wherever flash operations stand. */
  powerOff(): void {
    if (!this.#state.supplied) return;
    this.#cut.clear();
    this.#release.clear();
    this.#resets++;
    this.#state.supplied = false;
    this.#state.brownOut = false;
    this.#state.standby = undefined;
    this.#enterReset('power');
    this.soc.leaveBackupSram(this.#battery);
    if (!this.#battery) this.soc.loseBackupDomain();
  }
  /** Cuts the supply at board time `atNs`, even in the middle of a bus stall; Infinity cancels. */
  cutPowerAt(atNs: number): void {
    this.#cut.set(atNs);
  }
  /** Runs until board time `ns`. An instruction stalled by a busy flash bank may end later. */
  runTo(ns: number): void {
    this.#stop.follow();
    this.#followHalt();
    this.time.advance(ns, this.#runner);
  }
  /** The probe pulls NRST low and keeps it there. */
  assertNrst(): void {
    this.#state.probePullsNrst = true;
    this.#nrstFell();
  }
  /** The probe lets NRST go; the core leaves reset as soon as the line has risen and no other reset is running. */
  releaseNrst(): void {
    this.#state.probePullsNrst = false;
    this.#nrstReleased();
  }
  /** Somebody holds the reset button down. */
  pressButton(): void {
    this.#state.buttonPressed = true;
    this.#nrstFell();
  }
  releaseButton(): void {
    this.#state.buttonPressed = false;
    this.#nrstReleased();
  }
  /** The AHB-AP is about to make a transaction. @throws BusWait while it has no clock */
  debugAccess(): void {
    this.debugEvent('ap-transaction');
    if (this.debugBusStopped) throw new BusWait(Infinity);
  }
  /** The debug port did something the intrusion latch may be sensitive to. */
  debugEvent(event: DebugEvent): void {
    if (this.powered) this.soc.protection.debugEvent(event);
  }

  snapshot(): BoardSnapshot {
    return {
      time: this.time.snapshot(),
      core: this.core.snapshot(),
      soc: this.soc.snapshot(),
      board: { ...this.#state, stopped: this.#stop.active },
      warnings: [...this.warnings],
    };
  }
  restore(from: BoardSnapshot): void {
    this.time.restore(from.time);
    this.soc.restore(from.soc);
    this.core.restore(from.core);
    this.#state = { ...from.board };
    this.#stop.active = from.board.stopped;
    this.warnings.splice(0, Infinity, ...from.warnings);
  }

  #context(strict: boolean): Context {
    const warn = (message: string) => {
      if (!this.warnings.includes(message)) this.warnings.push(message);
    };
    return {
      time: this.time,
      chip: this.chip,
      strict,
      warn,
      complain: (address, message) => {
        warn(message);
        if (strict) throw new BusFault(address, message);
      },
      setIrq: (irq, level) => this.core.setIrq(irq, level),
      stallCore: (untilNs) => this.#stall(untilNs),
    };
  }
  #makeRunner(): { readonly runnable: boolean; run(): void } {
    const runs = () => this.powered && !this.inReset && this.core.runnable;
    return {
      get runnable() {
        return runs();
      },
      run: () => {
        this.#stop.follow();
        this.core.run();
        this.#followHalt();
        this.#followSleep();
      },
    };
  }
  #stall(untilNs: number): void {
    const { time } = this;
    const began = this.#resets;
    time.fireDue();
    while (time.now < untilNs && began === this.#resets) time.stallUntil(Math.min(untilNs, time.nextDue()));
  }
  #followHalt(): void {
    this.soc.iwdg.freeze(this.core.halted && this.soc.dbgmcu.freezesIwdg);
  }

  #powerReset(delayNs: number): void {
    this.#state.powerUps++;
    this.#resets++;
    this.soc.scrambleRam();
    this.#enterReset('power');
    this.soc.protection.reset('power');
    this.#release.set(this.time.now + delayNs);
  }
  #enterReset(kind: ResetKind): void {
    this.#stop.reset();
    this.core.enterReset(kind);
    this.soc.reset(kind);
  }
  #nrstFell(): void {
    if (this.#state.standby !== undefined) this.#wake(false);
    else if (this.powered && !this.inReset) this.#beginSystemReset('pin');
  }
  #nrstReleased(): void {
    if (this.nrstAsserted || !this.powered || !this.inReset || this.#release.dueNs !== Infinity) return;
    if (this.#nrstRiseNs === 0) this.#releaseReset();
    else this.#release.set(this.time.now + this.#nrstRiseNs);
  }
  #systemReset(cause: ResetFlag): void {
    if (!this.powered || this.inReset) return;
    this.#beginSystemReset(cause);
    this.#release.set(this.time.now + RESET_PULSE_NS);
  }
  #beginSystemReset(cause: ResetFlag): void {
    this.#resets++;
    this.#enterReset('system');
    this.soc.protection.reset('system');
    this.soc.rcc.flag(cause);
    if (this.soc.protection.switches.resetFlags === 'power-too') this.soc.rcc.flagPowerReset();
  }
  #releaseReset(): void {
    if (!this.powered || this.nrstAsserted) return;
    this.soc.release(this.#state.boot);
    this.core.leaveReset();
  }
  #watchdog(which: 'iwdg' | 'wwdg'): void {
    if (this.#state.standby !== undefined) this.#wake(false);
    else this.#systemReset(which);
    if (which === 'iwdg') this.soc.rcc.flag('iwdg');
  }
  #followSupply(): void {
    const { supplyVolts, brownOut } = this.#state;
    const level = this.options.borLevel;
    if (!brownOut && supplyVolts < BROWN_OUT.falling[level]!) this.#browns(supplyVolts);
    else if (brownOut && supplyVolts >= BROWN_OUT.rising[level]!) this.#recovers();
  }
  #browns(volts: number): void {
    this.#resets++;
    this.#state.brownOut = true;
    this.#release.clear();
    this.#enterReset('power');
    if (volts < RAM_LOST_VOLTS) this.soc.scrambleRam();
  }
  #recovers(): void {
    this.#state.brownOut = false;
    this.#state.powerUps++;
    this.soc.protection.reset('power');
    this.#release.set(this.time.now + POWER_ON_NS);
  }

  /** A core asleep with SLEEPDEEP set is on its way into Stop, or with PDDS into Standby. */
  #followSleep(): void {
    const { core, soc } = this;
    if (!this.powered || this.inReset || core.runnable || core.halted || core.lockedUp) return;
    if ((this.bus.read(SCR, 4, 'debugger') & SLEEPDEEP) === 0) return;
    if (this.#stop.active) return;
    if (!soc.pwr.standbySelected) {
      return this.options.resetOnStop ? this.#systemReset('lowPower') : this.#stop.enter();
    }
    if (this.options.resetOnStandby) return this.#systemReset('lowPower');
    this.#resets++;
    this.#state.standby = soc.dbgmcu.keepsStandbyPowered ? 'kept' : 'off';
    const kind = this.#state.standby === 'kept' ? 'system' : 'power';
    core.enterReset(kind);
    soc.sleep(kind);
  }
  #wake(byEvent: boolean): void {
    const { standby } = this.#state;
    if (standby === undefined) return;
    this.#state.standby = undefined;
    this.#resets++;
    const kept = standby === 'kept';
    if (!kept) this.#loseDomain();
    this.#enterReset(kept ? 'system' : 'power');
    if (kept) this.soc.protection.reset('system');
    else this.soc.protection.leaveStandby();
    this.soc.pwr.markStandby(byEvent);
    this.#release.set(this.time.now + STANDBY_WAKE_NS);
  }
  #loseDomain(): void {
    this.#state.powerUps++;
    this.soc.scrambleRam();
    this.soc.leaveBackupSram(true);
  }
}
