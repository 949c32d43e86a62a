// Read protection: the level in force, and the intrusion latch (docs/reference/stm32f4.md §5; unsettled points are
// ModelSwitches).
import type { Master } from '../bus.ts';
import type { ResetKind } from '../core-port.ts';
import type { BootMode } from './syscfg.ts';
import type { DebugEvent, ModelSwitches } from './model-switches.ts';
import type { OptionBytes, RdpLevel } from './option-bytes.ts';

/** What level 1 closes. */
type ProtectedArea = 'flash' | 'backup-sram' | 'otp' | 'options' | 'rtc-backup';

/** Who finds backup SRAM open at level 1, by switch. */
const BKP_SRAM_SWITCH = {
  debugger: 'bkpSramReadableByDebuggerAtL1',
  cpu: 'bkpSramReadableByCpuAtL1',
  fetch: 'bkpSramReadableByCpuAtL1',
  dma: 'bkpSramReadableByDmaAtL1',
} as const;

interface ProtectionState {
  /** The level in force; the programmed one may be ahead of it until a power-on reset. */
  level: RdpLevel;
  intruded: boolean;
  cause: 'debugger' | 'boot' | undefined;
  /** One protected word is still let through to the debugger (switch wordBeforeLatch). */
  wordLeft: boolean;
}

export class ReadProtection {
  readonly switches: ModelSwitches;
  readonly #options: OptionBytes;
  readonly #changed: () => void;
  #state: ProtectionState = { level: 0, intruded: false, cause: undefined, wordLeft: false };

  /** @param changed told when what is blocked may have changed. */
  constructor(switches: ModelSwitches, options: OptionBytes, changed: () => void) {
    this.switches = switches;
    this.#options = options;
    this.#changed = changed;
  }
  get level(): RdpLevel {
    return this.#state.level;
  }
  /** The intrusion latch. */
  get intruded(): boolean {
    return this.#state.intruded;
  }
  /** Flash and backup SRAM refuse reads, erase and program. */
  get blocking(): boolean {
    return this.#state.intruded && this.#state.level !== 0;
  }
  get debugPortEnabled(): boolean {
    return this.#state.level !== 2;
  }
  /** Whether `master` may not read `area` now; asking counts as an access. */
  refuses(area: ProtectedArea, master: Master): boolean {
    if (!this.blocking) return false;
    if (area === 'flash' || area === 'backup-sram') return this.#refusesMemory(area, master);
    if (area === 'otp') return !this.switches.otpReadableAtL1;
    if (area === 'options') return !this.switches.optBytesReadableAtL1;
    return master === 'debugger' && !this.switches.rtcBkpReadableAtL1;
  }
  #refusesMemory(area: 'flash' | 'backup-sram', master: Master): boolean {
    if (area === 'backup-sram' && this.switches[BKP_SRAM_SWITCH[master]]) return false;
    if (master !== 'debugger' || !this.#state.wordLeft) return true;
    this.#state.wordLeft = false;
    return false;
  }
  debugEvent(event: DebugEvent): void {
    if (event === this.switches.latchTrip) this.#trip('debugger');
  }
  /** Reset: clears the latch where the kind of reset does so, and takes the level over from the option bytes. */
  reset(kind: ResetKind): void {
    if (kind === 'power' || this.#resetEnds(this.#state.cause)) this.#release();
    if (kind === 'power' || this.#options.rdpLevel < this.#state.level) this.#state.level = this.#options.rdpLevel;
    this.#changed();
  }
  #resetEnds(cause: ProtectionState['cause']): boolean {
    const { latchOnSramBoot, latchEnds } = this.switches;
    return cause === 'boot' ? latchOnSramBoot === 'until-reset' : latchEnds === 'any-reset';
  }
  /** An option write ended. With a debugger seen since power-on, level 1 shuts flash here and now. */
  optionsWritten(): void {
    if (this.switches.rdpInForce !== 'at-once' || this.#options.rdpLevel !== 1 || this.#state.level !== 0) return;
    this.#state.level = 1;
    this.#changed();
  }
  /** Exit from Standby: a power reset, whose effect on the latch is a switch. */
  leaveStandby(): void {
    if (this.switches.standbyClears) this.#release();
    this.#state.level = this.#options.rdpLevel;
    this.#changed();
  }
  booted(mode: BootMode): void {
    if (mode === 'sram' && this.switches.latchOnSramBoot !== 'no') this.#trip('boot');
    if (mode === 'system' && this.switches.latchOnSystemMemoryBoot) this.#trip('boot');
  }
  #trip(cause: 'debugger' | 'boot'): void {
    if (this.#state.intruded && this.#state.cause === 'debugger') return;
    const wasBlocking = this.blocking;
    this.#state.intruded = true;
    if (cause === 'debugger') this.#state.wordLeft = this.switches.wordBeforeLatch;
    this.#state.cause = cause;
    if (this.blocking !== wasBlocking) this.#changed();
  }
  #release(): void {
    this.#state.intruded = false;
    this.#state.cause = undefined;
    this.#state.wordLeft = false;
  }
  snapshot(): unknown {
    return { ...this.#state };
  }
  restore(state: unknown): void {
    this.#state = { ...(state as ProtectionState) };
  }
}
