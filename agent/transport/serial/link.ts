// The way to a loader: knocking, IDENT, the bit rate, the loader's status on demand, and finding it again when the line
// was lost (docs/serial-link.md, "The loader's end of the line", "Silence").
import { ascii, concat, u32le } from '../../../shared/codec/bytes.ts';
import { fail } from '../../../shared/errors/errors.ts';
import type { Clock, Log } from '../../../shared/ports.ts';
import {
  BAUD_RATES,
  IDENT,
  IDENT_FORMAT,
  KNOCK,
  LINK_TIMES,
  PACKETS,
  readFields,
  STATUS,
  type Ident,
  type LoaderStatus,
  type PacketName,
} from '../../../shared/serial/packets.ts';
import { BOX_SIZES } from '../../../shared/mailbox/layout.ts';
import { pause } from '../../probe/deadline.ts';
import type { SerialLine } from './line.ts';

/** Milliseconds, and how often. */
const SEARCH = {
  /** A loader that was lost is knocked for after this long, */
  lostAfter: 3000,
  /** and taken for gone after this long. */
  goneAfter: 10_000,
  /** One that was gone already is not waited for as long again. */
  stillGoneAfter: 1000,
  /** A port that is gone is opened again so often, for so long. */
  reopenEvery: 500,
  reopenFor: 60_000,
  /** IDENT? at a new bit rate. */
  askRateEvery: 60,
  /** Both ends are back at the rate before. */
  backAfter: 350,
  /** What a new rate is tried with, beside one IDENT? each. */
  trials: 4,
} as const;

const KNOCK_BYTES = concat(KNOCK.measured, ascii(KNOCK.name));
/** What a loader measures a new bit rate by: long enough for one that still listens at an eighth of it. */
const PATTERN = new Uint8Array(32).fill(KNOCK.measured[0] as number);
/** A COMMAND that no loader takes, because none has the number 0: every value a byte can have, many times. */
const TRIAL = Uint8Array.from({ length: 4 + BOX_SIZES.image }, (_, at) => (at < 4 ? 0 : at & 0xff));

export class LoaderLink {
  readonly line: SerialLine;
  readonly #clock: Clock;
  readonly #log: Log;
  #ident: Ident | undefined;
  /** What both ends were proven to do without an error, bit/s. */
  #proven: number = BAUD_RATES.first;
  #stopAlive: () => void = () => {};

  constructor(line: SerialLine, clock: Clock, log: Log) {
    this.line = line;
    this.#clock = clock;
    this.#log = log;
  }

  /** The bit rate in use, bit/s. */
  get rate(): number {
    return this.#proven;
  }

  /**
   * Opens the port and knocks until a loader answers.
   * @param limitMs how long to knock, milliseconds
   * @throws BF-SERIAL-NONE, BF-SERIAL-BUSY, BF-SERIAL-SILENT when nobody answers, BF-VERSION-MISMATCH
   */
  async open(limitMs: number): Promise<Ident> {
    await this.line.open(BAUD_RATES.first);
    const ident = await this.#find(limitMs);
    this.#keepAlive();
    return ident;
  }

  /** Lets go of the line. */
  async close(): Promise<void> {
    this.#stopAlive();
    await this.line.close();
  }

  /** Goes up to the highest rate that both ends prove. Only while nothing that was sent waits for an answer. */
  async raise(): Promise<void> {
    const most = this.#ident?.mostBaud ?? 0;
    const rates = BAUD_RATES.higher.filter((rate) => rate <= most).reverse();
    for (const rate of rates) {
      if ((await this.#change(rate)) && (await this.#prove())) {
        this.#proven = rate;
        return;
      }
      this.#log.warn({ rate }, 'the line does not carry this bit rate');
      await this.#back();
    }
  }

  /**
   * STATUS in answer to a question; `also` is sent before it. Looks for the loader again when it is silent.
   * @throws BF-SERIAL-SILENT, BF-SERIAL-GONE
   */
  async status(also: () => void = () => {}): Promise<LoaderStatus> {
    for (;;) {
      also();
      this.askAgain('status');
      const status = await this.nextStatus(LINK_TIMES.answer);
      if (status !== undefined) return status;
      await this.keep();
    }
  }

  /** The next STATUS, asked for or not; undefined after `ms` milliseconds. */
  async nextStatus(ms: number): Promise<LoaderStatus | undefined> {
    const packet = await this.line.next(({ name }) => name === 'status', ms + this.line.msFor(this.line.backlog));
    return packet === undefined ? undefined : readFields(STATUS, packet.body);
  }

  /** Asks for a packet again. @param sequence of a REPLY */
  askAgain(name: PacketName, sequence = 0): void {
    this.line.send('again', concat(Uint8Array.of(PACKETS[name].type), u32le(sequence)));
  }

  /** Makes sure that there is a loader to talk to: opens a line that is gone, knocks where nothing was heard. */
  async keep(): Promise<void> {
    if (!this.line.isOpen) await this.#reopen();
    else if (this.line.silentMs >= SEARCH.lostAfter) await this.#again();
  }

  /** A loader that hears nothing for long takes the agent for gone. */
  #keepAlive(): void {
    const sinceMs = this.#clock.now() - this.line.sentAt;
    const isQuiet = sinceMs >= LINK_TIMES.aliveEvery;
    if (isQuiet) this.line.send('askIdent');
    const restMs = Math.max(1, LINK_TIMES.aliveEvery - (isQuiet ? 0 : sinceMs));
    this.#stopAlive = this.#clock.after(restMs, () => this.#keepAlive());
  }

