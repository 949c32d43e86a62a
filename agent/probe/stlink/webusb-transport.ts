// The ST-LINK over anything WebUSB-shaped: framing, own deadlines, one exchange at a time, recovery.
// Facts: docs/reference/stlink.md §2.1 (framing), §1.3 (serial), §7 (how to stand on WebUSB).
import { fail, type BlindflashError } from '../../../shared/errors/errors.ts';
import type { Clock } from '../../../shared/ports.ts';
import { within } from '../deadline.ts';
import { Mutex } from '../mutex.ts';
import { BLOCK, COMMAND_LENGTH, DEBUG_INTERFACE, PRODUCTS } from './constants.ts';
import { SERIAL_DESCRIPTOR, SERIAL_DESCRIPTOR_ROOM, serialFromDescriptor, serialFromText } from './serial.ts';
import type { StlinkIdentity, StlinkTransport } from './transport.ts';
import type { UsbDeviceLike, UsbEndpointLike, UsbInResult } from '../usb/usb-device.ts';
import { usbError } from '../usb/usb-errors.ts';

export interface WebUsbTransportOptions {
  readonly clock: Clock;
  /** `process.platform`; decides which trouble "access denied" is. */
  readonly platform?: NodeJS.Platform;
}

interface Pipes {
  readonly out: number;
  readonly in: number;
  /** Packet size of the IN endpoint, bytes. */
  readonly packet: number;
}

type State = 'closed' | 'open';

/** A pipe that is still empty after this long is taken for empty. */
const DRAIN_MS = 20;
/** More packets than the largest reply on a full-speed pipe; whoever has more to say is not an ST-LINK. */
const MOST_DRAINED_PACKETS = 128;
/** Opening, claiming, closing, reading a descriptor: each. */
const HOUSEKEEPING_MS = 2000;
const FULL_SPEED_PACKET = 64;

export class WebUsbTransport implements StlinkTransport {
  readonly maxBlock = BLOCK.words;
  readonly #device: UsbDeviceLike;
  readonly #clock: Clock;
  readonly #platform: NodeJS.Platform;
  readonly #turn = new Mutex();
  #state: State = 'closed';
  /** What made the transport bad; told again to everybody until `reset`. */
  #trouble: BlindflashError | undefined;
  #pipes: Pipes;
  #serial: string | undefined;
  /** An IN request of one packet that was still waiting when the pipe was found empty; it gets the next reply. */
  #waiting: Promise<UsbInResult> | undefined;
  #resetsInARow = 0;
  /** Counts closings: work begun before one must not touch what was opened after it. */
  #closings = 0;

  constructor(device: UsbDeviceLike, options: WebUsbTransportOptions) {
    this.#device = device;
    this.#clock = options.clock;
    this.#platform = options.platform ?? 'linux';
    this.#pipes = pipesOf(device);
    this.#serial = serialFromText(device.serialNumber);
  }

