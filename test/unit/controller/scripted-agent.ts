// An agent and the stub behind it, scripted: the real tunnel below, a stub written a second time in plain words. Faults
// are switched on by name.
import { createHash } from 'node:crypto';
import { publicInviteOf, type JobRecord } from '../../../controller/store/job-record.ts';
import { concat, toHex } from '../../../shared/codec/bytes.ts';
import { sectorsOf, STM32F42X } from '../../../shared/chips/index.ts';
import { exchangePublic, psk, type Psk } from '../../../shared/crypto/keys.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { decodePlan, planHash, type Plan } from '../../../shared/plan/plan.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { silentLog } from '../../../shared/ports.ts';
import { decodeCommand, encodeReply, writtenRoot, type Command, type Reply } from '../../../shared/sealed/messages.ts';
import { startSealedInitiator, type SealedInitiator } from '../../fixtures/sealed-initiator.ts';
import { SEALED_SUITES } from '../../../shared/sealed/protocol.ts';
import { encodeStubFacts, type StubFacts } from '../../../shared/sealed/payloads.ts';
import type { BoardState } from '../../../shared/tunnel/bodies.ts';
import { publicInviteHash } from '../../../shared/tunnel/invite.ts';
import type { OwnMessage, OwnMessageOf, TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { AgentTunnel } from '../../../shared/tunnel/agent-tunnel.ts';
import type { ManualClock } from '../../fixtures/manual-clock.ts';
import { FLASH } from '../../fixtures/images.ts';
import { seeded } from '../shared/support.ts';

const LEVEL0 = 0x0fffaaed;
/** What its chip says of its time, ms. */
const CHIP_TIMES = { erase: 300, program: 200, check: 100 };
const LEVEL1 = 0x0fff55ed;
/** Commands taken without credit (docs/protocol.md §6). */
const EARLY = 32;
const UID = Uint8Array.from({ length: 12 }, (_, i) => 0x40 + i);
export const STUB_HASH = new Uint8Array(createHash('sha512').update('a stub').digest());

type OwnHello = OwnMessageOf<'HELLO'>['hello'];

/** What goes wrong, by name. */
export interface Faults {
  decline?: boolean;
  otherPlan?: boolean;
  hello?: (hello: OwnHello) => OwnHello;
  /** Said before HELLO. */
  early?: OwnMessage;
  stubHash?: Uint8Array;
  uid?: Uint8Array;
  optcr?: number;
  /** Changes what M1 says of the chip. */
  facts?: (facts: StubFacts) => StubFacts;
  /** Changes M1 on its way. */
  m1?: (m1: Uint8Array) => Uint8Array;
  /** d of this chip in place of the board’s. */
  deviceSecret?: Uint8Array;
  /** The board the agent says it left. */
  left?: BoardState;
  /** BYE is not answered by LEFT. */
  keepsBoard?: boolean;
  /** Changes a reply before it is sealed. */
  reply?: (reply: Reply) => Reply;
  /** Does something with a command instead of the stub; true if it did. */
  command?: (command: Command, agent: ScriptedAgent) => boolean;
  /** M3 is kept back; `giveM3` sends it. */
  keepsM3?: boolean;
  /** LEFT goes out with the replies to LOCK and END, before BYE. */
  leavesLocked?: boolean;
  /** Changes M3 on its way. */
  m3?: (m3: Uint8Array) => Uint8Array;
  /** The agent stays silent after this many sealed commands. */
  silentAfter?: number;
  lockFails?: boolean;
  /** The stub gives up with this error at once: its ABORT comes with SEALED3. */
  abortAtOnce?: number;
}

/** The chip's flash, living longer than any agent. */
export class ScriptedBoard {
  readonly flash = new Uint8Array(2048 * 1024).fill(0);
  optcr = LEVEL0;
  uid = UID;
  /** d: lives as long as the stub in RAM. */
  deviceSecret = seeded('d').bytes(32);
  /** Questions about what a session has not erased, in the stub's life. */
  questions = 0;
  #lives = 0;

  /** The stub is gone; the next one draws another d. */
  powerCut(): void {
    this.deviceSecret = seeded(`d after power cut ${++this.#lives}`).bytes(32);
    this.questions = 0;
  }
}

/** Agent and stub. */
export class ScriptedAgent {
  readonly tunnel: AgentTunnel;
  readonly received: TunnelMessage[] = [];
  readonly commands: Command[] = [];
  /** What its WRITTEN told. */
  writtenRoot: Uint8Array | undefined;
  /** What the customer's screen shows, a code a tunnel. */
  readonly codes: string[] = [];
  faults: Faults;
  credit = 0;
  failed: BlindflashError | undefined;
  bye: (TunnelMessage & { name: 'BYE' }) | undefined;
  /** As kept last: the way back. */
  secrets: readonly Psk[];
  /** Of every M2: the one it names, and the one this end of the tunnel has. */
  readonly sessionIds: [Uint8Array, Uint8Array][] = [];
  readonly #board: ScriptedBoard;
  readonly #random = seeded('agent');
  #plan!: Plan;
  #planBytes!: Uint8Array;
  #sealedPublic!: Uint8Array;
  #initiator: SealedInitiator | undefined;
  readonly #erased = new Set<number>();
  #session: BoxSession | undefined;
  #m3: Uint8Array = new Uint8Array();
  #handshakes = 0;
  #accepted = 0;
  #words = 0;

  constructor(
    board: ScriptedBoard,
    record: JobRecord,
    clock: ManualClock,
    faults: Faults = {},
    resume?: readonly Psk[],
  ) {
    this.#board = board;
    this.faults = faults;
    const { room } = record;
    this.secrets = resume ?? [psk(room.invite.secret!)];
    this.tunnel = new AgentTunnel({
      controllerPublic: exchangePublic('tunnel', room.tunnelPublic),
      publicInviteHash: publicInviteHash(publicInviteOf(room)),
      secrets: this.secrets,
      clock,
      random: seeded(`agent tunnel ${resume === undefined ? 'first' : toHex(resume[0]!).slice(0, 8)}`),
      log: silentLog,
      events: {
        keepSecrets: (secrets) => (this.secrets = secrets.map((secret) => psk(secret))),
        onOpened: ({ code }) => {
          this.codes.push(code);
          this.#session = undefined;
          if (this.faults.early !== undefined) this.tunnel.send(this.faults.early);
          this.greet();
        },
        onMessage: (message) => this.#take(message),
        onFailed: (error) => (this.failed = error),
      },
    });
  }

  send(message: OwnMessage): void {
    this.tunnel.send(message);
  }

  greet(): void {
    this.send({ name: 'HELLO', hello: this.#hello() });
  }

  problem(code: string, board: BoardState = 'incomplete'): void {
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
    this.#session = undefined;
    const facts: StubFacts = {
      uid: faults.uid ?? this.#board.uid,
      idcode: 0x20036419,
      flashKiB: 2048,
      stubVersion: 0x200,
      optcr: faults.optcr ?? this.#board.optcr,
      optcr1: 0x0fff0000,
      keyKind: 'ram',
      handshake: ++this.#handshakes,
      widest: 'x32',
    };
    this.#initiator = startSealedInitiator({
      suite: SEALED_SUITES.sealed,
      responderPublic: exchangePublic('sealed', this.#sealedPublic),
      contexts: [STUB_HASH, planHash(this.#planBytes)],
      deviceSecret: faults.deviceSecret ?? this.#board.deviceSecret,
      facts: encodeStubFacts(faults.facts?.(facts) ?? facts),
      random: this.#random,
    });
    this.send({
      name: 'SEALED1',
      stubHash: faults.stubHash ?? STUB_HASH,
      m1: faults.m1?.(this.#initiator.m1) ?? this.#initiator.m1,
    });
  }

  get names(): string[] {
    return this.received.map(({ name }) => name);
  }

  #hello(): OwnHello {
    const hello: OwnHello = {
      agent: 'test',
      stubs: [toHex(STUB_HASH)],
      probe: { kind: 'fake', firmware: '1', serial: 'X', millivolts: 3300 },
      target: {
        devId: 0x419,
        revId: 0x2003,
        uid: toHex(this.#board.uid),
        flashKiB: 2048,
        rdp: 0,
        optcr: LEVEL0,
        optcr1: 0x0fff0000,
      },
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
        return this.#sealedCommand(message.sequence, message.box);
      case 'RESTART':
        return this.offer();
      case 'BYE':
        this.bye = message;
        if (this.faults.keepsBoard === true || this.faults.leavesLocked === true) return;
        this.send({ name: 'LEFT', left: { board: this.faults.left ?? (message.done ? 'running' : 'untouched') } });
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
    const { m3, result, payload2 } = (this.#initiator as SealedInitiator).receiveM2(m2);
    this.sessionIds.push([payload2.slice(0, 16), this.tunnel.sealedSessionId((this.#initiator as SealedInitiator).m1)]);
    this.#session = result.session;
    this.#erased.clear();
    this.#accepted = 0;
    this.#m3 = this.faults.m3?.(m3) ?? m3;
    if (this.faults.keepsM3 !== true) this.giveM3();
  }

  giveM3(): void {
    this.send({ name: 'SEALED3', m3: this.#m3 });
    const error = this.faults.abortAtOnce;
    if (error !== undefined) this.reply({ name: 'ABORT', answers: 0, error, detail: 0x20 });
    this.credit = Math.max(8, this.#accepted + 8);
    this.send({ name: 'CREDIT', upTo: this.credit });
  }

  #sealedCommand(sequence: number, box: Uint8Array): void {
    if (this.#session === undefined) return;
    if (this.faults.silentAfter !== undefined && sequence > this.faults.silentAfter) return;
    if (sequence > Math.max(this.credit, EARLY)) throw new Error('sealed command beyond credit');
    const command = decodeCommand(this.#session.open(box, sequence));
    this.commands.push(command);
    this.#accepted = sequence;
    if (this.faults.command?.(command, this) !== true) this.#run(command, sequence);
    this.credit = sequence + 8;
    this.send({ name: 'CREDIT', upTo: this.credit });
    this.send({ name: 'PROGRESS', accepted: this.#accepted, wordsProgrammed: this.#words });
  }

  #run(command: Command, answers: number): void {
    const { flash } = this.#board;
    switch (command.name) {
      case 'ERASE': {
        if (command.sector === 255) return this.reply({ name: 'ERASED', answers, sector: 255, how: 'blank' });
        this.#erased.add(command.sector);
        const sector = sectorsOf(STM32F42X).find(({ index }) => index === command.sector)!;
        flash.fill(0xff, sector.base - FLASH, sector.base - FLASH + sector.bytes);
        return this.reply({ name: 'ERASED', answers, sector: command.sector, how: 'erased' });
      }
      case 'IMAGE':
        this.#program(command.address, command.data);
        return;
      case 'DIGEST':
        return this.#question(command, answers);
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
        this.reply({ name: 'ENDED', answers, wordsProgrammed: this.#words, chipTimes: CHIP_TIMES });
        if (this.faults.leavesLocked === true) this.send({ name: 'LEFT', left: { board: 'locked' } });
        return;
      default:
        throw new Error(command.name);
    }
  }

  /** As docs/protocol.md §8, "Questions", has it. */
  #question({ first, count, expected }: Command & { name: 'DIGEST' }, answers: number): void {
    const ranges = this.#plan.ranges.slice(first, first + count);
    const outside = ranges.some(({ address }) => !this.#erased.has(sectorOf(address)));
    const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
    const allowed = !outside || bytes >= 1024 || count === this.#plan.ranges.length;
    if (!allowed || (outside && ++this.#board.questions > 256)) {
      return this.reply({ name: 'ABORT', answers, error: 8, detail: first });
    }
    const equal = toHex(this.root(first, count)) === toHex(expected);
    this.reply({ name: 'DIGEST', answers, equal, questionsLeft: 256 - this.#board.questions });
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
    const outside = this.#plan.ranges.some(({ address }) => !this.#erased.has(sectorOf(address)));
    if (outside && ++this.#board.questions > 256) {
      return this.reply({ name: 'ABORT', answers, error: 8, detail: 0 });
    }
    this.#program(this.#plan.bootAddress!, command.bootWords);
    this.writtenRoot = writtenRoot(command.root, command.bootWords);
    this.reply({
      name: 'WRITTEN',
      answers,
      width: 'x32',
      root: this.writtenRoot,
      wordsProgrammed: this.#words,
      optcr: LEVEL0,
      chipTimes: CHIP_TIMES,
    });
  }

  digest(range: number): Uint8Array {
    const { address, length } = this.#plan.ranges[range];
    return sha(this.#board.flash.subarray(address - FLASH, address - FLASH + length));
  }

  root(first = 0, count = this.#plan.ranges.length): Uint8Array {
    const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
    const ranges = this.#plan.ranges
      .slice(first, first + count)
      .map((r, i) => concat(words(r.address, r.length), this.digest(first + i)));
    return sha(concat(new TextEncoder().encode('blindflash/2 root'), words(ranges.length), ...ranges));
  }
}

function sectorOf(address: number): number {
  return sectorsOf(STM32F42X).find(({ base, bytes }) => address >= base && address < base + bytes)!.index;
}

function sha(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(bytes).digest());
}
