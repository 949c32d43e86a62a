// Chance of the virtual chip: a small seeded generator (xorshift128 after Marsaglia 2003), its
// state saved with the board.

export interface RandomState {
  x: number;
  y: number;
  z: number;
  w: number;
}

/** Seeds a generator from a number and the name of its use, so streams of one board differ. */
export function randomState(seed: number, use: string): RandomState {
  let hash = (seed ^ 0x9e3779b9) >>> 0;
  for (const char of use) hash = mix(hash ^ char.charCodeAt(0));
  const words = [1, 2, 3, 4].map((step) => (hash = mix((hash + step * 0x6d2b79f5) >>> 0)));
  return { x: words[0]! | 1, y: words[1]!, z: words[2]!, w: words[3]! };
}

/** The next 32-bit word; advances `state`. */
export function nextWord(state: RandomState): number {
  const t = state.x ^ (state.x << 11);
  state.x = state.y;
  state.y = state.z;
  state.z = state.w;
  state.w = (state.w ^ (state.w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
  return state.w;
}

/** Fills `bytes` with noise. */
export function fillNoise(state: RandomState, bytes: Uint8Array): void {
  let { x, y, z, w } = state;
  for (let i = 0; i < bytes.length; i += 4) {
    // nextWord, with the state in local variables: a power-up fills all of RAM.
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    bytes[i] = w;
    bytes[i + 1] = w >>> 8;
    bytes[i + 2] = w >>> 16;
    bytes[i + 3] = w >>> 24;
  }
  Object.assign(state, { x, y, z, w });
}

function mix(value: number): number {
  let v = value >>> 0;
  v = Math.imul(v ^ (v >>> 16), 0x85ebca6b);
  v = Math.imul(v ^ (v >>> 13), 0xc2b2ae35);
  return (v ^ (v >>> 16)) >>> 0;
}
