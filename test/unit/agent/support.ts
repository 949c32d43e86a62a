// Benches for the agent's tests: two ends of a room in memory, a controller that plays a script, a customer who notes everything.
import { exchangeKeyPair, exchangePublic, psk } from '../../../shared/crypto/keys.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { publicInviteHash, type Invite } from '../../../shared/tunnel/invite.ts';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import { silentLog, type Clock } from '../../../shared/ports.ts';
import type { MessageName, MessageOf, OwnMessage, TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { Tunnel } from '../../../shared/tunnel/tunnel.ts';
import type { ConsentSheet } from '../../../agent/consent/sheet.ts';
import type { Room } from '../../../agent/session/tunnel-event-queue.ts';
import type { Customer, JobProgress } from '../../../agent/session/ports.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { FLASH, smallPlan } from '../../fixtures/plans.ts';

export { FLASH, smallPlan };

/** A plan of a kind that erases and programs nothing. */
export function quietPlan(kind: 'info' | 'reset', change: Partial<Plan> = {}): Plan {
  return smallPlan({ kind, sectors: [], ranges: [], bootAddress: undefined, ...change });
}

const keys = exchangeKeyPair('tunnel', seededRandom(7));

/** An invite whose tunnel key the scripted controller owns. */
export const INVITE: Invite = {
  expires: 4_000_000_000,
  tunnelPublic: exchangePublic('tunnel', keys.publicKey),
  relayUrl: 'ws://127.0.0.1:8787',
  ticket: seededRandom(9).bytes(180),
  secret: psk(seededRandom(8).bytes(32)),
};

/** One side of a room in memory. Bodies travel through the clock, in order. */
export class MemoryRoom implements Room {
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
  /** Of an earlier tunnel: this is a controller that comes back. */
  readonly resumeSecret?: Uint8Array | undefined;
  readonly seed?: number;
}

/** The controller's end of the tunnel: what arrived, and a way to wait for it. */
export class ControllerPeer {
  readonly received: TunnelMessage[] = [];
  readonly tunnel: Tunnel;
  code: string | undefined;
  resumeSecret: Uint8Array | undefined;
  failed: BlindflashError | undefined;
  #taken = 0;
  #wake: () => void = () => {};

  constructor({ clock, room, resumeSecret, seed = 21 }: PeerOptions) {
    this.tunnel = new Tunnel({
      role: 'controller',
      keyPair: keys,
      publicInviteHash: publicInviteHash(INVITE),
      inviteSecret: resumeSecret === undefined ? INVITE.secret : undefined,
      resumeSecret: resumeSecret === undefined ? undefined : psk(resumeSecret),
      clock,
      random: seededRandom(seed),
      log: silentLog,
      events: {
        onConfirmed: ({ code, resumeSecret: secret }) => {
          this.code = code;
          this.resumeSecret = secret;
        },
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

  sendJob(plan: Plan | Uint8Array, sealedPublic: Uint8Array = seededRandom(5).bytes(32)): void {
    const bytes = plan instanceof Uint8Array ? plan : encodePlan(plan);
    this.send({ name: 'JOB', sealedPublic, hostEntropy: seededRandom(6).bytes(32), plan: bytes });
  }

  bye(done = true, code = 'BF-JOB-CODE-REFUSED'): void {
    if (done) this.send({ name: 'BYE', done, customer: { receipt: null, signature: null } });
    else this.send({ name: 'BYE', done, failure: { code, detail: 'no' } });
  }
}

export class NotingCustomer implements Customer {
  readonly said: string[] = [];
  readonly codes: string[] = [];
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
  askConsent(sheet: ConsentSheet): Promise<boolean> {
    return this.answer(sheet);
  }
  progress(progress: JobProgress): void {
    this.progresses.push(progress);
  }
}
