// Runs one job that writes an image to an enrolled device over the serial line, and says where its time went. All
// times are virtual milliseconds.
import type { Image } from '../../controller/image/image.ts';
import type { JobEvent } from '../../controller/job/ports.ts';
import { expectedDigests, imageSteps } from '../../controller/plan/steps.ts';
import { BOX_SIZES } from '../../shared/mailbox/layout.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Place } from '../../shared/registry/states.ts';
import { SHORT_IMAGE_BYTES } from '../../shared/sealed/messages.ts';
import { cobsMost } from '../../shared/serial/cobs.ts';
import { FRAME_BYTES, SEQUENCE_BYTES } from '../../shared/serial/packets.ts';
import { imageOf } from '../../test/fixtures/images.ts';
import { FLASH, IMAGE, spinning } from '../../test/integration/loader/loader-fixture.ts';
import { floorOf, type Floor } from '../job/floor.ts';
import type { Item } from '../job/measure.ts';
import type { Network } from '../job/network.ts';
import { CHIP } from '../job/product.ts';
import { MeasuredDevice, type FlashOperation } from './product.ts';

export interface LoaderJobSpec {
  readonly name: string;
  readonly kiB: number;
  readonly place: Place;
  readonly network: Network;
  /** The image's sectors hold something else. */
  readonly old?: boolean;
  /** Share of the packets on the serial line, either way, that arrive damaged. */
  readonly damaged?: number;
  readonly seed?: number;
}

export interface MeasuredLoaderJob {
  readonly spec: LoaderJobSpec;
  readonly floor: Floor;
  /** What the line takes for the sealed image at the rate in use, once. */
  readonly wire: number;
  /** Bit rate the two sides agreed on. */
  readonly rate: number;
  /** Yes to receipt. */
  readonly total: number;
  readonly items: readonly Item[];
  /** Bytes the agent sent, yes to receipt. */
  readonly sent: number;
  readonly damagedPackets: number;
  readonly processorSeconds: number;
}

/** One job, yes to receipt. @throws Error when it fails */
export async function measureLoaderJob(spec: LoaderJobSpec): Promise<MeasuredLoaderJob> {
  const started = process.cpuUsage();
  const { seed = 1, network, old = false, place, damaged = 0 } = spec;
  const product = new MeasuredDevice({ seed, network, old });
  await product.enrolHere(place);
  const bytes = spinning(spec.kiB * 1024, seed + 100);
  const image = imageOf([IMAGE, bytes]);
  const { plan, device } = await product.installPlan(image, 5);
  product.line.loss = damaged;
  await product.runJob(image, plan, device);
  requireWritten(product, bytes);
  const { user, system } = process.cpuUsage(started);
  const receipt = at(product, 'receipt');
  return {
    spec,
    floor: floorOf(image, plan, CHIP, erasedOf(product)),
    wire: product.line.msFor(wireBytes(plan, image)),
    rate: product.line.rate,
    total: receipt - product.yes.at,
    items: itemsOf(product, receipt),
    sent: product.line.sent - product.yes.sent,
    damagedPackets: product.line.damaged,
    processorSeconds: (user + system) / 1e6,
  };
}

/** A figure for a job that wrote something else is worth nothing. */
function requireWritten({ board }: MeasuredDevice, bytes: Uint8Array): void {
  const found = board.flash.bytes.subarray(IMAGE - FLASH, IMAGE - FLASH + bytes.length);
  if (Buffer.compare(found, bytes) !== 0) throw new Error('the flash does not hold the image');
}

function at({ events }: MeasuredDevice, type: JobEvent['type']): number {
  const found = events.find(({ event }) => event.type === type);
  if (found === undefined) throw new Error(`no ${type}`);
  return found.at;
}

const erasedOf = ({ events }: MeasuredDevice) =>
  events.flatMap(({ event }) => (event.type === 'erased' ? [event] : []));

/** Bytes of the packets that carry the image. */
function wireBytes(plan: Plan, image: Image): number {
  const expected = expectedDigests(plan, image, CHIP);
  const steps = plan.sectors.flatMap((sector) => [...imageSteps(plan, image, expected, sector)]);
  const around = FRAME_BYTES.type + SEQUENCE_BYTES + FRAME_BYTES.crc;
  const boxes = steps.map(({ data }) => (data.length <= SHORT_IMAGE_BYTES ? BOX_SIZES.command : BOX_SIZES.image));
  return boxes.reduce((sum, box) => sum + cobsMost(around + box) + 1, 0);
}

const inImage = ({ address }: FlashOperation): boolean => address >= IMAGE;
const BOOT_WORDS = 16;

/** Yes to receipt, piece by piece; together they are all of it. */
function itemsOf(product: MeasuredDevice, receipt: number): Item[] {
  const { operations, yes } = product;
  const image = operations.filter(inImage);
  const last = image.at(-1 - BOOT_WORDS) as FlashOperation;
  const lastBoot = image.at(-1) as FlashOperation;
  const first = image[0] as FlashOperation;
  const within = image.slice(0, -BOOT_WORDS);
  const lasted = (erase: boolean): number =>
    within.filter((one) => one.erase === erase).reduce((sum, { start, end }) => sum + end - start, 0);
  const [erasing, programming] = [lasted(true), lasted(false)];
  const sealed = at(product, 'sealed');
  return [
    { what: 'yes to the sealed session, confirmed at the vendor', ms: sealed - yes.at },
    { what: 'to the first erase', ms: first.start - sealed },
    { what: 'erasing', ms: erasing },
    { what: 'programming', ms: programming },
    { what: 'flash stands still up to the last word', ms: last.end - first.start - erasing - programming },
    { what: 'last word to last boot word', ms: lastBoot.end - last.end },
    { what: 'last boot word to receipt', ms: receipt - lastBoot.end },
  ];
}
