// The vendor's jobs as a service: make invites, begin, resume, list, follow, answer for and interrupt jobs. Every face of
// the vendor (terminal, later others) calls this and adds nothing to it but how it talks to people. No I/O of its own.
import { imageHash, type Image } from '../image/image.ts';
import { requireRandom } from '../job/checks.ts';
import { makeRoom } from '../job/invite.ts';
import { jobId, newRecord, planAgain, planOf } from '../job/job-record.ts';
import type { JobRecord, PlanMaker, RoomRecord } from '../job/job-record.ts';
import type { JobEvent, RunningJob } from '../job/ports.ts';
import { startControllerJob } from '../job/run.ts';
import type { JobStore } from '../store/port.ts';
import type { VendorKeys } from '../store/keys.ts';
import { equalBytes } from '../../shared/codec/bytes.ts';
import type { Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Plan, PlanKind } from '../../shared/plan/plan.ts';
import type { Clock, Link, Log, Random } from '../../shared/ports.ts';
import { decodeInvite, publicInviteHash } from '../../shared/tunnel/invite.ts';

export interface JobServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: JobStore;
  /** Hashes of the stubs the vendor trusts, 128 digits each; asked for when a job starts. */
  readonly trustedStubs: () => readonly string[];
  /** Opens one link to the relay at this address. */
  readonly dial: (relayUrl: string) => Promise<Link>;
}

/** What the vendor wants done. */
export interface JobRequest {
  readonly kind: PlanKind;
  readonly image: Image | undefined;
  readonly chip: Chip;
  readonly plan: PlanMaker;
  /** The flash size was given: another one is refused instead of planned for. */
  readonly fixedSize: boolean;
  /** Skip what the chip proves to hold already (JobOptions.delta). */
  readonly delta?: boolean;
}

/** For whom an invite is made and how long it holds. */
export interface InviteRequest {
  readonly keys: VendorKeys;
  /** ws:// or wss:// address of the relay. */
  readonly relayUrl: string;
  /** 24 unless given. */
  readonly validHours: number | undefined;
}

/** A stored job and how it is to run. */
export interface StartRequest {
  readonly record: JobRecord;
  readonly request: JobRequest;
  readonly keys: VendorKeys;
  /** The code is not compared. */
  readonly waiveCode: boolean;
}

/** What a follower of a job hears: its events, and the question for the code, which `confirm` answers. */
export type ServiceEvent = JobEvent | { readonly type: 'code'; readonly code: string };

export type JobListener = (event: ServiceEvent) => void;

export interface JobListing {
  /** 32 digits. */
  readonly id: string;
  /** Under way in this process. */
  readonly running: boolean;
}

/** KiB the relay forwards on one link: the largest image some twenty times. */
const CAP_KIB = 64 * 1024;
const DEFAULT_VALID_HOURS = 24;

export class JobService {
  readonly #options: JobServiceOptions;
  readonly #active = new Map<string, ActiveJob>();

  constructor(options: JobServiceOptions) {
    this.#options = options;
  }

  // ── before a job runs ─────────────────────────────────────────────────────────────────────────────────────────

