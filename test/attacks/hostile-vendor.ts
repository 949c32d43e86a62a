// A program in the vendor's place that holds the room, the tunnel key and the vendor's keys, and says what it likes.
import { publicInviteOf, type JobRecord } from '../../controller/store/job-record.ts';
import { exchangeKeyPairFrom, signingKeyPairFrom } from '../../shared/crypto/keys.ts';
import { RoomClient } from '../../shared/link/room-client.ts';
import { relayNameOf } from '../../shared/link/ticket.ts';
import { silentLog } from '../../shared/ports.ts';
import { ControllerTunnel } from '../../shared/tunnel/controller-tunnel.ts';
import { publicInviteHash } from '../../shared/tunnel/invite.ts';
import type { MessageName, MessageOf, OwnMessage, TunnelMessage } from '../../shared/tunnel/messages.ts';
import type { ProductFixture } from '../fixtures/product.ts';
import { seededRandom } from '../fixtures/seeded.ts';

export class HostileVendor {
  readonly tunnel: ControllerTunnel;
  readonly #waiting: TunnelMessage[] = [];
  #wake: () => void = () => {};

  constructor(product: ProductFixture, { room }: JobRecord) {
    const random = seededRandom(900);
    const link = new RoomClient({
      dial: () => product.dialPast(undefined, 'controller'),
      dialledHost: relayNameOf(room.relayUrl),
      clock: product.queue,
      random,
      ticket: room.controllerTicket,
      holderSecretKey: signingKeyPairFrom('holder', room.holderSeed).secretKey,
    });
    this.tunnel = new ControllerTunnel({
      keyPair: exchangeKeyPairFrom('tunnel', room.tunnelSecret),
      publicInviteHash: publicInviteHash(publicInviteOf(room)),
      state: room.invite,
      clock: product.queue,
      random,
      log: silentLog,
      events: {
        onOpened: () => {},
        onFailed: () => {},
        onSpent: () => {},
        keep: () => Promise.resolve(),
        onMessage: (message) => {
          this.#waiting.push(message);
          this.#wake();
        },
      },
    });
    link.onPeer = (present) => {
      if (present) this.tunnel.attachLink((body) => void link.send(body));
      else this.tunnel.linkLost();
    };
    link.onData = (body) => this.tunnel.receive(body);
    link.start();
  }

  send(message: OwnMessage): void {
    this.tunnel.send(message);
  }

  /** The next message of this name; others are passed over. */
  async expect<Name extends MessageName>(name: Name): Promise<MessageOf<Name>> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message?.name === name) return message as unknown as MessageOf<Name>;
      if (message === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
