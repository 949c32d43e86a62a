// Which 64 bytes of an image are its boot words, written last: those the chip starts from, or those a boot loader that
// is on the chip already looks at. What counts as a vector table is the rule of the hardware (DDI0403 §B1.5.5 "Reset
// behavior"), not that of a compiler.
import { inRam, sectorAt, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { BOOT_WORDS_BYTES, type Plan } from '../../shared/plan/plan.ts';
import type { Image } from '../image/image.ts';
import { bytesAt, endOf, hexAddress, type Segment } from '../image/segments.ts';

/** An address, what `findBootWords` finds, or none: the image is data. */
export type BootChoice = number | 'found' | 'none';

/**
 * Address of the boot words, undefined for data. The address the chip starts from wins when the image has anything
 * there: were it not written last, half an image could start.
 * @throws BF-IMAGE-BOOT-WORDS when nothing in the image is a vector table, and when the choice contradicts the image,
 *   BF-IMAGE-DATA for data in the first sector.
 */
export function chooseBootWords(image: Image, chip: Chip, choice: BootChoice): number | undefined {
  const atStart = segmentAt(image, chip.flashBase);
  if (choice === 'none') return requireData(image, chip);
  if (choice !== 'found') {
    if (choice !== chip.flashBase && atStart !== undefined && isVectorTable(atStart, image, chip)) {
      throw refused(`the chip starts from ${hexAddress(chip.flashBase)}, where the image has a vector table, too`);
    }
    return choice;
  }
  if (atStart !== undefined) {
    if (isVectorTable(atStart, image, chip)) return atStart.address;
    throw refused(`${hexAddress(chip.flashBase)}, where the chip starts; ${ADVICE}`);
  }
  const [lowest] = tablesOf(image, chip);
  if (lowest !== undefined) return lowest.address;
  const starts = image.segments.map(({ address }) => hexAddress(address)).slice(0, 4);
  throw refused(`looked at ${starts.join(', ')}; ${ADVICE}`);
}

const ADVICE = '--boot names an address, --boot none says that the image is data';

/** What was chosen and why, for the plan of a kind with boot words. Lines without ends. */
export function describeBoot(plan: Plan, chip: Chip, image: Image | undefined): string[] {
  const start = hexAddress(chip.flashBase);
  if (plan.bootAddress === undefined) {
    return ['none: the image is data, written in order; what the board starts from is not touched'];
  }
  const chosen = `64 bytes at ${hexAddress(plan.bootAddress)}, written last`;
  if (plan.bootAddress === chip.flashBase || image === undefined) return [chosen];
  const others = tablesOf(image, chip).filter(({ address }) => address !== plan.bootAddress);
  const [first] = plan.sectors;
  return [
    chosen,
    segmentAt(image, chip.flashBase) === undefined
      ? `because the image has nothing at ${start}, where the chip starts; what is there must start it`
      : `because --boot names it; at ${start}, where the chip starts, the image has no vector table`,
    ...others.slice(0, 1).map(({ address }) => `another vector table is at ${hexAddress(address)}; --boot names which`),
    ...(first === 0
      ? [`sector 0 is erased, and the image does not start the chip from ${start}: it will not start`]
      : []),
  ];
}

/** The segments that begin with a vector table, ascending. */
function tablesOf(image: Image, chip: Chip): Segment[] {
  return image.segments.filter((segment) => isVectorTable(segment, image, chip));
}

/**
 * A Thumb entry inside the image and a stack in RAM, or just behind it. The core takes the stack pointer without its
 * two lowest bits, whatever they are.
 */
function isVectorTable(segment: Segment, image: Image, chip: Chip): boolean {
  if (segment.bytes.length < 8) return false;
  const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset);
  const [stack, entry] = [view.getUint32(0, true), view.getUint32(4, true)];
  const isCode = () => image.segments.some((part) => entry - 1 >= part.address && entry < endOf(part));
  return inRam(chip, stack - (stack % 4) - 4, 4) && entry % 2 === 1 && isCode();
}

/** Data stays away from the sector the chip starts from. */
function requireData(image: Image, chip: Chip): undefined {
  const first = sectorAt(chip, chip.flashBase);
  const end = chip.flashBase + (first?.bytes ?? 0);
  const inside = image.segments.find((segment) => segment.address < end);
  if (inside === undefined) return;
  throw fail('BF-IMAGE-DATA', `the image has data at ${hexAddress(inside.address)}`);
}

function segmentAt(image: Image, address: number): Segment | undefined {
  return image.segments.find((segment) => segment.address <= address && address < endOf(segment));
}

/** The 64 boot words belong to one range, even when the image's first segment is shorter: the rest reads FF. */
export function withBootWords(segments: readonly Segment[], boot: number, chip: Chip): Segment[] {
  if (boot % 4 !== 0) throw refused(`${hexAddress(boot)} is not on 4 bytes`);
  const holder = segments.findIndex((segment) => boot >= segment.address && boot < endOf(segment));
  if (holder < 0) throw refused(`the image has nothing at ${hexAddress(boot)}`);
  const sector = sectorAt(chip, boot);
  const end = boot + BOOT_WORDS_BYTES;
  if (sector === undefined || end > sector.base + sector.bytes) {
    throw refused(`the 64 bytes at ${hexAddress(boot)} do not lie in one sector`);
  }
  return joinOverlapping(segments.map((segment, index) => (index === holder ? reachingTo(segment, end) : segment)));
}

function reachingTo(segment: Segment, end: number): Segment {
  if (endOf(segment) >= end) return segment;
  return { address: segment.address, bytes: bytesAt([segment], segment.address, end - segment.address) };
}

/** After lengthening one segment the next ones may lie inside it or touch it. */
function joinOverlapping(segments: readonly Segment[]): Segment[] {
  const joined: Segment[] = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    if (last === undefined || segment.address > endOf(last)) {
      joined.push(segment);
    } else {
      const length = Math.max(endOf(last), endOf(segment)) - last.address;
      const bytes = bytesAt([last], last.address, length);
      bytes.set(segment.bytes, segment.address - last.address);
      joined[joined.length - 1] = { address: last.address, bytes };
    }
  }
  return joined;
}

function refused(detail: string) {
  return fail('BF-IMAGE-BOOT-WORDS', detail);
}
