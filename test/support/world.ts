// The whole product in one process and virtual time: controller, relay, agent, driver, virtual ST-LINK, virtual F427 (or another
// part) with the real stub. Scenario tests attack it through `meddle`, the taps and the board.
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import type { AgentMemory, AgentOutcome, Customer } from '../../agent/ports.ts';
import { ShortMemory } from '../../agent/ports.ts';
import { runAgentJob } from '../../agent/session.ts';
import { StubRegistry } from '../../agent/stubs.ts';
import { StlinkDriver } from '../../agent/probe/stlink/driver.ts';
import { WebUsbTransport } from '../../agent/probe/stlink/webusb-transport.ts';
import type { UsbDeviceLike } from '../../agent/probe/stlink/transport.ts';
import { compileFlash } from '../../controller/compile.ts';
import { makeRoom } from '../../controller/invite.ts';
import type { Image } from '../../controller/image/image.ts';
import { jobId, newRecord, publicInviteOf, type JobRecord, type RoomRecord } from '../../controller/job.ts';
import { startControllerJob } from '../../controller/run.ts';
import type { JobEvent, JobStore, Patience, RunningJob } from '../../controller/session/ports.ts';
import { makeKeys, type VendorKeys } from '../../controller/keys.ts';
import { Relay } from '../../relay/relay.ts';
import { everyTenant } from '../../relay/tenants.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { holderKey } from '../../shared/invite.ts';
import { psk } from '../../shared/crypto/keys.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { silentLog, type Link, type Log } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/protocol/ticket.ts';
import type { SignedText } from '../../shared/receipt.ts';
import { RoomClient } from '../../shared/room-client.ts';
import { verifyEd25519 } from '../../shared/runtime/verify.ts';
import { Board, type BoardOptions } from '../../sim/board.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import type { FirmwareSwitches } from '../../sim/stlink/firmware.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../sim/stlink/virtual-usb.ts';
import { linkPair, type Meddle } from './links.ts';
import { seededRandom } from './seeded.ts';

