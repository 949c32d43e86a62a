// A chaos run's product: as processes that come and go, with the two people who start them again.
// Only what a disk would keep outlives a process: the vendor's record and receipts, the customer's resume file.
import { createHash } from 'node:crypto';
import type { AgentOutcome } from '../../agent/session/ports.ts';
import type { Image } from '../../controller/image/image.ts';
import { jobId, type RoomRecord } from '../../controller/store/job-record.ts';
import { formatJob, parseJob } from '../../controller/store/job-form.ts';
import type { CodeAsked, JobEvent, RunningJob } from '../../controller/job/ports.ts';
import type { RunStore } from '../../controller/store/port.ts';
import { cleanText } from '../../shared/codec/foreign-text.ts';
import { asBlindflashError } from '../../shared/errors/errors.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';
import type { BoardOptions } from '../../sim/board.ts';
import type { SerialPeer } from '../../sim/serial/serial-peer.ts';
import type { ExchangeRecord } from '../../sim/stlink/virtual-stlink.ts';
import { ProductFixture, type AgentPart, type ControllerPart } from '../fixtures/product.ts';
import { watchQueues, type QueuePeaks } from '../fixtures/queue-peaks.ts';
import { CodeQuestions } from './code-questions.ts';
import { tapCrypto, type CryptoTap } from './crypto-tap.ts';
import { Dice } from './dice.ts';
import { drawSwitches } from './switches.ts';
import { Net, type Weather } from './net.ts';
import { ReplyWatch, tapProbe, type Tampering } from './probe-tap.ts';
import { VirtualProcess } from './process.ts';
import { ResumeFileTwin } from './resume-file-twin.ts';

/** Patience of the two people: how often each starts his program again. */
const MOST_STARTS = 14;
/** Life of an invite. */
const DAYS = 3;

export interface ChaosOptions {
  readonly seed: number;
  readonly weather: Weather;
  readonly image: Image;
  /** Flash content before the job, from its start. */
  readonly flash: Uint8Array;
  readonly lock: Plan['lock'];
  readonly idleLimitMs: number;
  /** Do monotonic clocks count sleep on this laptop? */
  readonly countsSleep: boolean;
  /** As for BoardFixture. */
  readonly repeats?: boolean | undefined;
  /** What else the board is. */
  readonly board?: BoardOptions;
  /** The plan of a job with this id, in place of one that writes the image through a probe. */
  readonly plan?: (job: Uint8Array) => Plan;
}

/** How the vendor's side ended for good. */
export interface VendorEnd {
  readonly good: boolean;
  readonly text: string;
}

export class ChaosProduct extends ProductFixture {
  readonly chaos: ChaosOptions;
  readonly net: Net;
  readonly plan: Plan;
  readonly crypto: CryptoTap = tapCrypto();
  readonly queues: QueuePeaks = watchQueues();
  readonly replies = new ReplyWatch();
  /** What was said, by line. */
  readonly told: string[] = [];
  /** One entry per storeReceipt. */
  readonly stored: { readonly key: string; readonly receipt: SignedText; readonly flashGood: boolean }[] = [];
  customerProcess: VirtualProcess | undefined;
  vendorProcess: VirtualProcess | undefined;
  tampering: Tampering | undefined;
  vendorEnd: VendorEnd | undefined;
  agentEnd: AgentOutcome | 'given up' | undefined;
  /** Counters that faults may wait for. */
  readonly counted = { agent: 0, vendor: 0, probe: 0 };
  onCount: () => void = () => {};
  /** Hears what the vendor's program tells, after this object. */
  onJobEvent: (event: JobEvent) => void = () => {};
  mostTimers = 0;
  readonly #people: Dice;
  readonly #trace = createHash('sha256');
  readonly questions: CodeQuestions;
  readonly #receipts = new Map<string, SignedText>();
  #disk = new ResumeFileTwin();
  #invited: RoomRecord;
  #record: string;
  #running: RunningJob | undefined;
  #stop = new AbortController();
  #starts = { agent: 0, vendor: 0 };
  #agentCode: string | undefined;

