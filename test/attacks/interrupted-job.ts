// A job whose processes die and whose board loses its power, with the questions for the code that it costs.
import { crc32 } from 'node:zlib';
import { ShortMemory } from '../../agent/session/ports.ts';
import type { JobRecord } from '../../controller/store/job-record.ts';
import type { JobEvent, RunningJob } from '../../controller/job/ports.ts';
import { VirtualProcess } from '../chaos/process.ts';
import { MEMORY } from '../fixtures/f42x.ts';
import { takeProbe } from '../fixtures/hostile-probe.ts';
import { bootable, FLASH, imageOf } from '../fixtures/images.ts';
import { ProductFixture, type RunOptions, type RunOutcome } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';

/** More than the mailbox holds at a time, so that there is something to interrupt. */
const IMAGE = imageOf([FLASH, bootable(90, 12_000)], [FLASH + 0x10000, seededRandom(91).bytes(60_000)]);
const TIMEOUTS = { arrival: 60_000, peer: 60_000, sealed: 60_000, work: 60_000, left: 5000, code: 600_000 };
const TRAILER_BYTES = 16;

/** Something that happens at the desk in the middle of a job. */
export interface Interruptions {
  /** The next process of the agent comes after `ms`, 2000 unless given. */
  killAgent(ms?: number): void;
  killVendor(): void;
  cutPower(ms: number): void;
  /** The next sealed box for the chip is written with a flipped bit, everything around it made to fit. */
  spoilBox(): void;
}

/** start: before anything; confirmed: the chip's key has gone on record; or once flash has begun so many operations. */
export type Moment = 'start' | 'confirmed' | number;

export interface InterruptedJobOptions extends RunOptions {
  /** The vendor types the code of this tunnel so much later, ms. */
  readonly late?: { readonly tunnel: number; readonly ms: number };
}

/** One job with an interruption; how often was the code asked for? */
export async function jobWith(
  seed: number,
  moment: Moment,
  interrupt: (job: Interruptions) => void,
  { late, ...options }: InterruptedJobOptions = {},
): Promise<RunOutcome & { readonly questions: number; readonly product: ProductFixture }> {
  const product = new ProductFixture({ seed });
  const typeCode: RunOptions['typeCode'] = (shown, { tunnel }) =>
    tunnel === late?.tunnel ? new Promise((resolve) => product.queue.after(late.ms, () => resolve(shown))) : shown;
  const interrupted = new InterruptedJob(product, { typeCode, ...options });
  let left = typeof moment === 'number' ? moment : 1;
  const reached = (at: Moment): void => {
    if (typeof at === typeof moment && (typeof at === 'number' || at === moment) && --left === 0) {
      product.queue.at(product.queue.nowNs, () => interrupt(interrupted));
    }
  };
  product.board.flash.onOperation = ({ phase }) => {
    if (phase === 'start') reached(0);
  };
  interrupted.onSaved = ({ devices }) => {
    if (devices.length > 0) reached('confirmed');
  };
  reached('start');
  const outcome = await interrupted.run();
  return { ...outcome, questions: product.asked.length, product };
}

class InterruptedJob implements Interruptions {
  readonly #product: ProductFixture;
  readonly #options: RunOptions;
  readonly #memory = new ShortMemory();
  readonly #events: JobEvent[] = [];
  readonly #record;
  #job: RunningJob;
  #customer: VirtualProcess | undefined;
  #agent!: Promise<RunOutcome['agent']>;
  #resolveAgent: (outcome: RunOutcome['agent']) => void = () => {};
  #spoil = false;
  onSaved: (record: JobRecord) => void = () => {};

  constructor(product: ProductFixture, options: RunOptions) {
    this.#product = product;
    this.#options = { timeouts: TIMEOUTS, ...options };
    this.#record = product.record(IMAGE, product.planFor(IMAGE, options), {
      ...(options.codePolicy === undefined ? {} : { codePolicy: options.codePolicy }),
    });
    const store = product.store.bind(product);
    product.store = () => {
      const kept = store();
      return {
        ...kept,
        save: (record) => {
          this.onSaved(record);
          return kept.save(record);
        },
      };
    };
    takeProbe(product, { write: (address, bytes) => this.#written(address, bytes) });
    this.#agent = new Promise((resolve) => (this.#resolveAgent = resolve));
    this.#job = product.startVendor(IMAGE, this.#record, this.#events, this.#options);
    this.#startAgent();
  }

  async run(): Promise<RunOutcome> {
    for (;;) {
      const job = this.#job;
      const outcome = await this.#product.finish(job, this.#agent, this.#events);
      if (job === this.#job) return outcome;
    }
  }

  killAgent(ms = 2000): void {
    this.#customer?.kill();
    void this.#product.usb.close();
    this.#product.queue.after(ms, () => this.#startAgent());
  }

  killVendor(): void {
    const stored = structuredClone(this.#product.saved.at(-1)!);
    this.#job.interrupt();
    this.#job.done.catch(() => {});
    this.#product.queue.after(8000, () => {
      this.#job = this.#product.startVendor(IMAGE, stored, this.#events, this.#options);
      this.#job.done.catch(() => {});
    });
  }

  cutPower(ms: number): void {
    this.#product.board.powerOff();
    this.#product.queue.after(ms, () => this.#product.board.powerOn());
  }

  spoilBox(): void {
    this.#spoil = true;
  }

  #startAgent(): void {
    const product = this.#product;
    const customer = new VirtualProcess('agent', product.queue);
    this.#customer = customer;
    const work = product.agent(this.#record.room, {
      probe: customer.probe(product.probe(customer.clock)),
      dial: async () => customer.link(await product.dial('agent')),
      memory: this.#memory,
      clock: customer.clock,
      customer: product.customer(this.#options),
    });
    void customer.results(work).then(this.#resolveAgent);
  }

  #written(address: number, bytes: Uint8Array): Uint8Array {
    const { commands } = MEMORY;
    const inRing = address >= commands.address && address < commands.address + commands.size;
    if (!this.#spoil || !inRing || bytes.length <= TRAILER_BYTES + 20) return bytes;
    this.#spoil = false;
    return spoilt(bytes);
  }
}

/** A slot with one bit of its box flipped and a checksum that fits again. */
function spoilt(slot: Uint8Array): Uint8Array {
  const view = new DataView(slot.buffer, slot.byteOffset, slot.length);
  const end = slot.length - TRAILER_BYTES;
  const length = view.getUint32(end, true);
  slot[end - 1]! ^= 1;
  const covered = Buffer.concat([slot.subarray(end - length, end + 4), slot.subarray(slot.length - 4)]);
  view.setUint32(end + 4, crc32(covered), true);
  return slot;
}
