// A mailbox in an array with a stub that says what the test wants, lies included, and the MailboxHost before it.
import { Mailbox } from '../../../agent/transport/mailbox/mailbox.ts';
import { MailboxHost } from '../../../agent/transport/mailbox/mailbox-host.ts';
import { slotWrite } from '../../../agent/transport/mailbox/slots.ts';
import type { AccessWidth, StatusCheck } from '../../../agent/probe/adi/memory-access.ts';
import type { Probe } from '../../../agent/probe/probe.ts';
import { LAYOUTS } from '../../../shared/mailbox/layout.ts';
import { REPLY_RING } from '../../fixtures/f42x.ts';
import { silentLog } from '../../../shared/ports.ts';
import { EventQueue } from '../../../sim/event-queue.ts';
import { FakeTarget } from './probe/fake-target.ts';

// Spelled out again from docs/mailbox.md.
const BASE = 0x20000000;
const STATUS = 0x2002d004;
const MAGIC = 0x2002d000;
export const ACTIVITY = 0x2002d01c;
export const REPLY_ACK = 0x2002d088;
export const FRAMES = 0x20005000;
export const ACTIVE = 3;
const RING = 40;
const SLOT = 4096;

export class ScriptedStub extends FakeTarget {
  readonly queue = new EventQueue();
  readonly ram = new Uint8Array(0x30000);
  readonly writes: { address: number; bytes: Uint8Array; check: StatusCheck | undefined }[] = [];
  /** Says of each write, counted from 1, whether it is lost without an error; or throws. */
  loses: (write: number, check: StatusCheck | undefined) => boolean = () => false;
  polls = 0;
  looks = 0;
  failNext: Error[] = [];
  recovered = 0;
  onPoll: () => void = () => {};
  dhcsr = 0x01010001;
  readonly host = new MailboxHost(
    new Mailbox(LAYOUTS.stm32f42x, this as Probe, this.queue, silentLog),
    this.queue,
    silentLog,
  );

  constructor() {
    super();
    this.set(MAGIC, 0x32584d42);
    this.say(0, 0);
    this.host.begin();
  }

  get #view(): DataView {
    return new DataView(this.ram.buffer);
  }
  set(address: number, value: number): void {
    this.#view.setUint32(address - BASE, value >>> 0, true);
  }
  get(address: number): number {
    return this.#view.getUint32(address - BASE, true);
  }
  say(accepted: number, reply: number, state = ACTIVE, again = 0): void {
    this.set(STATUS, (again * 0x80000000 + state * 0x1000000 + (reply & 0xff) * 0x10000 + (accepted & 0xffff)) >>> 0);
  }
  /** Has accepted all sealed commands that lie in the ring without a gap; each slot is looked at in its turn. */
  takeAll(): void {
    let accepted = this.get(STATUS) & 0xffff;
    while (this.get(FRAMES + ((accepted + 1) % RING) * SLOT + SLOT - 4) === accepted + 1) accepted++;
    this.say(accepted, 0);
  }
  reply(sequence: number, box = new Uint8Array(192).fill(sequence)): Uint8Array {
    const { address, bytes } = slotWrite(REPLY_RING, sequence, box);
    this.ram.set(bytes, address - BASE);
    return box;
  }

  async #cost(): Promise<void> {
    await new Promise<void>((resolve) => this.queue.after(1, resolve));
    const error = this.failNext.shift();
    if (error !== undefined) throw error;
  }
  override async readWord(address: number): Promise<number> {
    await this.#cost();
    if (address === 0xe000edf0) {
      this.looks++;
      return this.dhcsr;
    }
    if (address === STATUS) {
      this.polls++;
      this.onPoll();
    }
    return this.get(address);
  }
  override async writeWord(address: number, value: number): Promise<void> {
    await this.#cost();
    this.set(address, value);
  }
  override async readMemory(address: number, length: number): Promise<Uint8Array> {
    await this.#cost();
    return this.ram.slice(address - BASE, address - BASE + length);
  }
  override async writeMemory(
    address = 0,
    bytes = new Uint8Array(0),
    _width?: AccessWidth,
    check?: StatusCheck,
  ): Promise<void> {
    await this.#cost();
    this.writes.push({ address, bytes, check });
    if (!this.loses(this.writes.length, check)) this.ram.set(bytes, address - BASE);
  }
  override async recover(): Promise<void> {
    this.recovered++;
  }

  drive<T>(work: Promise<T>): Promise<T> {
    return this.queue.drive(work);
  }
  /** Turns with the pauses they ask for. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) {
      const { pauseMs } = await this.host.turn();
      await new Promise<void>((resolve) => this.queue.after(pauseMs, resolve));
    }
  }
  queueFrames(from: number, to: number, size = 4064): void {
    for (let sequence = from; sequence <= to; sequence++) {
      this.host.queue({ sequence, box: new Uint8Array(size).fill(sequence) });
    }
  }
}
