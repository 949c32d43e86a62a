// One session with the target: probe opened, target attached to without disturbing it or a running stub found, stub
// loaded, everything put back on the way out (docs/product.md §2; docs/protocol.md §8, §9). Before the customer's yes
// only identification is read. Phases and what may be asked in each: TARGET_SESSION below, drawn in
// docs/state-machines.md §9.
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail, isBlindflashError, partOf } from '../../shared/errors/errors.ts';
import { CONTROL, fieldAddress, type Layout } from '../../shared/mailbox/layout.ts';
import type { FinalAction } from '../../shared/plan/plan.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import type { Probe, ProbeInfo } from '../probe/probe.ts';
import { readOptionBytes, writeOptionBytes } from './option-bytes.ts';
import { protectionLevel, requireChip, sameOptions, type OptionWords } from '../../shared/chips/index.ts';
import { reach, type ConnectMode, type Reached, type ReachOptions } from './reach.ts';
import type { KnownStubs } from './stubs.ts';
import type { Target } from './target.ts';
import { attach, type TargetIdentity } from './attach.ts';
import { CHIP, restoreDebugState, type SavedDebugState } from './debug-state.ts';
import { CortexM, SCS } from './cortex-m.ts';
import { withRetry } from '../probe/with-retry.ts';
import { MailboxTransport } from '../transport/mailbox/mailbox-transport.ts';
import { decodeSave } from '../transport/mailbox/save-words.ts';
import type { FoundStub, StubJob, Transport } from '../transport/port.ts';
import { findStub, type StubInRam } from './find-stub.ts';
import { loadStub, type BootSource } from './stub-loader.ts';

/** Which board it is, as HELLO and sheet tell it. */
export interface BoardIdentity {
  readonly devId: number;
  readonly revId: number;
  /** 12 bytes; zeros on a protected chip, where it is not read. */
  readonly uid: Uint8Array;
  /** KiB; 0 on a protected chip. */
  readonly flashKiB: number;
  readonly optcr: number;
  readonly optcr1: number;
  readonly rdp: 0 | 1 | 2;
}

export interface TargetSessionOptions {
  /** Not yet opened. */
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly stubs: KnownStubs;
  /** 8 bytes that name the invite (docs/mailbox.md, SAVE). */
  readonly inviteTag: Uint8Array;
  /** The SWD clock was chosen by a person: it is not raised for the stub. */
  readonly keepSpeed?: boolean | undefined;
  readonly connect?: ConnectMode | undefined;
  /** Asks the person at the board to do something with it. */
  readonly ask?: ReachOptions['ask'];
}

/** What is done with a board at the end, after its debug settings are as they were found. `none`: nothing more. */
export type FinalState = FinalAction | 'none';

export type TargetPhase = 'new' | 'opening' | 'attached' | 'loaded' | 'finished' | 'closed';
export type TargetCall = 'attach' | 'attached' | 'found' | 'startStub' | 'changeOptions' | 'finish' | 'close';

/**
 * Phase × call → next phase; a call that is not in the row is a mistake of ours (BF-INTERNAL-ARGUMENT).
 * `attached` and `found` are how `attach` succeeds; where it fails the phase stays `opening`, and `finish` puts
 * back what it may have to.
 */
export const TARGET_SESSION = {
  new: { attach: 'opening' },
  opening: { attached: 'attached', found: 'loaded', finish: 'finished', close: 'closed' },
  attached: { startStub: 'loaded', changeOptions: 'attached', finish: 'finished', close: 'closed' },
  loaded: { startStub: 'loaded', changeOptions: 'loaded', finish: 'finished', close: 'closed' },
  finished: { finish: 'finished', close: 'closed' },
  closed: { close: 'closed' },
} as const satisfies Record<TargetPhase, Partial<Record<TargetCall, TargetPhase>>>;

/** RCC_CSR (docs/reference/stm32f4.md §7): power-on reset seen; clears the flags. */
const RCC_PORRSTF = 1 << 27;
const RCC_RMVF = 1 << 24;
/** The stub switched the cycle counter on and measures its own delays by it: not ours to switch off under it. */
const DEMCR_TRCENA = 1 << 24;

export class TargetSession implements Target {
  readonly program = 'stub';
  readonly #options: TargetSessionOptions;
  readonly #core: CortexM;
  #saved: SavedDebugState | undefined;
  #identity: BoardIdentity | undefined;
  #millivolts: number | null = null;
  #transport: MailboxTransport | undefined;
  #reached: Reached = 'running';
  #bootSource: BootSource = 'flash';
  #phase: TargetPhase = 'new';

  constructor(options: TargetSessionOptions) {
    this.#options = options;
    this.#core = new CortexM(options.probe, { clock: options.clock, log: options.log });
  }

  get probe(): Probe {
    return this.#options.probe;
  }