  /** All stored jobs. */
  async list(): Promise<JobListing[]> {
    const ids = await this.#options.store.jobIds();
    return ids.map((id) => ({ id, running: this.#active.has(id) }));
  }

  /** A plan for a new job with an id of its own. @throws BF-TARGET-NO-RANDOM, and what the plan compiler throws */
  propose(request: JobRequest): Plan {
    requireRandom(request.kind, request.chip);
    return request.plan(this.#options.random.bytes(16), undefined);
  }

  /** A fresh room for an invite that is handed out at once. @throws BF-RELAY-ADDRESS */
  makeRoom({ keys, relayUrl, validHours }: InviteRequest): RoomRecord {
    const { clock, random } = this.#options;
    const expires = Math.floor(clock.wall() / 1000 + (validHours ?? DEFAULT_VALID_HOURS) * 3600);
    return makeRoom({ relayUrl, tenant: keys.tenant, expires, capKiB: CAP_KIB, random });
  }

  /** An invite for a job that is begun later. @throws BF-RELAY-ADDRESS */
  async createInvite(request: InviteRequest): Promise<RoomRecord> {
    const room = this.makeRoom(request);
    await this.#options.store.saveInvite(room);
    return room;
  }

  /** Begins a job in a room made for it. Resolves with its record once that is stored. */
  async begin(request: JobRequest, plan: Plan, room: RoomRecord): Promise<JobRecord> {
    const record = this.#newRecord(request, plan, room);
    await this.#options.store.save(record);
    return record;
  }

  /** Begins a job with an invite of `createInvite`. @param line as handed out. @throws BF-INVITE-* */
  async beginWithInvite(request: JobRequest, plan: Plan, line: string): Promise<JobRecord> {
    const { clock, store } = this.#options;
    const hash = publicInviteHash(decodeInvite(line, Math.floor(clock.wall() / 1000)));
    return store.transaction(async (pending) => {
      const record = this.#newRecord(request, plan, await pending.takeInvite(hash));
      await pending.save(record);
      return record;
    });
  }

  /**
   * The stored job, which goes on with its own plan. @param id 32 digits.
   * @throws BF-JOB-UNKNOWN, BF-JOB-STATE, BF-JOB-IMAGE-CHANGED, BF-USAGE for a request of another kind
   */
  async resume(id: string, request: JobRequest): Promise<JobRecord> {
    const record = await this.#options.store.load(id);
    const { kind } = planOf(record);
    if (request.image !== undefined && !isImageOf(record, request.image)) throw fail('BF-JOB-IMAGE-CHANGED');
    if (kind !== request.kind) throw fail('BF-USAGE', `this job is of kind ${kind}`);
    return record;
  }

  // ── a running job ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts a stored job. Its first event comes after the caller's turn, so that `attach` at once misses none. */
  start({ record, request, keys, waiveCode }: StartRequest): RunningJob {
    const { clock, random, log, store, trustedStubs, dial } = this.#options;
    const id = jobId(record);
    if (this.#active.has(id)) throw fail('BF-INTERNAL-ARGUMENT', `job ${id} is running`);
    const active = new ActiveJob();
    const running = startControllerJob({
      clock,
      random,
      log,
      store,
      keys,
      record,
      image: request.image,
      allowedStubs: trustedStubs(),
      waiveCode,
      delta: request.delta === true,
      planFor: request.fixedSize ? undefined : (flashKiB) => planAgain(record, request.plan, flashKiB),
      dial: () => dial(record.room.relayUrl),
      callbacks: {
        confirmCode: (code) => active.askCode(code),
        onEvent: (event) => active.tell(event),
      },
    });
    active.interrupt = () => running.interrupt();
    this.#active.set(id, active);
    const forget = (): void => void this.#active.delete(id);
    running.done.then(forget, forget);
    return running;
  }

  /** Follows a running job from now on; the returned function ends that. @throws BF-JOB-UNKNOWN */
  attach(id: string, listener: JobListener): () => void {
    return this.#find(id).follow(listener);
  }

  /**
   * Answers an event `code`. The first answer to a code counts; one that rejects ends the job with its error.
   * @throws BF-JOB-UNKNOWN, BF-INTERNAL-ARGUMENT for a code that is not asked for
   */
  confirm(id: string, code: string, answer: boolean | Promise<boolean>): void {
    this.#find(id).answer(code, answer);
  }

  /** Leaves a running job where it is; its agent keeps waiting. A job that has ended stays as it is. */
  interrupt(id: string): void {
    this.#active.get(id)?.interrupt();
  }

  #find(id: string): ActiveJob {
    const active = this.#active.get(id);
    if (active === undefined) throw fail('BF-JOB-UNKNOWN', 'no such job is running here');
    return active;
  }

  #newRecord({ image }: JobRequest, plan: Plan, room: RoomRecord): JobRecord {
    return newRecord(room, plan, image, Math.floor(this.#options.clock.wall()));
  }
}

/** A job under way: who follows it, and the codes that are asked for. */
class ActiveJob {
  interrupt: () => void = () => {};
  readonly #listeners = new Set<JobListener>();
  readonly #questions = new Map<string, (answer: boolean | Promise<boolean>) => void>();

  follow(listener: JobListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(event: ServiceEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  askCode(code: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#questions.set(code, resolve);
      this.tell({ type: 'code', code });
    });
  }

  answer(code: string, answer: boolean | Promise<boolean>): void {
    const resolve = this.#questions.get(code);
    if (resolve === undefined) throw fail('BF-INTERNAL-ARGUMENT', `the code ${code} is not asked for`);
    this.#questions.delete(code);
    resolve(answer);
  }
}

function isImageOf(record: JobRecord, image: Image): boolean {
  return record.imageHash !== undefined && equalBytes(record.imageHash, imageHash(image));
}
