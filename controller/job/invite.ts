// Making an invite: a room, two tickets, a tunnel key and a one-time secret, all fresh (docs/protocol.md §2, §3).
import { publicInviteOf, inviteHashOf, type RoomRecord } from '../store/job-record.ts';
import { toHex } from '../../shared/codec/bytes.ts';
import { exchangeKeyPair, psk, signingKeyPairFrom, type SigningKeyPair } from '../../shared/crypto/keys.ts';
import { fail } from '../../shared/errors/errors.ts';
import { encodeInvite, holderKey } from '../../shared/tunnel/invite.ts';
import { newInviteState } from '../../shared/tunnel/invite-state.ts';
import type { Random } from '../../shared/ports.ts';
import { issueTicket, relayNameOf, type SideName } from '../../shared/link/ticket.ts';

export interface InviteOptions {
  /** ws:// or wss:// address of the relay. */
  readonly relayUrl: string;
  readonly tenant: SigningKeyPair<'tenant'>;
  /** V of the vendor (vendorFingerprint), 32 bytes. */
  readonly vendor: Uint8Array;
  /** Seconds since 1970. */
  readonly expires: number;
  /** KiB the relay forwards on one link. */
  readonly capKiB: number;
  readonly random: Random;
}

/** A fresh room with everything in it. @throws BF-RELAY-ADDRESS */
export function makeRoom(options: InviteOptions): RoomRecord {
  const { expires, random } = options;
  const relay = relayNameOf(options.relayUrl);
  const relayUrl = asInvitesSpellIt(options.relayUrl);
  const tunnel = exchangeKeyPair('tunnel', random);
  const inviteSecret = psk(random.bytes(32));
  const holderSeed = random.bytes(32);
  const room = random.bytes(16);
  const ticket = (side: SideName, holder: Uint8Array) =>
    issueTicket(options.tenant.secretKey, {
      room,
      side,
      id: random.bytes(16),
      expires,
      capKiB: options.capKiB,
      holderKey: holder,
      relay,
    });
  return {
    relayUrl,
    expires,
    tunnelSecret: tunnel.secretKey,
    tunnelPublic: tunnel.publicKey,
    vendor: options.vendor,
    agentTicket: ticket('agent', holderKey(inviteSecret).publicKey),
    controllerTicket: ticket('controller', signingKeyPairFrom('holder', holderSeed).publicKey),
    holderSeed,
    invite: newInviteState(inviteSecret),
  };
}

/** Scheme and host in small letters, other scripts as DNS has them. */
function asInvitesSpellIt(relayUrl: string): string {
  const { protocol, host, pathname } = new URL(relayUrl);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/** True while the invite can still be handed out: no tunnel was opened with it, and it is not spent. */
export function isUnused({ invite }: RoomRecord): boolean {
  return invite.tunnels === 0 && invite.secret !== undefined;
}

/** The line for the customer. @throws BF-INVITE-SECRET-DEAD once its secret has been used. */
export function inviteLine(room: RoomRecord): string {
  const { secret } = room.invite;
  if (!isUnused(room) || secret === undefined) throw fail('BF-INVITE-SECRET-DEAD');
  return encodeInvite({ ...publicInviteOf(room), secret });
}

/** What people call an invite by, which is not secret: eight digits of its hash. */
export function inviteName(room: RoomRecord): string {
  const digits = toHex(inviteHashOf(room)).slice(0, 8);
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}
