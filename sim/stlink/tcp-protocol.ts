// stlink-server's protocol, byte by byte: requests out of a stream, replies of the announced size. docs:
// docs/reference/stlink.md §4.
import { putU16, putU32, u32 } from './bytes.ts';
import type { ProbeIdentity } from './identity.ts';

export const SERVER_STATUS = {
  ok: 0x0001,
  timeout: 0x1001,
  badParameter: 0x1002,
  openError: 0x1003,
  transferError: 0x1004,
  badBufferSize: 0x1051,
  truncatedData: 0x1052,
  busy: 0x2004,
} as const satisfies Record<string, number>;

const REQUEST = {
  refresh: { code: 0x00, size: 2 },
  count: { code: 0x01, size: 1 },
  info: { code: 0x02, size: 8 },
  open: { code: 0x03, size: 8 },
  close: { code: 0x04, size: 8 },
  usb: { code: 0x05, size: 32 },
  version: { code: 0x06, size: 4 },
} as const satisfies Record<string, { code: number; size: number }>;

const SIZE_OF: Readonly<Record<number, number>> = Object.fromEntries(
  Object.values(REQUEST).map(({ code, size }) => [code, size]),
);

/** Directions of a USB request by code; every other code is a read (ST's STLinkUSBDriver.h). */
const DIRECTIONS: Readonly<Record<number, Direction>> = { 0: 'write', 3: 'readTrace' };
type Direction = 'write' | 'read' | 'readTrace';
/** Most bytes of one data phase either way; more is taken for a client gone wrong. */
export const DATA_MAX = 0x10000;
const INFO_MAX = 1024;
export const INFO_SIZE = 41;
const SERIAL_SIZE = 32;

export type ServerRequest =
  | { readonly kind: 'version' | 'refresh' | 'count' }
  | { readonly kind: 'info'; readonly index: number; readonly size: number }
  | { readonly kind: 'open' | 'close'; readonly id: number }
  | {
      readonly kind: 'usb';
      readonly id: number;
      readonly command: Uint8Array;
      readonly direction: Direction;
      /** Bytes written, or bytes the client waits for. */
      readonly length: number;
      readonly data: Uint8Array | undefined;
    };

/** Cuts requests out of a byte stream. Holds at most one request and what came with it. */
export class RequestReader {
  #buffer: Uint8Array = new Uint8Array(0);
  #broken = false;

  /** Bytes waiting. */
  get buffered(): number {
    return this.#buffer.length;
  }

  push(chunk: Uint8Array): void {
    const joined = new Uint8Array(this.#buffer.length + chunk.length);
    joined.set(this.#buffer);
    joined.set(chunk, this.#buffer.length);
    this.#buffer = joined;
  }

  /** The next whole request; undefined when more bytes are needed; `broken` when the stream makes no sense. */
  next(): ServerRequest | 'broken' | undefined {
    if (this.#broken) return 'broken';
    const size = this.#size();
    if (size === undefined) {
      this.#broken = true;
      this.#buffer = new Uint8Array(0);
      return 'broken';
    }
    if (size === 0 || this.#buffer.length < size) return undefined;
    const bytes = this.#buffer.slice(0, size);
    this.#buffer = this.#buffer.slice(size);
    return parse(bytes);
  }

  /** Size of the request at the head: 0 while unknown, undefined when it is none. */
  #size(): number | undefined {
    const head = this.#buffer;
    if (head.length === 0) return 0;
    const size = SIZE_OF[head[0]!];
    if (size === undefined || head.length < size) return size;
    if (head[0] === REQUEST.info.code) return u32(head, 4) <= INFO_MAX ? size : undefined;
    if (head[0] !== REQUEST.usb.code) return size;
    const length = u32(head, 28);
    if (length > DATA_MAX) return undefined;
    return directionOf(head[24]!) === 'write' ? size + length : size;
  }
}

function directionOf(code: number): Direction {
  return DIRECTIONS[code] ?? 'read';
}

function parse(bytes: Uint8Array): ServerRequest {
  switch (bytes[0]) {
    case REQUEST.version.code:
      return { kind: 'version' };
    case REQUEST.refresh.code:
      return { kind: 'refresh' };
    case REQUEST.count.code:
      return { kind: 'count' };
    case REQUEST.info.code:
      return { kind: 'info', index: bytes[1]!, size: u32(bytes, 4) };
    case REQUEST.open.code:
      return { kind: 'open', id: u32(bytes, 4) };
    case REQUEST.close.code:
      return { kind: 'close', id: u32(bytes, 4) };
    default:
      return parseUsb(bytes);
  }
}

function parseUsb(bytes: Uint8Array): ServerRequest {
  const direction = directionOf(bytes[24]!);
  return {
    kind: 'usb',
    id: u32(bytes, 4),
    command: bytes.slice(8, 24),
    direction,
    length: u32(bytes, 28),
    data: direction === 'write' ? bytes.slice(32) : undefined,
  };
}

/** LE32 words one after another. */
export function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, index) => putU32(bytes, 4 * index, value));
  return bytes;
}

/** A status followed by exactly `size` bytes, whatever `body` has. */
export function withBody(status: number, size: number, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(4 + size);
  putU32(bytes, 0, status);
  bytes.set(body.subarray(0, size), 4);
  return bytes;
}

/**
 * The 41 bytes that describe a probe: id, serial[32], VID, PID, in use. The last tells of programs that hold it past
 * this server (ST's STLinkUSBDriver.h), of which there are none: its own clients share it.
 */
export function deviceInfo(id: number, identity: ProbeIdentity, serial: string, used: boolean): Uint8Array {
  const bytes = new Uint8Array(INFO_SIZE);
  putU32(bytes, 0, id);
  for (let i = 0; i < Math.min(serial.length, SERIAL_SIZE - 1); i++) bytes[4 + i] = serial.charCodeAt(i);
  putU16(bytes, 36, identity.vendorId);
  putU16(bytes, 38, identity.productId);
  bytes[40] = used ? 1 : 0;
  return bytes;
}
