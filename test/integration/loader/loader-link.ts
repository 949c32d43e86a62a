// The agent's end of the serial link to a loader on a virtual board, step by step: bytes of the line in, packets out
// (docs/serial-link.md).
import { concat, u32le } from '../../../shared/codec/bytes.ts';
import { encodePacket, PacketReader, type Packet } from '../../../shared/serial/framing.ts';
import type { PacketName } from '../../../shared/serial/packets.ts';
import type { Board } from '../../../sim/board.ts';
import type { SerialPeer } from '../../../sim/serial/serial-peer.ts';

const STEP_NS = 100_000;
export const KNOCK = concat(new Uint8Array(8).fill(0x55), new TextEncoder().encode('BFKNOCK2'));
const END = Uint8Array.of(0);

export class LoaderLink {
  readonly board: Board;
  readonly peer: SerialPeer;
  /** Every byte the chip sent. */
  readonly heard: number[] = [];
  readonly #reader = new PacketReader();
  readonly #packets: Packet[] = [];

  constructor(board: Board, bitRate = 115200) {
    this.board = board;
    this.peer = board.serial('USART1');
    this.peer.pins = { tx: 'PA9', rx: 'PA10' };
    this.peer.bitRate = bitRate;
    this.peer.onByte = (byte) => {
      this.heard.push(byte);
      this.#packets.push(...this.#reader.take(Uint8Array.of(byte)));
    };
  }

  /** Packets of the chip that came damaged. */
  get damaged(): number {
    return [...this.#reader.dropped.values()].reduce((sum, count) => sum + count, 0);
  }
  run(ms: number): void {
    this.board.runTo(this.board.time.now + ms * 1e6);
  }
  runUntil(done: () => boolean, limitMs: number, what: string): void {
    const end = this.board.time.now + limitMs * 1e6;
    while (!done()) {
      if (this.board.time.now > end) {
        throw new Error(`no ${what} in ${limitMs} ms, pc 0x${this.board.core.regs[15]!.toString(16)}`);
      }
      this.board.runTo(this.board.time.now + STEP_NS);
    }
  }
  /** Sends bytes and waits until they are on the wire. */
  raw(bytes: Uint8Array): void {
    this.peer.send(bytes);
    this.board.runTo(this.peer.sentBy);
  }
  send(name: PacketName, body?: Uint8Array): void {
    this.raw(encodePacket(name, body));
  }
  again(type: number, sequence = 0): void {
    this.send('again', concat(Uint8Array.of(type), u32le(sequence)));
  }
  /** The oldest packet of this name that was not taken yet; older ones of other names stay. */
  take(name: PacketName): Uint8Array | undefined {
    const at = this.#packets.findIndex((packet) => packet.name === name);
    return at < 0 ? undefined : this.#packets.splice(at, 1)[0]!.body;
  }
  /** Names of the packets not taken yet. */
  get waiting(): PacketName[] {
    return this.#packets.map(({ name }) => name);
  }
  forget(): void {
    this.#packets.length = 0;
  }
  await(name: PacketName, limitMs = 2000): Uint8Array {
    let body: Uint8Array | undefined;
    this.runUntil(() => (body ??= this.take(name)) !== undefined, limitMs, name);
    return body!;
  }
  /** Knocks until the loader says who it is. */
  knock(times = 10): Uint8Array {
    for (let i = 0; i < times; i++) {
      this.raw(concat(KNOCK, END));
      this.run(100);
      const ident = this.take('ident');
      if (ident !== undefined) return ident;
    }
    throw new Error('nobody answers the knock');
  }
}
