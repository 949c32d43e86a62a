// Port: the way between a session and the program that runs on the chip. A session needs no more than this of it: hand
// over a job, carry one handshake, carry the sealed session, look how far it is, stop it. The mailbox in the chip's RAM
// is one way (transport/mailbox, docs/mailbox.md); a serial line to the loader is the other (transport/serial,
// docs/serial-link.md). Nothing here opens a box: M1, M2, M3, sealed commands and replies pass as they are.
import type { SealedBox } from '../../shared/crypto/session.ts';
import type { BlindflashError } from '../../shared/errors/errors.ts';
import type { StubState } from '../../shared/mailbox/layout.ts';

/** What the program on the chip needs to know of a job. */
export interface StubJob {
  /** The vendor's public key for sealed sessions, 32 bytes. */
  readonly sealedPublic: Uint8Array;
  /** Random bytes of the controller's, 32; the chip mixes them into its own. */
  readonly hostEntropy: Uint8Array;
  /** Canonical plan. */
  readonly planBytes: Uint8Array;
}

/** An offered handshake: M1 (136 bytes, of an enrolment 168) and the program's hash over itself (64 bytes). */
export interface OfferedHandshake {
  readonly m1: Uint8Array;
  readonly stubHash: Uint8Array;
}

/** What one turn brought. */
export interface Turn {
  readonly state: StubState;
  /** New sealed replies in order. */
  readonly replies: readonly SealedBox[];
  /** How long to wait before the next turn unless something arrives, milliseconds. */
  readonly pauseMs: number;
}

/** What is going on in the chip, by its own unauthenticated words: for a bar, not for decisions. */
export type ChipPhase = 'waiting' | 'erasing' | 'programming' | 'checking' | 'locking';

/** How far the program is, and what it is doing: by its own unauthenticated words. */
export interface ChipProgress {
  /** Sealed commands of this session it has accepted. */
  readonly accepted: number;
  /** Words it says it programmed. */
  readonly wordsProgrammed: number;
  readonly phase: ChipPhase;
  /** Sector or range the phase is about. */
  readonly number: number;
}

/** Every rejected promise is a BlindflashError: the program's own reason, BF-STUB-*, or what probe and wire bring. */
export interface Transport {
  // ── handshake ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Hands over the job of a program that waits for one.
   * @throws the program's refusal, BF-STUB-SILENT, BF-STUB-UNKNOWN
   */
  giveJob(job: StubJob): Promise<OfferedHandshake>;
  /** True if the program is there, has its job and can be asked for another handshake. Looks, and changes nothing. */
  canOfferAgain(): Promise<boolean>;
  /** Asks for a new handshake for the same job, ending whatever sealed session there is. @throws as giveJob */
  offerAgain(): Promise<OfferedHandshake>;
  /**
   * Hands over M2 (128 bytes) and fetches M3 (32 bytes). A sealed session begins: both directions count from 1.
   * @throws the program's reason when it does not believe M2
   */
  giveM2(m2: Uint8Array): Promise<Uint8Array>;

  // ── sealed session ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes a sealed command for the program.
   * @throws BF-TUNNEL-ORDER for another number than the next or beyond the credit, BF-TUNNEL-MESSAGE for a size no
   * sealed command has
   */
  queue(command: SealedBox): void;
  /** Highest number of a sealed command there is room for, when it is time to tell it, else undefined. */
  credit(): number | undefined;
  /** Looks once, moves what can be moved. @throws BF-STUB-MAILBOX, BF-STUB-CRASHED, BF-STUB-SILENT */
  turn(): Promise<Turn>;
  /** Sealed commands the program has accepted in this session, and how many of them were IMAGE. */
  readonly accepted: number;
  readonly acceptedImages: number;
  /** As of the last turn, with the words and the phase fetched now. */
  progress(): Promise<ChipProgress>;

  // ── end ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The program's state now; undefined when it is none we know. */
  state(): Promise<StubState | undefined>;
  /** Why a program in a state it stopped in (aborted, expired, fault, refused) stopped. */
  stopReason(state: StubState): Promise<BlindflashError>;
  /** Makes the program wipe its keys, the chip's own included. @throws BF-STUB-SILENT */
  stop(): Promise<void>;
}

/** A program of an earlier agent that was found running. */
export interface FoundStub {
  readonly transport: Transport;
  readonly state: StubState;
  /** The job it works on; undefined when there is none. */
  readonly job: StubJob | undefined;
}
