// Sleep and Stop as a debugger meets them: whose clocks stand still, what wakes the chip (RM0090 §5.3.4, §5.3.5,
// §38.16.1; docs/reference/stm32f4.md §8.4, §9). Standby is a loss of power and lives in board.ts.
import type { CortexM4 } from './cpu/cortex-m4.ts';
import type { Soc } from './peripherals/soc.ts';

export class StopMode {
  readonly #core: CortexM4;
  readonly #soc: Soc;
  /** Main clocks are off until an EXTI line wakes the core. */
  active = false;

  constructor(core: CortexM4, soc: Soc) {
    this.#core = core;
    this.#soc = soc;
  }

  /**
   * The clock of the AHB-AP stands still: the core sleeps and DBGMCU_CR does not keep the clock that its mode stops.
   */
  get debugBusStopped(): boolean {
    const { sleeping, runnable } = this.#core;
    if (!sleeping || runnable || this.#soc.held || this.#soc.protection.switches.sleepingCoreAnswers) return false;
    return this.active ? !this.#soc.dbgmcu.keepsStopClocked : !this.#soc.dbgmcu.keepsSleepClocked;
  }

  /** Everything but flash, RTC and the independent watchdog stands still; HSI drives the chip afterwards. */
  enter(): void {
    this.active = true;
    this.#soc.stop(true);
    if (!this.#soc.dbgmcu.keepsStopClocked) this.#core.clocked = false;
  }
  /** Ends Stop once the core has a reason to wake, or a debugger has halted it. */
  follow(): void {
    if (this.active && (this.#core.runnable || !this.#core.sleeping)) this.#leave();
  }
  /** A reset or a power cut ended it; both put clocks right by themselves. */
  reset(): void {
    this.active = false;
  }
  #leave(): void {
    this.active = false;
    this.#soc.stop(false);
    this.#core.clocked = true;
  }
}
