// A controller's job against a scripted agent, joined by two queues and the real tunnel, time by hand.
import assert from 'node:assert/strict';
import { compileFlash } from '../../../controller/plan/compile.ts';
import type { Image } from '../../../controller/image/image.ts';
import { makeRoom } from '../../../controller/job/invite.ts';
import { newRecord, publicInviteOf, type CodePolicy, type JobRecord } from '../../../controller/store/job-record.ts';
import { startJob } from '../../../controller/job/job.ts';
import type {
  CodeAnswer,
  CodeAsked,
  JobEvent,
  JobOptions,
  OpenJobTunnel,
  RunningJob,
} from '../../../controller/job/ports.ts';
import { toHex } from '../../../shared/codec/bytes.ts';
import { STM32F42X } from '../../../shared/chips/index.ts';
import { exchangeKeyPair, exchangePublic, signingKeyPairFrom, type Psk } from '../../../shared/crypto/keys.ts';
import { BlindflashError, type ErrorCode } from '../../../shared/errors/errors.ts';
import type { Plan } from '../../../shared/plan/plan.ts';
import { verifyEd25519 } from '../../../shared/platform/node/verify-signature.ts';
import { silentLog } from '../../../shared/ports.ts';
import { ControllerTunnel } from '../../../shared/tunnel/controller-tunnel.ts';
import { publicInviteHash, vendorFingerprint } from '../../../shared/tunnel/invite.ts';
import { ManualClock } from '../../fixtures/manual-clock.ts';
import { seeded } from '../shared/support.ts';
import { MemoryJobStore } from './memory-job-store.ts';
import { FLASH } from '../../fixtures/images.ts';
import { ScriptedAgent, ScriptedBoard, STUB_HASH, type Faults } from './scripted-agent.ts';

export const JOB = new Uint8Array(16).fill(7);

/** An image with a good vector table in sector 0 and data in sectors 1 and 5. */
export function sampleImage(seed = 'image', sizes: readonly [number, number, number] = [9000, 5000, 20000]): Image {
  const parts = [FLASH, FLASH + 0x4000, FLASH + 0x20000];
  const segments = sizes.map((size, i) => {
    const bytes = seeded(`${seed} ${i}`).bytes(size);
    return { address: parts[i], bytes };
  });
  new DataView(segments[0].bytes.buffer).setUint32(0, 0x20030000, true);
  new DataView(segments[0].bytes.buffer).setUint32(4, FLASH + 0x1c1, true);
  return { format: 'bin', segments, length: sizes.reduce((a, b) => a + b, 0) };
}

export const KEYS = {
  sealed: exchangeKeyPair('sealed', seeded('sealed')),
  receipt: signingKeyPairFrom('receipt', seeded('receipt').bytes(32)),
};

/** A fresh record for a plan. */
export function recordFor(plan: Plan, image?: Image, codePolicy: CodePolicy = 'each'): JobRecord {
  const room = makeRoom({
    relayUrl: 'wss://relay.test',
    tenant: signingKeyPairFrom('tenant', seeded('tenant').bytes(32)),
    vendor: vendorFingerprint(KEYS.sealed.publicKey, KEYS.receipt.publicKey),
    expires: 2_000_000_000,
    capKiB: 0,
    random: seeded('room'),
  });
  return newRecord(room, plan, image, 1_700_000_000_000, codePolicy);
}

export interface JobFixtureOptions extends Partial<Omit<JobOptions, 'callbacks'>> {
  readonly plan?: Plan;
  readonly faults?: Faults;
  readonly board?: ScriptedBoard;
  readonly codePolicy?: CodePolicy;
  /** What the vendor types; what the customer's screen shows unless given, nothing for undefined. */
  readonly type?: (asked: CodeAsked, shown: string) => string | undefined;
  /** The agent's way back, when it comes back. */
  readonly resume?: readonly Psk[];
}

/** A job of the controller and its agent, joined by two queues. */
export class JobFixture {
  readonly clock = new ManualClock();
  readonly store: MemoryJobStore;
  readonly board: ScriptedBoard;
  readonly events: JobEvent[] = [];
  /** Every question for the code. */
  readonly asked: CodeAsked[] = [];
  readonly answers: CodeAnswer[] = [];
  /** How often the relay was told to end the room. */
  revoked = 0;
  readonly record: JobRecord;
  readonly running: RunningJob;
  agent: ScriptedAgent;
  #controllerTunnel!: ControllerTunnel;
  #onPeer!: (present: boolean) => void;
  #inFlight: (() => void)[] = [];
  #options: JobFixtureOptions;

