// Looks for plaintext in what an observer holds (docs/threat-model.md, "read along"): any 8 consecutive bytes of the image,
// except runs of fewer than 4 distinct bytes, which occur by themselves in padding and tables.

const RUN = 8;
const LEAST_DISTINCT = 4;

/** How many windows of `image` are worth looking for, and a scanner that counts those found in a haystack. */
export interface LeakScanner {
  /** Distinct 8-byte runs that are looked for. */
  readonly windows: number;
  /** Offsets in `haystack` at which a run of the image begins; at most `limit` of them. */
  find(haystack: Uint8Array, limit?: number): number[];
}

/** Indexes every telling 8-byte run of `image`. */
export function leakScanner(image: Uint8Array): LeakScanner {
  const index = new Map<number, Set<number>>();
  const likely = new Uint8Array(1 << 21);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  let windows = 0;
  for (let at = 0; at + RUN <= image.length; at++) {
    if (!isTelling(image, at)) continue;
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    const highs = index.get(low) ?? new Set<number>();
    if (!highs.has(high)) windows++;
    highs.add(high);
    index.set(low, highs);
    likely[bucket(low) >>> 3]! |= 1 << (bucket(low) & 7);
  }
  const find = (haystack: Uint8Array, limit = 10): number[] => {
    const hay = new DataView(haystack.buffer, haystack.byteOffset, haystack.byteLength);
    const found: number[] = [];
    for (let at = 0; at + RUN <= haystack.length && found.length < limit; at++) {
      const low = hay.getUint32(at, true);
      const slot = bucket(low);
      if ((likely[slot >>> 3]! & (1 << (slot & 7))) === 0) continue;
      if (index.get(low)?.has(hay.getUint32(at + 4, true)) === true) found.push(at);
    }
    return found;
  };
  return { windows, find };
}

function bucket(low: number): number {
  return Math.imul(low, 0x9e3779b1) >>> 8;
}

function isTelling(bytes: Uint8Array, at: number): boolean {
  return new Set(bytes.subarray(at, at + RUN)).size >= LEAST_DISTINCT;
}
