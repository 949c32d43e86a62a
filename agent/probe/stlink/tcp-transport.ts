// The ST-LINK behind ST's stlink-server, over any byte channel. Protocol: stlink-server.ts; socket: tcp-socket.ts.
import { asBlindflashError, fail, type BlindflashError } from '../../../shared/errors/errors.ts';
import type { Clock } from '../../../shared/ports.ts';
import { pause, within } from '../deadline.ts';
import { Mutex } from '../mutex.ts';
import { BLOCK, MOST_RETRIES, PRODUCTS, ST_VENDOR_ID } from './constants.ts';
import {
  answerOf,
  closeDevice,
  countDevices,
  deviceInfo,
  openDevice,
  refreshDevices,
  ReplyCollector,
  SERVER_BUSY,
  serverVersion,
  statusOf,
  usbCommand,
  type ServerDevice,
  type ServerRequest,
} from './stlink-server.ts';
import type { StlinkIdentity, StlinkTransport } from './transport.ts';

/** A connected stream of bytes. The owner sets the two callbacks before anything arrives. */
export interface ByteChannel {
  send(bytes: Uint8Array): void;
  close(): void;
  onData: (piece: Uint8Array) => void;
  onClose: (reason: string) => void;
}

export interface TcpTransportOptions {
  readonly clock: Clock;
  /** For people: `tcp:HOST:PORT`. */
  readonly path: string;
  /** Makes a new connection. @throws BF-PROBE-SERVER */
  readonly connect: () => Promise<ByteChannel>;
  /** Takes the probe with this serial; without it there must be exactly one. */
  readonly serial?: string | undefined;
}

const HOUSEKEEPING_MS = 3000;
/** How long a server may go on counting a connection of ours that is gone; milliseconds, chosen. */
const STALE_CLIENT_MS = 500;
/** ST's server of API 1 crashes above 1428 bytes; every client uses this (docs/reference/stlink.md §2.4). */
const BLOCK_OF_API_1 = 1024;

/** The probe as the server has opened it for us. */
interface OpenedProbe {
  readonly channel: ByteChannel;
  readonly connectId: number;
}

interface PendingReply {
  readonly collector: ReplyCollector;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export class TcpTransport implements StlinkTransport {
  readonly #options: TcpTransportOptions;
  readonly #turn = new Mutex();
  #opened: OpenedProbe | undefined;
  #channel: ByteChannel | undefined;
  #pending: PendingReply | undefined;
  #device: ServerDevice | undefined;
  #block: number = BLOCK_OF_API_1;
  /** What broke the connection; told again to everybody until `reset`. */
  #trouble: BlindflashError | undefined;

  constructor(options: TcpTransportOptions) {
    this.#options = options;
  }

  get identity(): StlinkIdentity {
    const { path } = this.#options;
    const { vendorId = ST_VENDOR_ID, productId = 0, serial = this.#options.serial } = this.#device ?? {};
    return { vendorId, productId, serial, path };
  }

  get maxBlock(): number {
    return this.#block;
  }

  open(): Promise<void> {
    return this.#turn.run(() => this.#openNow());
  }

  exchange(
    command: Uint8Array,
    dataOut: Uint8Array | undefined,
    replyLength: number,
    deadlineMs: number,
  ): Promise<Uint8Array> {
    return this.#turn.run(async () => {
      if (this.#trouble !== undefined) throw fail(this.#trouble.code, this.#trouble.detail, this.#trouble);
      if (this.#opened === undefined) throw fail('BF-PROBE-CLOSED');
      return this.#ask(usbCommand(this.#opened.connectId, command, dataOut, replyLength), deadlineMs);
    });
  }

  reset(): Promise<void> {
    return this.#turn.run(async () => {
      this.#drop();
      await this.#openNow();
    });
  }

