// Packets to bytes and bytes to packets: COBS(type ‖ body ‖ CRC-32) ‖ 00 (docs/serial-link.md, "Packets"). What is
// damaged, too long, of a type or of a size that no packet has is dropped and counted; the next zero begins anew.
import { concat, copyOf, u32le } from '../codec/bytes.ts';
import { crc32 } from '../codec/crc32.ts';
import { fail } from '../errors/errors.ts';
import { cobsDecode, cobsEncode } from './cobs.ts';
import { CODED_MOST, FRAME_BYTES, PACKET_NAMES, PACKETS, type PacketName, type PacketRow } from './packets.ts';

export interface Packet {
  readonly name: PacketName;
  readonly body: Uint8Array;
}

/** Why bytes were dropped. */
export type DropReason = 'coding' | 'checksum' | 'length' | 'type' | 'size';

const END = Uint8Array.of(0);
const BY_TYPE = new Map<number, PacketName>(PACKET_NAMES.map((name) => [PACKETS[name].type, name]));

function fits({ sizes }: PacketRow, length: number): boolean {
  if ('least' in sizes) return length >= sizes.least && length <= sizes.most;
  return sizes.includes(length);
}

/** The packet on the wire, its zero included. @throws BF-INTERNAL-ARGUMENT for a size its body never has */
export function encodePacket(name: PacketName, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const row: PacketRow = PACKETS[name];
  if (!fits(row, body.length)) throw fail('BF-INTERNAL-ARGUMENT', `${name} with ${body.length} bytes`);
  const covered = concat(Uint8Array.of(row.type), body);
  return concat(cobsEncode(concat(covered, u32le(crc32(covered)))), END);
}

/** Takes bytes as they come and gives whole packets; holds at most one packet's bytes. */
export class PacketReader {
  readonly #held = new Uint8Array(CODED_MOST);
  #length = 0;
  /** What is held is already too long: the rest up to the next zero belongs to it. */
  #overlong = false;
  readonly #dropped = new Map<DropReason, number>();

  /** Packets dropped so far, by reason. */
  get dropped(): ReadonlyMap<DropReason, number> {
    return this.#dropped;
  }

  /** The packets that these bytes complete, in order. */
  take(bytes: Uint8Array): Packet[] {
    const packets: Packet[] = [];
    let from = 0;
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, from)) {
      this.#hold(bytes.subarray(from, end));
      const packet = this.#finish();
      if (packet !== undefined) packets.push(packet);
      from = end + 1;
    }
    this.#hold(bytes.subarray(from));
    return packets;
  }

  /** Forgets the beginning of a packet: the line was opened anew. */
  restart(): void {
    this.#length = 0;
    this.#overlong = false;
  }

  #hold(bytes: Uint8Array): void {
    this.#overlong ||= this.#length + bytes.length > CODED_MOST;
    if (this.#overlong) return;
    this.#held.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #finish(): Packet | undefined {
    const [coded, overlong] = [this.#held.subarray(0, this.#length), this.#overlong];
    this.restart();
    if (overlong) return this.#drop('length');
    return coded.length === 0 ? undefined : this.#parse(coded);
  }

  #parse(coded: Uint8Array): Packet | undefined {
    const bytes = cobsDecode(coded);
    if (bytes === undefined) return this.#drop('coding');
    const end = bytes.length - FRAME_BYTES.crc;
    if (end < FRAME_BYTES.type) return this.#drop('length');
    const crc = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
    if (crc32(bytes.subarray(0, end)) !== crc) return this.#drop('checksum');
    const name = BY_TYPE.get(bytes[0] as number);
    if (name === undefined) return this.#drop('type');
    const body = copyOf(bytes, FRAME_BYTES.type, end);
    return fits(PACKETS[name], body.length) ? { name, body } : this.#drop('size');
  }

  #drop(reason: DropReason): undefined {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }
}
