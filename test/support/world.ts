// The whole product in one process and virtual time: controller, relay, agent, driver, virtual ST-LINK, virtual F427 with the
// real stub. Scenario tests attack it through `meddle`, the taps and the board.
import { readFileSync } from 'node:fs';
import nacl from 'tweetnacl';
import type { AgentOutcome, Customer } from '../../agent/ports.ts';
import { ShortMemory } from '../../agent/ports.ts';
import { runAgentJob } from '../../agent/session.ts';
import { StubRegistry } from '../../agent/stubs.ts';
import { StlinkDriver } from '../../agent/probe/stlink/driver.ts';
import { WebUsbTransport } from '../../agent/probe/stlink/webusb-transport.ts';
import type { UsbDeviceLike } from '../../agent/probe/stlink/transport.ts';
import { compileFlash } from '../../controller/compile.ts';
import { makeRoom } from '../../controller/invite.ts';
import type { Image } from '../../controller/image/image.ts';
import { imageHash } from '../../controller/image/image.ts';
import { jobId, publicInviteOf, type JobRecord, type RoomRecord } from '../../controller/job.ts';
import { startControllerJob } from '../../controller/run.ts';
import type { JobEvent, JobStore, RunningJob } from '../../controller/session/ports.ts';
import { makeKeys, type VendorKeys } from '../../controller/keys.ts';
import { Relay } from '../../relay/relay.ts';
import { everyTenant } from '../../relay/tenants.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { holderKey } from '../../shared/invite.ts';
import { psk } from '../../shared/crypto/keys.ts';
import { encodePlan, type Plan } from '../../shared/plan/plan.ts';
import { silentLog, type Link } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/protocol/ticket.ts';
import type { SignedText } from '../../shared/receipt.ts';
import { RoomClient } from '../../shared/room-client.ts';
import { verifyEd25519 } from '../../shared/runtime/verify.ts';
import { Board, type BoardOptions } from '../../sim/board.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { VirtualStlink } from '../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../sim/stlink/virtual-usb.ts';
import { linkPair, type Meddle } from './links.ts';
import { seededRandom } from './seeded.ts';

export const STUB_IMAGE = new Uint8Array(
  readFileSync(new URL('../../stub/prebuilt/stub-stm32f42x.bin', import.meta.url)),
);
export const STUBS = new StubRegistry([{ name: 'stm32f42x', image: STUB_IMAGE }]);
const RELAY_URL = 'ws://relay.test/';
const F427 = 0x419;

export interface WorldOptions {
  readonly seed?: number;
  readonly board?: BoardOptions;
  readonly probe?: IdentityName;
  /** One way between a side and the relay, ms. */
  readonly delayMs?: number;
  /** Attacker on the wire between the agent (a) or controller (a) and the relay (b). */
  readonly meddleAgent?: Meddle;
  readonly meddleController?: Meddle;
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
  readonly consent?: boolean;
  readonly confirmCode?: (code: string) => boolean;
  /** Called before the plan is encoded. */
  readonly idleLimitMs?: number;
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
  room: RoomRecord | undefined;
  running: RunningJob | undefined;
  readonly #options: WorldOptions;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.random = seededRandom(options.seed ?? 1);
    this.board = new Board({ seed: options.seed ?? 1, ...options.board });
    this.board.powerOn();
    this.stlink = new VirtualStlink({
      board: this.board,
      identity: options.probe ?? 'v2',
      onExchange: ({ command, dataOut, reply }) => {
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
      log: silentLog,
    });
  }

  /** A driver nobody has opened yet. */
  probe(): StlinkDriver {
    const device: UsbDeviceLike = this.usb;
    return new StlinkDriver(new WebUsbTransport(device, { clock: this.queue }), { clock: this.queue });
  }

  /** A fresh link to the relay for one side, through that side's attacker. */
  dial(meddle?: Meddle): Promise<Link> {
    const { delayMs = 5 } = this.#options;
    const [near, far] = linkPair({
      queue: this.queue,
      delayMs,
      ...(meddle === undefined ? {} : { meddle }),
      tap: (message) => this.captures.relay.push(message.slice()),
    });
    this.relay.accept(far);
    return Promise.resolve(near);
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
    return compileFlash(image, requireChip(F427), {
      job: this.random.bytes(16),
      lock: options.lock ?? 'none',
      ...(options.label === undefined ? {} : { label: options.label }),
      ...(options.idleLimitMs === undefined ? {} : { idleLimitMs: options.idleLimitMs }),
    });
  }

  record(image: Image, plan: Plan, room = this.newRoom()): JobRecord {
    return {
      room,
      plan: encodePlan(plan),
      imageHash: imageHash(image),
      created: this.queue.wall(),
      uid: undefined,
      acknowledged: [],
      board: 'untouched',
      finished: false,
    };
  }

  store(): JobStore {
    const kept = new Map<string, SignedText>();
    return {
      save: () => Promise.resolve(),
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
      say: () => {},
      showCode: (code) => void this.codes.agent.push(code),
      showSheet: (sheet) => void this.sheets.push(JSON.stringify(sheet)),
      askConsent: () => Promise.resolve(options.consent ?? true),
      progress: () => {},
    };
  }

  /** Starts the vendor's side of a job. */
  startVendor(image: Image, record: JobRecord, events: JobEvent[], options: FlashOptions = {}): RunningJob {
    this.running = startControllerJob({
      clock: this.queue,
      random: seededRandom((this.#options.seed ?? 1) + 1000),
      log: silentLog,
      store: this.store(),
      keys: { sealed: this.keys.sealed, receipt: this.keys.receipt },
      record,
      image,
      allowedStubs: STUBS.hashes,
      callbacks: {
        confirmCode: (code) => {
          this.codes.vendor.push(code);
          return Promise.resolve(options.confirmCode?.(code) ?? true);
        },
        onEvent: (event) => void events.push(event),
      },
      dial: () => this.dial(this.#options.meddleController),
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
        dial: () => this.dial(this.#options.meddleAgent),
        dialledHost: relayNameOf(RELAY_URL),
        clock: this.queue,
        random: this.random,
        ticket: room.agentTicket,
        holderSecretKey: holderKey(secret).secretKey,
      }),
      invite: publicInviteOf(room),
      inviteSecret: secret,
      memory: new ShortMemory(),
      stubs: STUBS,
      customer: this.customer(options),
      clock: this.queue,
      random: this.random,
      log: silentLog,
      version: '0.0.0-test',
    });
  }

  /** One whole job, both sides, driven to its end. */
  async flash(image: Image, options: FlashOptions = {}): Promise<Outcome> {
    const record = this.record(image, this.planFor(image, options));
    const events: JobEvent[] = [];
    const job = this.startVendor(image, record, events, options);
    const agent = this.runAgent(record, options);
    let error: unknown;
    const vendor = job.done.then(
      (result) => result.receipt,
      (reason: unknown) => {
        error = reason;
        return undefined;
      },
    );
    const [outcome, receipt] = await this.queue.drive(Promise.all([agent, vendor]), 6 * 3600e9);
    return { agent: outcome, receipt, error, events };
  }

  jobId(record: JobRecord): string {
    return jobId(record);
  }
}

/** SHA-512 for tests. */
export const sha512 = (bytes: Uint8Array): Uint8Array => nacl.hash(bytes);
