// Edge: the browser's random generator behind the Random port (shared/ports.ts).
import type { Random } from '../../ports.ts';

/** Bytes that getRandomValues gives in one call at most (W3C Web Cryptography API §10.1.1). */
const MOST_AT_ONCE = 65_536;

export const browserRandom: Random = {
  bytes: (count) => {
    const bytes = new Uint8Array(count);
    for (let start = 0; start < count; start += MOST_AT_ONCE) {
      globalThis.crypto.getRandomValues(bytes.subarray(start, start + MOST_AT_ONCE));
    }
    return bytes;
  },
};
