// Where a chip differs from an image, as far as questions that are answered equal or not can tell: which questions to
// ask, and what their answers come to in words (docs/protocol.md §8 "Questions").
import type { Image } from '../image/image.ts';
import { bytesAt, hexAddress } from '../image/segments.ts';
import { questionAbout, type Expectation, type ExpectedRange, type Question } from '../plan/steps.ts';
import { QUESTION_LIMITS } from '../../shared/sealed/messages.ts';

/** This many equal bytes of 00 or FF in a row are what linkers and converters fill gaps with. */
const PADDING_BYTES = 16;

/**
 * Questions that together cover the plan, each as small as the stub answers: at most `left` of them.
 * None when only one about the whole plan could be asked.
 */
export function placeQuestions({ ranges }: Expectation, left: number): Question[] {
  let groups = groupsOf(ranges);
  while (groups.length > left && groups.length > 1) groups = pairsOf(groups);
  return groups.length < 2 ? [] : groups.flatMap((group) => questionAbout(group, 'after') ?? []);
}

/** Runs of ranges of at least as many bytes as a question has to cover. */
function groupsOf(ranges: readonly ExpectedRange[]): ExpectedRange[][] {
  const groups: ExpectedRange[][] = [];
  let isOpen = false;
  for (const range of ranges) {
    if (isOpen) groups.at(-1)?.push(range);
    else groups.push([range]);
    isOpen = bytesOf(groups.at(-1) ?? []) < QUESTION_LIMITS.leastBytes;
  }
  const last = isOpen && groups.length > 1 ? groups.pop() : undefined;
  groups.at(-1)?.push(...(last ?? []));
  return groups;
}

function pairsOf(groups: readonly ExpectedRange[][]): ExpectedRange[][] {
  return Array.from({ length: Math.ceil(groups.length / 2) }, (_, at) => groups.slice(2 * at, 2 * at + 2).flat());
}

/** What the answers say. One sentence without its full stop. */
export function describeDifference(
  expected: Expectation,
  image: Image,
  questions: readonly Question[],
  answers: readonly boolean[],
): string {
  const total = bytesOf(expected.ranges);
  const differing = questions
    .filter((_, index) => answers[index] !== true)
    .flatMap(({ first, count }) => expected.ranges.slice(first, first + count));
  if (questions.length === 0) return `something among ${total} bytes; no smaller part can be asked about`;
  if (differing.length === 0) return 'every part by itself is equal now: the flash changes while it is read';
  const places = joined(differing).map(({ from, end }) => `${hexAddress(from)}..${hexAddress(end - 1)}`);
  const padding = differing.reduce(
    (sum, { address, length }) => sum + paddingIn(bytesAt(image.segments, address, length)),
    0,
  );
  const hint =
    padding === 0
      ? ''
      : `; ${padding} bytes of the image there are padding (00 or FF), which another build may fill otherwise`;
  return `in ${places.join(', ')}, ${bytesOf(differing)} of ${total} bytes; all else is equal${hint}`;
}

/** Neighbours are one. */
function joined(ranges: readonly ExpectedRange[]): { readonly from: number; readonly end: number }[] {
  const runs: { from: number; end: number }[] = [];
  for (const { address, length } of ranges) {
    const last = runs.at(-1);
    if (last?.end === address) last.end += length;
    else runs.push({ from: address, end: address + length });
  }
  return runs;
}

function paddingIn(bytes: Uint8Array): number {
  let sum = 0;
  let run = 0;
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at];
    if (run > 0 && byte === bytes[at - 1]) {
      run++;
      continue;
    }
    if (run >= PADDING_BYTES) sum += run;
    run = byte === 0x00 || byte === 0xff ? 1 : 0;
  }
  return sum;
}

function bytesOf(ranges: readonly ExpectedRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}
