// Fixtures for the agent's tests: two ends of a room in memory, a controller that plays a script, a
// customer who notes everything.
import {
  exchangeKeyPair,
  exchangeKeyPairFrom,
  exchangePublic,
  psk,
  signingKeyPairFrom,
} from '../../../shared/crypto/keys.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { publicInviteHash, vendorFingerprint, type Invite } from '../../../shared/tunnel/invite.ts';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import { silentLog, type Clock } from '../../../shared/ports.ts';
import type { MessageName, MessageOf, OwnMessage, TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { ControllerTunnel } from '../../../shared/tunnel/controller-tunnel.ts';
import { newInviteState, type InviteState } from '../../../shared/tunnel/invite-state.ts';
import type { SignedText } from '../../../shared/plan/receipt.ts';
import type { ConsentSheet } from '../../../agent/consent/sheet.ts';
import type { RoomPort } from '../../../agent/session/tunnel-event-queue.ts';
import type { Customer, JobProgress } from '../../../agent/session/ports.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { FLASH } from '../../fixtures/images.ts';
import { smallPlan } from '../../fixtures/plans.ts';

export { FLASH, smallPlan };

/** A plan of a kind that erases and programs nothing. */
export function quietPlan(kind: 'info' | 'reset' | 'unlock' | 'options', change: Partial<Plan> = {}): Plan {
  return smallPlan({ kind, sectors: [], ranges: [], bootAddress: undefined, ...change });
}

const keys = exchangeKeyPair('tunnel', seededRandom(7));

/** The vendor's key pairs for sealed sessions and receipts. */
export const VENDOR = {
  sealed: exchangeKeyPairFrom('sealed', seededRandom(77).bytes(32)),
  receipt: signingKeyPairFrom('receipt', seededRandom(78).bytes(32)),
} as const;

/** An invite whose tunnel key the scripted controller owns. */
export const INVITE: Invite = {
  expires: 4_000_000_000,
  tunnelPublic: exchangePublic('tunnel', keys.publicKey),
  vendor: vendorFingerprint(VENDOR.sealed.publicKey, VENDOR.receipt.publicKey),
  relayUrl: 'ws://127.0.0.1:8787',
  ticket: seededRandom(9).bytes(180),
  secret: psk(seededRandom(8).bytes(32)),
};

/** One side of a room in memory. Bodies travel through the clock, in order. */
export class MemoryRoom implements RoomPort {
  onPeer: (present: boolean) => void = () => {};
  onDown: () => void = () => {};
  onData: (body: Uint8Array) => void = () => {};
  onEnd: (error: BlindflashError) => void = () => {};
  peer: MemoryRoom | undefined;
  started = false;
  closed = false;
  /** Bodies are lost while this is set. */
  cut = false;
  readonly #clock: Clock;
  readonly #delayMs: number;

  constructor(clock: Clock, delayMs = 5) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  start(): void {
    this.started = true;
    this.#tell();
  }

  send(body: Uint8Array): boolean {
    const { peer } = this;
    if (peer === undefined || !peer.started || peer.closed || this.closed || this.cut) return false;
    const copy = body.slice();
    this.#clock.after(this.#delayMs, () => {
      if (!peer.closed && !this.cut) peer.onData(copy);
    });
    return true;
  }

  close(): void {
    this.closed = true;
    this.peer?.onPeer(false);
  }

  #tell(): void {
    const there = this.peer?.started === true && !this.peer.closed;
    this.onPeer(there);
    if (there) this.peer?.onPeer(true);
  }
}

export function roomPair(clock: Clock): { agent: MemoryRoom; controller: MemoryRoom } {
  const agent = new MemoryRoom(clock);
  const controller = new MemoryRoom(clock);
  agent.peer = controller;
  controller.peer = agent;
  return { agent, controller };
}

export interface PeerOptions {
  readonly clock: Clock;
  readonly room: MemoryRoom;
  /** What an earlier process of this controller kept: this is one that comes back. */
  readonly state?: InviteState | undefined;
  readonly seed?: number;
}

/** The controller's end of the tunnel: what arrived, and a way to wait for it. */
export class ControllerPeer {
  readonly received: TunnelMessage[] = [];
  readonly tunnel: ControllerTunnel;
  /** Of each tunnel, as the customer was shown them. */
  tunnels = 0;
  state: InviteState;
  failed: BlindflashError | undefined;
  #taken = 0;
  #wake: () => void = () => {};

  constructor({ clock, room, state = newInviteState(psk(INVITE.secret)), seed = 21 }: PeerOptions) {
    this.state = state;
    this.tunnel = new ControllerTunnel({
      keyPair: keys,
      publicInviteHash: publicInviteHash(INVITE),
      state,
      clock,
      random: seededRandom(seed),
      log: silentLog,
      events: {
        onOpened: () => void this.tunnels++,
        keep: (kept) => {
          this.state = kept;
          return Promise.resolve();
        },
        onSpent: () => {},
        onMessage: (message) => {
          this.received.push(message);
          this.#wake();
        },
        onFailed: (error) => {
          this.failed = error;
        },
      },
    });
    room.onPeer = (present) => {
      if (present) this.tunnel.attachLink((body) => void room.send(body));
      else this.tunnel.linkLost();
    };
    room.onData = (body) => this.tunnel.receive(body);
    room.start();
  }

  send(message: OwnMessage): void {
    this.tunnel.send(message);
  }

  /** The next message of this name; others before it are passed over. */
  async expect<Name extends MessageName>(name: Name): Promise<MessageOf<Name>> {
    for (;;) {
      for (const message of this.received.slice(this.#taken)) {
        this.#taken++;
        if (message.name === name) return message as MessageOf<Name>;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  names(): MessageName[] {
    return this.received.map(({ name }) => name);
  }

  /** The JOB of the vendor the invite names; `change` makes it another's. */
  sendJob(plan: Plan | Uint8Array, change: Partial<MessageOf<'JOB'>> = {}): void {
    const bytes = plan instanceof Uint8Array ? plan : encodePlan(plan);
    const [sealedPublic, receiptPublic] = [VENDOR.sealed.publicKey, VENDOR.receipt.publicKey];
    const hostEntropy = seededRandom(6).bytes(32);
    this.send({ name: 'JOB', sealedPublic, receiptPublic, hostEntropy, plan: bytes, ...change });
  }

  /** BYE, done: with this receipt, or without one. */
  bye(receipt?: SignedText): void {
    const customer = { receipt: receipt?.text ?? null, signature: receipt?.signature ?? null };
    this.send({ name: 'BYE', done: true, customer });
  }

  giveUp(code = 'BF-JOB-CODE-REFUSED'): void {
    this.send({ name: 'BYE', done: false, failure: { code, detail: 'no' } });
  }
}

export class NotingCustomer implements Customer {
  readonly said: string[] = [];
  readonly codes: string[] = [];
  /** The code beside each question. */
  readonly asked: string[] = [];
  readonly sheets: ConsentSheet[] = [];
  readonly progresses: JobProgress[] = [];
  answer: (sheet: ConsentSheet) => Promise<boolean> = () => Promise.resolve(true);

  say(text: string): void {
    this.said.push(text);
  }
  showCode(code: string): void {
    this.codes.push(code);
  }
  showSheet(sheet: ConsentSheet): void {
    this.sheets.push(sheet);
  }
  askConsent(sheet: ConsentSheet, code: string): Promise<boolean> {
    this.asked.push(code);
    return this.answer(sheet);
  }
  progress(progress: JobProgress): void {
    this.progresses.push(progress);
  }
}
