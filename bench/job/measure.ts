// Runs one job and says where its time went (docs/performance.md, "Where the time goes"). All times
// are virtual milliseconds.
import type { Image } from '../../controller/image/image.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import type { FlashTimes } from './flash-watch.ts';
import { floorOf, type Floor } from './floor.ts';
import { CHIP, MeasuredProduct } from './product.ts';
import { earlierContents, oldContents, randomImage } from './images.ts';
import type { MessageTrace } from './messages.ts';
import { transferMs, type LegBytes, type Network } from './network.ts';

export interface JobSpec {
  readonly name: string;
  readonly kiB: number;
  readonly probe: IdentityName;
  readonly network: Network;
  /** Fixed cost of a USB command, ms; the probe's own model without. */
  readonly commandMs?: number;
  /** The chip was empty; full of other data without. */
  readonly virgin?: boolean;
  /** Share of 4 KB blocks of the image that are FF. */
  readonly ff?: number;
  /** The plan locks the chip. */
  readonly lock?: boolean;
  /** The board holds the image already, but for a byte in each of these sectors, and the job runs under `--delta`. */
  readonly delta?: { readonly changed: readonly number[] };
  /** Run the network model alone over the same messages, too. */
  readonly transfer?: boolean;
  readonly seed?: number;
}

export interface Item {
  readonly what: string;
  readonly ms: number;
}

export interface LegSummary {
  readonly leg: string;
  readonly up: number;
  readonly down: number;
  readonly repeated: number;
}

export interface MeasuredJob {
  readonly spec: JobSpec;
  readonly swdKHz: number;
  /** Of the sectors that were erased. */
  readonly floor: Floor;
  readonly erased: readonly number[];
  /** The chip was digesting what it had not just written. */
  readonly digesting: number;
  /** First erase, or first word where nothing is erased, to last word of the image. */
  readonly flashing: number;
  /** Yes to first erase, and last word to receipt. */
  readonly rest: number;
  /** Yes to receipt. */
  readonly total: number;
  /** Yes until the agent has left the board. */
  readonly left: number;
  readonly roundTrips: number;
  readonly usbCommands: number;
  readonly legs: readonly LegSummary[];
  readonly wordsProgrammed: number;
  /** Everything between yes and receipt that is not floor. */
  readonly above: readonly Item[];
  /** The TCP model alone, ms. */
  readonly transfer: number | undefined;
  /** Processor time of the simulation, which on an idle machine is wall time. */
  readonly processorSeconds: number;
}

/** One fresh flash job, yes to receipt. @throws Error when it fails */
export async function measureJob(spec: JobSpec): Promise<MeasuredJob> {
  const started = process.cpuUsage();
  const seed = spec.seed ?? 1;
  const image = randomImage(spec.kiB, seed + 100, spec.ff);
  const { probe, network, commandMs, lock } = spec;
  const ways = { delta: spec.delta !== undefined, lock };
  const product = new MeasuredProduct({ seed, probe, network, commandMs, flash: oldContents(spec.virgin !== true) });
  const plan = product.plan(image, ways);
  if (spec.delta !== undefined) {
    product.board.soc.memories.flash.bytes.set(earlierContents(image, plan, CHIP, spec.delta.changed));
  }
  const record = product.record(image, plan);
  const vendor = product.startJob(image, record, ways);
  const agent = product.startAgent(record);
  await product.drive(Promise.all([vendor.done, agent]));
  const times = product.watch.times;
  const receipt = product.events.find(({ event }) => event.type === 'receipt');
  const left = product.events.find(({ event }) => event.type === 'left');
  if (times === undefined || receipt === undefined) throw new Error(`${spec.name}: nothing was written`);
  requireWritten(product, image);
  const erasures = product.events.flatMap(({ event }) => (event.type === 'erased' ? [event] : []));
  const erased = erasures.filter(({ how }) => how !== 'blank').map(({ sector }) => sector);
  const floor = floorOf(image, plan, CHIP, erasures);
  const sizes = product.trace.passages.filter(({ from }) => from === 'controller').map(({ bytes }) => bytes);
  return {
    spec,
    swdKHz: product.swdKHz,
    floor,
    erased,
    digesting: product.watch.digesting,
    flashing: times.lastWord - times.first,
    rest: times.first - product.yesAt + receipt.at - times.lastWord,
    total: receipt.at - product.yesAt,
    left: (left?.at ?? Number.NaN) - product.yesAt,
    roundTrips: product.trace.roundTrips,
    usbCommands: product.exchanges.length,
    legs: product.network.legs().map(summary),
    wordsProgrammed: times.words,
    above: [...before(product, times), ...during(times, floor), ...after(product.trace, times, receipt.at)],
    transfer: spec.transfer === true ? await transferMs(new EventQueue(), network, seed, sizes) : undefined,
    processorSeconds: secondsSince(started),
  };
}

function secondsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1e6;
}

/** A figure for a job that wrote something else is worth nothing. */
function requireWritten(product: MeasuredProduct, image: Image): void {
  const flash = product.board.soc.memories.flash;
  for (const { address, bytes } of image.segments) {
    if (Buffer.compare(flash.bytes.subarray(address - flash.base, address - flash.base + bytes.length), bytes) !== 0) {
      throw new Error('the flash does not hold the image');
    }
  }
}

function summary({ leg, up, down }: LegBytes): LegSummary {
  return { leg, up: up.wire, down: down.wire, repeated: up.repeated + down.repeated };
}

const READ_MEMORY_32 = 0x07;
const LOAD_BLOCK_BYTES = 1024;

/** Yes to first erase. */
function before(product: MeasuredProduct, times: FlashTimes): Item[] {
  const { trace, yesAt, exchanges } = product;
  const offer = trace.first('agent', ['sealed1'], yesAt);
  const answer = trace.first('controller', ['sealed2'], yesAt);
  const confirm = trace.first('agent', ['sealed3'], yesAt);
  const frame = trace.first('controller', ['command'], yesAt);
  if (offer === undefined || answer === undefined || confirm === undefined || frame === undefined) return [];
  const loads = exchanges.filter(
    ({ command, reply, startNs, endNs }) =>
      command[1] === READ_MEMORY_32 &&
      reply.length >= LOAD_BLOCK_BYTES &&
      startNs / 1e6 >= yesAt &&
      endNs / 1e6 <= offer.sent,
  );
  const loaded = (loads.at(-1)?.endNs ?? yesAt * 1e6) / 1e6;
  return [
    { what: 'before: stub loaded and read back', ms: loaded - yesAt },
    { what: 'before: stub started, first handshake message', ms: offer.sent - loaded },
    { what: 'before: network, handshake', ms: answer.arrived - offer.sent },
    { what: 'before: key agreement on the chip', ms: confirm.sent - answer.arrived },
    { what: 'before: network, first sealed command', ms: Math.max(0, frame.arrived - confirm.sent) },
    { what: 'before: first command through the mailbox', ms: times.first - Math.max(frame.arrived, confirm.sent) },
  ];
}

/** First erase to last word, less the floor. */
function during({ idle, erasing, programming }: FlashTimes, floor: Floor): Item[] {
  return [
    { what: 'flash: hardware slower than floor', ms: erasing + programming - floor.total },
    { what: 'flash: between two words', ms: idle.nextWord },
    { what: 'flash: command not opened yet', ms: idle.frame },
    { what: 'flash: digest', ms: idle.digest },
    { what: 'flash: ring empty', ms: idle.empty },
  ];
}

/** Last word to receipt. */
function after(trace: MessageTrace, times: FlashTimes, receipt: number): Item[] {
  const written = trace.passages.find(({ kind, arrived }) => kind === 'reply' && arrived === receipt);
  if (written === undefined) return [];
  const final = trace.passages.findLast(
    ({ from, kind, arrived }) => from === 'controller' && kind === 'command' && arrived <= times.lastBootWord,
  );
  const finalAt = Math.max(times.lastWord, final?.arrived ?? 0);
  return [
    { what: 'after: digest and round trip before FINAL is there', ms: finalAt - times.lastWord },
    { what: 'after: FINAL up to the last boot word', ms: times.lastBootWord - finalAt },
    { what: 'after: boot words read back, reply fetched', ms: written.sent - times.lastBootWord },
    { what: 'after: network', ms: receipt - written.sent },
  ];
}
