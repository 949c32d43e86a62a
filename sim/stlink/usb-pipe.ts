// The bulk pipe of the virtual probe for a host that is not on the virtual run's event queue: OUT transfers are put
// together to commands, replies wait as packets until the host fetches them. docs: docs/reference/stlink.md §2.1.
import type { SharedProbe } from './server-session.ts';
import { COMMAND_SIZE } from './opcodes.ts';

/** What an IN transfer got: its bytes, nothing yet, or more than it had room for. */
export type PipeIn = Uint8Array | 'pending' | 'overflow';

export class UsbPipe {
  readonly #probe: SharedProbe;
  /** Reply packets the host has not fetched. */
  #packets: Uint8Array[] = [];
  #collecting: { readonly command: Uint8Array; readonly data: Uint8Array; filled: number } | undefined;
  /** Counts resets: replies to commands of an earlier life are dropped. */
  #life = 0;
  #wake: () => void = () => {};

  constructor(probe: SharedProbe) {
    this.#probe = probe;
  }

  /** Takes one OUT transfer: a command, or data for the command before. */
  out(bytes: Uint8Array): void {
    const collecting = this.#collecting;
    if (collecting === undefined) return this.#command(bytes);
    collecting.data.set(bytes.subarray(0, collecting.data.length - collecting.filled), collecting.filled);
    collecting.filled += bytes.length;
    if (collecting.filled < collecting.data.length) return;
    this.#collecting = undefined;
    this.#start(collecting.command, collecting.data);
  }

  /** Ends one IN transfer of at most `room` bytes if it can end: with a short packet, or full. */
  take(room: number): PipeIn {
    const packetSize = this.#probe.identity.packetSize;
    let size = 0;
    for (const [index, packet] of this.#packets.entries()) {
      size += packet.length;
      if (size < room && packet.length === packetSize) continue;
      const taken = this.#packets.splice(0, index + 1);
      return size > room ? 'overflow' : Uint8Array.from(taken.flatMap((part) => [...part]));
    }
    return 'pending';
  }

  /** Forgets half-sent commands and unfetched replies; commands in work go on unheard. */
  reset(): void {
    this.#life++;
    this.#collecting = undefined;
    this.#packets = [];
  }

  /** Resolves when the next reply has come. */
  arrival(): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#wake;
      this.#wake = () => {
        others();
        resolve();
      };
    });
  }

  #command(bytes: Uint8Array): void {
    const command = bytes.slice(0, COMMAND_SIZE);
    const length = this.#probe.dataLength(command);
    if (length === 0) this.#start(command, undefined);
    else this.#collecting = { command, data: new Uint8Array(length), filled: 0 };
  }

  #start(command: Uint8Array, data: Uint8Array | undefined): void {
    const life = this.#life;
    const keep = (reply: Uint8Array): void => {
      if (life === this.#life) this.#reply(reply);
    };
    // A probe that breaks down leaves its host waiting, as a real one does.
    this.#probe.exchange(command, data, 0).then(keep, () => {});
  }

  #reply(reply: Uint8Array): void {
    const { packetSize } = this.#probe.identity;
    for (let at = 0; at < reply.length; at += packetSize) this.#packets.push(reply.slice(at, at + packetSize));
    const wake = this.#wake;
    this.#wake = () => {};
    wake();
  }
}
