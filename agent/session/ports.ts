// The ports of the agent's session: the customer who is asked and told, and the memory that outlives the process.
import type { BlindflashError } from '../../shared/errors/errors.ts';
import type { Psk } from '../../shared/crypto/keys.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Board, Customer as CustomerCopy } from '../../shared/tunnel/bodies.ts';
import type { ConsentSheet } from '../consent/sheet.ts';
import type { Phase } from '../transport/port.ts';

export interface JobProgress {
  readonly phase: Phase;
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
  /** The code to be read to the vendor. `again`: of a later connection, after one that was confirmed. */
  showCode(code: string, again: boolean): void;
  showSheet(sheet: ConsentSheet): void;
  /** True only for a yes to exactly this sheet. */
  askConsent(sheet: ConsentSheet): Promise<boolean>;
  progress(progress: JobProgress): void;
}

/** How a job ended for this agent, and in what state the board is. */
export interface AgentOutcome {
  readonly result: 'done' | 'declined' | 'failed';
  readonly board: Board;
  /** Why it failed. */
  readonly error: BlindflashError | undefined;
  /** The vendor gave it up (true), or this side did. */
  readonly byVendor: boolean;
  /** The customer's copy of the receipt, when the job earned one. */
  readonly receipt: CustomerCopy | undefined;
  /** The plan the customer said yes to. */
  readonly plan: Plan | undefined;
}

/** What has to survive this process: kept in a file only its owner can read (agent/node/resume-file.ts). */
export interface AgentMemory {
  /** Of an earlier tunnel of this invite. */
  readonly resumeSecret: Psk | undefined;
  /** Hash of the plan the customer said yes to, 64 bytes. */
  readonly consented: Uint8Array | undefined;
  /** A stub of ours may be running on the board. */
  readonly stubLoaded: boolean;
  /** Each returns when it is stored. */
  saveSecret(secret: Psk): void;
  saveConsent(planHash: Uint8Array): void;
  saveStubLoaded(loaded: boolean): void;
  /** The job is over: nothing of it is kept. */
  forget(): void;
}

/** A memory that lasts as long as the process. */
export class ShortMemory implements AgentMemory {
  resumeSecret: Psk | undefined;
  consented: Uint8Array | undefined;
  stubLoaded = false;

  saveSecret(secret: Psk): void {
    this.resumeSecret = secret;
  }
  saveConsent(planHash: Uint8Array): void {
    this.consented = planHash;
  }
  saveStubLoaded(loaded: boolean): void {
    this.stubLoaded = loaded;
  }
  forget(): void {
    this.resumeSecret = this.consented = undefined;
    this.stubLoaded = false;
  }
}
