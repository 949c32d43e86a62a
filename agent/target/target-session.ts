// The board on the customer's desk: probe opened, target met gently or a running stub found, and everything put back on
// the way out (docs/product.md §2; docs/protocol.md §8, §9). Before the customer's yes only identification is read.
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError, partOf } from '../../shared/errors/errors.ts';
import { CONTROL, fieldAddress, type Layout } from '../../shared/mailbox/layout.ts';
import type { FinalAction } from '../../shared/plan/plan.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import type { Probe } from '../probe/probe.ts';
import type { StubRegistry } from '../session/stubs.ts';
import { attach, CHIP, rdpLevel, restoreDebugState, type SavedDebugState, type TargetIdentity } from './attach.ts';
import { CortexM, SCS } from './cortex-m.ts';
import { withRetry } from '../transport/mailbox/mailbox.ts';
import { decodeSave, findStub, StubRunner, type FoundStub, type StubJob } from './stub-runner.ts';

/** Who is on the desk, as HELLO and sheet tell it. */
export interface BoardIdentity {
  readonly devId: number;
  readonly revId: number;
  /** 12 bytes; zeros on a protected chip, where it is not read. */
  readonly uid: Uint8Array;
  /** KiB; 0 on a protected chip. */
  readonly flashKiB: number;
  readonly optcr: number;
  readonly rdp: 0 | 1 | 2;
}

export interface TargetSessionOptions {
  /** Not yet opened. */
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly stubs: StubRegistry;
  /** 8 bytes naming the invite. */
  readonly tag: Uint8Array;
  /** The SWD clock was chosen by a person: it is not raised for the stub. */
  readonly keepSpeed?: boolean | undefined;
}

/** The last thing that can be done with a board. `leave`: nothing beyond restoring debug settings. */
export type FinalState = FinalAction | 'leave';

/** The stub switched the cycle counter on and measures its own delays by it: not ours to switch off under it. */
const DEMCR_TRCENA = 1 << 24;

export class TargetSession {
  readonly #options: TargetSessionOptions;
  readonly #core: CortexM;
  #saved: SavedDebugState | undefined;
  #identity: BoardIdentity | undefined;
  #millivolts: number | null = null;
  #runner: StubRunner | undefined;

  constructor(options: TargetSessionOptions) {
    this.#options = options;
    this.#core = new CortexM(options.probe, { clock: options.clock, log: options.log });
  }

  get probe(): Probe {
    return this.#options.probe;
  }

