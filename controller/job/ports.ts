// What a job is handed and what it tells: the ports of controller/job/job.ts. Nothing here prints or stores by itself.
import type { Image } from '../image/image.ts';
import type { ChipProved, JobRecord } from '../store/job-record.ts';
import type { Timeouts } from './limits.ts';
import type { RunStore } from '../store/port.ts';
import type { Enrolment } from '../registry/entry.ts';
import type { Enrolled } from '../registry/registry.ts';
import type { ExchangeKeyPair, SigningKeyPair, Verify } from '../../shared/crypto/keys.ts';
import type { OptionWords } from '../../shared/chips/index.ts';
import type { Plan } from '../../shared/plan/plan.ts';
import type { Place } from '../../shared/registry/states.ts';
import type { Clock, Log, Random } from '../../shared/ports.ts';
import type { JobTimes, SignedText } from '../../shared/plan/receipt.ts';
import type { ErasedHow } from '../../shared/sealed/messages.ts';
import type { BoardState, Hello, Problem } from '../../shared/tunnel/bodies.ts';
import type { OwnMessage } from '../../shared/tunnel/messages.ts';
import type { CodeVerdict, ControllerTunnelEvents } from '../../shared/tunnel/controller-tunnel.ts';
import type { SpentReason } from '../../shared/tunnel/invite-state.ts';

// ── the tunnel to the agent ──────────────────────────────────────────────────────────────────────────────────────────

export interface JobTunnelEvents extends Required<ControllerTunnelEvents> {
  /** The agent is in the room, or not. */
  onPeer(present: boolean): void;
}

/** A tunnel as the job sees it: messages, however they travel. */
export interface JobTunnel {
  /** Queues a message. Throws as Tunnel.send does. */
  send(message: OwnMessage): void;
  /** Messages the agent has not acknowledged. */
  readonly unacknowledged: number;
  /** checkCode, proved, sealedSessionId, spend: as ControllerTunnel has them. */
  checkCode(typed: string): Promise<CodeVerdict>;
  proved(): Promise<void>;
  sealedSessionId(m1: Uint8Array): Uint8Array;
  spend(why: SpentReason): Promise<void>;
  /** Ends the room for the agent's side at the relay. */
  revoke(): void;
  close(): void;
}

export type OpenJobTunnel = (events: JobTunnelEvents) => JobTunnel;

// ── keeping ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Keys a session needs; the tenant key stays at home. */
export interface SessionKeys {
  readonly sealed: ExchangeKeyPair<'sealed'>;
  readonly receipt: SigningKeyPair<'receipt'>;
}

// ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────

export type JobEvent =
  | { readonly type: 'peer'; readonly present: boolean }
  /** number: of all tunnels of this invite, 1..; at: milliseconds since 1970. */
  | { readonly type: 'tunnel'; readonly number: number; readonly at: number }
  | CodeAsked
  /** The question for the code of this tunnel is void: there is another tunnel, or the chip has to begin anew. */
  | { readonly type: 'codeVoid'; readonly tunnel: number }
  /** The invite is of no use any more. */
  | { readonly type: 'spent'; readonly why: SpentReason }
  | { readonly type: 'hello'; readonly hello: Hello }
  /** planHash: 64 bytes. Sent with every JOB, also when the plan was made anew for the flash size found. */
  | { readonly type: 'job'; readonly plan: Plan; readonly planHash: Uint8Array }
  /** The customer is looking at the consent sheet. */
  | { readonly type: 'sheet' }
  | { readonly type: 'consent' }
  /** The agent has changed option bytes, and says what they were and are. */
  | { readonly type: 'optionBytes'; readonly before: OptionWords; readonly after: OptionWords }
  /** A sealed session with the stub is confirmed. */
  | { readonly type: 'sealed'; readonly uid: string; readonly stubVersion: number; readonly handshake: number }
  /** how: by an erase, left because it read blank, or by the erase of everything. */
  | { readonly type: 'erased'; readonly sector: number; readonly how: ErasedHow }
  /** The stub's digests of a sector are right. skipped: it held them already. */
  | { readonly type: 'sector'; readonly sector: number; readonly skipped: boolean }
  /** Bytes of the image, for the bar only: between two digests this rests on unauthenticated words. */
  | { readonly type: 'progress'; readonly doneBytes: number; readonly totalBytes: number }
  /** root: 64 bytes, of the complete image, as the stub reported it. */
  | { readonly type: 'written'; readonly root: Uint8Array; readonly wordsProgrammed: number }
  | { readonly type: 'receipt'; readonly receipt: SignedText }
  | { readonly type: 'locked'; readonly optcr: number }
  /** The device has proved its keys, and they are on record: new, known already, or waiting for a person to decide. */
  | { readonly type: 'enrolled'; readonly uid: string; readonly place: Place; readonly outcome: Enrolled }
  /** The agent reported a problem; restarting: a new sealed session is asked for. */
  | { readonly type: 'problem'; readonly problem: Problem; readonly restarting: boolean }
  /** The agent has let go of the board, and says how it left it. */
  | { readonly type: 'left'; readonly agentSays: BoardState; readonly chipProved: ChipProved };

