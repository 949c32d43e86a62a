// Deliberate damage: one encoding is turned into its neighbour on the core's side, as if the decoder had mixed them up.
import type { KindName } from './program.ts';

export interface Plant {
  readonly name: string;
  readonly kind: KindName;
  /** First half-word and second half-word, with the bits that matter. */
  readonly mask: readonly [number, number];
  readonly value: readonly [number, number];
  /** Bits to flip. */
  readonly flip: readonly [number, number];
}

export const PLANTS: readonly Plant[] = [
  { name: 'umaal-as-umlal', kind: 'integer', mask: [0xfff0, 0xf0], value: [0xfbe0, 0x60], flip: [0, 0x60] },
  { name: 'adcs-as-sbcs', kind: 'integer', mask: [0xfff0, 0x8000], value: [0xeb50, 0], flip: [0x20, 0] },
  { name: 'ldrsh-as-ldrh', kind: 'integer', mask: [0xfff0, 0], value: [0xf9b0, 0], flip: [0x100, 0] },
  { name: 'qadd-as-qdadd', kind: 'integer', mask: [0xfff0, 0xf0f0], value: [0xfa80, 0xf080], flip: [0, 0x10] },
  { name: 'vfma-as-vfms', kind: 'float', mask: [0xffb0, 0xe50], value: [0xeea0, 0xa00], flip: [0, 0x40] },
  { name: 'vcvtr-as-vcvt', kind: 'float', mask: [0xffbe, 0xed0], value: [0xeebc, 0xa40], flip: [0, 0x80] },
  { name: 'svc-as-movs', kind: 'exceptions', mask: [0xff00, 0], value: [0xdf00, 0], flip: [0xff00, 0] },
];

/** A copy of `image` with every encoding of `planted` changed. */
export function plant(image: Uint8Array, { mask, value, flip }: Plant): Uint8Array {
  const changed = image.slice();
  const view = new DataView(changed.buffer);
  for (let at = 64; at + 4 <= changed.length; at += 2) {
    const pair = [view.getUint16(at, true), view.getUint16(at + 2, true)] as const;
    if ((pair[0] & mask[0]) !== value[0] || (pair[1] & mask[1]) !== value[1]) continue;
    view.setUint16(at, pair[0] ^ flip[0], true);
    view.setUint16(at + 2, pair[1] ^ flip[1], true);
  }
  return changed;
}
