// What goes over a device's serial line: all of its bytes, and the boxes in them by session and number, which have to
// be one box each, whichever way (docs/protocol.md §5).
import { PacketReader } from '../../shared/serial/framing.ts';

const SEQUENCE_BYTES = 4;
const KEY_BYTES = 32;

export class LineWatch {
  readonly carried: Uint8Array[] = [];
  /** Two different boxes under one number of one session and direction. */
  readonly repeats: string[] = [];
  readonly #readers = { toBoard: new PacketReader(), fromBoard: new PacketReader() };
  readonly #boxes = new Map<string, string>();
  /** Handshakes of which an M1 was seen, by their ephemeral key. */
  readonly sessions = new Set<string>();
  #session = '';

  saw(bytes: Uint8Array, toBoard: boolean): void {
    this.carried.push(bytes.slice());
    const reader = toBoard ? this.#readers.toBoard : this.#readers.fromBoard;
    for (const { name, body } of reader.take(bytes)) {
      if (name === 'm1') this.#sessionBegins(hex(body.subarray(0, KEY_BYTES)));
      if (name === 'reply' || name === 'command') this.#box(name, body);
    }
  }

  #sessionBegins(ephemeral: string): void {
    this.#session = ephemeral;
    this.sessions.add(ephemeral);
  }

  #box(name: string, body: Uint8Array): void {
    const sequence = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
    if (sequence === 0) return; // the agent proves a bit rate with these
    const place = `${this.#session}:${name} ${sequence}`;
    const box = hex(body.subarray(SEQUENCE_BYTES));
    const known = this.#boxes.get(place);
    if (known !== undefined && known !== box) this.repeats.push(`${name} ${sequence}`);
    this.#boxes.set(place, box);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