/**
 * The vendor is to type the code that the customer reads to him: to be answered with `answerCode`. It is not in here.
 */
export interface CodeAsked {
  readonly type: 'code';
  /** Number of the tunnel it belongs to. */
  readonly tunnel: number;
  /** Names the invite (inviteName). */
  readonly invite: string;
  /** The label of the plan; may be empty. */
  readonly customer: string;
  /** Why it is asked again. */
  readonly again: 'wrong' | 'malformed' | undefined;
  /** Wrong codes until the invite is spent. */
  readonly triesLeft: number;
}

/** void: not the tunnel that is asked about now. */
export type CodeAnswer = CodeVerdict | 'void';

export interface JobCallbacks {
  onEvent?(event: JobEvent): void;
}

// ── the job ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A device as the vendor's registry has it. */
export interface KnownDevice {
  /** 24 digits. */
  readonly uid: string;
  /** D_s, 32 bytes. */
  readonly sessionKey: Uint8Array;
}

export interface JobOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: RunStore;
  readonly keys: SessionKeys;
  /** Checks signatures of receipts out of the store. */
  readonly verify: Verify;
  /** As stored or freshly made; updates go to the store. */
  readonly record: JobRecord;
  /** For kinds flash and verify. */
  readonly image?: Image | undefined;
  /** Hashes of the stubs, or of the loaders, the vendor trusts, 128 digits each. */
  readonly allowedStubs: readonly string[];
  /** The one device a job with a loader is for. */
  readonly device?: KnownDevice | undefined;
  /** Puts a device on record that has proved its keys, for the kind that enrols. Resolves when that is stored. */
  readonly enrol?: ((facts: Enrolment) => Promise<Enrolled>) | undefined;
  /** The device was planted: sector 0 has to be write-protected, and the lock whole. */
  readonly planted?: boolean | undefined;
  readonly callbacks: JobCallbacks;
  /**
   * Sectors the chip proves to hold the right content are skipped, whoever wrote them; everybody on the way sees which.
   */
  readonly delta?: boolean;
  /** A verify job that finds another content asks sector by sector where. */
  readonly where?: boolean;
  /** Makes the plan again for the flash size the agent reports; without it another size is refused. */
  readonly planFor?: ((flashKiB: number) => Plan) | undefined;
  readonly timeouts?: Partial<Timeouts>;
}

export interface JobResult {
  readonly hello: Hello;
  /** 24 digits; undefined for jobs without a stub. */
  readonly uid: string | undefined;
  readonly receipt: SignedText | undefined;
  /** The customer's copy. */
  readonly customerCopy: SignedText | undefined;
  readonly chipProved: ChipProved;
  /** How the agent says it left the board; undefined if it did not say. */
  readonly agentSays: BoardState | undefined;
  /** Sectors that were not written again. */
  readonly skipped: readonly number[];
  readonly durationMs: number;
  /** Where it went. */
  readonly times: JobTimes;
}

/** A job under way. */
export interface RunningJob {
  /** Rejects with the coded error that ended the job; its detail says in what state the board is. */
  readonly done: Promise<JobResult>;
  /** True if `flash --resume` can go on after the error that ended the job. */
  readonly resumable: boolean;
  /** The job's record as it is now. */
  readonly record: JobRecord;
  /** Leaves the job where it is: the agent keeps waiting, nothing is sent. */
  interrupt(): void;
  /**
   * What the vendor has typed for the question about this tunnel (event `code`). Resolves when the
   * consequence is on record.
   */
  answerCode(typed: string, tunnel: number): Promise<CodeAnswer>;
}
