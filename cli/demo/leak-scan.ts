// Looks for plaintext in what an observer holds (docs/threat-model.md, "read along"): any 8 consecutive bytes of the
// image, except runs of fewer than 4 distinct bytes, which occur by themselves in padding and tables, and runs that
// something public on the same wires has too (two programs for one chip share a few short instruction sequences).

const RUN = 8;
const LEAST_DISTINCT = 4;

/** How many windows of `image` are worth looking for, and a scanner that counts those found in a haystack. */
export interface LeakScanner {
  /** Distinct 8-byte runs that are looked for. */
  readonly windows: number;
  /** Distinct runs that are not, because public bytes contain them. */
  readonly shared: number;
  /** Offsets in `haystack` at which a run of the image begins; at most `limit` of them. */
  find(haystack: Uint8Array, limit?: number): number[];
}

/** Indexes every telling 8-byte run of `image` that `known` (public bytes, such as the stub) does not contain. */
export function leakScanner(image: Uint8Array, known: Uint8Array = new Uint8Array()): LeakScanner {
  const everyRun = known.length === 0 ? undefined : leakScanner(known);
  const index = new Map<number, Set<number>>();
  const likely = new Uint8Array(1 << 21);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  let windows = 0;
  const shared = new Set<string>();
  for (let at = 0; at + RUN <= image.length; at++) {
    if (!isTelling(image, at)) continue;
    if (everyRun !== undefined && everyRun.find(image.subarray(at, at + RUN), 1).length > 0) {
      shared.add(image.subarray(at, at + RUN).join());
      continue;
    }
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
  return { windows, shared: shared.size, find };
}

function bucket(low: number): number {
  return Math.imul(low, 0x9e3779b1) >>> 8;
}

function isTelling(bytes: Uint8Array, at: number): boolean {
  return new Set(bytes.subarray(at, at + RUN)).size >= LEAST_DISTINCT;
}
