// The serial line of a bench job: how many bytes leave the agent and how long the line takes for them; on a bad line a
// share of what goes either way is damaged.
import type { OpenSerialPort, SerialPortSource } from '../../agent/transport/serial/port.ts';
import { seededChance, type Chance } from '../../sim/network/path.ts';

/** Start and stop bits included. */
const BITS_OF_A_BYTE = 10;
const FIRST_RATE = 115_200;

export class WatchedLine implements SerialPortSource {
  readonly name: string;
  /** Chance of a packet, either way, to arrive with a byte changed, 0 to 1. */
  loss = 0;
  /** Bytes the agent wrote. */
  sent = 0;
  damaged = 0;
  /** Highest so far, bit/s. */
  rate = FIRST_RATE;
  readonly #source: SerialPortSource;
  readonly #chance: Chance;

  constructor(source: SerialPortSource, seed: number) {
    this.name = source.name;
    this.#source = source;
    this.#chance = seededChance(seed);
  }

  /** What so many bytes take at the highest rate, milliseconds. */
  msFor(bytes: number): number {
    return (bytes * BITS_OF_A_BYTE * 1000) / this.rate;
  }

  async open(): Promise<OpenSerialPort> {
    const port = await this.#source.open();
    const watched: OpenSerialPort = {
      onData: () => {},
      onGone: () => {},
      write: (bytes) => {
        this.sent += bytes.length;
        return port.write(this.#perhapsDamaged(bytes));
      },
      drain: () => port.drain(),
      setBaud: async (rate) => {
        const done = await port.setBaud(rate);
        if (done) this.rate = Math.max(this.rate, rate);
        return done;
      },
      close: () => port.close(),
    };
    port.onData = (bytes) => watched.onData(this.#perhapsDamaged(bytes));
    port.onGone = () => watched.onGone();
    return watched;
  }

  /** The agent writes packet by packet; of what the adapter hands over at once there is seldom more than one. */
  #perhapsDamaged(bytes: Uint8Array): Uint8Array {
    if (this.loss === 0 || this.#chance() >= this.loss) return bytes;
    this.damaged++;
    const changed = bytes.slice();
    const at = changed.length >> 1;
    changed[at] = changed[at] === 1 ? 2 : 1;
    return changed;
  }
}
