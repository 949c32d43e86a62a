// One whole job of the product in virtual time, with the bench's network and taps: controller, relay, agent, driver, virtual ST-LINK
// and virtual F427 with the real stub. The same pieces as test/fixtures/world.ts; here nothing attacks and everything is timed.
import { readFileSync } from 'node:fs';
import { ShortMemory, type Customer } from '../../agent/session/ports.ts';
import { StlinkDriver } from '../../agent/probe/stlink/driver.ts';
import type { UsbDeviceLike } from '../../agent/probe/usb/usb-device.ts';
import { WebUsbTransport } from '../../agent/probe/stlink/webusb-transport.ts';
import { runAgentJob } from '../../agent/session/agent-session.ts';
import { StubRegistry } from '../../agent/target/stubs.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import type { Image } from '../../controller/image/image.ts';
import { makeRoom } from '../../controller/job/invite.ts';
import { newRecord, publicInviteOf, type JobRecord } from '../../controller/job/job-record.ts';
import { makeKeys, type VendorKeys } from '../../controller/store/keys.ts';
import { startControllerJob } from '../../controller/job/run.ts';
import type { JobEvent, RunningJob } from '../../controller/job/ports.ts';
import type { RunStore } from '../../controller/store/port.ts';
import { Relay } from '../../relay/core/relay.ts';
import { everyTenant } from '../../relay/core/tenants.ts';
import { fixedControl } from '../../relay/control/fixed.ts';
import { requireChip } from '../../shared/chips/index.ts';
import { psk } from '../../shared/crypto/keys.ts';
import { holderKey } from '../../shared/tunnel/invite.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import { silentLog } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/link/ticket.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';
import { RoomClient } from '../../shared/link/room-client.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { Board } from '../../sim/board.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { VirtualStlink, type ExchangeRecord } from '../../sim/stlink/virtual-stlink.ts';
import { VirtualUsbDevice } from '../../sim/stlink/virtual-usb.ts';
import { seededRandom } from '../../test/fixtures/seeded.ts';
import { FlashWatch } from './flash-watch.ts';
import { MessageTrace, type Side } from './messages.ts';
import { BenchNetwork, type Network } from './network.ts';

const STUB = new Uint8Array(readFileSync(new URL('../../firmware/prebuilt/stub-stm32f42x.bin', import.meta.url)));
const STUBS = new StubRegistry([{ name: 'stm32f42x', image: STUB }]);
const RELAY_URL = 'ws://relay.test/';
const F427 = 0x419;
/** A bench job that takes longer than this of virtual time hangs, ns. */
const LIMIT_NS = 6 * 3600e9;

export const CHIP = requireChip(F427);

export interface HouseOptions {
  readonly seed: number;
  readonly probe: IdentityName;
  readonly network: Network;
  /** Fixed cost of a USB command and its reply, ms; the probe's own model without. */
  readonly commandMs?: number | undefined;
  /** What is in flash beforehand. */
  readonly flash: Uint8Array;
}

/** What a job does otherwise than the plainest one. */
export interface JobWays {
  /** Runs under `--delta`. */
  readonly delta?: boolean | undefined;
  /** The plan locks the chip. */
  readonly lock?: boolean | undefined;
}

/** An event of the job with its time, ms. */
export interface TimedEvent {
  readonly at: number;
  readonly event: JobEvent;
}

export class House {
  readonly queue = new EventQueue();
  readonly board: Board;
  readonly trace: MessageTrace;
  readonly watch: FlashWatch;
  readonly network: BenchNetwork;
  readonly exchanges: ExchangeRecord[] = [];
  readonly events: TimedEvent[] = [];
  /** When the customer said yes, ms. */
  yesAt = Number.NaN;
  /** As last stored. */
  record: JobRecord | undefined;
  readonly #stlink: VirtualStlink;
  readonly #usb: VirtualUsbDevice;
  readonly #relay: Relay;
  readonly #keys: VendorKeys;
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #receipts = new Map<string, SignedText>();
  readonly #memory = new ShortMemory();

