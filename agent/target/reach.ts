// Reaching a chip whose program makes that hard: it sleeps, has switched the debug pins off, or resets itself over and
// over. Plainly first, then by asking it to halt again and again, then under reset, then with a person at the reset
// button (docs/reference/stm32f4.md §8.7; docs/reference/cortex-m-debug.md §5; docs/product.md §2).
import { ERRORS, type ErrorRow } from '../../shared/errors/catalogue.ts';
import { asBlindflashError, isBlindflashError, type BlindflashError } from '../../shared/errors/errors.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { pause } from '../probe/deadline.ts';
import type { Probe } from '../probe/probe.ts';
import { readDebugState, type SavedDebugState } from './debug-state.ts';
import { CortexM } from './cortex-m.ts';

/** How the chip was reached; in all ways but the first its program was stopped. */
export type Reached = 'running' | 'halted' | 'under reset' | 'by button';
/** auto: whatever it takes. under reset: at once under reset. */
export type ConnectMode = 'auto' | 'under reset';

export interface ReachOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  readonly connect?: ConnectMode | undefined;
  /** Asks the person at the board to hold and release its reset button; nobody is asked unless given. */
  readonly ask?: ((text: string) => void) | undefined;
}

/** `seen`: what `look` returned. */
export interface Reach<T> {
  readonly how: Reached;
  readonly saved: SavedDebugState;
  readonly seen: T;
}

/** Milliseconds and counts, chosen: a program that wakes every few milliseconds is caught awake by one of them. */
const REPEATED_HALT = { times: 12, pauseMs: 7 } as const;
const NRST_SETTLE_MS = 30;
const RELEASE_MS = 1000;
const BUTTON = { holdMs: 60_000, releaseMs: 60_000, lookMs: 150 } as const;

const HOLD_TEXT =
  'The chip does not answer: its program sleeps or has switched the debug pins off, and the reset wire (NRST) does not reach it. ' +
  'Hold the reset button of the board down now.';
const RELEASE_TEXT = 'Found. Let go of the reset button.';

/**
 * Connects in the gentlest way in which `look` works. @throws why the plain way failed when no other one works; what
 * `look` throws that no other way would mend; what the probe brings
 */
export function reach<T>(options: ReachOptions, look: () => Promise<T>): Promise<Reach<T>> {
  return new Reacher(options, look).reach();
}

class Reacher<T> {
  readonly #options: ReachOptions;
  readonly #look: () => Promise<T>;
  readonly #core: CortexM;

  constructor(options: ReachOptions, look: () => Promise<T>) {
    this.#options = options;
    this.#look = look;
    this.#core = new CortexM(options.probe, { clock: options.clock, log: options.log });
  }

  async reach(): Promise<Reach<T>> {
    const { connect = 'auto', log, ask } = this.#options;
    const plain = connect === 'auto' ? await this.#attempt(() => this.#plainly()) : undefined;
    if (plain !== undefined && 'how' in plain) return plain;
    if (plain !== undefined) {
      log.info({ code: plain.error.code }, 'the chip does not answer while its program runs: trying other ways');
      const halted = await this.#byRepeatedHalt();
      if (halted !== undefined) return halted;
    }
    const reset = await this.#attempt(() => this.#underReset());
    if ('how' in reset) return reset;
    const why = plain?.error ?? reset.error;
    // A chip that never answered may not be there at all: whoever says that it is, is asked for the button.
    if (ask !== undefined && (connect === 'under reset' || isBlindflashError(why, 'BF-TARGET-WAIT'))) {
      return this.#byButton(ask, why);
    }
    throw why;
  }

  /** Nothing is stopped. */
  async #plainly(): Promise<Reach<T>> {
    await this.#options.probe.connect();
    return this.#found('running', await readDebugState(this.#options.probe));
  }

  /** A program that wakes now and then is caught awake. */
  async #byRepeatedHalt(): Promise<Reach<T> | undefined> {
    for (let n = 0; n < REPEATED_HALT.times; n++) {
      const halted = await this.#attempt(() => this.#byHalt());
      if ('how' in halted) return halted;
      await pause(this.#options.clock, REPEATED_HALT.pauseMs);
    }
    return undefined;
  }

  /** The halt first, and everything else from a core that cannot fall asleep any more. */
  async #byHalt(): Promise<Reach<T>> {
    await this.#options.probe.connect();
    await this.#core.halt();
    return this.#found('halted', await readDebugState(this.#options.probe));
  }

  /** NRST low, reset vector catch armed, NRST high: the core stands before its first instruction. */
  async #underReset(): Promise<Reach<T>> {
    const { probe, clock, log } = this.#options;
    try {
      await probe.driveNrst('low');
      await pause(clock, NRST_SETTLE_MS);
      await probe.connect();
      const saved = await readDebugState(probe);
      await this.#core.armResetCatch();
      await probe.driveNrst('high');
      await this.#core.waitForResetCatch(RELEASE_MS);
      return await this.#found('under reset', saved);
    } finally {
      await probe.driveNrst('high').catch((error: unknown) => log.warn({ error: String(error) }, 'NRST'));
    }
  }

  /** As under reset, but a person pulls NRST. @param why it was not reached otherwise */
  async #byButton(ask: (text: string) => void, why: BlindflashError): Promise<Reach<T>> {
    const { probe, clock } = this.#options;
    ask(HOLD_TEXT);
    const end = clock.now() + BUTTON.holdMs;
    for (;;) {
      const held = await this.#attempt(async () => {
        await probe.connect();
        const saved = await readDebugState(probe);
        await this.#core.armResetCatch();
        ask(RELEASE_TEXT);
        await this.#core.waitForResetCatch(BUTTON.releaseMs);
        return this.#found('by button', saved);
      });
      if ('how' in held) return held;
      if (clock.now() >= end) throw why;
      await pause(clock, BUTTON.lookMs);
    }
  }

  async #found(how: Reached, saved: SavedDebugState): Promise<Reach<T>> {
    return { how, saved, seen: await this.#look() };
  }

  /** What a way finds, or the trouble that bars it. @throws what another way would not mend */
  async #attempt(way: () => Promise<Reach<T>>): Promise<Reach<T> | { readonly error: BlindflashError }> {
    try {
      return await way();
    } catch (error) {
      const known = asBlindflashError(error);
      const { part, retry }: ErrorRow = ERRORS[known.code];
      if (part !== 'target' || retry === 'never') throw known;
      return { error: known };
    }
  }
}
