// A plain binary: bytes without addresses; the caller says where they belong.
import { copyOf } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Segment } from './segments.ts';

/**
 * The whole file as one segment.
 * @throws BF-IMAGE-BASE when no base is given, BF-IMAGE-ADDRESS off a 4-byte boundary.
 */
export function readBin(file: Uint8Array, base: number | undefined): Segment[] {
  if (base === undefined) throw fail('BF-IMAGE-BASE');
  if (!Number.isInteger(base) || base < 0 || base > 0xffffffff || base % 4 !== 0) {
    throw fail('BF-IMAGE-ADDRESS', `${base}`);
  }
  return [{ address: base, bytes: copyOf(file) }];
}
