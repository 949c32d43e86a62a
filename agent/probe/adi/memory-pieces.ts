// How one memory transfer of any length becomes transfers that fit a probe's blocks and do not cross a TAR wrap. Pure.
// Alignment and address increment: ADIv5 (IHI 0031) §C2.2.
import { fail } from '../../../shared/errors/errors.ts';
import type { AccessWidth } from './memory-access.ts';

/** One command's worth of memory; `at` is its offset in the whole transfer. Lengths in bytes. */
export interface MemoryPiece {
  readonly address: number;
  readonly at: number;
  readonly length: number;
  readonly width: AccessWidth;
}

export interface PieceLimits {
  /** Most bytes of one 16/32-bit transfer; a multiple of 4. */
  readonly maxBlock: number;
  /** Most bytes of one 8-bit transfer. */
  readonly maxBlock8: number;
  /** No piece crosses a multiple of this address distance. */
  readonly boundary: number;
}

const ADDRESS_SPACE = 2 ** 32;

/**
 * The pieces of a transfer, in address order.
 * @throws BF-TARGET-ALIGNMENT when `width` is given and does not fit; BF-INTERNAL-ARGUMENT beyond 2^32.
 */
export function memoryPieces(
  address: number,
  length: number,
  width: AccessWidth | undefined,
  limits: PieceLimits,
): MemoryPiece[] {
  const whole = [address, length].every((value) => Number.isInteger(value) && value >= 0);
  if (!whole || address + length > ADDRESS_SPACE) {
    throw fail('BF-INTERNAL-ARGUMENT', `memory range ${address}+${length}`);
  }
  const spans = width === undefined ? mixedSpans(address, length) : [strictSpan(address, length, width)];
  return spans.flatMap((span) => cut(span, limits));
}

function strictSpan(address: number, length: number, width: AccessWidth): MemoryPiece {
  const unit = width / 8;
  if (address % unit !== 0 || length % unit !== 0) {
    throw fail('BF-TARGET-ALIGNMENT', `0x${address.toString(16)}+${length} by ${width} bits`);
  }
  return { address, at: 0, length, width };
}

/** Bytes up to the first word, words, bytes after the last. */
function mixedSpans(address: number, length: number): MemoryPiece[] {
  const head = Math.min(-address & 3, length);
  const tail = (length - head) & 3;
  const body = length - head - tail;
  return [
    { address, at: 0, length: head, width: 8 },
    { address: address + head, at: head, length: body, width: 32 },
    { address: address + head + body, at: head + body, length: tail, width: 8 },
  ];
}

function cut(span: MemoryPiece, limits: PieceLimits): MemoryPiece[] {
  const most = span.width === 8 ? limits.maxBlock8 : limits.maxBlock;
  const pieces: MemoryPiece[] = [];
  for (let done = 0; done < span.length;) {
    const address = span.address + done;
    const toBoundary = limits.boundary - (address % limits.boundary);
    const length = Math.min(span.length - done, most, toBoundary);
    pieces.push({ address, at: span.at + done, length, width: span.width });
    done += length;
  }
  return pieces;
}