  /** The probe, or what stands in its place, in words. */
  get info(): ProbeInfo {
    return this.probe.info;
  }

  /** Hashes of the programs this board can be worked on by, 128 digits each. */
  get programHashes(): readonly string[] {
    return this.#options.stubs.hashes;
  }

  /** Of the one for a DEV_ID, 64 bytes. @throws BF-STUB-UNKNOWN, BF-TARGET-WRONG-CHIP */
  programHash(devId: number): Uint8Array {
    return this.#options.stubs.forChip(devId).hash;
  }

  /** Valid after `attach`. */
  get identity(): BoardIdentity {
    if (this.#identity === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'no target is attached');
    return this.#identity;
  }

  /** Supply of the board as the probe measured it at `attach`; null when it cannot. */
  get millivolts(): number | null {
    return this.#millivolts;
  }

  /** How the chip was reached at `attach`: in all ways but the first its program stands still since. */
  get reached(): Reached {
    return this.#reached;
  }

  /**
   * What the chip starts from after a reset, as seen when the stub was loaded; flash unless another source was seen.
   */
  get bootSource(): BootSource {
    return this.#bootSource;
  }

  /** The way to the stub, once one was loaded or found. */
  get transport(): Transport | undefined {
    return this.#transport;
  }

  /**
   * Opens the probe and attaches to the target. With `mayHaveStub` (an earlier agent of this invite loaded
   * one) a running stub is looked for first; it is then neither halted nor reset, and its own report takes the
   * place of identification.
   * @throws what probe and wire bring, BF-TARGET-WRONG-CHIP, BF-TARGET-RDP2
   */
  async attach(mayHaveStub: boolean): Promise<FoundStub | undefined> {
    this.#go('attach');
    const { probe, clock, log } = this.#options;
    await probe.open();
    const volts = await probe.readVoltage();
    this.#millivolts = volts === undefined ? null : Math.round(volts * 1000);
    const found = mayHaveStub ? await this.#findStub() : undefined;
    if (found !== undefined) {
      this.#go('found');
      return found;
    }
    const { connect, ask } = this.#options;
    const { identity, saved, how } = await attach(probe, { clock, log, connect, ask });
    this.#identity = summarise(identity);
    this.#reached = how;
    // What an earlier agent found and left in RAM comes first: the settings of now may be ours.
    this.#saved ??= saved;
    this.#go('attached');
    return undefined;
  }

  /**
   * Loads and starts the stub for this chip, on a board that may have lost its power meanwhile,
   * and puts its job in place.
   * @throws BF-STUB-LOAD, BF-STUB-SILENT, the stub's own refusal, or what probe and wire bring
   */
  async startStub(job: StubJob): Promise<Transport> {
    const { probe, clock, log, stubs, inviteTag, keepSpeed } = this.#options;
    const stub = stubs.forChip(this.identity.devId);
    if (this.#phase === 'loaded') {
      await this.probe.disconnect().catch((error: unknown) => this.#note('disconnect', error));
      await reach(this.#options, () => Promise.resolve());
    }
    this.#go('startStub');
    const transport = new MailboxTransport({ probe, clock, log, stub });
    this.#transport = transport;
    this.#bootSource = await loadStub({ probe, clock, log, stub, saved: this.#savedSettings(), inviteTag, keepSpeed });
    await transport.untilUp(job);
    log.info({ version: stub.version }, 'stub is up');
    return transport;
  }

  /**
   * Changes option bytes. `make` is given those of now and says what they become, or undefined for nothing; when it
   * returns something the core is halted from then on, until `startStub` or `finish`. A board that may have lost its
   * power is connected anew.
   * @throws what `make` throws, BF-TARGET-OPTIONS, BF-TARGET-NO-HALT, or what probe and wire bring
   */
  async changeOptions(make: (now: OptionWords) => OptionWords | undefined): Promise<OptionWords> {
    const { probe, clock, log } = this.#options;
    const chip = requireChip(this.identity.devId);
    if (this.#phase === 'loaded') await this.#reconnect();
    this.#go('changeOptions');
    const now = await readOptionBytes(probe, chip);
    const wanted = make(now);
    if (wanted === undefined || sameOptions(now, wanted)) return now;
    return writeOptionBytes({ probe, clock, log, core: this.#core, chip }, wanted);
  }

  /** From here on `wasPowerCycled` tells whether the chip lost its power. */
  async markPower(): Promise<void> {
    const { probe } = this.#options;
    await probe.writeWord(CHIP.RCC_CSR, ((await probe.readWord(CHIP.RCC_CSR)) | RCC_RMVF) >>> 0);
  }

  /**
   * True when the chip started from a power-on reset since `markPower`. It is connected anew for the look.
   * @throws what a board without power brings, or the probe
   */
  async wasPowerCycled(): Promise<boolean> {
    await this.#reconnect();
    const flags = await this.probe.readWord(CHIP.RCC_CSR);
    return (flags & RCC_PORRSTF) !== 0;
  }

  /** The RDP level that OPTCR reads now: of a lock that was programmed at once, before it takes effect. */
  async readRdpLevel(): Promise<0 | 1 | 2> {
    return protectionLevel(await withRetry(this.#options, () => this.probe.readWord(CHIP.FLASH_OPTCR)));
  }

  /**
   * Debug settings as found, then the final state. While a stub may still run its cycle counter stays on: a reset that
   * fails must not leave a stub behind whose delays never end. @throws the first trouble met; everything was tried.
   */
  async finish(finalState: FinalState): Promise<void> {
    this.#go('finish');
    if (this.#saved === undefined) return;
    const saved = this.#saved;
    const stubRuns = this.#transport !== undefined;
    // A program that was held at its start may switch the debug pins off the moment it runs.
    const mayFallSilent = this.#reached !== 'running' && !stubRuns;
    await restoreDebugState(
      this.probe,
      stubRuns ? { ...saved, demcr: (saved.demcr | DEMCR_TRCENA) >>> 0 } : saved,
      mayFallSilent,
    );
    await this.#reset(finalState);
    if (!stubRuns || finalState === 'none') return;
    // DEMCR as found, now that the reset has ended the stub. The program that was just written may sleep or switch the
    // debug pins off: no answer is no error then.
    const restored = this.probe.writeWord(SCS.DEMCR, saved.demcr);
    await (finalState === 'run' ? unlessSilent(() => restored) : restored);
  }

  /** Lets go of target and probe; never throws. */
  async close(): Promise<void> {
    this.#go('close');
    await this.probe.disconnect().catch((error: unknown) => this.#note('disconnect', error));
    await this.probe.close().catch((error: unknown) => this.#note('close', error));
  }

  #go(call: TargetCall): void {
    const row: Partial<Record<TargetCall, TargetPhase>> = TARGET_SESSION[this.#phase];
    const next = row[call];
    if (next === undefined) throw fail('BF-INTERNAL-ARGUMENT', `${call} while the target session is ${this.#phase}`);
    this.#phase = next;
  }

  /** Resets the board, halting it before its first instruction when the plan says so. */
  async #reset(finalState: FinalState): Promise<void> {
    if (finalState === 'run') await this.#core.resetRun();
    if (finalState === 'halt') await this.#core.resetHalt();
  }

  async #findStub(): Promise<StubInRam | undefined> {
    const { probe } = this.#options;
    if ((await unlessSilent(() => probe.connect().then(() => true))) !== true) return undefined;
    const layout = await unlessSilent(() => this.#layoutHere());
    const found = layout === undefined ? undefined : await unlessSilent(() => findStub(this.#options, layout));
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
    this.#transport = found.transport;
    this.#identity = {
      devId: facts.idcode & 0xfff,
      revId: facts.idcode >>> 16,
      uid: copyOf(facts.uid),
      flashKiB: facts.flashKiB,
      optcr: facts.optcr,
      optcr1: facts.optcr1,
      rdp: protectionLevel(facts.optcr),
    };
    return found;
  }

  /** Where the stub for this chip would lie: it takes the DEV_ID to know, which changes nothing. */
  async #layoutHere(): Promise<Layout> {
    const { probe, stubs } = this.#options;
    const idcode = await withRetry(this.#options, () => probe.readWord(CHIP.DBGMCU_IDCODE));
    return stubs.forChip(idcode & 0xfff).layout;
  }

  async #reconnect(): Promise<void> {
    await this.probe.disconnect().catch((error: unknown) => this.#note('disconnect', error));
    await this.probe.connect();
  }

  #savedSettings(): SavedDebugState {
    if (this.#saved === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'no target is attached');
    return this.#saved;
  }

  #note(what: string, error: unknown): void {
    this.#options.log.warn({ what, error: String(error) }, 'letting go of the board');
  }
}

/** What `access` gives, or undefined when the target does not answer or is none we have a stub for. */
async function unlessSilent<T>(access: () => Promise<T>): Promise<T | undefined> {
  try {
    return await access();
  } catch (error) {
    if (isBlindflashError(error, 'BF-STUB-UNKNOWN') || (isBlindflashError(error) && partOf(error.code) === 'target')) {
      return undefined;
    }
    throw error;
  }
}

function summarise(identity: TargetIdentity): BoardIdentity {
  return {
    devId: identity.devId,
    revId: identity.revId,
    uid: identity.uid ?? new Uint8Array(12),
    flashKiB: identity.flashKiB ?? 0,
    optcr: identity.optcr,
    optcr1: identity.optcr1,
    rdp: identity.rdp,
  };
}
