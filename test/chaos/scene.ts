// A chaos run's world: the whole product in virtual time as processes that come and go, with the two people who start them again.
// Only what a disk would keep outlives a process: the vendor's record and receipts, the customer's resume file.
import { createHash } from 'node:crypto';
import type { AgentMemory, AgentOutcome } from '../../agent/session/ports.ts';
import { StlinkDriver } from '../../agent/probe/stlink/driver.ts';
import { WebUsbTransport } from '../../agent/probe/stlink/webusb-transport.ts';
import { runAgentJob } from '../../agent/session/agent-session.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import type { Image } from '../../controller/image/image.ts';
import { makeRoom } from '../../controller/job/invite.ts';
import { formatJob, jobId, newRecord, parseJob, publicInviteOf } from '../../controller/job/job-record.ts';
import { makeKeys, type VendorKeys } from '../../controller/store/keys.ts';
import { startControllerJob } from '../../controller/job/run.ts';
import type { JobEvent, RunningJob } from '../../controller/job/ports.ts';
import type { RunStore } from '../../controller/store/port.ts';
import { Relay } from '../../relay/core/relay.ts';
import { everyTenant } from '../../relay/core/tenants.ts';
import { fixedControl } from '../../relay/control/fixed.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { psk, type Psk } from '../../shared/crypto/keys.ts';
import { asBlindflashError } from '../../shared/errors/errors.ts';
import { holderKey } from '../../shared/tunnel/invite.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { silentLog } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/link/ticket.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';
import { RoomClient } from '../../shared/link/room-client.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { Board } from '../../sim/board.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../sim/stlink/virtual-usb.ts';
import { watchQueues, type QueuePeaks } from '../fixtures/queue-peaks.ts';
import { seededRandom } from '../fixtures/seeded.ts';
import { STUBS } from '../fixtures/world.ts';
import { tapCrypto, type CryptoTap } from './crypto-tap.ts';
import { Dice } from './dice.ts';
import { Net, type Weather } from './net.ts';
import { ReplyWatch, tapProbe, type Tampering } from './probe-tap.ts';
import { VirtualProcess } from './process.ts';

const RELAY_URL = 'ws://relay.test/';
const F427 = 0x419;
/** Patience of the two people: how often each starts his program again. */
const MOST_STARTS = 14;

export interface SceneOptions {
  readonly seed: number;
  readonly weather: Weather;
  readonly image: Image;
  /** Flash content before the job, from its start. */
  readonly flash: Uint8Array;
  readonly lock: Plan['lock'];
  readonly idleLimitMs: number;
  /** Do monotonic clocks count sleep on this laptop? */
  readonly countsSleep: boolean;
}

export interface Captures {
  readonly relay: Uint8Array[];
  readonly usb: Uint8Array[];
  readonly swd: number[];
}

/** What a disk of the customer keeps. */
class ResumeFileTwin {
  resumeSecret: Psk | undefined;
  consented: Uint8Array | undefined;
  stubLoaded = false;

  /** The file as one process sees it: a dead one writes nothing. */
  seenBy(process: VirtualProcess): AgentMemory {
    const write = (change: () => void): void => {
      if (process.alive) change();
    };
    const { resumeSecret, consented, stubLoaded } = this;
    const seen = { resumeSecret, consented, stubLoaded };
    return {
      get resumeSecret() {
        return seen.resumeSecret;
      },
      get consented() {
        return seen.consented;
      },
      get stubLoaded() {
        return seen.stubLoaded;
      },
      saveSecret: (secret) => write(() => (this.resumeSecret = seen.resumeSecret = psk(secret))),
      saveConsent: (hash) => write(() => (this.consented = seen.consented = hash.slice())),
      saveStubLoaded: (loaded) => write(() => (this.stubLoaded = seen.stubLoaded = loaded)),
      forget: () =>
        write(() => {
          this.resumeSecret = this.consented = undefined;
          this.stubLoaded = false;
        }),
    };
  }
}

/** How the vendor's side ended for good. */
export interface VendorEnd {
  readonly good: boolean;
  readonly text: string;
}

