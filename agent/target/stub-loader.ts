// Brings the stub into the chip's RAM and lets it run: reset into halt, image written and read back at the fastest
// clock at which it arrives, an empty control page, registers, go (docs/mailbox.md, "Entry").
import { equalBytes } from '../../shared/codec/bytes.ts';
import { fail, mayRepeatAccess } from '../../shared/errors/errors.ts';
import { CONTROL } from '../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { refusesSpeed, type Probe } from '../probe/probe.ts';
import type { KnownStub } from './stubs.ts';
import { encodeSave } from '../transport/mailbox/save-words.ts';
import { CHIP, FREEZE_WATCHDOGS, type SavedDebugState } from './debug-state.ts';
import { CortexM, SCS } from './cortex-m.ts';

/**
 * Vector catches an earlier debugger may have left: with them a fault would stop the core instead of being reported.
 */
const VECTOR_CATCH = 0x7f1;
const THUMB_STATE = 0x01000000;
/** What is cleared before the start: the control page up to its last field. */
const PAGE_BYTES = CONTROL.STUB_HASH.offset + CONTROL.STUB_HASH.size;
/**
 * SWD clocks tried for loading: the fastest not above the limit, then slower ones. Chosen; faster ones gain nothing
 * (docs/performance.md).
 */
const SPEED = { mostKHz: 8000, attempts: 4 } as const;

export interface StubLoaderOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly stub: KnownStub;
  /** Debug settings as found before us; kept in the mailbox for whoever comes after. */
  readonly saved: SavedDebugState;
  /** 8 bytes that name the invite, so that a later agent knows whose stub it meets. */
  readonly inviteTag: Uint8Array;
  /** The SWD clock was chosen by a person: it is not raised. */
  readonly keepSpeed?: boolean | undefined;
}

/** What the chip starts from, by where it stood before its first instruction. */
export type BootSource = 'flash' | 'system memory';
/** ST's loader (docs/reference/stm32f4.md §2.1). */
const SYSTEM_MEMORY = { from: 0x1fff0000, to: 0x1fff7800 } as const;

/**
 * Resets the chip into halt, puts the stub into RAM, proves that it arrived and lets it run. It is
 * not up when this resolves.
 * @throws BF-STUB-LOAD, BF-TARGET-NO-RESET, BF-TARGET-NO-HALT, or what probe and wire bring
 */
export function loadStub(options: StubLoaderOptions): Promise<BootSource> {
  return new StubLoader(options).load();
}

class StubLoader {
  readonly #options: StubLoaderOptions;
  readonly #core: CortexM;

  constructor(options: StubLoaderOptions) {
    this.#options = options;
    this.#core = new CortexM(options.probe, { clock: options.clock, log: options.log });
  }

  async load(): Promise<BootSource> {
    await this.#freezeWatchdogs();
    await this.#core.resetHalt();
    const pc = await this.#core.readRegister('pc');
    await this.#placeImage();
    await this.#clearPage();
    await this.#enter();
    return pc >= SYSTEM_MEMORY.from && pc < SYSTEM_MEMORY.to ? 'system memory' : 'flash';
  }

  async #freezeWatchdogs(): Promise<void> {
    const { probe, saved } = this.#options;
    await probe.writeWord(CHIP.DBGMCU_APB1_FZ, (saved.apb1Fz | FREEZE_WATCHDOGS) >>> 0);
  }

  /** The image, read back and compared, at the fastest clock at which it arrives. */
  async #placeImage(): Promise<void> {
    const { log } = this.#options;
    const speeds = await this.#speeds();
    for (const [attempt, kHz] of speeds.entries()) {
      const last = attempt === speeds.length - 1;
      if (attempt > 0) await this.#haltAnew(kHz);
      if (await this.#arrives(kHz, last)) return;
      log.warn({ kHz, attempt }, 'the stub did not arrive undamaged');
      if (last) throw fail('BF-STUB-LOAD');
    }
  }

  /** An empty control page, but for the settings as found. */
  async #clearPage(): Promise<void> {
    const { probe, stub, saved, inviteTag } = this.#options;
    const page = new Uint8Array(PAGE_BYTES);
    page.set(encodeSave({ saved, inviteTag }), CONTROL.SAVE.offset);
    await probe.writeMemory(stub.layout.memory.control.address, page);
  }

  /** What to try, kHz, fastest first; undefined leaves the clock as it is. */
  async #speeds(): Promise<readonly (number | undefined)[]> {
    const { probe, keepSpeed = false } = this.#options;
    if (keepSpeed) return [undefined, undefined];
    const known = (await probe.listSpeeds()).filter((kHz) => kHz <= SPEED.mostKHz);
    return known.length > 1 ? known.slice(0, SPEED.attempts) : [undefined, undefined];
  }

  /** A wire that failed at one clock is set up again at the next, and the core with it. */
  async #haltAnew(kHz: number | undefined): Promise<void> {
    const { probe } = this.#options;
    await this.#setSpeed(kHz);
    await probe.connect();
    await this.#core.resetHalt();
  }

  async #arrives(kHz: number | undefined, last: boolean): Promise<boolean> {
    const { probe, stub } = this.#options;
    const { address } = stub.layout.memory.stub;
    try {
      await this.#setSpeed(kHz);
      // Read back below: nobody needs the status of each write.
      await probe.writeMemory(address, stub.image, undefined, 'unchecked');
      return equalBytes(await probe.readMemory(address, stub.image.length), stub.image);
    } catch (error) {
      if (last || !mayRepeatAccess(error, 'target')) throw error;
      return false;
    }
  }

  /** A probe that refuses the clock works on at the one it has. */
  async #setSpeed(kHz: number | undefined): Promise<void> {
    if (kHz === undefined) return;
    await this.#options.probe.setSpeed(kHz).catch((error: unknown) => {
      if (!refusesSpeed(error)) throw error;
    });
  }

  async #enter(): Promise<void> {
    const { probe, saved, stub } = this.#options;
    if ((saved.demcr & VECTOR_CATCH) !== 0) await probe.writeWord(SCS.DEMCR, (saved.demcr & ~VECTOR_CATCH) >>> 0);
    await this.#core.writeRegister('sp', stub.stackPointer);
    await this.#core.writeRegister('pc', (stub.entry & ~1) >>> 0);
    await this.#core.writeRegister('xpsr', THUMB_STATE);
    await this.#core.resume();
  }
}