  /** Opens a port that is gone, and knocks. @throws BF-SERIAL-GONE, BF-SERIAL-SILENT when only the port is back */
  async #reopen(): Promise<void> {
    const end = this.#clock.now() + SEARCH.reopenFor;
    for (;;) {
      try {
        await this.line.open(BAUD_RATES.first);
        await this.#again();
        return;
      } catch (error) {
        if (this.line.isOpen) throw error;
        await this.line.close();
        if (this.#clock.now() >= end) throw fail('BF-SERIAL-GONE', this.line.name);
        this.#log.debug({ error: String(error) }, 'the serial port is not back yet');
      }
      await pause(this.#clock, SEARCH.reopenEvery);
    }
  }

  /** Knocks at the first rate and goes up to the one that was proven. @throws BF-SERIAL-SILENT */
  async #again(): Promise<void> {
    const rate = this.#proven;
    await this.#back();
    if (rate === BAUD_RATES.first) return;
    if (await this.#change(rate)) this.#proven = rate;
    else await this.#back();
  }

  async #back(): Promise<void> {
    this.#proven = BAUD_RATES.first;
    await this.line.setBaud(BAUD_RATES.first);
    await this.#find(this.line.silentMs >= SEARCH.goneAfter ? SEARCH.stillGoneAfter : SEARCH.goneAfter);
  }

  async #find(limitMs: number): Promise<Ident> {
    const end = this.#clock.now() + limitMs;
    while (this.line.isOpen && this.#clock.now() < end) {
      this.line.sendMark(KNOCK_BYTES);
      if (await this.#nextIdent(LINK_TIMES.knockEvery)) return this.#ident as Ident;
    }
    throw fail('BF-SERIAL-SILENT', `${this.line.name}: no answer for ${limitMs / 1000} s`);
  }

  async #nextIdent(ms: number): Promise<boolean> {
    const packet = await this.line.next(({ name }) => name === 'ident', ms);
    if (packet === undefined) return false;
    const ident = readFields(IDENT, packet.body);
    if (ident.format !== IDENT_FORMAT) throw fail('BF-VERSION-MISMATCH', `a loader with IDENT ${ident.format}`);
    this.#ident = ident;
    return true;
  }

  /** Both ends change to `rate`. False when the loader is not heard there; both are back then. */
  async #change(rate: number): Promise<boolean> {
    const before = this.#proven;
    this.line.send('baud', u32le(rate));
    await this.line.drain();
    const begun = this.#clock.now();
    await pause(this.#clock, LINK_TIMES.baudChange);
    if (await this.line.setBaud(rate)) {
      while (this.#clock.now() - begun < LINK_TIMES.baudProof) {
        this.line.sendMark(PATTERN);
        this.line.send('askIdent');
        if (await this.#nextIdent(SEARCH.askRateEvery)) return true;
      }
    }
    await this.line.setBaud(before);
    await pause(this.#clock, Math.max(0, begun + SEARCH.backAfter - this.#clock.now()));
    return false;
  }

  /** True when neither end damaged anything of a handful of the longest packets and their answers. */
  async #prove(): Promise<boolean> {
    const { line } = this;
    const damaged = line.damaged;
    this.askAgain('status');
    const before = await this.nextStatus(LINK_TIMES.answer);
    if (before === undefined) return false;
    for (let trial = 0; trial < SEARCH.trials; trial++) line.send('command', TRIAL);
    const trialMs = line.msFor(SEARCH.trials * TRIAL.length);
    for (let trial = 0; trial < SEARCH.trials; trial++) {
      line.send('askIdent');
      if (!(await this.#nextIdent(LINK_TIMES.answer + trialMs))) return false;
    }
    this.askAgain('status');
    const after = await this.nextStatus(LINK_TIMES.answer);
    return after !== undefined && after.dropped === before.dropped && line.damaged === damaged;
  }
}