  get identity(): StlinkIdentity {
    const { vendorId, productId } = this.#device;
    return { vendorId, productId, serial: this.#serial, path: 'usb' };
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
      this.#requireOpen();
      if (command.length !== COMMAND_LENGTH) throw fail('BF-INTERNAL-ARGUMENT', `command of ${command.length} bytes`);
      const work = this.#exchangeNow(command, dataOut, replyLength);
      const reply = await this.#guarded(work, deadlineMs, `no answer within ${deadlineMs} ms`);
      this.#resetsInARow = 0;
      return reply;
    });
  }

  /** Closes, opens and drains; from the second time in a row on, resets the USB device too. */
  reset(): Promise<void> {
    return this.#turn.run(async () => {
      this.#resetsInARow += 1;
      if (this.#resetsInARow > 1) await this.#quietly(() => this.#device.reset());
      await this.#closeNow();
      await this.#openNow();
    });
  }

  close(): Promise<void> {
    return this.#turn.run(() => {
      this.#trouble = undefined;
      return this.#closeNow();
    });
  }

  #requireOpen(): void {
    if (this.#trouble !== undefined) throw fail(this.#trouble.code, this.#trouble.detail, this.#trouble);
    if (this.#state === 'closed') throw fail('BF-PROBE-CLOSED');
  }

  async #openNow(): Promise<void> {
    if (this.#state === 'open') return;
    await this.#housekeeping(async () => {
      await this.#device.open();
      if (!this.#device.configuration) await this.#device.selectConfiguration(1);
      await this.#device.claimInterface(DEBUG_INTERFACE);
    });
    this.#pipes = pipesOf(this.#device);
    this.#state = 'open';
    this.#trouble = undefined;
    await this.#readSerial();
    await this.#guarded(this.#drain(), HOUSEKEEPING_MS, 'the pipe does not run dry');
  }

  async #closeNow(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#closings += 1;
    this.#waiting = undefined;
    await this.#quietly(() => this.#device.releaseInterface(DEBUG_INTERFACE));
    await this.#quietly(() => this.#device.close());
  }

  /** Replaces a serial only by a better one: a device that will not tell keeps what the listing said. */
  async #readSerial(): Promise<void> {
    await this.#quietly(async () => {
      const answer = await this.#device.controlTransferIn(SERIAL_DESCRIPTOR, SERIAL_DESCRIPTOR_ROOM);
      this.#serial = serialFromDescriptor(bytesOf(answer)) ?? this.#serial;
    });
  }

  /** Throws away packets an earlier user left behind, until none comes for DRAIN_MS. */
  async #drain(): Promise<void> {
    const empty = Symbol('empty');
    const stillMine = this.#sameOpening();
    for (let count = 0; count < MOST_DRAINED_PACKETS; count += 1) {
      stillMine();
      const packet = this.#device.transferIn(this.#pipes.in, this.#pipes.packet);
      const silence = fail('BF-PROBE-TIMEOUT');
      const first = await within(this.#clock, DRAIN_MS, packet, () => silence).catch((error: unknown) => {
        if (error !== silence) throw error;
        return empty;
      });
      if (first !== empty) continue;
      packet.catch(() => {});
      this.#waiting = packet;
      return;
    }
    throw fail('BF-PROBE-GARBAGE', 'the probe never stops talking');
  }

  async #exchangeNow(command: Uint8Array, dataOut: Uint8Array | undefined, replyLength: number): Promise<Uint8Array> {
    const stillMine = this.#sameOpening();
    await this.#send(command);
    stillMine();
    if (dataOut !== undefined && dataOut.length > 0) await this.#send(dataOut);
    stillMine();
    if (replyLength === 0) return new Uint8Array();
    const reply = await this.#receive(replyLength);
    if (reply.length !== replyLength) {
      throw fail('BF-PROBE-GARBAGE', `${reply.length} bytes instead of ${replyLength}`);
    }
    return reply;
  }

  /** A check for use after every wait: throws once the device was closed in between. */
  #sameOpening(): () => void {
    const mine = this.#closings;
    return () => {
      if (this.#closings !== mine) throw fail('BF-PROBE-CLOSED');
    };
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const { status, bytesWritten } = await this.#device.transferOut(this.#pipes.out, bytes);
    requireOk(status);
    if (bytesWritten !== bytes.length) throw fail('BF-PROBE-GARBAGE', `only ${bytesWritten} bytes accepted`);
  }

  /** One reply; the request left over from draining takes its first packet. */
  async #receive(length: number): Promise<Uint8Array> {
    const { packet } = this.#pipes;
    if (this.#waiting === undefined) return this.#request(length);
    const pending = this.#waiting;
    this.#waiting = undefined;
    const first = bytesOf(requireAnswer(await pending));
    if (first.length < packet || length <= packet) return first;
    const rest = await this.#request(length - packet);
    return concatenate(first, rest);
  }

  /** Asks for whole packets, so that a longer answer than expected is seen and not lost. */
  async #request(length: number): Promise<Uint8Array> {
    const rounded = Math.ceil(length / this.#pipes.packet) * this.#pipes.packet;
    return bytesOf(requireAnswer(await this.#device.transferIn(this.#pipes.in, rounded)));
  }

  /** Runs work on the open device; whatever goes wrong leaves the transport bad, and closes the device. */
  async #guarded<T>(work: Promise<T>, deadlineMs: number, late: string): Promise<T> {
    try {
      return await within(this.#clock, deadlineMs, work, () => fail('BF-PROBE-TIMEOUT', late));
    } catch (error) {
      this.#trouble = usbError(error, this.#platform);
      await this.#closeNow();
      throw this.#trouble;
    }
  }

  async #housekeeping(work: () => Promise<void>): Promise<void> {
    try {
      await within(this.#clock, HOUSEKEEPING_MS, work(), () => fail('BF-PROBE-TIMEOUT', 'opening took too long'));
    } catch (error) {
      await this.#quietly(() => this.#device.close());
      throw usbError(error, this.#platform, 'BF-PROBE-BUSY');
    }
  }

  /** For steps whose failure changes nothing: bounded, and silent. */
  async #quietly(work: () => Promise<void>): Promise<void> {
    await within(this.#clock, HOUSEKEEPING_MS, work(), () => fail('BF-PROBE-TIMEOUT')).catch(() => {});
  }
}

/** Endpoint numbers from the descriptor, or from the product table when it tells none. */
function pipesOf(device: UsbDeviceLike): Pipes {
  const product = PRODUCTS[device.productId];
  const debug = device.configuration?.interfaces.find((row) => row.interfaceNumber === DEBUG_INTERFACE);
  const bulk = (direction: 'in' | 'out', wanted: number | undefined): UsbEndpointLike | undefined => {
    const all = debug?.alternate.endpoints.filter((row) => row.direction === direction && row.type === 'bulk') ?? [];
    return all.find((row) => row.endpointNumber === wanted) ?? all[0];
  };
  const incoming = bulk('in', product?.endpointIn);
  const outgoing = bulk('out', product?.endpointOut);
  return {
    out: outgoing?.endpointNumber ?? product?.endpointOut ?? 1,
    in: incoming?.endpointNumber ?? product?.endpointIn ?? 1,
    packet: incoming?.packetSize || FULL_SPEED_PACKET,
  };
}

function requireOk(status: string | undefined): void {
  if (status !== undefined && status !== 'ok') throw fail('BF-PROBE-GARBAGE', `USB says ${status}`);
}

function requireAnswer(result: UsbInResult): UsbInResult {
  requireOk(result.status);
  return result;
}

function bytesOf({ data }: UsbInResult): Uint8Array {
  return data === undefined ? new Uint8Array() : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
