// Customers that are not what they should be: somebody with the invite and his own program in place of the agent, and a chip made of
// TypeScript in place of the stub. Both use nothing but what an agent is given.
import { createHash } from 'node:crypto';
import { holderKey, publicInviteHash } from '../../shared/invite.ts';
import { publicInviteOf, type RoomRecord } from '../../controller/job.ts';
import { startInitiator, type Initiator } from '../../shared/crypto/handshake.ts';
import { exchangePublic, noPsk, psk } from '../../shared/crypto/keys.ts';
import type { BoxSession } from '../../shared/crypto/session.ts';
import type { BlindflashError } from '../../shared/errors.ts';
import { decodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { silentLog } from '../../shared/ports.ts';
import { relayNameOf } from '../../shared/protocol/ticket.ts';
import { RoomClient } from '../../shared/room-client.ts';
import { decodeCommand, encodeReply, rootDigest, type Command, type Reply } from '../../shared/sealed/messages.ts';
import { encodeStubFacts } from '../../shared/sealed/payloads.ts';
import type { MessageName, MessageOf, TunnelMessage } from '../../shared/tunnel/messages.ts';
import { Tunnel } from '../../shared/tunnel/tunnel.ts';
import { FLASH, FLASH_BYTES } from './images.ts';
import { seededRandom } from './seeded.ts';
import type { World } from './world.ts';

/** Whoever has the invite's line: a tunnel of his own, no probe, no board. */
export class Impostor {
  readonly received: TunnelMessage[] = [];
  readonly tunnel: Tunnel;
  readonly room: RoomClient;
  code: string | undefined;
  failed: BlindflashError | undefined;
  #taken = 0;
  #wake: () => void = () => {};

  constructor(world: World, room: RoomRecord, inviteSecret: Uint8Array, seed = 500) {
    const random = seededRandom(seed);
    this.room = new RoomClient({
      dial: () => world.dial(undefined, 'agent'),
      dialledHost: relayNameOf(room.relayUrl),
      clock: world.queue,
      random,
      ticket: room.agentTicket,
      holderSecretKey: holderKey(psk(inviteSecret)).secretKey,
    });
    this.tunnel = new Tunnel({
      role: 'agent',
      controllerPublic: exchangePublic('tunnel', room.tunnelPublic),
      publicInviteHash: publicInviteHash(publicInviteOf(room)),
      inviteSecret: psk(inviteSecret),
      clock: world.queue,
      random,
      log: silentLog,
      events: {
        onConfirmed: ({ code }) => {
          this.code = code;
          this.#wake();
        },
        onMessage: (message) => {
          this.received.push(message);
          this.#wake();
        },
        onFailed: (error) => {
          this.failed = error;
          this.#wake();
        },
      },
    });
    this.room.onPeer = (present) => {
      if (present) this.tunnel.attachLink((body) => void this.room.send(body));
      else this.tunnel.linkLost();
    };
    this.room.onDown = () => this.tunnel.linkLost();
    this.room.onData = (body) => this.tunnel.receive(body);
    this.room.start();
  }

  get names(): readonly MessageName[] {
    return this.received.map(({ name }) => name);
  }

  send(message: TunnelMessage): void {
    this.tunnel.send(message);
  }

  /** The next message of one of these names; others are passed over. */
  async expect<Name extends MessageName>(...names: Name[]): Promise<Extract<TunnelMessage, { name: Name }>> {
    for (;;) {
      for (const message of this.received.slice(this.#taken)) {
        this.#taken++;
        if ((names as string[]).includes(message.name)) return message as Extract<TunnelMessage, { name: Name }>;
      }
      await this.#change();
    }
  }

  async opened(): Promise<void> {
    while (this.code === undefined) await this.#change();
  }

  /** Says what an honest agent with an unprotected F427 would say. */
  hello(stubs: readonly string[], uid = new Uint8Array(12)): void {
    this.send({
      name: 'HELLO',
      hello: {
        agent: '0.0.0',
        stubs: [...stubs],
        probe: { kind: 'none', firmware: 'none', serial: '', millivolts: 3300 },
        target: {
          devId: 0x419,
          revId: 0x2003,
          uid: Buffer.from(uid).toString('hex'),
          flashKiB: 2048,
          rdp: 0,
          optcr: 0x0fffaaed,
        },
      },
    });
  }

  close(): void {
    this.tunnel.close();
    this.room.close();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** The stub's role without a chip: everything it says is a function of public code and of what it is sent. */
export class EmulatedStub {
  readonly plan: Plan;
  readonly flash = new Uint8Array(FLASH_BYTES).fill(0xff);
  readonly commands: Command[] = [];
  readonly #initiator: Initiator;
  #session: BoxSession | undefined;

  constructor(job: MessageOf<'JOB'>, stubHash: Uint8Array, seed = 600, uid = new Uint8Array(12)) {
    this.plan = decodePlan(job.plan);
    this.#initiator = startInitiator({
      purpose: 'sealed',
      responderPublic: exchangePublic('sealed', job.sealedPublic),
      contexts: [stubHash, planHash(job.plan)],
      psk: noPsk(),
      payload1: encodeStubFacts({
        uid,
        idcode: 0x20036419,
        flashKiB: 2048,
        stubVersion: 0x0100,
        optcr: 0x0fffaaed,
        optcr1: 0x0fff0000,
        handshake: 1,
        widest: 'x32',
      }),
      random: seededRandom(seed),
    });
  }

  get m1(): Uint8Array {
    return this.#initiator.m1;
  }

  /** Takes M2, gives M3. */
  takeM2(m2: Uint8Array): Uint8Array {
    const { m3, result } = this.#initiator.receiveM2(m2);
    this.#session = result.session;
    return m3;
  }

  /** Opens a frame, does what it says to memory, and seals the answer if it has one. */
  take(box: Uint8Array): { readonly sequence: number; readonly box: Uint8Array } | undefined {
    const session = this.#session as BoxSession;
    const command = decodeCommand(session.open(box));
    this.commands.push(command);
    const reply = this.#obey(command, session.received);
    return reply === undefined ? undefined : session.seal(encodeReply(reply));
  }

  #obey(command: Command, answers: number): Reply | undefined {
    switch (command.name) {
      case 'IMAGE':
        this.flash.set(command.data, command.address - FLASH);
        return undefined;
      case 'ERASE':
        return { name: 'ERASED', answers, sector: command.sector };
      case 'DIGEST':
        return { name: 'DIGEST', answers, range: command.range, digest: this.#digest(command.range) };
      case 'FINAL':
        this.flash.set(command.bootWords, (this.plan.bootAddress ?? FLASH) - FLASH);
        return { name: 'WRITTEN', answers, width: 'x32', root: this.#root(), wordsProgrammed: 64, optcr: 0x0fffaaed };
      case 'END':
        return { name: 'ENDED', answers, wordsProgrammed: 64 };
      default:
        return { name: 'PONG', answers, wordsProgrammed: 0 };
    }
  }

  #digest(index: number): Uint8Array {
    const { address, length } = this.plan.ranges[index]!;
    const bytes = this.flash.subarray(address - FLASH, address - FLASH + length);
    return new Uint8Array(createHash('sha512').update(bytes).digest());
  }

  #root(): Uint8Array {
    return rootDigest(this.plan.ranges.map((range, index) => ({ ...range, digest: this.#digest(index) })));
  }
}
