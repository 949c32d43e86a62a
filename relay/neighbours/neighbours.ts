// Port: the other relays of a fleet, asked where a room is before an admitted link enters it. Rooms live in one process
// each; a fleet would also carry the link there. docs/architecture.md, "Ports".
import type { SideName } from '../../shared/link/ticket.ts';

/**
 * Where an admitted link belongs: `here` when no other relay has the room or is about to have it, `elsewhere` when one
 * has; the link is then closed as `busy` and comes again.
 */
export type RoomPlace = 'here' | 'elsewhere';

export interface Neighbours {
  /**
   * Asks about a room that has no link on this relay, for a link of `side`. Answers at once without neighbours. A
   * promise may be late or reject: the relay waits RELAY.askMs and then takes it for `here`.
   * @param roomKey names the room everywhere (`roomKeyOf`).
   */
  ask(roomKey: string, side: SideName): RoomPlace | Promise<RoomPlace>;
}
