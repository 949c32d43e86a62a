// What a DATA body of the relay carries for the tunnel: handshake, boxes, RESUME (docs/protocol.md §6, first table).
import { Reader, Writer } from '../codec/bytes.ts';
import { TUNNEL_BYTES } from './handshake.ts';

/** Largest DATA body, bytes. */
const DATA_BYTES = 8191;
const TAG_BYTES = 8;
const SPENT_BYTES = 16;

const TAGS = { T1: 0x01, T2: 0x02, T3: 0x03, BOX: 0x10, RESUME: 0x11, SPENT: 0x12 } as const;

export type Wire =
  | { readonly name: 'T1' | 'T2' | 'T3'; readonly message: Uint8Array }
  /** 16 bytes: the invite is spent. */
  | { readonly name: 'SPENT'; readonly message: Uint8Array }
  | { readonly name: 'BOX'; readonly sequence: number; readonly box: Uint8Array }
  /** session: 8 bytes; have: the highest number received in order. */
  | { readonly name: 'RESUME'; readonly session: Uint8Array; readonly have: number };

/** The DATA body of one item. */
export function encodeWire(item: Wire): Uint8Array {
  const writer = new Writer().u8(TAGS[item.name]);
  if (item.name === 'BOX') return writer.u32(item.sequence, 'sequence').bytes(item.box, 'box').finish();
  if (item.name === 'RESUME') return writer.bytes(item.session, 'session', TAG_BYTES).u32(item.have, 'have').finish();
  return writer.bytes(item.message, item.name).finish();
}

/** Reads a DATA body. Throws BF-TUNNEL-MESSAGE for anything that is none of the six. */
export function decodeWire(body: Uint8Array): Wire {
  const reader = new Reader(body, 'BF-TUNNEL-MESSAGE', 'DATA');
  if (body.length > DATA_BYTES) reader.refuse(`${body.length} bytes`);
  switch (reader.u8()) {
    case TAGS.T1:
      return handshakeItem(reader, 'T1', TUNNEL_BYTES.t1);
    case TAGS.T2:
      return handshakeItem(reader, 'T2', TUNNEL_BYTES.t2);
    case TAGS.T3:
      return handshakeItem(reader, 'T3', TUNNEL_BYTES.t3);
    case TAGS.SPENT:
      return handshakeItem(reader, 'SPENT', SPENT_BYTES);
    case TAGS.BOX:
      return { name: 'BOX', sequence: reader.u32(), box: reader.rest() };
    case TAGS.RESUME: {
      const item = { name: 'RESUME', session: reader.bytes(TAG_BYTES), have: reader.u32() } as const;
      reader.end();
      return item;
    }
    default:
      return reader.refuse('unknown tag');
  }
}

function handshakeItem(reader: Reader, name: 'T1' | 'T2' | 'T3' | 'SPENT', size: number): Wire {
  const message = reader.bytes(size);
  reader.end();
  return { name, message };
}
