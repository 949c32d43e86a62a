// The agent's work with the stub as a table: phase × what comes → what is done. Drawn in docs/state-machines.md §8; a test compares
// the two.

/**
 * idle: no sealed session and no offer. offered: SEALED1 went out on this tunnel and is not answered. serving: a sealed session runs and
 * is pumped. paused: a sealed session runs, but whoever is at the other end has yet to say whether it goes on.
 */
export type WorkPhase = 'idle' | 'offered' | 'serving' | 'paused';

/** `job`: the customer said yes to one. `opened`: a tunnel was confirmed, maybe to another controller. `turn`: nothing else is to do. */
export type WorkInput = 'job' | 'RESTART' | 'SEALED2' | 'FRAME' | 'opened' | 'turn';

/**
 * What is done, and the phase it leads to:
 * - begin: take the job. One that needs the stub goes on as `offer`; otherwise what was served is paused.
 * - offer: a new handshake, from the stub that has this job or from one loaded anew (counted) → offered. Without a job that needs a stub
 *   it is dropped.
 * - shake: M2 to the stub, M3 and credit to the vendor → serving.
 * - take: queue the sealed command → serving.
 * - pump: one turn of the transport → serving; paused or idle when the stub has ended, stopped or made trouble.
 * - rest: → paused if a sealed session runs, else idle. Trouble in any of the above ends here too, counted and told to the vendor.
 * - stay: nothing; an offer nobody has answered is as good as a new one.
 * - drop: nothing, and a line in the log.
 */
export const STUB_WORK = {
  idle: { job: 'begin', RESTART: 'offer', SEALED2: 'drop', FRAME: 'drop', opened: 'stay', turn: 'stay' },
  offered: { job: 'begin', RESTART: 'stay', SEALED2: 'shake', FRAME: 'drop', opened: 'rest', turn: 'stay' },
  serving: { job: 'begin', RESTART: 'offer', SEALED2: 'drop', FRAME: 'take', opened: 'rest', turn: 'pump' },
  paused: { job: 'begin', RESTART: 'offer', SEALED2: 'drop', FRAME: 'take', opened: 'stay', turn: 'stay' },
} as const satisfies Record<WorkPhase, Record<WorkInput, string>>;

/** What the table has for an input, over all phases. */
export type WorkHandler<Input extends WorkInput> = (typeof STUB_WORK)[WorkPhase][Input];
