// How long a job waits, and how often and how much it takes before it gives up.

/** How long the job waits, milliseconds. */
export interface Timeouts {
  /** For the agent to come at all. */
  readonly arrival: number;
  /** For it to come back. */
  readonly peer: number;
  readonly hello: number;
  /** For the code to be typed. */
  readonly code: number;
  /** For the customer's yes. */
  readonly consent: number;
  /** For option bytes to be written, and the board to be switched off and on. */
  readonly optionWrite: number;
  /** For the stub's handshake. */
  readonly sealed: number;
  /** For a sealed handshake the agent begins by itself when the job is resumed. */
  readonly ownHandshake: number;
  /** For any sign of life while the chip works. */
  readonly work: number;
  /** For the agent to say how it left the board. */
  readonly left: number;
  /** Before the next attempt after trouble with the board. */
  readonly boardPause: number;
}

/** Tunnels, HELLOs and sealed handshakes of one run: far more than any honest desk needs. */
export const MOST_BEGINNINGS = 100;

/**
 * Messages the tunnel may hold for the agent before the job waits: more than the largest image is, far below the
 * tunnel's own limit.
 */
export const MOST_UNACKNOWLEDGED = 1024;

/**
 * Sealed sessions of one job in which frames of the image flowed, behind a loader, before a person decides: whoever
 * breaks one off with a probe may gain one frame (docs/threat-model.md).
 */
export const IMAGE_SESSIONS = 8;

/** New sealed sessions asked for in one run, after trouble with a session and with the board. */
export const RESTARTS = { session: 3, board: 20 } as const;

export const TIMEOUTS: Timeouts = {
  arrival: 24 * 3_600_000,
  peer: 15 * 60_000,
  hello: 60_000,
  code: 30 * 60_000,
  consent: 60 * 60_000,
  optionWrite: 20 * 60_000,
  sealed: 120_000,
  ownHandshake: 5_000,
  work: 90_000,
  left: 20_000,
  boardPause: 3_000,
};
