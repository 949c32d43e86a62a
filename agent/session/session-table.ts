// One session of the agent as a table: phase × what comes → what is done (docs/protocol.md §6, "Which message when").
// Drawn in docs/state-machines.md §8; a test compares the two.

/**
 * opened: HELLO went out in this tunnel; what to do is not known yet. asked: the customer reads the sheet. agreed: he
 * said yes to the job of this tunnel, and stub-work-table.ts goes on from there. left: the chip is locked and the board
 * let go of; what the vendor says of it is due. (Leaving takes nothing and is no row.)
 */
export type SessionPhase = 'opened' | 'asked' | 'agreed' | 'left';

/**
 * `opened`: a tunnel was confirmed, the first or another. `answer`: the customer's. `work`: SEALED2, FRAME or RESTART.
 * `locked`: the stub of a plan that locks has ended, and its replies are on their way.
 */
export type SessionInput = 'opened' | 'JOB' | 'BYE' | 'answer' | 'work' | 'locked';

/**
 * What is done, and the phase it leads to:
 * - greet: the code is shown, HELLO leaves → opened, or → left where the board was let go of. A question on the screen
 *   stays there.
 * - propose: the job is checked. One that was agreed to before → agreed; otherwise the customer is asked → asked.
 * - settle: yes → agreed; no ends the session. An answer to another sheet than this job's asks anew → asked.
 * - remember: a yes is kept for the job it was given to; no ends the session.
 * - ignore: nothing; the answer is to a question of another tunnel.
 * - end: the session is over, as BYE says.
 * - refuse: a second JOB in one tunnel ends the session.
 * - refuseLocked: a JOB for a chip that this job has locked ends the session.
 * - letGo: the board is left as at the end, LEFT leaves → left; not as long as OPTCR does not show the lock.
 * - work: done with the stub.
 * - drop: nothing, and a line in the log.
 */
export const AGENT_SESSION = {
  opened: { opened: 'greet', JOB: 'propose', BYE: 'end', answer: 'remember', work: 'drop', locked: 'ignore' },
  asked: { opened: 'greet', JOB: 'refuse', BYE: 'end', answer: 'settle', work: 'drop', locked: 'ignore' },
  agreed: { opened: 'greet', JOB: 'refuse', BYE: 'end', answer: 'ignore', work: 'work', locked: 'letGo' },
  left: { opened: 'greet', JOB: 'refuseLocked', BYE: 'end', answer: 'ignore', work: 'drop', locked: 'ignore' },
} as const satisfies Record<SessionPhase, Record<SessionInput, string>>;

/** What the table has for an input, over all phases. */
export type SessionHandler<Input extends SessionInput> = (typeof AGENT_SESSION)[SessionPhase][Input];
