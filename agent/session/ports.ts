// The ports of the agent's session: the customer who is asked and told, and the memory that outlives the process.
import type { BlindflashError } from '../../shared/errors/errors.ts';
import { psk, type Psk } from '../../shared/crypto/keys.ts';
import type { OptionWords } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { SignedText } from '../../shared/plan/receipt.ts';
import type { BoardState } from '../../shared/tunnel/bodies.ts';
import type { ConsentSheet } from '../consent/sheet.ts';
import type { ChipPhase } from '../transport/port.ts';

export interface JobProgress {
  readonly phase: ChipPhase;
  /** Sector or range the phase is about. */
  readonly number: number;
  /** Image bytes the chip has taken, of all the plan programs. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** The person who owns the board, behind a terminal or a script. */
export interface Customer {
  /** A sentence about what goes on. */
  say(text: string): void;
  /** The code to be read to the vendor, who types it. `again`: of a later connection. */
  showCode(code: string, again: boolean): void;
  showSheet(sheet: ConsentSheet): void;
  /**
   * True only for a yes to exactly this sheet. `code`: of the tunnel the plan came by, to be shown beside the question.
   */
  askConsent(sheet: ConsentSheet, code: string): Promise<boolean>;
  progress(progress: JobProgress): void;
}

/** How a job ended for this agent, and in what state the board is. */
export interface AgentOutcome {
  readonly result: 'done' | 'declined' | 'failed';
  readonly board: BoardState;
  /** Why it failed. */
  readonly error: BlindflashError | undefined;
  /** The vendor gave it up (true), or this side did. */
  readonly byVendor: boolean;
  /** The customer's copy of the receipt, checked, when the job earned one. */
  readonly receipt: SignedText | undefined;
  /** The plan the customer said yes to. */
  readonly plan: Plan | undefined;
  /** A loader is on the board and the chip locked; its enrolment is the next job of the invite. */
  readonly planted: boolean;
}

/** What the customer said yes to, and what is needed to check the end of it. */
export interface Consent {
  /** 64 bytes (docs/protocol.md §14). */
  readonly hash: Uint8Array;
  /** Canonical bytes. */
  readonly plan: Uint8Array;
  /** The key the vendor signs receipts with, 32 bytes. */
  readonly receiptPublic: Uint8Array;
  /** 12 bytes; zeros where the chip did not tell it. */
  readonly uid: Uint8Array;
}

/** What has to survive this process: kept in a file only its owner can read (agent/node/resume-file.ts). */
export interface AgentMemory {
  /** The way back, newest first: one or two; none before the first tunnel. */
  readonly secrets: readonly Psk[];
  readonly consent: Consent | undefined;
  /** How often a stub was loaded since that yes. */
  readonly loads: number;
  /** A stub of ours may be running on the board. */
  readonly stubLoaded: boolean;
  /** The nWRP bits this job has set and not put back; undefined when there are none. */
  readonly lifted: OptionWords | undefined;
  /** Somebody at this computer has said yes to a job of this vendor before. */
  readonly vendorKnown: boolean;
  /** A loader was planted under this invite: what follows goes over the serial line. */
  readonly planted: boolean;
  /** Each returns when it is stored; a set of secrets in one write. */
  keepSecrets(secrets: readonly Psk[]): void;
  /** Loads are counted from 0 again, and the vendor is known from now on. */
  keepConsent(consent: Consent): void;
  /** A stub is about to be loaded. */
  countLoad(): void;
  /** The stub is gone from the board. */
  noteStubGone(): void;
  /** These nWRP bits are about to be set; undefined: all of them were put back, or need not be. */
  noteLifted(bits: OptionWords | undefined): void;
  /** A loader was planted. */
  notePlanted(): void;
  /** The job is over: nothing of it is kept. */
  forget(): void;
}

/** A memory that lasts as long as the process. */
export class ShortMemory implements AgentMemory {
  secrets: readonly Psk[] = [];
  consent: Consent | undefined;
  loads = 0;
  stubLoaded = false;
  lifted: OptionWords | undefined;
  vendorKnown = false;
  planted = false;

  keepSecrets(secrets: readonly Psk[]): void {
    this.secrets = secrets.map((secret) => psk(secret));
  }
  keepConsent(consent: Consent): void {
    this.consent = consent;
    this.loads = 0;
    this.vendorKnown = true;
  }
  countLoad(): void {
    this.loads++;
    this.stubLoaded = true;
  }
  noteStubGone(): void {
    this.stubLoaded = false;
  }
  noteLifted(bits: OptionWords | undefined): void {
    this.lifted = bits;
  }
  notePlanted(): void {
    this.planted = true;
  }
  forget(): void {
    this.secrets = [];
    this.consent = undefined;
    this.loads = 0;
    this.stubLoaded = false;
  }
}
