// The virtual ST-LINK as a USB device on the virtual run's event queue, with the WebUSB surface the driver stands on.
// docs: docs/reference/stlink.md §1.2, §1.3, §2.1. A command is worked through in step with the queue, so that anything
// else that happens meanwhile (a power cut, an unplugged cable) meets the board at its exact instant.
import type { EventQueue } from '../event-queue.ts';
import { costModel, usbNs } from './cost.ts';
import type { CostModel } from './cost.ts';
import { COMMAND_SIZE } from './opcodes.ts';
import type { Steps } from './steps.ts';
import { configurationOf, stringDescriptor } from './usb-descriptors.ts';
import type { UsbConfiguration, UsbControlSetup, UsbInResult, UsbOutResult } from './usb-shape.ts';
import type { VirtualStlink } from './virtual-stlink.ts';

export interface VirtualUsbOptions {
  readonly stlink: VirtualStlink;
  readonly queue: EventQueue;
  /** Replaces the identity's serial number, 24 hex digits. */
  readonly serial?: string;
  /** Serial descriptor as old firmware sends it: one raw byte per character. */
  readonly rawSerial?: boolean;
  /** Only the transfer rate is used here; commands cost what the probe's own model says. */
  readonly cost?: Partial<CostModel>;
}

interface PendingOut {
  readonly bytes: Uint8Array;
  readonly resolve: (result: UsbOutResult) => void;
  readonly reject: (error: Error) => void;
}

interface PendingIn {
  readonly length: number;
  readonly got: number[];
  readonly resolve: (result: UsbInResult) => void;
  readonly reject: (error: Error) => void;
}

interface PendingCommand {
  readonly command: Uint8Array;
  readonly data: Uint8Array | undefined;
}

