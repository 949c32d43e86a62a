// An agent that means ill, in this process: it has the vendor's invite and writes into its messages whatever it likes.
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { systemRandom } from '../../../shared/platform/node/system-random.ts';
import { dialRelay } from '../../../shared/platform/node/dial-relay.ts';
import { RoomClient } from '../../../shared/link/room-client.ts';
import { relayNameOf } from '../../../shared/link/ticket.ts';
import { planHash } from '../../../shared/plan/plan.ts';
import { silentLog } from '../../../shared/ports.ts';
import { bundledStubs } from '../../../agent/node/bundled-stubs.ts';
import { AgentTunnel } from '../../../shared/tunnel/agent-tunnel.ts';
import { decodeInvite, holderKey, publicInviteHash } from '../../../shared/tunnel/invite.ts';
import type { MessageName, MessageOf, OwnMessage, TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { hostileText, type Dice } from './hostile-text.ts';

export class HostileAgent {
  readonly #dice: Dice;
  readonly #room: RoomClient;
  readonly #tunnel: AgentTunnel;
  readonly #heard: TunnelMessage[] = [];
  #code: string | undefined;
  #wake: () => void = () => {};

  constructor(line: string, dice: Dice) {
    this.#dice = dice;
    const invite = decodeInvite(line, Math.floor(systemClock.wall() / 1000));
    const name = relayNameOf(invite.relayUrl);
    this.#room = new RoomClient({
      dial: () => dialRelay(invite.relayUrl, systemClock),
      dialledHost: name,
      clock: systemClock,
      random: systemRandom,
      ticket: invite.ticket,
      holderSecretKey: holderKey(invite.secret).secretKey,
    });
    this.#tunnel = new AgentTunnel({
      controllerPublic: invite.tunnelPublic,
      publicInviteHash: publicInviteHash(invite),
      secrets: [invite.secret],
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      events: {
        onOpened: ({ code }) => this.#open(code),
        keepSecrets: () => {},
        onMessage: (message) => this.#hear(message),
        onFailed: () => {},
      },
    });
    this.#room.onPeer = (present) => {
      if (present) this.#tunnel.attachLink((body) => void this.#room.send(body));
      else this.#tunnel.linkLost();
    };
    this.#room.onData = (body) => this.#tunnel.receive(body);
    this.#room.start();
  }

  send(message: OwnMessage): void {
    this.#tunnel.send(message);
  }

  /** The code as this customer would read it out. */
  async code(): Promise<string> {
    while (this.#code === undefined) await this.#change();
    return this.#code;
  }

  /** Every text of a HELLO hostile. */
  greet(): void {
    const text = (): string => hostileText(this.#dice, 64);
    const probe = { kind: text(), firmware: text(), serial: text(), millivolts: 3300 };
    const uid = '0102030405060708090a0b0c';
    const target = {
      devId: 0x419,
      revId: 0x2003,
      uid,
      flashKiB: 2048,
      rdp: 0,
      optcr: 0x0fffaaed,
      optcr1: 0x0fff0000,
    } as const;
    this.send({ name: 'HELLO', hello: { agent: text(), stubs: [...bundledStubs().hashes], probe, target } });
  }

  complain(code: string, detail = hostileText(this.#dice, 300)): void {
    this.send({ name: 'PROBLEM', problem: { code, detail, board: 'untouched' } });
  }

  /** Says yes to the next JOB. */
  async agree(): Promise<void> {
    const { plan } = await this.expect('JOB');
    this.send({ name: 'SHEET' });
    this.send({ name: 'CONSENT', yes: true, planHash: planHash(plan) });
  }

  /** The next message of this name. */
  async expect<Name extends MessageName>(name: Name): Promise<MessageOf<Name>> {
    for (;;) {
      const at = this.#heard.findIndex((message) => message.name === name);
      if (at >= 0) return this.#heard.splice(at, 1)[0] as MessageOf<Name>;
      await this.#change();
    }
  }

  heard(name: MessageName): boolean {
    return this.#heard.some((message) => message.name === name);
  }

  close(): void {
    this.#tunnel.close();
    this.#room.close();
  }

  #open(code: string): void {
    this.#code = code;
    this.#wake();
  }

  #hear(message: TunnelMessage): void {
    this.#heard.push(message);
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