  constructor(options: HouseOptions) {
    const { seed, probe, flash, commandMs, network } = options;
    this.#random = seededRandom(seed);
    this.board = new Board({ seed, flash });
    this.board.powerOn();
    const cost = commandMs === undefined ? {} : { commandNs: commandMs * 1e6 };
    const onExchange = (record: ExchangeRecord): void => void this.exchanges.push(record);
    this.#stlink = new VirtualStlink({ board: this.board, identity: probe, cost, onExchange });
    this.#usb = new VirtualUsbDevice({ stlink: this.#stlink, queue: this.queue });
    this.watch = new FlashWatch(this.board, this.queue);
    this.trace = new MessageTrace(this.queue);
    this.network = new BenchNetwork(this.queue, network, seed);
    this.#keys = makeKeys(this.#random);
    this.#relay = new Relay({
      name: relayNameOf(RELAY_URL),
      control: fixedControl(everyTenant),
      verify: verifyEd25519,
      clock: this.queue,
      random: this.#random,
      log: silentLog,
    });
  }

  /** SWD clock in use, kHz. */
  get swdKHz(): number {
    return this.#stlink.swdKHz;
  }

  plan(image: Image, ways: JobWays = {}): Plan {
    const { delta = false, lock = false } = ways;
    return compileFlash(image, CHIP, { job: this.#random.bytes(16), delta, lock: lock ? 'level 1' : 'none' });
  }

  newRecord(image: Image, plan: Plan): JobRecord {
    const expires = Math.floor(this.queue.wall() / 1000) + 86_400;
    const room = makeRoom({
      relayUrl: RELAY_URL,
      tenant: this.#keys.tenant,
      expires,
      capKiB: 1 << 20,
      random: this.#random,
    });
    return newRecord(room, plan, image, this.queue.wall());
  }

  /** Runs until `work` is done. */
  drive<T>(work: Promise<T>): Promise<T> {
    return this.queue.drive(work, LIMIT_NS);
  }

  startVendor(
    image: Image,
    record: JobRecord,
    { delta = false }: JobWays = {},
    onEvent: (event: JobEvent) => void = () => {},
  ): RunningJob {
    return startControllerJob({
      clock: this.queue,
      random: this.#random,
      log: silentLog,
      store: this.#store(),
      keys: { sealed: this.#keys.sealed, receipt: this.#keys.receipt },
      record,
      image,
      delta,
      allowedStubs: STUBS.hashes,
      callbacks: {
        confirmCode: () => Promise.resolve(true),
        onEvent: (event) => {
          this.events.push({ at: this.queue.now(), event });
          onEvent(event);
        },
      },
      dial: () => this.#dial('controller'),
    });
  }

  /** The customer's side; an agent started again has the memory of the one before. */
  runAgent(record: JobRecord): ReturnType<typeof runAgentJob> {
    const secret = psk(record.room.inviteSecret ?? new Uint8Array(32));
    const device: UsbDeviceLike = this.#usb;
    return runAgentJob({
      probe: new StlinkDriver(new WebUsbTransport(device, { clock: this.queue }), { clock: this.queue }),
      room: new RoomClient({
        dial: () => this.#dial('agent'),
        dialledHost: relayNameOf(RELAY_URL),
        clock: this.queue,
        random: this.#random,
        ticket: record.room.agentTicket,
        holderSecretKey: holderKey(secret).secretKey,
      }),
      invite: publicInviteOf(record.room),
      inviteSecret: secret,
      memory: this.#memory,
      stubs: STUBS,
      customer: this.#customer(),
      clock: this.queue,
      random: this.#random,
      log: silentLog,
      version: '0.0.0-bench',
    });
  }

  async #dial(side: Side): ReturnType<BenchNetwork['dial']> {
    return this.trace.watch(side, await this.network.dial(side, (far) => this.#relay.accept(far)));
  }

  #customer(): Customer {
    return {
      say: () => {},
      showCode: () => {},
      showSheet: () => {},
      askConsent: () => {
        this.yesAt = this.queue.now();
        return Promise.resolve(true);
      },
      progress: () => {},
    };
  }

  #store(): RunStore {
    return {
      save: (record) => {
        this.record = record;
        return Promise.resolve();
      },
      receipt: (job, uid) => Promise.resolve(this.#receipts.get(`${job}/${uid}`)),
      storeReceipt: (job, uid, receipt) => {
        this.#receipts.set(`${job}/${uid}`, receipt);
        return Promise.resolve();
      },
    };
  }
}
