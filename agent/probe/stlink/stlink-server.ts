// ST's stlink-server protocol, client's side: requests as bytes, replies by size, no socket. docs/reference/stlink.md
// §4. Little-endian, no length prefix: both ends know every size beforehand; one request outstanding.
import { fail, type ErrorCode } from '../../../shared/errors/errors.ts';
import { COMMAND_LENGTH } from './constants.ts';

const REQUEST = {
  refresh: 0x00,
  count: 0x01,
  info: 0x02,
  open: 0x03,
  close: 0x04,
  command: 0x05,
  version: 0x06,
} as const;
const DIRECTION = { write: 0, read: 1 } as const;
const CLIENT_API = 1;
const DEVICE_INFO_LENGTH = 41;
const STATUS_LENGTH = 4;

/** Devices a client's list may have (ours; ST's server stops at 60). */
const MOST_SERVER_DEVICES = 60;
const SERVER_OK = 1;
/** The probe is busy for another client: the same request may be sent again. */
export const SERVER_BUSY = 0x2004;

const SERVER_STATUSES: Readonly<Record<number, { readonly name: string; readonly error: ErrorCode }>> = {
  0x1000: { name: 'out of memory', error: 'BF-PROBE-SERVER' },
  0x1001: { name: 'USB time-out', error: 'BF-PROBE-TIMEOUT' },
  0x1002: { name: 'bad parameter', error: 'BF-PROBE-SERVER' },
  0x1003: { name: 'cannot open the probe', error: 'BF-PROBE-BUSY' },
  0x1004: { name: 'USB transfer error', error: 'BF-PROBE-UNPLUGGED' },
  0x1050: { name: 'no such information', error: 'BF-PROBE-SERVER' },
  0x1051: { name: 'bad buffer size', error: 'BF-PROBE-SERVER' },
  0x1052: { name: 'truncated data', error: 'BF-PROBE-GARBAGE' },
  0x1053: { name: 'command not available', error: 'BF-PROBE-SERVER' },
  0x1054: { name: 'device not supported', error: 'BF-PROBE-UNSUPPORTED' },
  0x1055: { name: 'no permission', error: 'BF-PROBE-PERMISSION' },
  0x2001: { name: 'TCP error', error: 'BF-PROBE-SERVER' },
  0x2002: { name: 'cannot connect', error: 'BF-PROBE-SERVER' },
  0x2003: { name: 'close error', error: 'BF-PROBE-SERVER' },
  0x2004: { name: 'busy', error: 'BF-PROBE-BUSY' },
  0x10000: { name: 'Windows error', error: 'BF-PROBE-SERVER' },
};

/** One request: its bytes, and the exact size of the reply (status included, where there is one). */
export interface ServerRequest<Reply> {
  readonly bytes: Uint8Array;
  readonly replyLength: number;
  readonly hasStatus: boolean;
  /** `body` is the reply without its status. */
  decode(body: Uint8Array): Reply;
}