  constructor(options: JobFixtureOptions = {}) {
    this.#options = options;
    const image = options.image ?? sampleImage();
    const plan = options.plan ?? compileFlash(image, STM32F42X, { job: JOB, label: 'test' });
    this.record = options.record ?? recordFor(plan, image, options.codePolicy);
    this.store = (options.store as MemoryJobStore | undefined) ?? new MemoryJobStore();
    this.board = options.board ?? new ScriptedBoard();
    this.agent = new ScriptedAgent(this.board, this.record, this.clock, options.faults, options.resume);
    this.running = startJob(
      {
        clock: this.clock,
        random: seeded(`controller ${this.record.uid ?? 'first'}`),
        log: silentLog,
        keys: KEYS,
        verify: verifyEd25519,
        image,
        allowedStubs: [toHex(STUB_HASH)],
        ...options,
        store: this.store,
        record: this.record,
        callbacks: { onEvent: (event) => this.#heard(event) },
      },
      this.#openTunnel(),
    );
    this.running.done.catch(() => {});
    this.connect();
  }

  /** Both are in the room. */
  connect(): void {
    const { agent } = this;
    this.#onPeer(true);
    this.#controllerTunnel.attachLink((body) => this.#inFlight.push(() => agent.tunnel.receive(body)));
    agent.tunnel.attachLink((body) => this.#inFlight.push(() => this.#controllerTunnel.receive(body)));
  }

  disconnect(): void {
    this.#inFlight = [];
    this.#onPeer(false);
    this.#controllerTunnel.linkLost();
    this.agent.tunnel.linkLost();
  }

  /** The agent's process is gone; another one comes, with its way back or with another one. */
  replaceAgent(faults: Faults = {}, secrets = this.agent.secrets): void {
    this.disconnect();
    this.agent.tunnel.close();
    this.agent = new ScriptedAgent(this.board, this.record, this.clock, faults, secrets);
    this.connect();
  }

  /** Somebody else is in the room beside the agent: what he sends arrives, and he hears nothing. */
  beside({ tunnel }: ScriptedAgent): void {
    tunnel.attachLink((body) => this.#inFlight.push(() => this.#controllerTunnel.receive(body)));
  }

  /**
   * The vendor types what the customer's screen shows, or something else, for the latest
   * question or for an earlier one.
   */
  async type(text = this.agent.codes.at(-1)!, { tunnel } = this.asked.at(-1)!): Promise<CodeAnswer> {
    const answer = await this.running.answerCode(text, tunnel);
    this.answers.push(answer);
    return answer;
  }

  #heard(event: JobEvent): void {
    this.events.push(event);
    if (event.type !== 'code') return;
    this.asked.push(event);
    const shown = this.agent.codes.at(-1)!;
    const typed = this.#options.type === undefined ? shown : this.#options.type(event, shown);
    // The question must be asked before it is answered.
    if (typed !== undefined) void Promise.resolve().then(() => this.type(typed, event));
  }

  /** Lets everything happen until `done`, at most `limitMs` of virtual time. */
  async until(done: () => boolean, limitMs = 60_000): Promise<void> {
    const end = this.clock.now() + limitMs;
    while (!done()) {
      for (const deliver of this.#inFlight.splice(0)) deliver();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#inFlight.length > 0) continue;
      if (this.clock.now() > end) throw new Error(`nothing more happens: ${this.agent.names.join(' ')}`);
      this.clock.advanceNow(50);
    }
  }

  /** Runs the job to its end. */
  async finish(limitMs = 600_000): Promise<Awaited<RunningJob['done']>> {
    let over = false;
    const done = this.running.done.finally(() => (over = true));
    done.catch(() => {});
    await this.until(() => over, limitMs);
    return done;
  }

  eventsOf<Type extends JobEvent['type']>(type: Type): Extract<JobEvent, { type: Type }>[] {
    return this.events.filter((event) => event.type === type) as Extract<JobEvent, { type: Type }>[];
  }

  /** Bytes of flash. */
  flash(address: number, length: number): Uint8Array {
    return this.board.flash.slice(address - FLASH, address - FLASH + length);
  }

  #openTunnel(): OpenJobTunnel {
    const { room } = this.record;
    return (events) => {
      this.#onPeer = (present) => events.onPeer(present);
      const tunnel = new ControllerTunnel({
        keyPair: { publicKey: exchangePublic('tunnel', room.tunnelPublic), secretKey: room.tunnelSecret as never },
        publicInviteHash: publicInviteHash(publicInviteOf(room)),
        state: room.invite,
        clock: this.clock,
        random: seeded(`controller tunnel ${this.#options.resume === undefined}`),
        log: silentLog,
        events,
      });
      this.#controllerTunnel = tunnel;
      return {
        send: (message) => tunnel.send(message),
        get unacknowledged() {
          return tunnel.unacknowledged;
        },
        checkCode: (typed) => tunnel.checkCode(typed),
        proved: () => tunnel.proved(),
        sealedSessionId: (m1) => tunnel.sealedSessionId(m1),
        spend: (why) => tunnel.spend(why),
        revoke: () => void this.revoked++,
        close: () => tunnel.close(),
      };
    };
  }
}

/** From the erase of sector 5 on the chip does nothing any more. */
export function stopsAt5(): Faults {
  let stopped = false;
  return { command: (command) => (stopped ||= command.name === 'ERASE' && command.sector === 5) };
}

/** Runs a job that must end with this code; returns the fixture and the error. */
export async function failing(code: ErrorCode, options: JobFixtureOptions, limitMs?: number) {
  const fixture = new JobFixture(options);
  const error = await fixture.finish(limitMs).then(
    () => assert.fail(`expected ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BlindflashError, String(error));
  assert.equal(error.code, code, error.message);
  return { fixture, error };
}