  close(): Promise<void> {
    return this.#turn.run(async () => {
      if (this.#opened !== undefined) {
        await this.#ask(closeDevice(this.#opened.connectId), HOUSEKEEPING_MS).catch(() => {});
      }
      this.#drop();
      this.#trouble = undefined;
    });
  }

  async #openNow(): Promise<void> {
    if (this.#opened !== undefined) return;
    const late = (): Error => fail('BF-PROBE-SERVER', `no connection to ${this.#options.path}`);
    const connecting = this.#options.connect();
    const channel = await within(this.#options.clock, HOUSEKEEPING_MS, connecting, late).catch((error: unknown) => {
      connecting.then((lost) => lost.close()).catch(() => {});
      throw error;
    });
    this.#adopt(channel);
    try {
      const api = await this.#ask(serverVersion(), HOUSEKEEPING_MS);
      this.#block = api < 2 ? BLOCK_OF_API_1 : BLOCK.words;
      this.#device = await this.#chooseFree();
      const connectId = await this.#ask(openDevice(this.#device.id), HOUSEKEEPING_MS);
      this.#opened = { channel, connectId };
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  #adopt(channel: ByteChannel): void {
    this.#channel = channel;
    this.#trouble = undefined;
    channel.onData = (piece) => this.#take(piece);
    channel.onClose = (reason) => {
      if (this.#channel === channel) this.#breakOff(fail('BF-PROBE-SERVER', `connection closed: ${reason}`));
    };
  }

  /**
   * The probe, unless another program has it: two would talk into one another's commands. A connection of our own that
   * was just broken off may still be counted.
   */
  async #chooseFree(): Promise<ServerDevice> {
    const end = this.#options.clock.now() + STALE_CLIENT_MS;
    for (;;) {
      const device = await this.#choose();
      if (!device.used) return device;
      if (this.#options.clock.now() >= end) throw fail('BF-PROBE-BUSY', `on ${this.#options.path}`);
      await pause(this.#options.clock, STALE_CLIENT_MS / 5);
    }
  }

  async #choose(): Promise<ServerDevice> {
    await this.#ask(refreshDevices(), HOUSEKEEPING_MS);
    const count = await this.#ask(countDevices(), HOUSEKEEPING_MS);
    const devices: ServerDevice[] = [];
    for (let index = 0; index < count; index += 1) devices.push(await this.#ask(deviceInfo(index), HOUSEKEEPING_MS));
    return chooseDevice(devices, this.#options.serial);
  }

  /** One request; a busy server is asked again with growing pauses. */
  async #ask<Reply>(request: ServerRequest<Reply>, deadlineMs: number): Promise<Reply> {
    for (let retry = 0; ; retry += 1) {
      const reply = await this.#roundTrip(request, deadlineMs);
      if (statusOf(request, reply) !== SERVER_BUSY || retry === MOST_RETRIES) return answerOf(request, reply);
      await pause(this.#options.clock, 1 << retry);
    }
  }

  async #roundTrip(request: ServerRequest<unknown>, deadlineMs: number): Promise<Uint8Array> {
    const channel = this.#channel;
    if (channel === undefined) throw fail('BF-PROBE-SERVER', 'connection closed');
    const work = new Promise<Uint8Array>((resolve, reject) => {
      this.#pending = { collector: new ReplyCollector(request.replyLength), resolve, reject };
      channel.send(request.bytes);
    });
    const late = (): Error => fail('BF-PROBE-TIMEOUT', `stlink-server silent for ${deadlineMs} ms`);
    try {
      return await within(this.#options.clock, deadlineMs, work, late);
    } catch (error) {
      this.#drop();
      this.#trouble = asBlindflashError(error);
      throw error;
    } finally {
      this.#pending = undefined;
    }
  }

  #take(piece: Uint8Array): void {
    if (this.#pending === undefined) {
      this.#breakOff(fail('BF-PROBE-GARBAGE', 'stlink-server speaks unasked'));
      return;
    }
    try {
      const reply = this.#pending.collector.take(piece);
      if (reply !== undefined) this.#pending.resolve(reply);
    } catch (error) {
      this.#pending.reject(error as Error);
    }
  }

  #breakOff(error: BlindflashError): void {
    this.#pending?.reject(error);
    this.#drop();
    this.#trouble = error;
  }

  #drop(): void {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#opened = undefined;
    channel?.close();
  }
}

/** The one usable probe of a server's list. @throws BF-PROBE-NONE, BF-PROBE-SEVERAL */
export function chooseDevice(devices: readonly ServerDevice[], serial: string | undefined): ServerDevice {
  const usable = devices.filter((row) => row.vendorId === ST_VENDOR_ID && PRODUCTS[row.productId]?.usable);
  const meant = serial === undefined ? usable : usable.filter((row) => row.serial === serial);
  if (meant.length === 0) throw fail('BF-PROBE-NONE', 'the stlink-server lists none');
  if (meant.length > 1) throw fail('BF-PROBE-SEVERAL', meant.map((row) => row.serial ?? '?').join(', '));
  return meant[0];
}
