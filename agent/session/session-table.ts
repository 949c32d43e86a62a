// One session of the agent as a table: phase × what comes → what is done (docs/protocol.md §6, "Which message when").
// Drawn in docs/state-machines.md §8; a test compares the two.

/**
 * opened: HELLO went out in this tunnel; what to do is not known yet. asked: the customer reads the sheet. agreed: he
 * said yes to the job of this tunnel, and stub-work-table.ts goes on from there. (Leaving takes nothing and is no row.)
 */
export type SessionPhase = 'opened' | 'asked' | 'agreed';

/**
 * `opened`: a tunnel was confirmed, the first or another. `answer`: the customer's. `work`: SEALED2, FRAME or RESTART.
 */
export type SessionInput = 'opened' | 'JOB' | 'BYE' | 'answer' | 'work';

/**
 * What is done, and the phase it leads to:
 * - greet: the code is shown, HELLO leaves → opened. A question on the screen stays there.
 * - propose: the job is checked. One that was agreed to before → agreed; otherwise the customer is asked → asked.
 * - settle: yes → agreed; no ends the session. An answer to another sheet than this job's asks anew → asked.
 * - remember: a yes is kept for the job it was given to; no ends the session.
 * - ignore: nothing; the answer is to a question of another tunnel.
 * - end: the session is over, as BYE says.
 * - refuse: a second JOB in one tunnel ends the session.
 * - work: done with the stub.
 * - drop: nothing, and a line in the log.
 */
export const AGENT_SESSION = {
  opened: { opened: 'greet', JOB: 'propose', BYE: 'end', answer: 'remember', work: 'drop' },
  asked: { opened: 'greet', JOB: 'refuse', BYE: 'end', answer: 'settle', work: 'drop' },
  agreed: { opened: 'greet', JOB: 'refuse', BYE: 'end', answer: 'ignore', work: 'work' },
} as const satisfies Record<SessionPhase, Record<SessionInput, string>>;

/** What the table has for an input, over all phases. */
export type SessionHandler<Input extends SessionInput> = (typeof AGENT_SESSION)[SessionPhase][Input];