  /** Valid after `meet`. */
  get identity(): BoardIdentity {
    if (this.#identity === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'no board was met');
    return this.#identity;
  }

  /** Supply of the board as the probe measured it when they met; null when it cannot. */
  get millivolts(): number | null {
    return this.#millivolts;
  }

  /** The stub, once one runs. */
  get runner(): StubRunner | undefined {
    return this.#runner;
  }

  /**
   * Opens the probe and meets the board. With `mayHaveStub` (an earlier agent of this invite loaded one) a running stub is looked
   * for first; it is then neither halted nor reset, and its own report takes the place of identification.
   * @throws what probe and wire bring, BF-TARGET-WRONG-CHIP, BF-TARGET-RDP2
   */
  async attach(mayHaveStub: boolean): Promise<FoundStub | undefined> {
    const { probe, clock, log } = this.#options;
    await probe.open();
    const volts = await probe.readVoltage();
    this.#millivolts = volts === undefined ? null : Math.round(volts * 1000);
    const found = mayHaveStub ? await this.#findStub() : undefined;
    if (found !== undefined) return found;
    const { identity, saved } = await attach(probe, { clock, log });
    this.#identity = summarise(identity);
    this.#saved ??= saved;
    return undefined;
  }

  /** Loads and starts the stub for this chip, on a board that may have lost its power meanwhile. */
  async startStub(job?: StubJob): Promise<StubRunner> {
    const { probe, clock, log, stubs, tag, keepSpeed } = this.#options;
    const again = this.#runner !== undefined;
    const stub = stubs.forDevice(this.identity.devId);
    if (again) await this.#reconnect();
    this.#runner = new StubRunner({ probe, clock, log, stub, saved: this.#found(), tag, keepSpeed });
    await this.#runner.start(job);
    return this.#runner;
  }

  /** Resets the board, halting it before its first instruction when the plan says so. */
  async finish(parting: FinalState): Promise<void> {
    if (parting === 'run') await this.#core.resetRun();
    if (parting === 'halt') await this.#core.resetHalt();
  }

  /**
   * Debug settings as found, then the parting. While a stub may still run its cycle counter stays on: a reset that fails must
   * not leave a stub behind whose delays never end. @throws the first trouble met; everything was tried.
   */
  async leave(parting: FinalState): Promise<void> {
    if (this.#saved === undefined) return;
    const saved = this.#saved;
    const stubRuns = this.#runner !== undefined;
    await restoreDebugState(this.probe, stubRuns ? { ...saved, demcr: (saved.demcr | DEMCR_TRCENA) >>> 0 } : saved);
    await this.finish(parting);
    if (stubRuns && parting !== 'leave') await this.probe.writeWord(SCS.DEMCR, saved.demcr);
  }

  /** Lets go of target and probe; never throws. */
  async close(): Promise<void> {
    await this.probe.disconnect().catch((error: unknown) => this.#note('disconnect', error));
    await this.probe.close().catch((error: unknown) => this.#note('close', error));
  }

  async #findStub(): Promise<FoundStub | undefined> {
    const { probe } = this.#options;
    await probe.connect();
    const layout = await unlessTarget(() => this.#layoutHere());
    const found = layout === undefined ? undefined : await unlessTarget(() => findStub(this.#options, layout));
    if (found?.facts === undefined) {
      // No stub to go on with; but the settings from before it may still lie in RAM.
      const at = layout === undefined ? undefined : fieldAddress(layout, 'SAVE');
      const save = at === undefined ? undefined : await probe.readMemory(at, CONTROL.SAVE.size).catch(() => undefined);
      this.#saved = save === undefined ? undefined : decodeSave(save)?.saved;
      await probe.disconnect();
      return undefined;
    }
    const { facts } = found;
    this.#saved = found.saved;
    this.#runner = found.runner;
    this.#identity = {
      devId: facts.idcode & 0xfff,
      revId: facts.idcode >>> 16,
      uid: copyOf(facts.uid),
      flashKiB: facts.flashKiB,
      optcr: facts.optcr,
      rdp: rdpLevel(facts.optcr),
    };
    return found;
  }

  /** Where the stub for the chip on the desk would lie: it takes the DEV_ID to know, which changes nothing. */
  async #layoutHere(): Promise<Layout> {
    const { probe, stubs } = this.#options;
    const idcode = await withRetry(this.#options, () => probe.readWord(CHIP.DBGMCU_IDCODE));
    return stubs.forDevice(idcode & 0xfff).layout;
  }

  async #reconnect(): Promise<void> {
    await this.probe.disconnect().catch((error: unknown) => this.#note('disconnect', error));
    await this.probe.connect();
  }

  #found(): SavedDebugState {
    if (this.#saved === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'no board was met');
    return this.#saved;
  }

  #note(what: string, error: unknown): void {
    this.#options.log.warn({ what, error: String(error) }, 'letting go of the board');
  }
}

/** What `look` finds, or undefined when the target does not answer or is none we have a stub for. */
async function unlessTarget<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (isBlindflashError(error, 'BF-STUB-UNKNOWN') || (isBlindflashError(error) && partOf(error.code) === 'target')) {
      return undefined;
    }
    throw error;
  }
}

function summarise(identity: TargetIdentity): BoardIdentity {
  return {
    devId: identity.deviceId,
    revId: identity.revisionId,
    uid: identity.uid ?? new Uint8Array(12),
    flashKiB: identity.flashKiB ?? 0,
    optcr: identity.optcr,
    rdp: identity.rdp,
  };
}
