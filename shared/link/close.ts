// Why a link ended: one row per WebSocket close code. Spec: docs/protocol.md §1; for people: docs/errors.md.
import { fail, type BlindflashError, type ErrorCode } from '../errors/errors.ts';

export interface CloseRow {
  readonly code: number;
  /** Who may say it. `transport`: the WebSocket layer or a proxy, never our own code. */
  readonly by: 'side' | 'relay' | 'either' | 'transport';
  /** May the side that hears it come back by itself? */
  readonly retry: boolean;
  readonly say: string;
  /** What a person is told when the link does not come back. */
  readonly error: ErrorCode;
  /** What a side or the relay has met when it says this. */
  readonly met?: readonly ErrorCode[];
}

export const CLOSE = {
  done: { code: 1000, by: 'either', retry: false, say: 'this side has finished', error: 'BF-TUNNEL-CLOSED' },
  superseded: {
    code: 4000,
    by: 'relay',
    retry: false,
    say: 'a newer proof took this place in the room',
    error: 'BF-RELAY-CROWDED',
  },
  lagging: {
    code: 4001,
    by: 'relay',
    retry: true,
    say: 'this side reads too slowly',
    error: 'BF-RELAY-LAGGING',
  },
  shutdown: { code: 4002, by: 'relay', retry: true, say: 'the relay is being stopped', error: 'BF-RELAY-SHUTDOWN' },
  busy: { code: 4003, by: 'relay', retry: true, say: 'a limit of the relay is reached', error: 'BF-RELAY-BUSY' },
  refused: {
    code: 4004,
    by: 'relay',
    retry: false,
    say: 'the ticket or the proof of holding it is not genuine',
    error: 'BF-RELAY-TICKET-INVALID',
  },
  wrongRelay: {
    code: 4005,
    by: 'either',
    retry: false,
    say: 'the ticket is for another relay',
    error: 'BF-RELAY-WRONG-RELAY',
    met: ['BF-RELAY-WRONG-RELAY'],
  },
  unknownTenant: {
    code: 4006,
    by: 'relay',
    retry: false,
    say: 'no such tenant here',
    error: 'BF-RELAY-UNKNOWN-TENANT',
  },
  expired: { code: 4007, by: 'relay', retry: false, say: 'the ticket has expired', error: 'BF-RELAY-TICKET-EXPIRED' },
  cap: { code: 4008, by: 'relay', retry: false, say: 'the ticket’s amount of data is used up', error: 'BF-RELAY-CAP' },
  slowAdmission: {
    code: 4009,
    by: 'either',
    retry: true,
    say: 'the greeting took too long',
    error: 'BF-LINK-TIMEOUT',
  },
  silent: { code: 4010, by: 'either', retry: true, say: 'nothing was heard for 45 s', error: 'BF-LINK-TIMEOUT' },
  garbage: {
    code: 4011,
    by: 'either',
    retry: false,
    say: 'a message broke the rules of the link',
    error: 'BF-RELAY-PROTOCOL',
    met: ['BF-LINK-FRAME', 'BF-RELAY-PROTOCOL'],
  },
  version: {
    code: 4012,
    by: 'either',
    retry: false,
    say: 'unknown version',
    error: 'BF-VERSION-MISMATCH',
    met: ['BF-VERSION-MISMATCH'],
  },
  revoked: { code: 4014, by: 'relay', retry: false, say: 'the room was revoked', error: 'BF-INVITE-REVOKED' },
  goingAway: { code: 1001, by: 'transport', retry: true, say: 'the endpoint goes away', error: 'BF-LINK-CLOSED' },
  badWebSocket: { code: 1002, by: 'transport', retry: true, say: 'broken WebSocket traffic', error: 'BF-LINK-FRAME' },
  text: { code: 1003, by: 'either', retry: false, say: 'text instead of bytes', error: 'BF-LINK-FRAME' },
  lost: { code: 1006, by: 'transport', retry: true, say: 'the connection broke off', error: 'BF-LINK-CLOSED' },
  tooLarge: {
    code: 1009,
    by: 'either',
    retry: false,
    say: 'a message beyond 8192 bytes',
    error: 'BF-LINK-TOO-LARGE',
    met: ['BF-LINK-TOO-LARGE'],
  },
  broken: { code: 1011, by: 'either', retry: true, say: 'an internal error of the relay', error: 'BF-LINK-CLOSED' },
  restart: { code: 1012, by: 'transport', retry: true, say: 'a restart on the way', error: 'BF-RELAY-SHUTDOWN' },
  later: { code: 1013, by: 'transport', retry: true, say: 'something on the way is full', error: 'BF-RELAY-BUSY' },
} as const satisfies Record<string, CloseRow>;

export type CloseName = keyof typeof CLOSE;

const BY_CODE = new Map<number, CloseName>((Object.keys(CLOSE) as CloseName[]).map((name) => [CLOSE[name].code, name]));

/**
 * The reason behind a close code. Unknown ones from 4000 up are somebody's verdict we do not understand (`garbage`, no
 * way back); unknown ones below are accidents of the way (`lost`, come again).
 */
export function closeName(code: number): CloseName {
  return BY_CODE.get(code) ?? (code >= 4000 ? 'garbage' : 'lost');
}

/** The error a person is shown when a link ended with `code` and does not come back. */
export function closeError(code: number): BlindflashError {
  const row: CloseRow = CLOSE[closeName(code)];
  return fail(row.error, BY_CODE.has(code) ? row.say : `close code ${code}`);
}

/** The reason to give for ending a link over an error of the other end; undefined when the table has none for it. */
export function closeFor(error: ErrorCode): CloseName | undefined {
  const rows = Object.entries(CLOSE) as [CloseName, CloseRow][];
  return rows.find(([, { met }]) => met?.includes(error))?.[0];
}

/** Whether a side may come back by itself after `code`. */
export function mayReturn(code: number): boolean {
  return CLOSE[closeName(code)].retry;
}

/** Closes a link with the code and sentence of a row. */
export function closeWith(link: { close(code: number, reason: string): void }, name: CloseName): void {
  link.close(CLOSE[name].code, CLOSE[name].say);
}
