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

/** Fills `bytes`, whole words at a word's address, with noise. */
export function fillNoise(state: RandomState, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  // nextWord, with the state in local variables as int32: a power-up fills all of RAM.
  let [x, y, z, w] = [state.x | 0, state.y | 0, state.z | 0, state.w | 0];
  for (let i = 0; i < words.length; i++) {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    words[i] = w;
  }
  state.x = x >>> 0;
  state.y = y >>> 0;
  state.z = z >>> 0;
  state.w = w >>> 0;
}

function mix(value: number): number {
  let v = value >>> 0;
  v = Math.imul(v ^ (v >>> 16), 0x85ebca6b);
  v = Math.imul(v ^ (v >>> 13), 0xc2b2ae35);
  return (v ^ (v >>> 16)) >>> 0;
}
