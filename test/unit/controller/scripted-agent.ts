// An agent and the stub behind it, scripted: the real tunnel below, a stub written a second time in plain words. Faults are
// switched on by name.
import type { ManualClock } from '../../fixtures/manual-clock.ts';
import { createHash } from 'node:crypto';
import { publicInviteOf, type JobRecord } from '../../../controller/job/job-record.ts';
import { concat, toHex } from '../../../shared/codec/bytes.ts';
import { sectorsOf, STM32F42X } from '../../../shared/chips/index.ts';
import { startInitiator, type Initiator } from '../../../shared/crypto/handshake.ts';
import { exchangePublic, noPsk, psk } from '../../../shared/crypto/keys.ts';
import type { BoxSession } from '../../../shared/crypto/session.ts';
import { decodePlan, planHash, type Plan } from '../../../shared/plan/plan.ts';
import { silentLog } from '../../../shared/ports.ts';
import { decodeCommand, encodeReply, type Command, type Reply } from '../../../shared/sealed/messages.ts';
import { encodeStubFacts } from '../../../shared/sealed/payloads.ts';
import type { Board, Hello } from '../../../shared/tunnel/bodies.ts';
import { publicInviteHash } from '../../../shared/tunnel/invite.ts';
import type { TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { Tunnel } from '../../../shared/tunnel/tunnel.ts';
import { SEALED_PROTOCOL } from '../../../shared/sealed/protocol.ts';
import { seeded } from '../shared/support.ts';

export const FLASH = 0x08000000;
const LEVEL0 = 0x0fffaaed;
const LEVEL1 = 0x0fff55ed;
const UID = Uint8Array.from({ length: 12 }, (_, i) => 0x40 + i);
export const STUB_HASH = new Uint8Array(createHash('sha512').update('a stub').digest());

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
  command?: (command: Command, agent: ScriptedAgent) => boolean;
  /** The agent stays silent after this many sealed commands. */
  silentAfter?: number;
  lockFails?: boolean;
}

/** The chip's flash, living longer than any agent. */
export class ScriptedBoard {
  readonly flash = new Uint8Array(2048 * 1024).fill(0);
  optcr = LEVEL0;
  uid = UID;
}

/** Agent and stub. */
export class ScriptedAgent {
  readonly tunnel: Tunnel;
  readonly received: TunnelMessage[] = [];
  readonly commands: Command[] = [];
  readonly confirmed: { code: string; resumed: boolean }[] = [];
  faults: Faults;
  credit = 0;
  left = false;
  bye: (TunnelMessage & { name: 'BYE' }) | undefined;
  resumeSecret: Uint8Array | undefined;
  readonly #board: ScriptedBoard;
  readonly #random = seeded('agent');
  #plan!: Plan;
  #planBytes!: Uint8Array;
  #sealedPublic!: Uint8Array;
  #initiator: Initiator | undefined;
  #session: BoxSession | undefined;
  #handshakes = 0;
  #accepted = 0;
  #words = 0;

  constructor(board: ScriptedBoard, record: JobRecord, clock: ManualClock, faults: Faults = {}, resume?: Uint8Array) {
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
        return this.#sealedCommand(message.sequence, message.box);
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

  #sealedCommand(sequence: number, box: Uint8Array): void {
    if (this.#session === undefined) return;
    if (this.faults.silentAfter !== undefined && sequence > this.faults.silentAfter) return;
    if (sequence > this.credit) throw new Error('sealed command beyond credit');
    const command = decodeCommand(this.#session.open(box, sequence));
    this.commands.push(command);
    this.#accepted = sequence;
    if (this.faults.command?.(command, this) !== true) this.#run(command, sequence);
    this.credit = sequence + 8;
    this.send({ name: 'CREDIT', upTo: this.credit });
    const counts = { accepted: this.#accepted, replies: 0, damaged: false, wordsProgrammed: this.#words };
    this.send({ name: 'PROGRESS', progress: { state: 'boot', ...counts } });
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
