// The whole product in virtual time, in the lab of docs/performance.md: taps on network, probe and flash.
import { KnownStubs } from '../../agent/target/stubs.ts';
import { ShortMemory, type AgentOutcome, type Customer } from '../../agent/session/ports.ts';
import type { Image } from '../../controller/image/image.ts';
import type { JobRecord } from '../../controller/store/job-record.ts';
import type { JobEvent, RunningJob } from '../../controller/job/ports.ts';
import { compileFlash } from '../../controller/plan/compile.ts';
import { requireChip } from '../../shared/chips/index.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Link } from '../../shared/ports.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import type { ExchangeRecord } from '../../sim/stlink/virtual-stlink.ts';
import { STUB_IMAGE } from '../../test/fixtures/board.ts';
import { ProductFixture } from '../../test/fixtures/product.ts';
import { FlashWatch } from './flash-watch.ts';
import { MessageTrace } from './messages.ts';
import { MeasuredNetwork, type Network } from './network.ts';

const F427 = 0x419;
/** A measured job that takes longer than this of virtual time hangs, ns. */
const LIMIT_NS = 6 * 3600e9;

export const CHIP = requireChip(F427);

export interface MeasuredOptions {
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

export class MeasuredProduct extends ProductFixture {
  readonly trace: MessageTrace;
  readonly watch: FlashWatch;
  readonly network: MeasuredNetwork;
  readonly exchanges: ExchangeRecord[] = [];
  readonly events: TimedEvent[] = [];
  /** When the customer said yes, ms. */
  yesAt = Number.NaN;
  readonly #memory = new ShortMemory();
  /** What the customer reads out, without taking time for it. */
  #code = '';

  constructor({ seed, probe, flash, commandMs, network }: MeasuredOptions) {
    super({
      seed,
      board: { flash },
      probe,
      cost: commandMs === undefined ? {} : { commandNs: commandMs * 1e6 },
      stubs: new KnownStubs([{ name: 'stm32f42x', image: STUB_IMAGE }]),
      version: '0.0.0-bench',
    });
    this.watch = new FlashWatch(this.board, this.queue);
    this.trace = new MessageTrace(this.queue);
    this.network = new MeasuredNetwork(this.queue, network, seed);
  }

  protected override exchanged(record: ExchangeRecord): void {
    this.exchanges.push(record);
  }

  /** SWD clock in use, kHz. */
  get swdKHz(): number {
    return this.stlink.swdKHz;
  }
  /** The vendor's record as last stored. */
  get stored(): JobRecord | undefined {
    return this.saved.at(-1);
  }

  plan(image: Image, { delta = false, lock = false }: JobWays = {}): Plan {
    return compileFlash(image, CHIP, { job: this.random.bytes(16), delta, lock: lock ? 'level 1' : 'none' });
  }

  /** Runs until `work` is done. */
  drive<T>(work: Promise<T>): Promise<T> {
    return this.queue.drive(work, LIMIT_NS);
  }

  startJob(
    image: Image,
    record: JobRecord,
    { delta = false }: JobWays = {},
    onEvent: (event: JobEvent) => void = () => {},
  ): RunningJob {
    const job = this.controller({
      record,
      image,
      delta,
      callbacks: {
        onEvent: (event) => {
          this.events.push({ at: this.queue.now(), event });
          if (event.type === 'code') void job.answerCode(this.#code, event.tunnel);
          onEvent(event);
        },
      },
    });
    return job;
  }

  /** The customer's side; an agent started again has the memory of the one before. */
  startAgent(record: JobRecord): Promise<AgentOutcome> {
    return this.agent(record.room, { memory: this.#memory });
  }

  override async dial(side: SideName): Promise<Link> {
    return this.trace.watch(side, await this.network.dial(side, (far) => this.relay.accept(far)));
  }

  override customer(): Customer {
    return {
      say: () => {},
      showCode: (code) => void (this.#code = code),
      showSheet: () => {},
      askConsent: () => {
        this.yesAt = this.queue.now();
        return Promise.resolve(true);
      },
      progress: () => {},
    };
  }
}
