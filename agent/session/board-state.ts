// In what state the board is, in the words of shared/tunnel/bodies.ts, and how it is left.
import type { StubState } from '../../shared/mailbox/layout.ts';
import { kindRow, KINDS } from '../../shared/plan/kinds.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { FinalState } from '../target/target-session.ts';

/** What the agent knows about the board by watching. */
export interface BoardFacts {
  readonly plan: Plan | undefined;
  /** A stub was loaded or found. */
  readonly stubLoaded: boolean;
  /** A stub of a job that writes has accepted a sealed command. */
  readonly touched: boolean;
  /** The stub's state as last seen. */
  readonly state: StubState | undefined;
}

/** The board as it is now, before anything is done to leave it. */
export function boardNow({ plan, touched, state }: BoardFacts): BoardState {
  const complete = plan === undefined ? undefined : kindRow(plan.kind).complete;
  if (complete === undefined || !touched) return 'untouched';
  return state !== undefined && complete.states.includes(state) ? complete.board : 'incomplete';
}

/**
 * What is done to the board at the end. A finished job ends as its plan says. Otherwise a stub is reset away when flash
 * holds something that can run; over an incomplete image it stays, quiet and without keys, so that the next agent can
 * go on. What was only erased is left as it is.
 */
export function finalStateOf(facts: BoardFacts, done: boolean): FinalState {
  if (done && facts.plan !== undefined) return KINDS[facts.plan.kind].hasFinalAction ? facts.plan.finalAction : 'none';
  if (!facts.stubLoaded) return 'none';
  return ['incomplete', 'erased'].includes(boardNow(facts)) ? 'none' : 'run';
}

/**
 * The board after `finish(finalState)` succeeded. Of a job that is done and was served by an earlier process this one
 * has seen nothing.
 */
export function boardAfter(facts: BoardFacts, finalState: FinalState, done: boolean): BoardState {
  if (done && facts.plan === undefined) return 'unknown';
  if (finalState === 'run') return isLocked(facts) ? 'locked' : 'running';
  return boardNow(facts);
}

/**
 * With a lock programmed the flash may be shut from then on, for a debugger is connected: what is in it runs after a
 * power cycle (docs/reference/stm32f4.md §5).
 */
function isLocked({ plan, state }: BoardFacts): boolean {
  return plan !== undefined && plan.lock !== 'none' && (state === 'locked' || state === 'ended');
}
