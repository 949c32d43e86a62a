// UF2 (Microsoft, "USB Flashing Format", github.com/microsoft/uf2): blocks of 512 bytes, each with its own address.
// Little-endian.
import { copyOf, u32le } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { joinRuns } from './runs.ts';
import { hexAddress, type Segment } from './segments.ts';

const BLOCK_BYTES = 512;
const MOST_DATA = 476;
const DATA_AT = 32;
/** The words a block begins with, and the one it ends with. */
const MAGIC = [0x0a324655, 0x9e5d5157] as const;
const MAGIC_END = 0x0ab16f30;
export const UF2_MAGIC = u32le(MAGIC[0]);
const FLAGS = { notFlash: 0x1, container: 0x1000, family: 0x2000 } as const;
/** Family ids of the STM32F4 (utils/uf2families.json there). */
const FAMILIES: ReadonlySet<number> = new Set([0x57755a57, 0x6d0922fa, 0x8fb060fe]);

interface Block {
  readonly flags: number;
  readonly address: number;
  readonly number: number;
  readonly blocks: number;
  /** Undefined where the file names none. */
  readonly family: number | undefined;
  readonly bytes: Uint8Array;
}

/**
 * The blocks for this family of chips, or for none in particular; those for others and those not meant for flash are
 * left out.
 * @throws BF-IMAGE-UF2 for a broken block, for one that is missing or there twice, and for a file that is all for other
 *   chips.
 */
export function readUf2(file: Uint8Array): Segment[] {
  if (file.length % BLOCK_BYTES !== 0) throw malformed(`${file.length} bytes are not whole blocks of ${BLOCK_BYTES}`);
  const blocks = Array.from({ length: file.length / BLOCK_BYTES }, (_, index) => readBlock(file, index));
  const flash = blocks.filter(({ flags }) => (flags & (FLAGS.notFlash | FLAGS.container)) === 0);
  const ours = flash.filter(({ family }) => family === undefined || FAMILIES.has(family));
  const [other] = flash;
  if (ours.length === 0 && other?.family !== undefined) {
    throw malformed(`it is for the family ${hexAddress(other.family)}, not for the STM32F4`);
  }
  for (const family of new Set(ours.map((block) => block.family))) {
    requireAll(blocks.filter((block) => block.family === family));
  }
  return joinRuns(ours);
}

function readBlock(file: Uint8Array, index: number): Block {
  const start = index * BLOCK_BYTES;
  const view = new DataView(file.buffer, file.byteOffset + start, BLOCK_BYTES);
  const word = (at: number) => view.getUint32(at, true);
  if (word(0) !== MAGIC[0] || word(4) !== MAGIC[1] || word(BLOCK_BYTES - 4) !== MAGIC_END) {
    throw malformed(`block ${index} does not begin and end as one`);
  }
  const [flags, address, length, number, blocks] = [word(8), word(12), word(16), word(20), word(24)];
  if (length > MOST_DATA) throw malformed(`block ${index} says ${length} bytes of data`);
  const family = (flags & FLAGS.family) === 0 ? undefined : word(28);
  return { flags, address, number, blocks, family, bytes: copyOf(file, start + DATA_AT, start + DATA_AT + length) };
}

/** Every number from 0 to one less than the blocks announced, once. */
function requireAll(blocks: readonly Block[]): void {
  const numbers = new Set(blocks.map(({ number }) => number));
  const odd = blocks.find((block) => block.blocks !== blocks.length || block.number >= blocks.length);
  if (odd !== undefined || numbers.size !== blocks.length) {
    throw malformed(
      `${blocks.length} blocks of the ${odd?.blocks ?? blocks.length} announced are there, or one is there twice`,
    );
  }
}

function malformed(detail: string) {
  return fail('BF-IMAGE-UF2', detail);
}
