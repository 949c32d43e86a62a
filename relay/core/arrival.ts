// One link on its way into a room: CHALLENGE out, PRESENT in, perhaps a question to other relays, then it is in the
// room or turned away. A declared machine (docs/state-machines.md, "A relay room and its links"). Pure; time is the
// Clock.
import type { Clock, Link } from '../../shared/ports.ts';
import { closeWith } from '../../shared/link/close.ts';
import { encodeLinkMessage } from '../../shared/link/link-message.ts';
import { LINK, RELAY } from '../../shared/link/limits.ts';
import type { Ticket } from '../../shared/link/ticket.ts';
import type { RoomPlace } from '../neighbours/neighbours.ts';
import type { Refusal, Verdict } from './admission.ts';

/**
 * greeting: the challenge is out; asking: admitted, where the room is is being asked; in the room: the room owns the
 * link; turned away: closed by the relay; left: closed by the side or by the network.
 */
export type ArrivalState = 'greeting' | 'asking' | 'in the room' | 'turned away' | 'left';

export type ArrivalEvent =
  | 'admitted'
  | 'refused'
  | 'silent 10 s'
  | 'here'
  | 'no answer'
  | 'elsewhere'
  | 'not taken'
  | 'too much too early'
  | 'closed'
  | 'relay stops';

/** What happens → the next state. What a state does not name cannot happen in it any more and changes nothing. */
export const ARRIVAL_MACHINE: Readonly<Record<ArrivalState, Readonly<Partial<Record<ArrivalEvent, ArrivalState>>>>> = {
  greeting: {
    admitted: 'asking',
    refused: 'turned away',
    'silent 10 s': 'turned away',
    closed: 'left',
    'relay stops': 'turned away',
  },
  asking: {
    here: 'in the room',
    'no answer': 'in the room',
    elsewhere: 'turned away',
    'not taken': 'turned away',
    'too much too early': 'turned away',
    closed: 'left',
    'relay stops': 'turned away',
  },
  'in the room': {},
  'turned away': {},
  left: {},
};

export interface ArrivalOptions {
  readonly link: Link;
  readonly clock: Clock;
  /** Fresh, 32 bytes. */
  readonly nonce: Uint8Array;
  /** This relay's name, which the CHALLENGE carries. */
  readonly relayName: string;
  authenticate(message: Uint8Array): Verdict;
  /** Asks where the room of an admitted link is. */
  ask(ticket: Ticket): RoomPlace | Promise<RoomPlace>;
  /** Puts the link into its room, which owns its handlers from then on; or the reason to turn it away. */
  enter(ticket: Ticket): Refusal | undefined;
  /** Called once, when the link is on its way no longer; `refusal` if the relay turned it away. */
  onEnd(state: ArrivalState, refusal: Refusal | undefined): void;
}

export class Arrival {
  readonly #options: ArrivalOptions;
  #state: ArrivalState = 'greeting';
  #cancelTimer: () => void = () => {};
  /** What came before the room could take it: the link is paused, but what was under way still arrives. */
  readonly #early: Uint8Array[] = [];
  #earlyBytes = 0;

  constructor(options: ArrivalOptions) {
    this.#options = options;
  }

  /** Sends the CHALLENGE; the link has 10 s to answer with a PRESENT. */
  begin(): void {
    const { link, clock, nonce, relayName } = this.#options;
    this.#cancelTimer = clock.after(RELAY.admissionMs, () =>
      this.#turnAway('silent 10 s', { close: 'slowAdmission', why: 'no answer' }),
    );
    link.onClose = () => void this.#end('closed');
    link.onMessage = (message) => this.#receive(message);
    link.send(encodeLinkMessage({ name: 'challenge', nonce, relay: relayName }));
  }

  /** Turns the link away because the relay is being stopped. */
  stop(): void {
    this.#turnAway('relay stops', { close: 'shutdown', why: 'stopping' });
  }

  #receive(message: Uint8Array): void {
    if (this.#state === 'greeting') this.#present(message);
    else if (this.#state === 'asking') this.#keep(message);
  }

  #present(message: Uint8Array): void {
    const verdict = this.#options.authenticate(message);
    if (!verdict.admitted) {
      this.#turnAway('refused', verdict);
      return;
    }
    this.#cancelTimer();
    this.#move('admitted');
    const answer = this.#options.ask(verdict.ticket);
    if (typeof answer === 'string') this.#settle(answer, verdict.ticket);
    else this.#wait(answer, verdict.ticket);
  }

  /** Waits for the neighbours, not longer than RELAY.askMs, without reading the link. */
  #wait(answer: Promise<RoomPlace>, ticket: Ticket): void {
    const { link, clock } = this.#options;
    const settle = (event: RoomPlace | 'no answer'): void => {
      if (this.#state === 'asking') link.resume();
      this.#settle(event, ticket);
    };
    link.pause();
    this.#cancelTimer = clock.after(RELAY.askMs, () => settle('no answer'));
    answer.then(settle, () => settle('no answer'));
  }

  #keep(message: Uint8Array): void {
    this.#early.push(message);
    this.#earlyBytes += message.length;
    if (this.#earlyBytes <= LINK.waitingBytes) return;
    this.#turnAway('too much too early', { close: 'garbage', why: 'too many messages before WELCOME' });
  }

  #settle(event: RoomPlace | 'no answer', ticket: Ticket): void {
    if (this.#state !== 'asking') return;
    if (event === 'elsewhere') {
      this.#turnAway(event, { close: 'busy', why: 'the room is on another relay' });
      return;
    }
    const { link, enter } = this.#options;
    const refusal = enter(ticket);
    if (refusal !== undefined) {
      this.#turnAway('not taken', refusal);
      return;
    }
    this.#end(event);
    for (const message of this.#early.splice(0)) link.onMessage(message);
  }

  #turnAway(event: ArrivalEvent, refusal: Refusal): void {
    if (!this.#end(event, refusal)) return;
    const { link } = this.#options;
    this.#early.length = 0;
    link.onMessage = () => {};
    closeWith(link, refusal.close);
  }

  /** Moves to one of the last states; false when the machine is in one already. */
  #end(event: ArrivalEvent, refusal?: Refusal): boolean {
    if (!this.#move(event)) return false;
    this.#cancelTimer();
    this.#options.onEnd(this.#state, refusal);
    return true;
  }

  #move(event: ArrivalEvent): boolean {
    const next = ARRIVAL_MACHINE[this.#state][event];
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
