// The agent's work with the stub as a table: phase × what comes → what is done. Drawn in docs/state-machines.md §8; a
// test compares the two.

/**
 * idle: no sealed session and no offer. offered: SEALED1 went out on this tunnel and is not answered. serving:
 * a sealed session runs, one turn of the transport after the other. reopening: the chip shows another key than
 * it did in this tunnel, and a new tunnel was asked for.
 */
export type WorkPhase = 'idle' | 'offered' | 'serving' | 'reopening';

/**
 * `job`: the customer said yes to one. `opened`: a tunnel was confirmed, maybe to another controller.
 * `turn`: nothing else is to do.
 */
export type WorkInput = 'job' | 'RESTART' | 'SEALED2' | 'FRAME' | 'opened' | 'turn';

/**
 * What is done, and the phase it leads to:
 * - begin: take the job. One that needs the stub goes on as `offer`; otherwise there is nothing to do → idle.
 * - offer: a new handshake, from the stub that has this job or from one loaded anew (counted) → offered, or → reopening
 *   when its key is not the one offered in this tunnel before. Without a job that needs a stub it is dropped. When the
 *   loads of one yes are used up the customer is asked again → idle.
 * - confirm: M2 to the stub, M3 and credit to the vendor → serving. An M2 of another session than this
 *   tunnel's ends the session.
 * - take: queue the sealed command → serving. One whose number is not the next ends the session.
 * - serve: one turn of the transport → serving; idle when the stub has ended, stopped or made trouble.
 * - leave: what was under way belonged to the tunnel before → idle.
 * - ignore: nothing; an offer nobody has answered is as good as a new one.
 * - drop: nothing, and a line in the log.
 * Trouble with the board in any of these is counted, told to the vendor, and ends in idle.
 */
export const STUB_WORK = {
  idle: { job: 'begin', RESTART: 'offer', SEALED2: 'drop', FRAME: 'drop', opened: 'leave', turn: 'ignore' },
  offered: { job: 'begin', RESTART: 'ignore', SEALED2: 'confirm', FRAME: 'drop', opened: 'leave', turn: 'ignore' },
  serving: { job: 'begin', RESTART: 'offer', SEALED2: 'drop', FRAME: 'take', opened: 'leave', turn: 'serve' },
  reopening: { job: 'begin', RESTART: 'ignore', SEALED2: 'drop', FRAME: 'drop', opened: 'leave', turn: 'ignore' },
} as const satisfies Record<WorkPhase, Record<WorkInput, string>>;

/** What the table has for an input, over all phases. */
export type WorkHandler<Input extends WorkInput> = (typeof STUB_WORK)[WorkPhase][Input];
