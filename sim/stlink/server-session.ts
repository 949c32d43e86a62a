// One client's conversation with the stlink-server face: device list, open, USB requests, close. docs:
// docs/reference/stlink.md §4.
import type { ServerRequest } from './tcp-protocol.ts';
import { INFO_SIZE, SERVER_STATUS, deviceInfo, withBody, words } from './tcp-protocol.ts';
import type { ProbeIdentity } from './identity.ts';

/** The probe as a server sees it; `exchange` may take its time. */
export interface SharedProbe {
  readonly identity: ProbeIdentity;
  readonly serial: string;
  dataLength(command: Uint8Array): number;
  /** A client opens it. */
  opened?(): void;
  exchange(command: Uint8Array, dataOut: Uint8Array | undefined, asked: number): Promise<Uint8Array>;
}

/** What all clients of one server share. */
export interface ServerState {
  readonly probe: SharedProbe;
  /** Connect ids in use, of all clients. */
  readonly connections: Set<number>;
  nextConnection: number;
  /** Protocol version told to clients: 1 (small blocks), 2, 3 (RW_MISC). */
  readonly api: 1 | 2 | 3;
}

export const DEVICE_ID = 0x0001c0de;
const SERVER_VERSION = [2, 1, 1] as const;
const CONNECTIONS_MAX = 64;

export function serverState(probe: SharedProbe, api: 1 | 2 | 3 = 3): ServerState {
  return { probe, connections: new Set(), nextConnection: 1, api };
}

export class ServerSession {
  readonly #server: ServerState;
  readonly #mine = new Set<number>();

  constructor(server: ServerState) {
    this.#server = server;
  }

  /** Answers one request with exactly the bytes its client waits for. */
  async answer(request: ServerRequest): Promise<Uint8Array> {
    switch (request.kind) {
      case 'version':
        return words(this.#server.api, ...SERVER_VERSION);
      case 'refresh':
        return words(SERVER_STATUS.ok);
      case 'count':
        return words(1);
      case 'info':
        return this.#info(request.index, request.size);
      case 'open':
        return this.#open(request.id);
      case 'close':
        return words(this.#drop(request.id) ? SERVER_STATUS.ok : SERVER_STATUS.badParameter);
      case 'usb':
        return this.#usb(request);
    }
  }

  /** The client is gone: its connect ids go with it. */
  end(): void {
    for (const id of [...this.#mine]) this.#drop(id);
  }

  #info(index: number, size: number): Uint8Array {
    const { probe } = this.#server;
    if (index !== 0) return withBody(SERVER_STATUS.badParameter, size);
    if (size < INFO_SIZE) return withBody(SERVER_STATUS.badBufferSize, size);
    return withBody(
      SERVER_STATUS.ok,
      size,
      deviceInfo(DEVICE_ID, probe.identity, probe.serial, this.#server.connections.size > 0),
    );
  }

  #open(device: number): Uint8Array {
    if (device !== DEVICE_ID || this.#server.connections.size >= CONNECTIONS_MAX) {
      return words(SERVER_STATUS.openError, 0);
    }
    const id = this.#server.nextConnection++;
    this.#server.connections.add(id);
    this.#mine.add(id);
    this.#server.probe.opened?.();
    return words(SERVER_STATUS.ok, id);
  }

  #drop(id: number): boolean {
    return this.#mine.delete(id) && this.#server.connections.delete(id);
  }

  async #usb(request: Extract<ServerRequest, { kind: 'usb' }>): Promise<Uint8Array> {
    const { probe } = this.#server;
    const announced = request.direction === 'write' ? 0 : request.length;
    if (!this.#mine.has(request.id)) return withBody(SERVER_STATUS.badParameter, announced);
    if (request.direction === 'readTrace') return withBody(SERVER_STATUS.ok, announced);
    if (probe.dataLength(request.command) !== (request.data?.length ?? 0)) {
      return withBody(SERVER_STATUS.transferError, announced);
    }
    const reply = await probe.exchange(request.command, request.data, announced).catch(() => undefined);
    if (reply === undefined) return withBody(SERVER_STATUS.transferError, announced);
    return withBody(readStatus(reply.length, announced), announced, reply);
  }
}

function readStatus(got: number, announced: number): number {
  if (announced > 0 && got === 0) return SERVER_STATUS.timeout;
  return announced > 0 && got > announced ? SERVER_STATUS.truncatedData : SERVER_STATUS.ok;
}
