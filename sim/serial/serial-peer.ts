// The far end of a serial port of the virtual chip: an adapter with a bit rate of its own, the cable between, and what
// disturbs it (docs/simulation.md, "Serial ports"). Its time is the board's.
import { nextWord, type RandomState } from '../peripherals/random.ts';
import {
  characterOf,
  EIGHT_NONE_ONE,
  SAMPLES,
  sampleCharacter,
  sampledBy,
  type Format,
  type Sampling,
} from './character.ts';
import { cutOff, emptyWire, forget, levelAt, nextFall, quietFrom, type Character, type WireState } from './wire.ts';

/** What disturbs both directions of a line. */
export interface Noise {
  /** Chance of a bit to arrive as the other one, 0 to 1. */
  readonly flips: number;
  /** Short pulses on the wire to the chip, a second, whether anybody sends or not. */
  readonly pulsesPerSecond: number;
  /** Up to how much later than back to back a character starts, in bits. */
  readonly jitter: number;
}

const QUIET: Noise = { flips: 0, pulsesPerSecond: 0, jitter: 0 };

/** Lengths of pulses, ns. */
const PULSE_NS = { shortest: 200, longest: 200_000 } as const;
const WORDS = 2 ** 32;

/** What went wrong with a byte that the far end received. */
export interface ByteFlags {
  readonly parityError: boolean;
  readonly framingError: boolean;
}

/** Chip pins that the cable's wires are soldered to, such as PA9. */
export interface Pins {
  readonly tx: string;
  readonly rx: string;
}

export interface PeerState {
  /** Bits a second; undefined: always the chip's own. */
  bitRate: number | undefined;
  format: Format;
  plugged: boolean;
  pins: Pins | undefined;
  noise: Noise;
  random: RandomState;
  toChip: WireState;
  fromChip: WireState;
  /** Falling edge of the character under way, the length of its bits, and from when on the next one is looked for. */
  edgeNs: number;
  bitNs: number;
  listenFromNs: number;
}

export interface PeerNeighbours {
  readonly state: () => PeerState;
  readonly now: () => number;
  /** Length of a bit by the chip's own setting, ns. */
  readonly chipBitNs: () => number;
  /** Whether `pin` is this port's, by the chip's own setting. */
  readonly pinIsOurs: (pin: string) => boolean;
  /** Something new is on the wire to the chip. */
  readonly wireChanged: () => void;
  /** When `heard` is to be called. */
  readonly hearAt: (ns: number) => void;
  /** When `disturb` is to be called. */
  readonly disturbAt: (ns: number) => void;
}

export class SerialPeer {
  /** Receives each byte of the chip as the far end's receiver understands it. */
  onByte: (byte: number, flags: ByteFlags) => void = () => {};
  readonly #near: PeerNeighbours;

  constructor(near: PeerNeighbours) {
    this.#near = near;
  }

