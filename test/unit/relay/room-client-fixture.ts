// A room client without a network: dialled links end in the test's hands, time is a manual clock.
import { ManualClock, settle } from '../../fixtures/manual-clock.ts';
import type { BlindflashError } from '../../../shared/errors/errors.ts';
import { CLOSE, type CloseName } from '../../../shared/link/close.ts';
import { encodeLinkMessage } from '../../../shared/link/link-message.ts';
import { RoomClient } from '../../../shared/link/room-client.ts';
import type { Link } from '../../../shared/ports.ts';
import { seededRandom } from '../../fixtures/seeded.ts';
import { handMadeTicket, keyPair, memoryLinkPair, type MemoryLink, type TicketParts } from './support.ts';

/** A room client with a clock, and the relay's ends of its links. */
export interface Fixture {
  readonly client: RoomClient;
  readonly clock: ManualClock;
  readonly calls: string[];
  /** When each dial happened. */
  readonly dials: number[];
  /** The relay's ends, oldest first. */
  readonly far: MemoryLink[];
  readonly ended: BlindflashError[];
  /** Replaces what dialling does. */
  dial: () => Promise<Link>;
}

export function fixture(
  parts: TicketParts = {},
  options: { dialledHost?: string; giveUpAfterMs?: number } = {},
): Fixture {
  const clock = new ManualClock();
  const made: Fixture = {
    clock,
    calls: [],
    dials: [],
    far: [],
    ended: [],
    dial: async () => {
      const [near, theirs] = memoryLinkPair();
      made.far.push(theirs);
      return near;
    },
    client: new RoomClient({
      dial: () => {
        made.dials.push(clock.now());
        return made.dial();
      },
      dialledHost: options.dialledHost ?? 'r.test',
      clock,
      random: seededRandom(3),
      ticket: handMadeTicket(parts),
      holderSecretKey: keyPair(7).secretKey,
      ...(options.giveUpAfterMs === undefined ? {} : { giveUpAfterMs: options.giveUpAfterMs }),
    }),
  };
  const { client, calls } = made;
  client.onUp = () => void calls.push('up');
  client.onDown = () => void calls.push('down');
  client.onPeer = (present) => void calls.push(`peer ${Number(present)}`);
  client.onData = (body) => void calls.push(`data ${body.length}`);
  client.onEnd = (error) => {
    calls.push(`end ${error.code}`);
    made.ended.push(error);
  };
  return made;
}

export const challenge = (relay = 'r.test'): Uint8Array =>
  encodeLinkMessage({ name: 'challenge', nonce: new Uint8Array(32).fill(9), relay });
export const welcome = (peerPresent: boolean): Uint8Array => encodeLinkMessage({ name: 'welcome', peerPresent });

/** Lets the newest link into the room. */
export async function admit({ far }: Fixture, peerPresent = true): Promise<MemoryLink> {
  await settle();
  const link = far.at(-1)!;
  link.send(challenge());
  link.send(welcome(peerPresent));
  await settle();
  return link;
}
export const closeFar = async (link: MemoryLink, name: CloseName): Promise<void> => {
  link.close(CLOSE[name].code);
  await settle();
};