const prebuilt = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../stub/prebuilt/stub-${name}.bin`, import.meta.url)));

export const STUB_IMAGE = prebuilt('stm32f42x');
export const STUBS = new StubRegistry([
  { name: 'stm32f42x', image: STUB_IMAGE },
  { name: 'stm32f4', image: prebuilt('stm32f4') },
]);
const RELAY_URL = 'ws://relay.test/';
/** Virtual time after which a run counts as hanging. */
const LONGEST_RUN_NS = 6 * 3600e9;

export interface WorldOptions {
  readonly seed?: number;
  readonly board?: BoardOptions;
  readonly probe?: IdentityName;
  /** What only a real probe could tell, set otherwise than by default. */
  readonly firmware?: Partial<FirmwareSwitches>;
  /** One way between a side and the relay, ms. */
  readonly delayMs?: number;
  /** Attacker on the wire between the agent (a) or controller (a) and the relay (b). */
  readonly meddleAgent?: Meddle;
  readonly meddleController?: Meddle;
  /** Where relay, controller and agent log; nowhere unless given. */
  readonly log?: Log;
}

/** One dialled link as seen from its side of the relay. */
export interface Dialled {
  readonly side: 'agent' | 'controller';
  readonly near: Link;
}

/** Everything that can be captured on the way. */
export interface Captures {
  readonly relay: Uint8Array[];
  readonly usb: Uint8Array[];
  readonly swd: number[];
}

export interface FlashOptions {
  readonly lock?: Plan['lock'];
  readonly label?: string;
  /** Sectors may be skipped across jobs. */
  readonly delta?: boolean;
  readonly consent?: boolean;
  readonly confirmCode?: (code: string) => boolean | Promise<boolean>;
  /** Called before the plan is encoded. */
  readonly idleLimitMs?: number;
  /** Instead of the one compiled for the image. */
  readonly plan?: Plan;
  /** What the agent remembers; nothing unless given. */
  readonly memory?: AgentMemory;
  /** The customer's Ctrl-C. */
  readonly signal?: AbortSignal;
  readonly patience?: Partial<Patience>;
  /** Called when the customer is asked; his answer instead of `consent`. */
  readonly askConsent?: () => Promise<boolean>;
  readonly stubs?: StubRegistry;
  /** The customer gives up this long after the vendor's side has ended, ms; he waits for ever unless given. */
  readonly givesUpAfterMs?: number;
}

export interface Outcome {
  readonly agent: AgentOutcome;
  /** Undefined when the controller's job failed. */
  readonly receipt: SignedText | undefined;
  readonly error: unknown;
  readonly events: readonly JobEvent[];
}

/** One virtual world; make a fresh one for every test. */
export class World {
  readonly queue = new EventQueue();
  readonly board: Board;
  readonly stlink: VirtualStlink;
  readonly usb: VirtualUsbDevice;
  readonly relay: Relay;
  readonly keys: VendorKeys;
  readonly random: ReturnType<typeof seededRandom>;
  readonly captures: Captures = { relay: [], usb: [], swd: [] };
  readonly receipts: SignedText[] = [];
  readonly codes: { agent: string[]; vendor: string[] } = { agent: [], vendor: [] };
  readonly sheets: string[] = [];
  /** What the customer was told. */
  readonly said: string[] = [];
  /** Virtual time of every relay and USB capture, ns; part of a run's trace. */
  readonly capturedAt: number[] = [];
  /** Every link dialled, oldest first. */
  readonly links: Dialled[] = [];
  /** The vendor's record after every save, oldest first. */
  readonly saved: JobRecord[] = [];
  room: RoomRecord | undefined;
  running: RunningJob | undefined;
  readonly #options: WorldOptions;
  readonly #kept = new Map<string, SignedText>();
  #vendors = 0;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.random = seededRandom(options.seed ?? 1);
    this.board = new Board({ seed: options.seed ?? 1, ...options.board });
    this.board.powerOn();
    this.stlink = new VirtualStlink({
      board: this.board,
      identity: options.probe ?? 'v2',
      ...(options.firmware === undefined ? {} : { switches: options.firmware }),
      onExchange: ({ command, dataOut, reply }) => {
        this.capturedAt.push(this.queue.nowNs);
        this.captures.usb.push(command.slice(), (dataOut ?? new Uint8Array()).slice(), reply.slice());
      },
      onSwd: (record) => this.captures.swd.push(record.value >>> 0),
    });
    this.usb = new VirtualUsbDevice({ stlink: this.stlink, queue: this.queue });
    this.keys = makeKeys(this.random);
    this.relay = new Relay({
      name: relayNameOf(RELAY_URL),
      findTenant: everyTenant,
      verify: verifyEd25519,
      clock: this.queue,
      random: this.random,
      log: this.log,
    });
  }

  get log(): Log {
    return this.#options.log ?? silentLog;
  }

  /** A driver nobody has opened yet. */
  probe(): StlinkDriver {
    const device: UsbDeviceLike = this.usb;
    return new StlinkDriver(new WebUsbTransport(device, { clock: this.queue }), { clock: this.queue });
  }

  /** A fresh link to the relay for one side, through that side's attacker. */
  dial(meddle?: Meddle, side: Dialled['side'] = 'agent'): Promise<Link> {
    const { delayMs = 5 } = this.#options;
    const [near, far] = linkPair({
      queue: this.queue,
      delayMs,
      ...(meddle === undefined ? {} : { meddle }),
      tap: (message) => {
        this.capturedAt.push(this.queue.nowNs);
        this.captures.relay.push(message.slice());
      },
    });
    this.relay.accept(far);
    this.links.push({ side, near });
    return Promise.resolve(near);
  }

  /** Breaks the newest link of a side, as a network does: no goodbye. */
  dropLink(side: Dialled['side']): void {
    this.links
      .filter((link) => link.side === side)
      .at(-1)
      ?.near.close(1006, 'network');
  }

  newRoom(): RoomRecord {
    this.room = makeRoom({
      relayUrl: RELAY_URL,
      tenant: this.keys.tenant,
      expires: Math.floor(this.queue.wall() / 1000) + 86_400,
      capKiB: 1 << 20,
      random: this.random,
    });
    return this.room;
  }

  planFor(image: Image, options: FlashOptions = {}): Plan {
    return compileFlash(image, requireChip(this.board.chip.devId), {
      job: this.random.bytes(16),
      lock: options.lock ?? 'none',
      ...(options.delta === undefined ? {} : { delta: options.delta }),
      ...(options.label === undefined ? {} : { label: options.label }),
      ...(options.idleLimitMs === undefined ? {} : { idleLimitMs: options.idleLimitMs }),
    });
  }

  record(image: Image | undefined, plan: Plan, room = this.newRoom()): JobRecord {
    return newRecord(room, plan, image, this.queue.wall());
  }

  store(): JobStore {
    const kept = this.#kept;
    return {
      save: (record) => {
        this.saved.push(record);
        return Promise.resolve();
      },
      receipt: (job, uid) => Promise.resolve(kept.get(`${job}/${uid}`)),
      storeReceipt: (job, uid, receipt) => {
        kept.set(`${job}/${uid}`, receipt);
        this.receipts.push(receipt);
        return Promise.resolve();
      },
    };
  }

  customer(options: FlashOptions = {}): Customer {
    return {
      say: (text) => void this.said.push(text),
      showCode: (code) => void this.codes.agent.push(code),
      showSheet: (sheet) => void this.sheets.push(JSON.stringify(sheet)),
      askConsent: () => options.askConsent?.() ?? Promise.resolve(options.consent ?? true),
      progress: () => {},
    };
  }

  /** Starts the vendor's side of a job. */
  startVendor(image: Image | undefined, record: JobRecord, events: JobEvent[], options: FlashOptions = {}): RunningJob {
    this.running = startControllerJob({
      clock: this.queue,
      random: seededRandom((this.#options.seed ?? 1) + 1000 + this.#vendors++),
      log: this.log,
      ...(options.patience === undefined ? {} : { patience: options.patience }),
      store: this.store(),
      keys: { sealed: this.keys.sealed, receipt: this.keys.receipt },
      record,
      image,
      allowedStubs: STUBS.hashes,
      ...(options.delta === undefined ? {} : { delta: options.delta }),
      callbacks: {
        confirmCode: (code) => {
          this.codes.vendor.push(code);
          return Promise.resolve(options.confirmCode?.(code) ?? true);
        },
        onEvent: (event) => void events.push(event),
      },
      dial: () => this.dial(this.#options.meddleController, 'controller'),
    });
    return this.running;
  }

  /** Runs the customer's side of a job. */
  runAgent(record: JobRecord, options: FlashOptions = {}): Promise<AgentOutcome> {
    const { room } = record;
    const secret = psk(room.inviteSecret ?? new Uint8Array(32));
    return runAgentJob({
      probe: this.probe(),
      room: new RoomClient({
        dial: () => this.dial(this.#options.meddleAgent, 'agent'),
        dialledHost: relayNameOf(RELAY_URL),
        clock: this.queue,
        random: this.random,
        ticket: room.agentTicket,
        holderSecretKey: holderKey(secret).secretKey,
        log: this.log,
      }),
      invite: publicInviteOf(room),
      inviteSecret: secret,
      memory: options.memory ?? new ShortMemory(),
      stubs: options.stubs ?? STUBS,
      signal: options.signal,
      customer: this.customer(options),
      clock: this.queue,
      random: this.random,
      log: this.log,
      version: '0.0.0-test',
    });
  }

  /** One whole job, both sides, driven to its end. */
  async flash(image: Image, options: FlashOptions = {}): Promise<Outcome> {
    return this.run(image, this.record(image, options.plan ?? this.planFor(image, options)), options);
  }

  /** Both sides of a job that is on record, driven to their ends. */
  async run(image: Image | undefined, record: JobRecord, options: FlashOptions = {}): Promise<Outcome> {
    const events: JobEvent[] = [];
    const job = this.startVendor(image, record, events, options);
    const patience = this.#customersPatience(job, options);
    return this.finish(job, this.runAgent(record, { ...options, ...patience }), events);
  }

  #customersPatience(job: RunningJob, { givesUpAfterMs }: FlashOptions): Pick<FlashOptions, 'signal'> {
    if (givesUpAfterMs === undefined) return {};
    const control = new AbortController();
    const ended = (): void => void this.queue.after(givesUpAfterMs, () => control.abort());
    job.done.then(ended, ended);
    return { signal: control.signal };
  }

  /** Drives the queue until both sides have ended. */
  async finish(job: RunningJob, agent: Promise<AgentOutcome>, events: readonly JobEvent[]): Promise<Outcome> {
    let error: unknown;
    const vendor = job.done.then(
      (result) => result.receipt,
      (reason: unknown) => {
        error = reason;
        return undefined;
      },
    );
    const [outcome, receipt] = await this.queue.drive(Promise.all([agent, vendor]), this.queue.nowNs + LONGEST_RUN_NS);
    return { agent: outcome, receipt, error, events };
  }

  jobId(record: JobRecord): string {
    return jobId(record);
  }
}

/** SHA-512 for tests. */
export const sha512 = (bytes: Uint8Array): Uint8Array => nacl.hash(bytes);