  /** Bits a second; undefined (from the start): whatever the chip is set to. */
  get bitRate(): number | undefined {
    return this.#state.bitRate;
  }
  set bitRate(bitsPerSecond: number | undefined) {
    this.#state.bitRate = bitsPerSecond;
  }
  get format(): Format {
    return this.#state.format;
  }
  set format(format: Format) {
    this.#state.format = format;
  }
  /** The cable is in; without it neither side hears the other. */
  get plugged(): boolean {
    return this.#state.plugged;
  }
  set plugged(plugged: boolean) {
    if (!plugged) cutOff(this.#state.toChip, this.#near.now());
    this.#state.plugged = plugged;
  }
  /** Where the cable is soldered to; undefined (from the start): to the unit itself, whatever its pins are used for. */
  set pins(pins: Pins | undefined) {
    this.#state.pins = pins;
  }
  get noise(): Noise {
    return this.#state.noise;
  }
  set noise(noise: Partial<Noise>) {
    this.#state.noise = { ...QUIET, ...noise };
    this.#nextPulse();
  }
  /** Board time at which what was sent so far is over. */
  get sentBy(): number {
    return Math.max(this.#near.now(), quietFrom(this.#state.toChip));
  }

  /** Level of the wire to the chip now: a pin that is read as an input shows it. */
  get level(): 0 | 1 {
    return levelAt(this.#state.toChip, this.#near.now());
  }
  /** The level may change without anybody sending anything new. */
  get busy(): boolean {
    const { toChip, noise } = this.#state;
    return noise.pulsesPerSecond > 0 || quietFrom(toChip) > this.#near.now();
  }
  /** The chip's pin this wire is soldered to, unless it ends at the unit itself. */
  get rxPin(): string | undefined {
    return this.#state.plugged ? this.#state.pins?.rx : undefined;
  }

  /** Sends `bytes` back to back, behind what is under way. */
  send(bytes: Uint8Array): void {
    const { format } = this.#state;
    for (const byte of bytes) this.#append((startNs, bitNs) => characterOf(byte, startNs, bitNs, format));
    this.#near.wireChanged();
  }
  /** Holds the line low for `bits` bits. */
  sendBreak(bits: number): void {
    this.#append((startNs, bitNs) => ({ startNs, bitNs, levels: 0, bits }));
    this.#near.wireChanged();
  }

  /** Whether the wire of a direction is connected at both ends. */
  reaches(wire: keyof Pins): boolean {
    const { plugged, pins } = this.#state;
    return plugged && (pins === undefined || this.#near.pinIsOurs(pins[wire]));
  }
  /** The chip begins to send a character. */
  chipSends(character: Character): void {
    const { fromChip } = this.#state;
    if (!this.reaches('tx')) return;
    fromChip.characters.push(this.#disturbed(character));
    if (this.#state.edgeNs === Infinity) this.#listen();
  }
  /** The chip is reset: what it was sending ends here. */
  chipFallsSilent(): void {
    cutOff(this.#state.fromChip, this.#near.now());
  }
  /** A character from the chip has been sampled. */
  heard(): void {
    const state = this.#state;
    const sampling = this.#sampling();
    const { data, falseStart, ...flags } = sampleCharacter(state.fromChip, state.edgeNs, sampling);
    state.listenFromNs = this.#near.now();
    state.edgeNs = Infinity;
    this.#listen();
    if (!falseStart) this.onByte(data & 0xff, { parityError: flags.parityError, framingError: flags.framingError });
  }
  /** A pulse of noise begins. */
  disturb(): void {
    const { toChip, random } = this.#state;
    const now = this.#near.now();
    const lengthNs = PULSE_NS.shortest * (PULSE_NS.longest / PULSE_NS.shortest) ** (nextWord(random) / WORDS);
    const before = toChip.pulses.at(-1);
    if (before === undefined || before.toNs <= now) toChip.pulses.push({ fromNs: now, toNs: now + lengthNs });
    this.#nextPulse();
    this.#near.wireChanged();
  }

  get #state(): PeerState {
    return this.#near.state();
  }
  #bitNs(): number {
    const { bitRate } = this.#state;
    return bitRate === undefined ? this.#near.chipBitNs() : 1e9 / bitRate;
  }
  #sampling(): Sampling {
    return { ...this.#state.format, bitNs: this.#state.bitNs, samples: SAMPLES.by16 };
  }
  #append(make: (startNs: number, bitNs: number) => Character): void {
    const { toChip, noise, random, plugged } = this.#state;
    if (!plugged) return;
    const bitNs = this.#bitNs();
    const lateNs = noise.jitter === 0 ? 0 : (noise.jitter * bitNs * nextWord(random)) / WORDS;
    const character = make(Math.max(this.#near.now(), quietFrom(toChip)) + lateNs, bitNs);
    toChip.characters.push(this.#disturbed(character));
  }
  #disturbed(character: Character): Character {
    const { noise, random } = this.#state;
    if (noise.flips === 0) return character;
    let { levels } = character;
    for (let i = 0; i < character.bits; i++) if (nextWord(random) / WORDS < noise.flips) levels ^= 1 << i;
    return { ...character, levels };
  }
  #nextPulse(): void {
    const { noise, random } = this.#state;
    if (noise.pulsesPerSecond === 0) return this.#near.disturbAt(Infinity);
    const waitNs = (-Math.log((nextWord(random) + 1) / WORDS) * 1e9) / noise.pulsesPerSecond;
    this.#near.disturbAt(this.#near.now() + waitNs);
  }
  #listen(): void {
    const state = this.#state;
    forget(state.fromChip, state.listenFromNs);
    state.edgeNs = nextFall(state.fromChip, state.listenFromNs);
    state.bitNs = this.#bitNs();
    this.#near.hearAt(state.edgeNs === Infinity ? Infinity : sampledBy(state.edgeNs, this.#sampling()));
  }
}

export function freshPeer(random: RandomState): PeerState {
  return {
    bitRate: undefined,
    format: EIGHT_NONE_ONE,
    plugged: true,
    pins: undefined,
    noise: QUIET,
    random,
    toChip: emptyWire(),
    fromChip: emptyWire(),
    edgeNs: Infinity,
    bitNs: 0,
    listenFromNs: -Infinity,
  };
}