  constructor(options: ChaosOptions) {
    const { seed, image, flash, weather, lock, idleLimitMs, board, plan } = options;
    super({
      seed,
      board: { flash, switches: drawSwitches(new Dice(seed, 5)), ...board },
      entropy: seed ^ 0x5eed,
      version: '0.0.0-chaos',
      repeats: options.repeats ?? false,
    });
    this.chaos = options;
    this.#people = new Dice(seed, 1);
    this.net = new Net({ queue: this.queue, weather, dice: new Dice(seed, 2), makeRelay: () => this.makeRelay() });
    this.net.onSent = (message, { side, toRelay }) => this.#sent(message, side, toRelay);
    this.#invited = this.newRoom(DAYS);
    this.plan = plan?.(this.random.bytes(16)) ?? this.planFor(image, { lock, idleLimitMs });
    this.#record = formatJob(this.record(this.jobImage, this.plan, { room: this.#invited }));
    this.questions = new CodeQuestions(() => parseJob(this.#record));
    this.crypto.onSealed = (box) => this.questions.sealed(box);
  }

  protected override exchanged({ command, dataOut, reply }: ExchangeRecord): void {
    this.captures.usb.push(command.slice(), (dataOut ?? new Uint8Array()).slice(), reply.slice());
    this.counted.probe++;
    this.onCount();
  }

  /** What the vendor's program is given to write. */
  get jobImage(): Image | undefined {
    return this.plan.sectors.length === 0 ? undefined : this.chaos.image;
  }

  // ── the board, as this product reaches it ─────────────────────────────────────────────────────────────────────

  protected wayToBoard(process: VirtualProcess): AgentPart {
    return { probe: process.probe(tapProbe(this.probe(process.clock), this.replies, () => this.tampering)) };
  }
  /** What the operating system closes when the agent dies. */
  protected closeWay(): void {
    void this.usb.close();
  }
  /** The cable to the customer's computer. */
  get cable(): { unplug(): void; replug(): void } {
    return this.usb;
  }
  /** The serial line to the board, where there is one. */
  get line(): SerialPeer | undefined {
    return undefined;
  }
  looseWire(_loose: boolean): void {}
  /** The customer reads what his program says. */
  protected customerReads(_text: string): void {}
  /** What the vendor's program is told beside the job's record. */
  protected vendorPart(_process: VirtualProcess): Partial<ControllerPart> {
    return {};
  }

  // ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────

  say(who: string, what: string): void {
    const line = `${this.queue.now().toFixed(3).padStart(12)} ms  ${who.padEnd(8)} ${what}`;
    this.told.push(line);
    this.#trace.update(line);
  }

  /** Hash over everything that was said and sent, and over the chip's flash. Once. */
  traceHash(): string {
    const { executed, nowNs } = this.queue;
    this.#trace.update(`${executed} ${nowNs}`).update(this.board.flash.bytes);
    return this.#trace.digest('hex').slice(0, 16);
  }

  // ── people ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts the agent in `ms` unless one runs then. */
  agentSoon(ms: number): void {
    this.queue.after(ms, () => {
      if (this.agentEnd === undefined && this.customerProcess?.alive !== true) this.#startAgent();
    });
  }

  vendorSoon(ms: number): void {
    this.queue.after(ms, () => {
      if (this.vendorEnd === undefined && this.vendorProcess?.alive !== true) this.#startVendor();
    });
  }

  killAgent(): void {
    // Nobody kills anything on a computer that is asleep.
    if (this.customerProcess?.alive !== true || this.customerProcess.asleep) return;
    this.say('fault', 'agent killed (-9)');
    this.#bury(this.customerProcess);
    this.closeWay();
    this.agentSoon(this.#people.between(100, 8000));
  }

  killVendor(): void {
    if (this.vendorProcess?.alive !== true) return;
    this.say('fault', 'controller killed (-9)');
    this.#bury(this.vendorProcess);
    this.vendorSoon(this.#people.between(100, 8000));
  }

  /** The customer has had enough: Ctrl-C. */
  stopAgent(): void {
    if (this.customerProcess?.alive !== true) {
      this.agentEnd ??= 'given up';
    } else {
      this.say('customer', 'Ctrl-C');
      this.customerProcess.wake();
      this.#stop.abort();
    }
  }

  stopVendor(): void {
    this.say('vendor', 'Ctrl-C');
    if (this.vendorProcess?.alive !== true) this.#vendorOver({ good: false, text: 'given up' });
    else this.#running?.interrupt();
  }

  #bury(process: VirtualProcess): void {
    this.mostTimers = Math.max(this.mostTimers, process.mostTimers);
    process.kill();
  }

  // ── the customer's program ────────────────────────────────────────────────────────────────────────────────────

  #startAgent(): void {
    if (++this.#starts.agent > MOST_STARTS) {
      this.agentEnd = 'given up';
      return;
    }
    const process = new VirtualProcess('agent', this.queue, this.chaos.countsSleep);
    const memory = this.#disk.seenBy(process);
    const { clock } = process;
    this.customerProcess = process;
    this.#stop = new AbortController();
    const pasted = !this.#disk.hasWayBack || this.#people.oneIn(4);
    this.#agentCode = undefined;
    this.say('agent', `starts${this.#disk.hasWayBack ? ', with a way back' : ''}`);
    const work = this.agent(this.#invited, {
      ...this.wayToBoard(process),
      dial: () => this.#dial(process, 'agent'),
      inviteSecret: pasted ? this.inviteSecret(this.#invited) : undefined,
      memory,
      customer: {
        say: (text) =>
          process.deliver(() => {
            this.say('agent', `“${text}”`);
            this.customerReads(text);
          }),
        showCode: (code) => process.deliver(() => (this.#agentCode = code)),
        showSheet: () => {},
        askConsent: () => new Promise((yes) => clock.after(this.#people.between(0, 2000), () => yes(true))),
        progress: () => {},
      },
      clock,
      signal: this.#stop.signal,
    });
    void process.results(work).then((outcome) => this.#agentDone(process, outcome));
  }

  #agentDone(process: VirtualProcess, outcome: AgentOutcome): void {
    const { result, board, error, byVendor } = outcome;
    this.say('agent', `ends: ${result}, ${board}${error === undefined ? '' : `, ${error.code} ${error.detail ?? ''}`}`);
    this.#bury(process);
    const over = result !== 'failed' || this.vendorEnd !== undefined || (byVendor && !this.#disk.hasWayBack);
    if (over) this.agentEnd = outcome;
    else this.agentSoon(this.#people.between(500, 10_000));
  }

  // ── the vendor's program ──────────────────────────────────────────────────────────────────────────────────────

  #startVendor(): void {
    if (++this.#starts.vendor > MOST_STARTS) {
      this.#vendorOver({ good: false, text: 'given up' });
      return;
    }
    const process = new VirtualProcess('vendor', this.queue);
    this.vendorProcess = process;
    this.#inviteAgain();
    const record = parseJob(this.#record);
    this.say(
      'vendor',
      `starts${record.uid === undefined ? '' : `, resumes with sectors ${record.acknowledged.join(' ')}`}`,
    );
    this.#running = this.controller({
      clock: process.clock,
      store: this.#store(process),
      record,
      image: this.jobImage,
      ...this.vendorPart(process),
      callbacks: {
        onEvent: (event) =>
          process.deliver(() => {
            this.#vendorEvent(process, event);
            this.onJobEvent(event);
          }),
      },
      dial: () => this.#dial(process, 'controller'),
    });
    const { done } = this.#running;
    void process.results(done).then(
      (result) =>
        this.#vendorDone(process, { good: true, text: result.receipt === undefined ? 'no receipt' : 'receipt' }, false),
      (error: unknown) => {
        const { code, detail } = asBlindflashError(error);
        const { finished } = parseJob(this.#record);
        const text = `${finished ? 'finished before, ' : ''}${code} ${detail ?? ''}`;
        this.#vendorDone(process, { good: finished, text }, this.#running?.resumable === true);
      },
    );
  }

  #vendorDone(process: VirtualProcess, end: VendorEnd, resumable: boolean): void {
    this.say('vendor', `ends: ${end.text}${resumable ? ' (resumable)' : ''}`);
    this.#bury(process);
    if (resumable) this.vendorSoon(this.#people.between(500, 10_000));
    else this.#vendorOver(end);
  }

  #vendorOver(end: VendorEnd): void {
    this.vendorEnd ??= end;
  }

  #vendorEvent(process: VirtualProcess, event: JobEvent): void {
    if (event.type === 'progress' || event.type === 'job') return;
    if (event.type === 'code') this.#askForCode(process, event);
    const { type, ...rest } = event;
    const plain = Object.entries(rest).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
    const problem = type === 'problem' ? ` ${event.problem.code}: ${cleanText(event.problem.detail)}` : '';
    this.say('vendor', `${type}${plain.map(([name, value]) => ` ${name}=${String(value)}`).join('')}${problem}`);
  }

  /** The vendor types what the customer has on his screen, and waits while there is nothing. */
  #askForCode(process: VirtualProcess, { tunnel, again }: CodeAsked): void {
    if (again === undefined) this.questions.asked(tunnel);
    const running = this.#running;
    const type = (): void => {
      if (this.#agentCode === undefined) return waitAndType();
      void running?.answerCode(this.#agentCode, tunnel).then((verdict) => {
        this.say('vendor', `typed for tunnel ${tunnel}: ${verdict}`);
        if (verdict === 'right') this.questions.answeredRight(tunnel);
      });
    };
    const waitAndType = (): void => void process.clock.after(this.#people.between(0, 2000), type);
    waitAndType();
  }

  /** `flash --resume JOB --new-invite`, when the invite was spent: the customer is sent another one. */
  #inviteAgain(): void {
    const record = parseJob(this.#record);
    const { spent } = record.room.invite;
    if (spent === undefined) return;
    this.say('vendor', `sends another invite: ${spent}`);
    this.#invited = this.newRoom(DAYS);
    this.#disk = new ResumeFileTwin();
    this.#record = formatJob({ ...record, room: this.#invited, code: undefined, devices: [] });
    this.questions.newInvite();
  }

  /** The vendor's disk: a call takes a moment, on a busy machine a long one, and a dead process writes nothing. */
  #store(process: VirtualProcess): RunStore {
    const write = (change: () => void): Promise<void> =>
      new Promise((done) =>
        process.clock.after(this.#people.between(0, this.#people.oneIn(4) ? 500 : 3), () => {
          change();
          done();
        }),
      );
    return {
      save: (record) => write(() => void (this.#record = formatJob(record))),
      leftIncomplete: () => Promise.resolve(false),
      receipt: (job, uid) => Promise.resolve(this.#receipts.get(`${job}/${uid}`)),
      storeReceipt: (job, uid, receipt) =>
        write(() => {
          const key = `${job}/${uid}`;
          this.#receipts.set(key, receipt);
          this.stored.push({ key, receipt, flashGood: this.flashIsImage() });
        }),
    };
  }

  get job(): string {
    return jobId(parseJob(this.#record));
  }

  /** What the job is to achieve on the board: flash holds the whole image, boot words included. */
  flashIsImage(): boolean {
    const { bytes } = this.board.flash;
    return this.chaos.image.segments.every(({ address, bytes: wanted }) => {
      const at = address - 0x08000000;
      return Buffer.compare(bytes.subarray(at, at + wanted.length), wanted) === 0;
    });
  }

  // ── the way between ───────────────────────────────────────────────────────────────────────────────────────────

  async #dial(process: VirtualProcess, side: SideName) {
    return process.link(await process.results(this.net.dial(side)));
  }

  #sent(message: Uint8Array, side: SideName, toRelay: boolean): void {
    this.captures.relay.push(message.slice());
    this.#trace.update(message);
    if (!toRelay) return;
    this.counted[side === 'agent' ? 'agent' : 'vendor']++;
    this.onCount();
  }
}
