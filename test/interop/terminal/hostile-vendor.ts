// A vendor who means ill, in this process: an invite of his own, his side of the room, and in his
// messages whatever he likes.
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { systemRandom } from '../../../shared/platform/node/system-random.ts';
import { dialRelay } from '../../../shared/platform/node/dial-relay.ts';
import { exchangeKeyPair, psk, signingKeyPairFrom } from '../../../shared/crypto/keys.ts';
import { RoomClient } from '../../../shared/link/room-client.ts';
import { issueTicket, relayNameOf, type SideName } from '../../../shared/link/ticket.ts';
import { encodePlan, type Plan } from '../../../shared/plan/plan.ts';
import { silentLog } from '../../../shared/ports.ts';
import { ControllerTunnel } from '../../../shared/tunnel/controller-tunnel.ts';
import { encodeInvite, holderKey, publicInviteHash, vendorFingerprint } from '../../../shared/tunnel/invite.ts';
import type { Invite } from '../../../shared/tunnel/invite.ts';
import { newInviteState } from '../../../shared/tunnel/invite-state.ts';
import type { MessageName, MessageOf, OwnMessage, TunnelMessage } from '../../../shared/tunnel/messages.ts';
import { smallPlan } from '../../fixtures/plans.ts';

const DAY_SECONDS = 86_400;

export class HostileVendor {
  /** The line the customer pastes. */
  readonly invite: string;
  readonly #sealed = exchangeKeyPair('sealed', systemRandom);
  readonly #receipt = signingKeyPairFrom('receipt', systemRandom.bytes(32));
  readonly #fields: Invite;
  readonly #room: RoomClient;
  readonly #tunnel: ControllerTunnel;
  readonly #heard: TunnelMessage[] = [];
  #wake: () => void = () => {};

  constructor(relayUrl: string) {
    const [tenant, own] = [systemRandom.bytes(32), systemRandom.bytes(32)];
    const tunnelKey = exchangeKeyPair('tunnel', systemRandom);
    const secret = psk(systemRandom.bytes(32));
    const expires = Math.floor(systemClock.wall() / 1000) + DAY_SECONDS;
    const room = systemRandom.bytes(16);
    const relay = relayNameOf(relayUrl);
    const ticket = (side: SideName, holder: Uint8Array): Uint8Array =>
      issueTicket(signingKeyPairFrom('tenant', tenant).secretKey, {
        room,
        side,
        id: systemRandom.bytes(16),
        expires,
        capKiB: 1024,
        holderKey: holder,
        relay,
      });
    this.#fields = {
      expires,
      tunnelPublic: tunnelKey.publicKey,
      vendor: vendorFingerprint(this.#sealed.publicKey, this.#receipt.publicKey),
      relayUrl,
      ticket: ticket('agent', holderKey(secret).publicKey),
      secret,
    };
    this.invite = encodeInvite(this.#fields);
    this.#tunnel = new ControllerTunnel({
      keyPair: tunnelKey,
      publicInviteHash: publicInviteHash(this.#fields),
      state: newInviteState(secret),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      events: {
        onOpened: () => {},
        keep: () => Promise.resolve(),
        onSpent: () => {},
        onMessage: (message) => this.#hear(message),
        onFailed: () => {},
      },
    });
    const holder = signingKeyPairFrom('holder', own);
    this.#room = new RoomClient({
      dial: () => dialRelay(relayUrl, systemClock),
      dialledHost: relay,
      clock: systemClock,
      random: systemRandom,
      ticket: ticket('controller', holder.publicKey),
      holderSecretKey: holder.secretKey,
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

  /** Proposes a look at the board, under a label of at most 64 bytes. */
  async propose(label: string): Promise<void> {
    const { hello } = await this.expect('HELLO');
    const { devId } = hello.target;
    const none = { sectors: [], ranges: [], bootAddress: undefined, flashKiB: 0 } as const;
    const plan: Plan = smallPlan({ kind: 'info', ...none, devId, label });
    const bytes = encodePlan(plan);
    this.send({
      name: 'JOB',
      sealedPublic: this.#sealed.publicKey,
      receiptPublic: this.#receipt.publicKey,
      hostEntropy: systemRandom.bytes(32),
      plan: bytes,
    });
  }

  /** The next message of this name. */
  async expect<Name extends MessageName>(name: Name): Promise<MessageOf<Name>> {
    for (;;) {
      const at = this.#heard.findIndex((message) => message.name === name);
      if (at >= 0) return this.#heard.splice(at, 1)[0] as MessageOf<Name>;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** True if a message of this name has come. */
  heard(name: MessageName): boolean {
    return this.#heard.some((message) => message.name === name);
  }

  close(): void {
    this.#tunnel.close();
    this.#room.close();
  }

  #hear(message: TunnelMessage): void {
    this.#heard.push(message);
    this.#wake();
  }
}