export class Scene {
  readonly queue = new EventQueue();
  readonly options: SceneOptions;
  readonly board: Board;
  readonly stlink: VirtualStlink;
  readonly usb: VirtualUsbDevice;
  readonly net: Net;
  readonly keys: VendorKeys;
  readonly plan: Plan;
  readonly crypto: CryptoTap;
  readonly queues: QueuePeaks = watchQueues();
  readonly replies = new ReplyWatch();
  readonly captures: Captures = { relay: [], usb: [], swd: [] };
  readonly log: string[] = [];
  /** One entry per storeReceipt. */
  readonly receipts: { readonly key: string; readonly receipt: SignedText; readonly flashGood: boolean }[] = [];
  agent: VirtualProcess | undefined;
  vendor: VirtualProcess | undefined;
  tampering: Tampering | undefined;
  vendorEnd: VendorEnd | undefined;
  agentEnd: AgentOutcome | 'given up' | undefined;
  /** Counters that faults may wait for. */
  readonly counted = { agent: 0, vendor: 0, probe: 0 };
  onCount: () => void = () => {};
  mostTimers = 0;
  readonly #people: Dice;
  readonly #entropy: ReturnType<typeof seededRandom>;
  readonly #trace = createHash('sha256');
  readonly #disk = new ResumeFileTwin();
  readonly #stored = new Map<string, SignedText>();
  readonly #firstSecret: Psk;
  readonly #invite: ReturnType<typeof publicInviteOf>;
  readonly #agentTicket: Uint8Array;
  #record: string;
  #running: RunningJob | undefined;
  #stop = new AbortController();
  #starts = { agent: 0, vendor: 0 };
  #agentCode = '';

