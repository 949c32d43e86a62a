// A controller's job against a scripted agent: the real tunnel in between, a stub written a second time in plain words, time
// by hand. Faults are switched on by name.
import { createHash } from 'node:crypto';
import { compileFlash } from '../../../controller/plan/compile.ts';
import type { Image } from '../../../controller/image/image.ts';
import { makeRoom } from '../../../controller/job/invite.ts';
import type { JobRecord } from '../../../controller/job/job-record.ts';
import { startJob } from '../../../controller/job/job.ts';
import type { JobEvent, JobOptions, JobStore, OpenTransport, RunningJob } from '../../../controller/job/ports.ts';
import { concat, toHex } from '../../../shared/codec/bytes.ts';
import { sectorsOf, STM32F42X } from '../../../shared/chips/index.ts';
import { startInitiator, type Initiator } from '../../../shared/crypto/handshake.ts';
import { exchangeKeyPair, exchangePublic, noPsk, psk, signingKeyPair } from '../../../shared/crypto/keys.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { publicInviteHash } from '../../../shared/tunnel/invite.ts';
import { newRecord, publicInviteOf } from '../../../controller/job/job-record.ts';
import { decodePlan, planHash, type Plan } from '../../../shared/plan/plan.ts';
import { silentLog } from '../../../shared/ports.ts';
import type { SignedText } from '../../../shared/plan/receipt.ts';
import { decodeCommand, encodeReply, type Command, type Reply } from '../../../shared/sealed/messages.ts';
import { encodeStubFacts } from '../../../shared/sealed/payloads.ts';
import type { Board, Hello } from '../../../shared/tunnel/bodies.ts';
import type { TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { Tunnel } from '../../../shared/tunnel/tunnel.ts';
import { ManualClock, seeded } from '../shared/support.ts';
import { SEALED_PROTOCOL } from '../../../shared/sealed/protocol.ts';

export const FLASH = 0x08000000;
export const LEVEL0 = 0x0fffaaed;
export const LEVEL1 = 0x0fff55ed;
export const UID = Uint8Array.from({ length: 12 }, (_, i) => 0x40 + i);
export const STUB_HASH = new Uint8Array(createHash('sha512').update('a stub').digest());

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

/** What goes wrong, by name. */
export interface Faults {
  decline?: boolean;
  otherPlan?: boolean;
  hello?: (hello: Hello) => Hello;
  /** Said before HELLO. */
  early?: TunnelMessage;
  stubHash?: Uint8Array;
  uid?: Uint8Array;
  optcr?: number;
  /** Changes a reply before it is sealed. */
  reply?: (reply: Reply) => Reply;
  /** Does something with a command instead of the stub; true if it did. */
  command?: (command: Command, agent: FakeAgent) => boolean;
  /** The agent stays silent after this many frames. */
  silentAfter?: number;
  lockFails?: boolean;
}

/** The chip's flash, living longer than any agent. */
export class Desk {
  readonly flash = new Uint8Array(2048 * 1024).fill(0);
  optcr = LEVEL0;
  uid = UID;
}

/** Agent and stub. */
export class FakeAgent {
  readonly tunnel: Tunnel;
  readonly received: TunnelMessage[] = [];
  readonly commands: Command[] = [];
  readonly confirmed: { code: string; resumed: boolean }[] = [];
  faults: Faults;
  credit = 0;
  left = false;
  bye: (TunnelMessage & { name: 'BYE' }) | undefined;
  resumeSecret: Uint8Array | undefined;
  readonly #board: Desk;
  readonly #random = seeded('agent');
  #plan!: Plan;
  #planBytes!: Uint8Array;
  #sealedPublic!: Uint8Array;
  #initiator: Initiator | undefined;
  #session: BoxSession | undefined;
  #handshakes = 0;
  #accepted = 0;
  #words = 0;

  constructor(board: Desk, record: JobRecord, clock: ManualClock, faults: Faults = {}, resume?: Uint8Array) {
    this.#board = board;
    this.faults = faults;
    const { room } = record;
    this.tunnel = new Tunnel({
      role: 'agent',
      controllerPublic: exchangePublic('tunnel', room.tunnelPublic),
      publicInviteHash: publicInviteHash(publicInviteOf(room)),
      inviteSecret: room.inviteSecret === undefined || resume !== undefined ? undefined : psk(room.inviteSecret),
      resumeSecret: resume === undefined ? undefined : psk(resume),
      clock,
      random: seeded('agent tunnel'),
      log: silentLog,
      events: {
        onConfirmed: ({ code, resumed, resumeSecret }) => {
          this.confirmed.push({ code, resumed });
          this.resumeSecret = new Uint8Array(resumeSecret);
          this.#session = undefined;
          if (this.faults.early !== undefined) this.tunnel.send(this.faults.early);
          this.tunnel.send({ name: 'HELLO', hello: this.#hello() });
        },
        onMessage: (message) => this.#take(message),
        onFailed: (error) => {
          throw error;
        },
      },
    });
  }

  send(message: TunnelMessage): void {
    this.tunnel.send(message);
  }

  problem(code: string, board: Board = 'incomplete'): void {
    this.#session = undefined;
    this.send({ name: 'PROBLEM', problem: { code, detail: 'scripted', board } });
  }

  /** Seals a reply of the stub. */
  reply(reply: Reply): void {
    const { sequence, box } = (this.#session as BoxSession).seal(encodeReply(this.faults.reply?.(reply) ?? reply));
    this.send({ name: 'REPLY', sequence, box });
  }

  offer(): void {
    const { faults } = this;
    this.#initiator = startInitiator({
      protocol: SEALED_PROTOCOL,
      responderPublic: exchangePublic('sealed', this.#sealedPublic),
      contexts: [STUB_HASH, planHash(this.#planBytes)],
      psk: noPsk(),
      payload1: encodeStubFacts({
        uid: faults.uid ?? this.#board.uid,
        idcode: 0x20036419,
        flashKiB: 2048,
        stubVersion: 256,
        optcr: faults.optcr ?? this.#board.optcr,
        optcr1: 0x0fff0000,
        handshake: ++this.#handshakes,
        widest: 'x32',
      }),
      random: this.#random,
    });
    this.send({ name: 'SEALED1', stubHash: faults.stubHash ?? STUB_HASH, m1: this.#initiator.m1 });
  }

  get names(): string[] {
    return this.received.map(({ name }) => name);
  }

  #hello(): Hello {
    const hello: Hello = {
      agent: 'test',
      stubs: [toHex(STUB_HASH)],
      probe: { kind: 'fake', firmware: '1', serial: 'X', millivolts: 3300 },
      target: { devId: 0x419, revId: 0x2003, uid: toHex(this.#board.uid), flashKiB: 2048, rdp: 0, optcr: LEVEL0 },
    };
    return this.faults.hello?.(hello) ?? hello;
  }

  #take(message: TunnelMessage): void {
    this.received.push(message);
    switch (message.name) {
      case 'JOB':
        return this.#job(message);
      case 'SEALED2':
        return this.#sealed2(message.m2);
      case 'FRAME':
        return this.#frame(message.sequence, message.box);
      case 'RESTART':
        return this.offer();
      case 'BYE':
        this.bye = message;
        this.send({ name: 'LEFT', left: { board: message.done ? 'running' : 'untouched' } });
        return;
    }
  }

  #job(job: { sealedPublic: Uint8Array; plan: Uint8Array }): void {
    this.#sealedPublic = job.sealedPublic;
    this.#planBytes = job.plan;
    this.#plan = decodePlan(job.plan);
    const hash = planHash(job.plan);
    if (this.faults.otherPlan) hash[0] ^= 1;
    this.send({ name: 'SHEET' });
    this.send({ name: 'CONSENT', yes: this.faults.decline !== true, planHash: hash });
    if (this.faults.decline !== true && this.#plan.kind !== 'info' && this.#plan.kind !== 'reset') this.offer();
  }

  #sealed2(m2: Uint8Array): void {
    const { m3, result } = (this.#initiator as Initiator).receiveM2(m2);
    this.#session = result.session;
    this.#accepted = 0;
    this.send({ name: 'SEALED3', m3 });
    this.credit = 8;
    this.send({ name: 'CREDIT', upTo: this.credit });
  }

  #frame(sequence: number, box: Uint8Array): void {
    if (this.#session === undefined) return;
    if (this.faults.silentAfter !== undefined && sequence > this.faults.silentAfter) return;
    if (sequence > this.credit) throw new Error('frame beyond credit');
    const command = decodeCommand(this.#session.open(box, sequence));
    this.commands.push(command);
    this.#accepted = sequence;
    if (this.faults.command?.(command, this) !== true) this.#run(command, sequence);
    this.credit = sequence + 8;
    this.send({ name: 'CREDIT', upTo: this.credit });
    this.send({ name: 'PROGRESS', status: this.#accepted & 0xffff, wordsProgrammed: this.#words });
  }

  #run(command: Command, answers: number): void {
    const { flash } = this.#board;
    switch (command.name) {
      case 'ERASE': {
        const sector = sectorsOf(STM32F42X).find(({ index }) => index === command.sector)!;
        flash.fill(0xff, sector.base - FLASH, sector.base - FLASH + sector.bytes);
        return this.reply({ name: 'ERASED', answers, sector: command.sector });
      }
      case 'IMAGE':
        this.#program(command.address, command.data);
        return;
      case 'DIGEST':
        return this.reply({ name: 'DIGEST', answers, range: command.range, digest: this.digest(command.range) });
      case 'FINAL':
        return this.#final(command, answers);
      case 'LOCK':
        if (!this.faults.lockFails) this.#board.optcr = LEVEL1;
        return this.reply({
          name: 'LOCKED',
          answers,
          level1: !this.faults.lockFails,
          optcr: this.#board.optcr,
          optcr1: 0x0fff0000,
        });
      case 'END':
        return this.reply({ name: 'ENDED', answers, wordsProgrammed: this.#words });
      default:
        throw new Error(command.name);
    }
  }

  #program(address: number, data: Uint8Array): void {
    for (const [i, byte] of data.entries()) {
      if (this.#board.flash[address - FLASH + i] !== 0xff) throw new Error('not erased');
      this.#board.flash[address - FLASH + i] = byte;
    }
    this.#words += data.length / 4;
  }

  #final(command: Command & { name: 'FINAL' }, answers: number): void {
    if (toHex(this.root()) !== toHex(command.root)) {
      return this.reply({ name: 'ABORT', answers, error: 12, detail: 0xffffffff });
    }
    this.#program(this.#plan.bootAddress!, command.bootWords);
    this.reply({
      name: 'WRITTEN',
      answers,
      width: 'x32',
      root: this.root(),
      wordsProgrammed: this.#words,
      optcr: LEVEL0,
    });
  }

  digest(range: number): Uint8Array {
    const { address, length } = this.#plan.ranges[range];
    return sha(this.#board.flash.subarray(address - FLASH, address - FLASH + length));
  }

  root(): Uint8Array {
    const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
    const ranges = this.#plan.ranges.map((r, i) => concat(words(r.address, r.length), this.digest(i)));
    return sha(concat(new TextEncoder().encode('blindflash/1 root'), words(ranges.length), ...ranges));
  }
}

function sha(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(bytes).digest());
}

export class MemoryStore implements JobStore {
  readonly saved: JobRecord[] = [];
  readonly receipts = new Map<string, SignedText>();
  readonly log: string[] = [];

  get last(): JobRecord {
    return this.saved.at(-1)!;
  }
  async save(record: JobRecord): Promise<void> {
    this.saved.push(record);
  }
  async receipt(job: string, uid: string): Promise<SignedText | undefined> {
    return this.receipts.get(`${job} ${uid}`);
  }
  async storeReceipt(job: string, uid: string, receipt: SignedText): Promise<void> {
    this.log.push(JSON.parse(receipt.text).outcome);
    this.receipts.set(`${job} ${uid}`, receipt);
  }
}

export const KEYS = {
  sealed: exchangeKeyPair('sealed', seeded('sealed')),
  receipt: signingKeyPair('receipt', seeded('receipt')),
};

/** A fresh record for a plan. */
export function recordFor(plan: Plan, image?: Image): JobRecord {
  const room = makeRoom({
    relayUrl: 'wss://relay.test',
    tenant: signingKeyPair('tenant', seeded('tenant')),
    expires: 2_000_000_000,
    capKiB: 0,
    random: seeded('room'),
  });
  return newRecord(room, plan, image, 1_700_000_000_000);
}

export interface BenchOptions extends Partial<Omit<JobOptions, 'callbacks'>> {
  readonly plan?: Plan;
  readonly faults?: Faults;
  readonly board?: Desk;
  readonly code?: (code: string) => Promise<boolean>;
  /** The agent's resume secret, when it comes back. */
  readonly resume?: Uint8Array;
}

/** Controller and agent joined by two queues. */
export class Bench {
  readonly clock = new ManualClock();
  readonly store: MemoryStore;
  readonly board: Desk;
  readonly events: JobEvent[] = [];
  readonly codes: string[] = [];
  readonly record: JobRecord;
  readonly running: RunningJob;
  agent: FakeAgent;
  #controllerTunnel!: Tunnel;
  #onPeer!: (present: boolean) => void;
  #inFlight: (() => void)[] = [];
  #options: BenchOptions;

  constructor(options: BenchOptions = {}) {
    this.#options = options;
    const image = options.image ?? sampleImage();
    const plan = options.plan ?? compileFlash(image, STM32F42X, { job: new Uint8Array(16).fill(7), label: 'test' });
    this.record = options.record ?? recordFor(plan, image);
    this.store = (options.store as MemoryStore | undefined) ?? new MemoryStore();
    this.board = options.board ?? new Desk();
    this.agent = new FakeAgent(this.board, this.record, this.clock, options.faults, options.resume);
    this.running = startJob(
      {
        clock: this.clock,
        random: seeded(`controller ${this.record.uid ?? 'first'}`),
        log: silentLog,
        keys: KEYS,
        image,
        allowedStubs: [toHex(STUB_HASH)],
        ...options,
        store: this.store,
        record: this.record,
        callbacks: {
          confirmCode: (code) => {
            this.codes.push(code);
            return options.code?.(code) ?? Promise.resolve(true);
          },
          onEvent: (event) => this.events.push(event),
        },
      },
      this.#openWay(),
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

  /** The agent's process is gone; another one comes. */
  replaceAgent(faults: Faults = {}): void {
    const { resumeSecret } = this.agent;
    this.disconnect();
    this.agent.tunnel.close();
    this.agent = new FakeAgent(this.board, this.record, this.clock, faults, resumeSecret);
    this.connect();
  }

  /** Lets everything happen until `done`, at most `limitMs` of virtual time. */
  async until(done: () => boolean, limitMs = 60_000): Promise<void> {
    const end = this.clock.now() + limitMs;
    while (!done()) {
      for (const deliver of this.#inFlight.splice(0)) deliver();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#inFlight.length > 0) continue;
      if (this.clock.now() > end) throw new Error(`nothing more happens: ${this.agent.names.join(' ')}`);
      this.clock.advance(50);
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

  #openWay(): OpenTransport {
    const { room } = this.record;
    return (events) => {
      this.#onPeer = (present) => events.onPeer(present);
      this.#controllerTunnel = new Tunnel({
        role: 'controller',
        keyPair: { publicKey: exchangePublic('tunnel', room.tunnelPublic), secretKey: room.tunnelSecret as never },
        publicInviteHash: publicInviteHash(publicInviteOf(room)),
        inviteSecret: room.inviteSecret === undefined ? undefined : psk(room.inviteSecret),
        resumeSecret: room.resumeSecret === undefined ? undefined : psk(room.resumeSecret),
        clock: this.clock,
        random: seeded(`controller tunnel ${this.#options.resume === undefined}`),
        log: silentLog,
        events,
      });
      return this.#controllerTunnel;
    };
  }
}
