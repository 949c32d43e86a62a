// Image files by chance in the dialects tools write: records of many lengths, bases of both kinds, descending and torn
// lines, empty records, starts, counts, text behind the end, line ends of all systems.
import { HEX_END, hexRecord, srecRecord } from '../../fixtures/image-files.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

export interface TextImage {
  readonly format: 'hex' | 'srec';
  readonly text: string;
}

type Dice = ReturnType<typeof seededRandom>;
type Piece = readonly [address: number, data: readonly number[]];

const SIZES = [1, 4, 16, 16, 16, 32, 44, 255] as const;
const START = [8, 0, 1, 1] as const;

/** Pieces of one to three stretches, each torn into records. */
function pieces(dice: Dice, base: number, room: number): Piece[] {
  const all: Piece[] = [];
  let at = base;
  for (let left = 1 + dice.int(3); left > 0; left--) {
    at += dice.int(room / 4);
    const end = at + 1 + dice.int(room / 8);
    const size = SIZES[dice.int(SIZES.length)] ?? 16;
    for (; at < end; at += size) all.push([at, [...dice.bytes(size)]]);
  }
  return dice.int(4) === 0 ? all.reverse() : all;
}

function hexLines(dice: Dice): string[] {
  const inSegments = dice.int(3) === 0;
  const lines: string[] = [];
  let upper = -1;
  for (const [address, data] of pieces(dice, inSegments ? 0x10000 : 0x08000000 + dice.int(0x40000), 0x8000)) {
    if (upper !== address >>> 16) {
      upper = address >>> 16;
      const base = inSegments ? upper << 12 : upper;
      lines.push(hexRecord(0, inSegments ? 2 : 4, [(base >>> 8) & 0xff, base & 0xff]));
    }
    const cut = inSegments ? Math.min(data.length, 0x10000 - (address & 0xffff)) : data.length;
    lines.push(hexRecord(address & 0xffff, 0, data.slice(0, cut)));
    if (dice.int(12) === 0) lines.push(hexRecord(address & 0xffff, 0, []));
  }
  if (dice.int(2) === 0) lines.push(hexRecord(0, inSegments ? 3 : 5, START));
  lines.push(dice.int(4) === 0 ? hexRecord(0x101, 1, []) : HEX_END);
  return dice.int(4) === 0 ? [...lines, '\u001a'] : lines;
}

function srecLines(dice: Dice): string[] {
  const type = 1 + dice.int(3);
  const base = [0, 0x100, 0x20000, 0x08000000][type] ?? 0;
  const lines = dice.int(4) === 0 ? [] : [srecRecord(0, 0, [...Buffer.from('firmware')])];
  const data = pieces(dice, base, type === 1 ? 0x2000 : 0x8000).map(([address, bytes]) =>
    srecRecord(type, address, bytes.slice(0, 250)),
  );
  lines.push(...data);
  const counts = dice.int(2) === 0;
  if (counts) lines.push(srecRecord(5, data.length, []));
  if (!counts || dice.int(3) > 0) lines.push(srecRecord(10 - type, base, []));
  return lines;
}

/** The file of a seed. */
export function textImage(seed: number): TextImage {
  const dice = seededRandom(seed);
  const format = dice.int(2) === 0 ? 'hex' : 'srec';
  const lines = format === 'hex' ? hexLines(dice) : srecLines(dice);
  const end = dice.int(3) === 0 ? '\r\n' : '\n';
  const text = lines.join(end) + end;
  return { format, text: format === 'hex' && dice.int(3) === 0 ? text.toLowerCase() : text };
}