  constructor(options: SceneOptions) {
    this.options = options;
    const { seed, image, flash, weather } = options;
    this.crypto = tapCrypto();
    this.#entropy = seededRandom(seed ^ 0x5eed);
    this.#people = new Dice(seed, 1);
    this.board = new Board({ seed, flash });
    this.board.powerOn();
    this.stlink = new VirtualStlink({
      board: this.board,
      onExchange: ({ command, dataOut, reply }) => {
        this.captures.usb.push(command.slice(), (dataOut ?? new Uint8Array()).slice(), reply.slice());
        this.counted.probe++;
        this.onCount();
      },
      onSwd: (record) => void this.captures.swd.push(record.value >>> 0),
    });
    this.usb = new VirtualUsbDevice({ stlink: this.stlink, queue: this.queue });
    this.keys = makeKeys(this.#entropy);
    this.net = new Net({ queue: this.queue, weather, dice: new Dice(seed, 2), makeRelay: () => this.#relay() });
    this.net.onSent = (message, { side, toRelay }) => this.#sent(message, side, toRelay);
    const room = makeRoom({
      relayUrl: RELAY_URL,
      tenant: this.keys.tenant,
      expires: Math.floor(this.queue.wall() / 1000) + 3 * 86_400,
      capKiB: 1 << 20,
      random: this.#entropy,
    });
    this.#firstSecret = psk(room.inviteSecret as Uint8Array);
    this.#invite = publicInviteOf(room);
    this.#agentTicket = room.agentTicket;
    this.plan = compileFlash(image, requireChip(F427), {
      job: this.#entropy.bytes(16),
      lock: options.lock,
      idleLimitMs: options.idleLimitMs,
    });
    this.#record = formatJob(newRecord(room, this.plan, image, this.queue.wall()));
  }

  // ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────

  say(who: string, what: string): void {
    const line = `${this.queue.now().toFixed(3).padStart(12)} ms  ${who.padEnd(8)} ${what}`;
    this.log.push(line);
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
      if (this.agentEnd === undefined && this.agent?.alive !== true) this.#startAgent();
    });
  }

  vendorSoon(ms: number): void {
    this.queue.after(ms, () => {
      if (this.vendorEnd === undefined && this.vendor?.alive !== true) this.#startVendor();
    });
  }

  killAgent(): void {
    // Nobody kills anything on a computer that is asleep.
    if (this.agent?.alive !== true || this.agent.asleep) return;
    this.say('fault', 'agent killed (-9)');
    this.#bury(this.agent);
    void this.usb.close();
    this.agentSoon(this.#people.between(100, 8000));
  }

  killVendor(): void {
    if (this.vendor?.alive !== true) return;
    this.say('fault', 'controller killed (-9)');
    this.#bury(this.vendor);
    this.vendorSoon(this.#people.between(100, 8000));
  }

  /** The customer has had enough: Ctrl-C. */
  stopAgent(): void {
    if (this.agent?.alive !== true) {
      this.agentEnd ??= 'given up';
    } else {
      this.say('customer', 'Ctrl-C');
      this.agent.wake();
      this.#stop.abort();
    }
  }

  stopVendor(): void {
    this.say('vendor', 'Ctrl-C');
    if (this.vendor?.alive !== true) this.#vendorOver({ good: false, text: 'given up' });
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
    const process = new VirtualProcess('agent', this.queue, this.options.countsSleep);
    const memory = this.#disk.seenBy(process);
    const { clock } = process;
    this.agent = process;
    this.#stop = new AbortController();
    const pasted = memory.resumeSecret === undefined || this.#people.oneIn(4);
    this.say('agent', `starts${memory.resumeSecret === undefined ? '' : ', with a way back'}`);
    const driver = new StlinkDriver(new WebUsbTransport(this.usb, { clock }), { clock });
    const probe = process.probe(tapProbe(driver, this.replies, () => this.tampering));
    const work = runAgentJob({
      probe,
      room: new RoomClient({
        dial: () => this.#dial(process, 'agent'),
        dialledHost: relayNameOf(RELAY_URL),
        clock,
        random: this.#entropy,
        ticket: this.#agentTicket,
        holderSecretKey: holderKey(this.#firstSecret).secretKey,
      }),
      invite: this.#invite,
      inviteSecret: pasted ? psk(this.#firstSecret) : undefined,
      memory,
      stubs: STUBS,
      customer: {
        say: (text) => process.deliver(() => this.say('agent', `“${text}”`)),
        showCode: (code) => process.deliver(() => (this.#agentCode = code)),
        showSheet: () => {},
        askConsent: () => new Promise((yes) => clock.after(this.#people.between(0, 2000), () => yes(true))),
        progress: () => {},
      },
      clock,
      random: this.#entropy,
      log: silentLog,
      version: '0.0.0-chaos',
      signal: this.#stop.signal,
    });
    void process.results(work).then((outcome) => this.#agentDone(process, outcome));
  }

  #agentDone(process: VirtualProcess, outcome: AgentOutcome): void {
    const { result, board, error, byVendor } = outcome;
    this.say('agent', `ends: ${result}, ${board}${error === undefined ? '' : `, ${error.code} ${error.detail ?? ''}`}`);
    this.#bury(process);
    const over =
      result !== 'failed' || this.vendorEnd !== undefined || (byVendor && this.#disk.resumeSecret === undefined);
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
    this.vendor = process;
    const record = parseJob(this.#record);
    this.say(
      'vendor',
      `starts${record.uid === undefined ? '' : `, resumes with sectors ${record.acknowledged.join(' ')}`}`,
    );
    this.#running = startControllerJob({
      clock: process.clock,
      random: this.#entropy,
      log: silentLog,
      store: this.#store(process),
      keys: { sealed: this.keys.sealed, receipt: this.keys.receipt },
      record,
      image: this.options.image,
      allowedStubs: STUBS.hashes,
      callbacks: {
        confirmCode: (code) =>
          new Promise((answer) =>
            process.clock.after(this.#people.between(0, 2000), () => answer(code === this.#agentCode)),
          ),
        onEvent: (event) => process.deliver(() => this.#vendorEvent(event)),
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

  #vendorEvent(event: JobEvent): void {
    if (event.type === 'progress' || event.type === 'job') return;
    const { type, ...rest } = event;
    const plain = Object.entries(rest).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value));
    const problem = type === 'problem' ? ` ${event.problem.code}: ${event.problem.detail}` : '';
    this.say('vendor', `${type}${plain.map(([name, value]) => ` ${name}=${String(value)}`).join('')}${problem}`);
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
      receipt: (job, uid) => Promise.resolve(this.#stored.get(`${job}/${uid}`)),
      storeReceipt: (job, uid, receipt) =>
        write(() => {
          const key = `${job}/${uid}`;
          this.#stored.set(key, receipt);
          this.receipts.push({ key, receipt, flashGood: this.flashIsImage() });
        }),
    };
  }

  get job(): string {
    return jobId(parseJob(this.#record));
  }

  /** Flash holds the whole image, boot words included. */
  flashIsImage(): boolean {
    const { bytes } = this.board.flash;
    return this.options.image.segments.every(({ address, bytes: wanted }) => {
      const at = address - 0x08000000;
      return Buffer.compare(bytes.subarray(at, at + wanted.length), wanted) === 0;
    });
  }

  // ── the way between ───────────────────────────────────────────────────────────────────────────────────────────

  #relay(): Relay {
    return new Relay({
      name: relayNameOf(RELAY_URL),
      control: fixedControl(everyTenant),
      verify: verifyEd25519,
      clock: this.queue,
      random: this.#entropy,
      log: silentLog,
    });
  }

  async #dial(process: VirtualProcess, side: 'agent' | 'controller') {
    return process.link(await process.results(this.net.dial(side)));
  }

  #sent(message: Uint8Array, side: 'agent' | 'controller', toRelay: boolean): void {
    this.captures.relay.push(message.slice());
    this.#trace.update(message);
    if (!toRelay) return;
    this.counted[side === 'agent' ? 'agent' : 'vendor']++;
    this.onCount();
  }
}
