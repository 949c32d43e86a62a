// Characters of a serial line: how a sender lays one out, and what a receiver makes of the levels it samples at its own
// pace (RM0090 §30.3.3, §30.3.5). A receiver takes three samples in the middle of each bit; the last of them in the
// stop bit decides how far the two paces may differ: 3.75 % with 8 data bits and 16 samples a bit, as RM0090's table of
// tolerances has it. Pure.
import { endOf, levelAt, type Character, type WireState } from './wire.ts';

export interface Format {
  /** Bits between start and stop, parity included. */
  readonly dataBits: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: number;
}

export const EIGHT_NONE_ONE: Format = { dataBits: 8, parity: 'none', stopBits: 1 };

/** Where in a bit the samples are taken, as parts of its length. */
export const SAMPLES = {
  by16: [8 / 16, 9 / 16, 10 / 16],
  by16Once: [9 / 16],
  by8: [4 / 8, 5 / 8, 6 / 8],
  by8Once: [5 / 8],
} as const;

export interface Sampling extends Format {
  readonly bitNs: number;
  readonly samples: readonly number[];
}

export interface Received {
  /** All data bits, parity included. */
  readonly data: number;
  /** The start bit was none: nothing was received. */
  readonly falseStart: boolean;
  readonly parityError: boolean;
  /** The stop bit was 0. */
  readonly framingError: boolean;
  /** Samples of one bit differed. */
  readonly noisy: boolean;
}

/** How long a character with start and stop bits takes, in bits. */
export function bitsOf({ dataBits, stopBits }: Format): number {
  return 1 + dataBits + stopBits;
}

/** `data` on the wire; with parity its bit is worked out and `data` holds one bit less. */
export function characterOf(data: number, startNs: number, bitNs: number, format: Format): Character {
  const { dataBits, stopBits } = format;
  const own = format.parity === 'none' ? dataBits : dataBits - 1;
  const word = data & ((1 << own) - 1);
  const withParity = format.parity === 'none' ? word : word | (parityOf(word, format.parity) << own);
  const stop = ((1 << Math.ceil(stopBits)) - 1) << (1 + dataBits);
  return { startNs, bitNs, levels: (withParity << 1) | stop, bits: bitsOf(format) };
}

/** When a receiver that saw the falling edge at `edgeNs` has taken its last sample. */
export function sampledBy(edgeNs: number, { bitNs, dataBits, samples }: Sampling): number {
  return edgeNs + (1 + dataBits + samples.at(-1)!) * bitNs;
}

/** Paces closer than this make every sample fall into the bit it is meant for. */
const SAME_PACE = 0.02;

/** What a receiver takes from the wire that saw a falling edge at `edgeNs`. */
export function sampleCharacter(wire: WireState, edgeNs: number, sampling: Sampling): Received {
  const { bitNs, dataBits, samples } = sampling;
  const first = wire.pulses.length > 0 ? undefined : wire.characters.find((character) => endOf(character) > edgeNs);
  if (first?.startNs === edgeNs && Math.abs(first.bitNs / bitNs - 1) < SAME_PACE && first.bits >= dataBits + 2) {
    return received(first.levels, false, sampling);
  }
  let noisy = false;
  const bitAt = (index: number): number => {
    const taken = samples.map((part) => levelAt(wire, edgeNs + (index + part) * bitNs));
    const ones = taken.reduce<number>((sum, level) => sum + level, 0);
    if (ones !== 0 && ones !== taken.length) noisy = true;
    return 2 * ones > taken.length ? 1 : 0;
  };
  let levels = 0;
  for (let i = 0; i < dataBits + 2; i++) levels |= bitAt(i) << i;
  return received(levels, noisy, sampling);
}

function received(levels: number, noisy: boolean, { dataBits, parity }: Sampling): Received {
  const data = (levels >>> 1) & ((1 << dataBits) - 1);
  const own = data & ((1 << (dataBits - 1)) - 1);
  return {
    data,
    falseStart: (levels & 1) === 1,
    parityError: parity !== 'none' && data >>> (dataBits - 1) !== parityOf(own, parity),
    framingError: ((levels >>> (1 + dataBits)) & 1) === 0,
    noisy,
  };
}

function parityOf(word: number, parity: 'even' | 'odd'): number {
  let ones = 0;
  for (let rest = word; rest !== 0; rest >>>= 1) ones ^= rest & 1;
  return parity === 'even' ? ones : ones ^ 1;
}
