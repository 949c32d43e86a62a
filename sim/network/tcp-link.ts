// A WebSocket between two hosts as the Link port sees it, over the TCP model: messages become bytes, bytes
// become segments, and a message arrives when its last byte and everything before it has
// (docs/performance.md, "The network model").
import { fail } from '../../shared/errors/errors.ts';
import type { Link } from '../../shared/ports.ts';
import type { EventQueue } from '../event-queue.ts';
import { seededChance, Wire, type Path } from './path.ts';
import { TcpSender, type SenderCounters, type Segment } from './tcp-sender.ts';

/** What the receiver buffers for an application that does not read, bytes, unless an option says otherwise. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** WebSocket header with a 16-bit length and a client's mask, and a TLS 1.3 record around it. */
const FRAMING_BYTES = 8 + 22;

export interface LinkCounters extends SenderCounters {
  messages: number;
  /** Bytes of the messages themselves. */
  payload: number;
  /** Bytes on the wire, headers, repetitions and acknowledgements of the other direction included. */
  wire: number;
}

export interface TcpLinkOptions {
  readonly queue: EventQueue;
  readonly path: Path;
  readonly seed: number;
  /** Bytes; 4 MiB without. */
  readonly receiveBuffer?: number | undefined;
}

interface QueuedMessage {
  readonly message: Uint8Array;
  /** Sequence number behind its last byte. */
  readonly end: number;
}

/** One direction: sender, both wires it uses, and the receiver's order. */
class Direction {
  readonly sender: TcpSender;
  readonly #buffer: number;
  readonly #data: Wire;
  readonly #acks: Wire;
  readonly #queue: QueuedMessage[] = [];
  /** Arrived beyond the first gap, by start. */
  readonly #early = new Map<number, Segment>();
  #inOrder = 0;
  #readUpTo = 0;
  #paused = false;
  #last: Segment = { start: 0, end: 0 };
  messages = 0;
  payload = 0;
  deliver: (message: Uint8Array) => void = () => {};

  constructor(queue: EventQueue, data: Wire, acks: Wire, buffer: number) {
    this.#buffer = buffer;
    this.#data = data;
    this.#acks = acks;
    this.sender = new TcpSender(queue, buffer, (segment) => this.#transmit(segment));
  }

  send(message: Uint8Array): void {
    this.messages++;
    this.payload += message.length;
    // Noted before the sender learns of the bytes: without a delay they may arrive at once.
    const queued = { message: message.slice(), end: this.#queueEnd() + message.length + FRAMING_BYTES };
    this.#queue.push(queued);
    this.sender.write(message.length + FRAMING_BYTES);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#read();
    this.#acknowledge(this.#last);
  }

  #written = 0;
  #queueEnd(): number {
    return this.#queue.at(-1)?.end ?? this.#written;
  }

  #transmit(segment: Segment): void {
    this.#data.send(segment.end - segment.start, () => this.#arrived(segment));
  }

  #arrived(segment: Segment): void {
    this.#last = segment;
    if (segment.end > this.#inOrder) this.#early.set(segment.start, segment);
    for (let next = this.#early.get(this.#inOrder); next !== undefined; next = this.#early.get(this.#inOrder)) {
      this.#early.delete(this.#inOrder);
      this.#inOrder = next.end;
    }
    this.#acknowledge(segment);
    this.#read();
  }

  #acknowledge(got: Segment): void {
    const news = { upTo: this.#inOrder, got, window: this.#readUpTo + this.#buffer };
    this.#acks.send(0, () => this.sender.acknowledge(news));
  }

  #read(): void {
    for (
      let first = this.#queue[0];
      first !== undefined && first.end <= this.#inOrder && !this.#paused;
      first = this.#queue[0]
    ) {
      this.#queue.shift();
      this.#readUpTo = this.#written = first.end;
      this.deliver(first.message);
    }
  }
}

/** One end of the connection. */
class End implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onClose: (code: number, reason: string) => void = () => {};
  readonly #out: Direction;
  readonly #in: Direction;
  readonly #hangUp: (code: number, reason: string) => void;
  closed = false;

  constructor(out: Direction, incoming: Direction, hangUp: (code: number, reason: string) => void) {
    this.#out = out;
    this.#in = incoming;
    this.#hangUp = hangUp;
    incoming.deliver = (message) => {
      if (!this.closed) this.onMessage(message);
    };
  }
  get buffered(): number {
    return this.#out.sender.unsent;
  }
  send(message: Uint8Array): void {
    if (this.closed) throw fail('BF-LINK-CLOSED');
    this.#out.send(message);
  }
  pause(): void {
    this.#in.pause();
  }
  resume(): void {
    this.#in.resume();
  }
  close(code: number, reason: string): void {
    if (!this.closed) this.#hangUp(code, reason);
  }
}

/** Both ends of one connection, and what it has carried. */
export interface TcpLinkPair {
  /** The end that dialled. */
  readonly near: Link;
  readonly far: Link;
  /** From near to far, and back. */
  counters(): { readonly out: LinkCounters; readonly back: LinkCounters };
}

/** An established connection; how long establishing takes is the caller's affair. */
export function tcpLinkPair({ queue, path, seed, receiveBuffer = RECEIVE_BUFFER }: TcpLinkOptions): TcpLinkPair {
  const there = new Wire(queue, path, seededChance(seed * 2 + 1));
  const back = new Wire(queue, path, seededChance(seed * 2 + 2));
  const out = new Direction(queue, there, back, receiveBuffer);
  const home = new Direction(queue, back, there, receiveBuffer);
  /** A close passes everything under way: it is the end of the job, or of the link. */
  const hangUp = (code: number, reason: string): void => {
    near.closed = far.closed = true;
    out.sender.close();
    home.sender.close();
    queue.after(path.rttMs / 2, () => {
      near.onClose(code, reason);
      far.onClose(code, reason);
    });
  };
  const near = new End(out, home, hangUp);
  const far = new End(home, out, hangUp);
  const count = (direction: Direction, wire: Wire): LinkCounters => ({
    ...direction.sender.counters,
    messages: direction.messages,
    payload: direction.payload,
    wire: wire.bytes,
  });
  return { near, far, counters: () => ({ out: count(out, there), back: count(home, back) }) };
}