export interface ServerDevice {
  readonly id: number;
  readonly serial: string | undefined;
  readonly vendorId: number;
  readonly productId: number;
  readonly used: boolean;
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u32 = (bytes: Uint8Array, at: number): number => view(bytes).getUint32(at, true);

function request<Reply>(
  bytes: Uint8Array,
  bodyLength: number,
  hasStatus: boolean,
  decode: (body: Uint8Array) => Reply,
): ServerRequest<Reply> {
  return { bytes, replyLength: bodyLength + (hasStatus ? STATUS_LENGTH : 0), hasStatus, decode };
}

/** Decodes to the server's API version; 1 means blocks of 1024 bytes. */
export function serverVersion(): ServerRequest<number> {
  return request(Uint8Array.of(REQUEST.version, CLIENT_API, 0, 0), 16, false, (body) => u32(body, 0));
}

export function refreshDevices(): ServerRequest<void> {
  return request(Uint8Array.of(REQUEST.refresh, 0), 0, true, () => {});
}

/** Decodes to the number of devices, never more than MOST_SERVER_DEVICES. */
export function countDevices(): ServerRequest<number> {
  return request(Uint8Array.of(REQUEST.count), 4, false, (body) => Math.min(u32(body, 0), MOST_SERVER_DEVICES));
}

export function deviceInfo(index: number): ServerRequest<ServerDevice> {
  const bytes = Uint8Array.of(REQUEST.info, index, 0, 0, DEVICE_INFO_LENGTH, 0, 0, 0);
  return request(bytes, DEVICE_INFO_LENGTH, true, decodeDevice);
}

/** Decodes to the connect id, which is never 0. */
export function openDevice(id: number): ServerRequest<number> {
  return request(withId(REQUEST.open, id), 4, true, (body) => {
    const connectId = u32(body, 0);
    if (connectId === 0) throw fail('BF-PROBE-SERVER', 'connect id 0');
    return connectId;
  });
}

export function closeDevice(connectId: number): ServerRequest<void> {
  return request(withId(REQUEST.close, connectId), 0, true, () => {});
}

/** One 16-byte probe command with its data phase. Commands without data travel as reads of length 0. */
export function usbCommand(
  connectId: number,
  command: Uint8Array,
  dataOut: Uint8Array | undefined,
  replyLength: number,
): ServerRequest<Uint8Array> {
  const writes = dataOut !== undefined && dataOut.length > 0;
  const bytes = new Uint8Array(32 + (writes ? dataOut.length : 0));
  bytes.set(withId(REQUEST.command, connectId));
  bytes.set(command.subarray(0, COMMAND_LENGTH), 8);
  bytes[24] = writes ? DIRECTION.write : DIRECTION.read;
  view(bytes).setUint32(28, writes ? dataOut.length : replyLength, true);
  if (writes) bytes.set(dataOut, 32);
  return request(bytes, writes ? 0 : replyLength, true, (body) => body);
}

/** Status word of a complete reply; SERVER_OK when this request has none. */
export function statusOf(asked: ServerRequest<unknown>, reply: Uint8Array): number {
  return asked.hasStatus ? u32(reply, 0) : SERVER_OK;
}

/** What a complete reply says. @throws the error of its status. */
export function answerOf<Reply>(asked: ServerRequest<Reply>, reply: Uint8Array): Reply {
  const status = statusOf(asked, reply);
  if (status !== SERVER_OK) {
    const row = SERVER_STATUSES[status];
    throw fail(row?.error ?? 'BF-PROBE-GARBAGE', `stlink-server: ${row?.name ?? 'unlisted'} 0x${status.toString(16)}`);
  }
  return asked.decode(asked.hasStatus ? reply.subarray(STATUS_LENGTH) : reply);
}

/** Puts a reply of known size together from whatever pieces the stream arrives in. */
export class ReplyCollector {
  readonly #reply: Uint8Array;
  #filled = 0;

  constructor(replyLength: number) {
    this.#reply = new Uint8Array(replyLength);
  }

  /**
   * Takes a piece. @returns the whole reply once complete, otherwise undefined.
   * @throws BF-PROBE-GARBAGE when there is more than was asked for.
   */
  take(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length > this.#reply.length - this.#filled) throw fail('BF-PROBE-GARBAGE', 'stlink-server says too much');
    this.#reply.set(piece, this.#filled);
    this.#filled += piece.length;
    return this.#filled === this.#reply.length ? this.#reply : undefined;
  }
}

function withId(kind: number, id: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes[0] = kind;
  view(bytes).setUint32(4, id, true);
  return bytes;
}

function decodeDevice(body: Uint8Array): ServerDevice {
  const raw = body.subarray(4, 36);
  const end = raw.indexOf(0);
  const text = String.fromCharCode(...(end < 0 ? raw : raw.subarray(0, end)));
  return {
    id: u32(body, 0),
    serial: /^[0-9A-Za-z]+$/.test(text) ? text : undefined,
    vendorId: view(body).getUint16(36, true),
    productId: view(body).getUint16(38, true),
    used: body[40] !== 0,
  };
}