/** An error as WebUSB names it. */
function usbError(name: 'NetworkError' | 'InvalidStateError' | 'NotFoundError' | 'AbortError', message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

export class VirtualUsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber: string;
  readonly configuration: UsbConfiguration;
  readonly #stlink: VirtualStlink;
  readonly #queue: EventQueue;
  readonly #rate: CostModel;
  readonly #rawSerial: boolean;
  #plugged = true;
  #opened = false;
  #claimed = false;
  #outs: PendingOut[] = [];
  #ins: PendingIn[] = [];
  /** Reply packets the host has not fetched. */
  #packets: Uint8Array[] = [];
  /** A command whose OUT data is still coming. */
  #collecting: { command: Uint8Array; data: Uint8Array; filled: number } | undefined;
  #steps: Steps<Uint8Array> | undefined;
  /** Counts unplugs and resets: events of an earlier life do nothing. */
  #life = 0;

  constructor(options: VirtualUsbOptions) {
    const { stlink, queue } = options;
    this.#stlink = stlink;
    this.#queue = queue;
    this.#rate = costModel(stlink.identity.generation, options.cost);
    this.#rawSerial = options.rawSerial ?? false;
    this.vendorId = stlink.identity.vendorId;
    this.productId = stlink.identity.productId;
    this.serialNumber = options.serial ?? stlink.identity.serial;
    this.configuration = configurationOf(stlink.identity);
    queue.follow({ followTo: (ns) => stlink.board.runTo(ns) });
  }

  /** True between `open` and `close`, while the cable is in. */
  get opened(): boolean {
    return this.#opened;
  }

  // What the host does.

  async open(): Promise<void> {
    if (!this.#plugged) throw usbError('NotFoundError', 'device not found');
    this.#opened = true;
    this.#stlink.opened();
  }

  async close(): Promise<void> {
    this.#fail(usbError('AbortError', 'device closed'));
    this.#opened = false;
    this.#claimed = false;
  }

  /** USB bus reset: transfers and half-sent commands are gone, the firmware's mode is not. */
  async reset(): Promise<void> {
    this.#requireOpen();
    this.#fail(usbError('AbortError', 'device reset'));
    this.#dropWork();
  }

  async selectConfiguration(value: number): Promise<void> {
    this.#requireOpen();
    if (value !== this.configuration.configurationValue) throw usbError('NotFoundError', `no configuration ${value}`);
  }

  async claimInterface(interfaceNumber: number): Promise<void> {
    this.#requireOpen();
    if (interfaceNumber !== 0) throw usbError('NotFoundError', `no interface ${interfaceNumber}`);
    this.#claimed = true;
  }

  async releaseInterface(interfaceNumber: number): Promise<void> {
    this.#requireOpen();
    if (interfaceNumber === 0) this.#claimed = false;
  }

  async controlTransferIn(setup: UsbControlSetup, length: number): Promise<UsbInResult> {
    this.#requireOpen();
    const descriptor = stringDescriptor(this.#stlink.identity, this.serialNumber, this.#rawSerial, setup);
    return descriptor === undefined ? { status: 'stall' } : okIn(descriptor.subarray(0, length));
  }

  transferOut(endpointNumber: number, bytes: Uint8Array): Promise<UsbOutResult> {
    return new Promise((resolve, reject) => {
      this.#requireClaimed(endpointNumber === this.#stlink.identity.endpointOut);
      this.#outs.push({ bytes: bytes.slice(), resolve, reject });
      this.#takeOut();
    });
  }

  transferIn(endpointNumber: number, length: number): Promise<UsbInResult> {
    const { endpointIn, endpointTrace } = this.#stlink.identity;
    return new Promise((resolve, reject) => {
      this.#requireClaimed(endpointNumber === endpointIn || endpointNumber === endpointTrace);
      if (endpointNumber !== endpointIn) return;
      this.#ins.push({ length, got: [], resolve, reject });
      this.#queue.at(this.#queue.nowNs, () => this.#giveIn());
    });
  }

  // What happens to the cable.

  /** Pulls the cable now: everything pending fails, the command in work stops between two transfers on the wire. */
  unplug(): void {
    if (!this.#plugged) return;
    this.#plugged = false;
    this.#fail(usbError('NetworkError', 'the device was disconnected'));
    this.#opened = false;
    this.#claimed = false;
    this.#dropWork();
    this.#stlink.powerCycle();
  }

  /** Pulls the cable at virtual time `ns`. */
  unplugAt(ns: number): void {
    this.#queue.at(ns, () => this.unplug());
  }

  /** Plugs the cable in again; the probe starts afresh. */
  replug(): void {
    this.#plugged = true;
  }

  // The pipe.

  #requireOpen(): void {
    if (!this.#plugged) throw usbError('NetworkError', 'the device was disconnected');
    if (!this.#opened) throw usbError('InvalidStateError', 'the device is not open');
  }

  #requireClaimed(endpointExists: boolean): void {
    this.#requireOpen();
    if (!this.#claimed) throw usbError('InvalidStateError', 'the interface is not claimed');
    if (!endpointExists) throw usbError('NotFoundError', 'no such endpoint');
  }

  /** Takes the next OUT transfer when the probe is not at work: a command, or data for the command before. */
  #takeOut(): void {
    if (this.#steps !== undefined) return;
    const out = this.#outs.shift();
    if (out === undefined) return;
    const life = this.#life;
    const done = () => out.resolve({ status: 'ok', bytesWritten: out.bytes.length });
    this.#queue.at(this.#queue.nowNs + usbNs(this.#rate, out.bytes.length), done);
    const job = this.#collect(out.bytes);
    if (job === undefined) return this.#takeOut();
    this.#steps = this.#stlink.run(job.command, job.data);
    this.#queue.at(this.#queue.nowNs, () => this.#work(life));
  }

  /** Adds OUT bytes to what the probe has; a whole command with all its data is a job. */
  #collect(bytes: Uint8Array): PendingCommand | undefined {
    if (this.#collecting === undefined) {
      const command = bytes.subarray(0, COMMAND_SIZE);
      const length = this.#stlink.dataLength(command);
      if (length === 0) return { command, data: undefined };
      this.#collecting = { command, data: new Uint8Array(length), filled: 0 };
      return undefined;
    }
    const { command, data, filled } = this.#collecting;
    data.set(bytes.subarray(0, data.length - filled), filled);
    this.#collecting.filled += bytes.length;
    if (this.#collecting.filled < data.length) return undefined;
    this.#collecting = undefined;
    return { command, data };
  }

  /** Goes on with the command in work for as long as no other event comes first. */
  #work(life: number): void {
    while (life === this.#life && this.#steps !== undefined) {
      const step = this.#steps.next();
      if (step.done === true) return this.#finish(life, step.value);
      if (this.#queue.nextNs < step.value) {
        this.#queue.at(step.value, () => this.#work(life));
        return;
      }
      this.#stlink.board.runTo(step.value);
    }
  }

  #finish(life: number, reply: Uint8Array): void {
    this.#queue.at(this.#stlink.board.time.now, () => {
      if (life !== this.#life) return;
      this.#steps = undefined;
      const size = this.#stlink.identity.packetSize;
      for (let at = 0; at < reply.length; at += size) this.#packets.push(reply.slice(at, at + size));
      this.#giveIn();
      this.#takeOut();
    });
  }

  /** Fills waiting IN transfers with packets; a short packet or a full transfer ends one. */
  #giveIn(): void {
    for (let first = this.#ins[0]; first !== undefined && this.#packets.length > 0; first = this.#ins[0]) {
      if (this.#stlink.faults.take('stalls')) {
        this.#ins.shift();
        this.#packets = [];
        first.resolve({ status: 'stall' });
        continue;
      }
      const packet = this.#packets.shift()!;
      const overflow = first.got.length + packet.length > first.length;
      first.got.push(...packet);
      const short = packet.length < this.#stlink.identity.packetSize;
      if (!short && first.got.length < first.length) continue;
      this.#ins.shift();
      const data = Uint8Array.from(first.got).subarray(0, first.length);
      first.resolve(overflow ? { ...okIn(data), status: 'babble' } : okIn(data));
    }
  }

  #fail(error: Error): void {
    const pending = [...this.#outs, ...this.#ins];
    this.#outs = [];
    this.#ins = [];
    for (const transfer of pending) transfer.reject(error);
  }

  #dropWork(): void {
    this.#life++;
    this.#steps = undefined;
    this.#collecting = undefined;
    this.#packets = [];
  }
}

function okIn(bytes: Uint8Array): UsbInResult {
  const copy = bytes.slice();
  return { status: 'ok', data: new DataView(copy.buffer) };
}
