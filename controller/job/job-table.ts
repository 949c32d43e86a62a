// The vendor's job as a declared machine: its phases, what each waits for, what interrupts it, and where each
// transition leads. controller/job/job.ts walks this table; docs/state-machines.md ("The vendor's job") is checked
// against it by a test.

/** Where a job is, and what it does there. */
export const PHASES = {
  waiting: 'no tunnel yet: the agent comes when it comes',
  hello: 'a tunnel is confirmed; the agent introduces itself and its board',
  recalling: 'an earlier process had finished the job and could not say so: its receipt is read',
  code: 'no key of the chip is on record: the vendor types the code of this tunnel, before JOB',
  consent: 'JOB is sent; the customer reads the plan',
  optionWrite: 'the customer agreed to other option bytes: the agent writes them and says what they are',
  pausing: 'after trouble with the board, a moment before a new sealed session is asked for',
  ownOffer: 'a resumed job gives the agent a moment to offer a sealed session (M1) by itself',
  offer: 'an M1 is due',
  deviceCode: 'the chip showed a new key, in a tunnel whose code was not asked for: the vendor types it, and M2 waits',
  confirmation: 'M2 is sent; M3 is due, or another M1',
  working: 'the plan’s work, inside the sealed session',
  finishing: 'the job is over, done or failed: BYE, and LEFT is due',
  farewell: 'the same for a job that has begun no sealed work since the last HELLO',
  closed: 'nothing is heard any more',
} as const;

export type Phase = keyof typeof PHASES;

/** Phases before the first sealed session is due since the last HELLO: BYE is then `farewell`. */
export const UNSEALED: ReadonlySet<Phase> = new Set<Phase>([
  'waiting',
  'hello',
  'recalling',
  'code',
  'consent',
  'optionWrite',
]);

/** Phases in which nothing has shown yet that the agent is the customer's. */
export const UNPROVED: ReadonlySet<Phase> = new Set<Phase>(['waiting', 'hello', 'code']);

/** What a phase may hear. Names in capitals are messages of the agent. */
export const INPUTS = {
  tunnel: 'a tunnel is confirmed, the first or a new one',
  HELLO: 'the agent begins',
  CONSENT: 'the customer’s answer',
  OPTIONS: 'the option bytes before and after, as the agent says',
  SEALED1: 'M1 of the chip',
  SEALED3: 'M3 of the chip',
  LEFT: 'the agent has let go of the board',
  leftLocked: 'the same before BYE, once the chip of a plan that locks has said LOCKED and ENDED',
  recalled: 'the receipt is read',
  answer: 'the vendor has typed the code right',
  trouble: 'what a new sealed session may heal: a PROBLEM, an ABORT, a box that does not open',
  timeout: 'the time of the phase is over',
  workDone: 'the stub has authenticated the work, and it is stored',
  failure: 'an error, or the time of the phase is over where the row names no timeout',
} as const;

export type Input = keyof typeof INPUTS;

/** A transition, and the phases it may lead to. What throws in one is a `failure`. */
export const TRANSITIONS = {
  begin: ['hello'],
  beginAgain: ['hello'],
  present: ['code', 'consent', 'recalling'],
  settleCode: ['consent'],
  sayFarewell: ['farewell'],
  compareConsent: ['pausing', 'ownOffer', 'offer', 'optionWrite', 'farewell'],
  takeOptions: ['farewell'],
  restart: ['pausing', 'offer'],
  requestOffer: ['offer'],
  takeNewOffer: ['ownOffer'],
  answerOffer: ['confirmation', 'deviceCode'],
  answerWaiting: ['confirmation', 'deviceCode'],
  confirmSession: ['working', 'pausing', 'offer'],
  finish: ['finishing'],
  end: ['finishing', 'farewell', 'closed'],
  close: ['closed'],
} as const satisfies Readonly<Record<string, readonly Phase[]>>;

export type Transition = keyof typeof TRANSITIONS;
/** The phases a transition may lead to. */
export type After<Name extends Transition> = (typeof TRANSITIONS)[Name][number];

/**
 * What an input does.
 * take: it is what the phase waits for. keep: it may come early and waits for its turn. leave: it interrupts
 * the phase at its next wait. remember, refuse: noted, or an error, whatever the phase waits for. An input
 * without a cell is dropped.
 */
export type Cell =
  | { readonly does: 'take' | 'leave'; readonly transition: Transition }
  | { readonly does: 'keep' | 'remember' | 'refuse' };

const take = (transition: Transition): Cell => ({ does: 'take', transition: transition });
const leave = (transition: Transition): Cell => ({ does: 'leave', transition: transition });
const keep: Cell = { does: 'keep' };
const remember: Cell = { does: 'remember' };
const refuse: Cell = { does: 'refuse' };

type Row = Readonly<Partial<Record<Input, Cell>>>;

const ANEW: Row = { tunnel: leave('beginAgain'), HELLO: leave('beginAgain') };
const OPEN: Row = { LEFT: refuse, failure: take('end') };
const SEALING: Row = { ...ANEW, trouble: leave('restart'), ...OPEN };
const OVER: Row = { tunnel: leave('close'), HELLO: keep, LEFT: take('close'), failure: take('close') };

export const JOB_TABLE: Readonly<Record<Phase, Row>> = {
  waiting: { tunnel: take('begin'), HELLO: keep, ...OPEN },
  hello: { tunnel: leave('beginAgain'), HELLO: take('present'), trouble: remember, ...OPEN },
  recalling: { recalled: take('sayFarewell'), failure: take('end') },
  code: { ...ANEW, answer: take('settleCode'), trouble: remember, ...OPEN },
  consent: { ...ANEW, CONSENT: take('compareConsent'), SEALED1: keep, trouble: remember, ...OPEN },
  optionWrite: { ...ANEW, OPTIONS: take('takeOptions'), trouble: remember, ...OPEN },
  pausing: { ...SEALING, timeout: take('requestOffer'), SEALED1: keep },
  ownOffer: { ...SEALING, SEALED1: take('answerOffer'), timeout: take('requestOffer') },
  offer: { ...SEALING, SEALED1: take('answerOffer') },
  deviceCode: { ...SEALING, answer: take('answerWaiting'), SEALED1: keep },
  confirmation: { ...SEALING, SEALED1: take('answerOffer'), SEALED3: take('confirmSession') },
  working: { ...SEALING, leftLocked: remember, SEALED1: leave('takeNewOffer'), workDone: take('finish') },
  finishing: { ...OVER, SEALED1: leave('close'), trouble: leave('close') },
  farewell: { ...OVER, SEALED1: keep, trouble: remember },
  closed: {},
};
