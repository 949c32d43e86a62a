// A device with a loader in the lab of docs/performance.md: the whole product over the serial line in virtual time,
// with the network's model, taps on line and flash, and a customer who takes no time.
import type { AgentOutcome, Customer } from '../../agent/session/ports.ts';
import type { Image } from '../../controller/image/image.ts';
import type { JobEvent, KnownDevice, RunningJob } from '../../controller/job/ports.ts';
import type { SideName } from '../../shared/link/ticket.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Place } from '../../shared/registry/states.ts';
import type { Link } from '../../shared/ports.ts';
import type { FlashJournalEntry } from '../../sim/peripherals/flash-operation.ts';
import { DeviceFixture } from '../../test/fixtures/devices.ts';
import { FLASH, IMAGE } from '../../test/integration/loader/loader-fixture.ts';
import { MeasuredNetwork, type Network } from '../job/network.ts';
import type { TimedEvent } from '../job/product.ts';
import { WatchedLine } from './line.ts';

/** A measured job that takes longer than this of virtual time hangs, ns. */
const LIMIT_NS = 3600e9;

export interface MeasuredDeviceOptions {
  readonly seed: number;
  readonly network: Network;
  /** The image's sectors hold something else; they are empty without. */
  readonly old: boolean;
}

/** An operation of the flash hardware, ms. */
export interface FlashOperation {
  readonly erase: boolean;
  readonly address: number;
  readonly start: number;
  readonly end: number;
}

export class MeasuredDevice extends DeviceFixture {
  readonly operations: FlashOperation[] = [];
  readonly events: TimedEvent[] = [];
  readonly line: WatchedLine;
  /** When the customer said yes, ms, and what had left the agent by then. */
  yes = { at: Number.NaN, sent: 0 };
  readonly #network: MeasuredNetwork;
  #code = '';
  #started = 0;

  constructor({ seed, network, old }: MeasuredDeviceOptions) {
    super({ seed, version: '0.0.0-bench' });
    if (old) this.board.flash.bytes.fill(0x5a, IMAGE - FLASH);
    this.#network = new MeasuredNetwork(this.queue, network, seed);
    this.line = new WatchedLine(this.serialPort(), seed);
    this.board.flash.onOperation = (entry) => this.#operation(entry);
  }

  override async dial(side: SideName): Promise<Link> {
    return this.#network.dial(side, (far) => this.relay.accept(far));
  }

  override customer(): Customer {
    return {
      say: () => {},
      showCode: (code) => void (this.#code = code),
      showSheet: () => {},
      askConsent: () => {
        this.yes = { at: this.queue.now(), sent: this.line.sent };
        return Promise.resolve(true);
      },
      progress: () => {},
    };
  }

  /** Enrols the device. @throws when it fails */
  async enrolHere(place: Place): Promise<void> {
    await this.runJob(undefined, this.enrolPlan(place));
  }

  /** One job, both sides, to its end. @throws when either fails */
  async runJob(image: Image | undefined, plan: Plan, device?: KnownDevice): Promise<void> {
    const record = this.record(image, plan);
    this.events.length = this.operations.length = 0;
    const job: RunningJob = this.controller({
      record,
      image,
      ...this.told(device),
      callbacks: {
        onEvent: (event: JobEvent) => {
          this.events.push({ at: this.queue.now(), event });
          if (event.type === 'code') void job.answerCode(this.#code, event.tunnel);
        },
      },
    });
    const agent: Promise<AgentOutcome> = this.agent(record.room, {
      serialPort: this.line,
      customer: this.customer(),
    });
    await this.queue.drive(Promise.all([job.done, agent]), this.queue.nowNs + LIMIT_NS);
  }

  #operation({ kind, phase, atNs, address }: FlashJournalEntry): void {
    if (phase === 'start') this.#started = atNs / 1e6;
    else this.operations.push({ erase: kind === 'erase', address, start: this.#started, end: atNs / 1e6 });
  }
}
