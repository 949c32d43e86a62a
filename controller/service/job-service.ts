// The vendor's jobs as a service: make invites, begin, resume, list, follow, answer for and interrupt jobs.
// Every face of the vendor (terminal, later others) calls this and adds nothing to it but how it talks to
// people. No I/O of its own.
import { imageHash, type Image } from '../image/image.ts';
import { requireRandom } from '../job/checks.ts';
import { makeRoom } from '../job/invite.ts';
import { planAgain, type PlanMaker } from './plan-again.ts';
import { CODE_POLICIES, jobId, newRecord, planOf } from '../store/job-record.ts';
import type { CodePolicy, JobRecord, RoomRecord } from '../store/job-record.ts';
import type { CodeAnswer, JobEvent, JobOptions, KnownDevice, RunningJob } from '../job/ports.ts';
import { spentError } from '../job/problems.ts';
import { startControllerJob } from '../job/run.ts';
import type { JobStore } from '../store/port.ts';
import { vendorOf, type VendorKeys } from '../store/keys.ts';
import { equalBytes, toHex } from '../../shared/codec/bytes.ts';
import { knownChip, requireLoader, type Chip } from '../../shared/chips/index.ts';
import type { Verify } from '../../shared/crypto/keys.ts';
import { fail } from '../../shared/errors/errors.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { hasLoader, type ProgramOnChip } from '../../shared/plan/modes.ts';
import type { Plan, PlanKind } from '../../shared/plan/plan.ts';
import { programOf } from '../../shared/plan/program.ts';
import { spend, wipeInviteState } from '../../shared/tunnel/invite-state.ts';
import type { Clock, Link, Log, Random } from '../../shared/ports.ts';
import { decodeInvite, publicInviteHash } from '../../shared/tunnel/invite.ts';

export interface JobServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: JobStore;
  /** Checks signatures of receipts out of the store. */
  readonly verify: Verify;
  /** Hashes of the stubs, or of the loaders, the vendor trusts for a chip, 128 digits each; asked when a job starts. */
  readonly trustedPrograms: (chip: Chip, program: ProgramOnChip) => readonly string[];
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
  /** A verify job says in which sectors another content lies (JobOptions.where). */
  readonly where?: boolean;
  /**
   * How the vendor makes sure of the customer's computer; as the job was begun, or a code for each key
   * of the chip, unless given.
   */
  readonly codePolicy?: CodePolicy | undefined;
  /** The device the job is for, in the modes with a loader. */
  readonly device?: KnownDevice | undefined;
  /** The device was planted by the job before. */
  readonly planted?: boolean;
  /** Puts a device on record, for the kind that enrols. */
  readonly enrol?: JobOptions['enrol'];
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
}

/** Hears the events of a job; `code` is a question that `answerCode` answers. */
export type JobListener = (event: JobEvent) => void;

export interface JobListing {
  /** 32 digits. */
  readonly id: string;
  /** Under way in this process. */
  readonly running: boolean;
}

/** KiB the relay forwards on one link: the largest image, 2 MiB, some thirty times. */
const CAP_KIB = 64 * 1024;
const DEFAULT_VALID_HOURS = 24;

const OVER = 'the job with it was over, and the agent has left';

export class JobService {
  readonly #options: JobServiceOptions;
  readonly #active = new Map<string, ActiveJob>();
  /** What gives the jobs back that are held for this process, by id. */
  readonly #claims = new Map<string, () => Promise<void>>();

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
    const plan = request.plan(this.#options.random.bytes(16), undefined);
    requireDevice(plan, request);
    if (programOf(plan) === 'loader') requireLoader(request.chip);
    return plan;
  }

  /** A fresh room for an invite that is handed out at once. @throws BF-RELAY-ADDRESS */
  makeRoom({ keys, relayUrl, validHours }: InviteRequest): RoomRecord {
    const { clock, random } = this.#options;
    const expires = Math.floor(clock.wall() / 1000 + (validHours ?? DEFAULT_VALID_HOURS) * 3600);
    return makeRoom({ relayUrl, tenant: keys.tenant, vendor: vendorOf(keys), expires, capKiB: CAP_KIB, random });
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
    return this.#holding(jobId(record), async () => {
      await this.#options.store.save(record);
      return record;
    });
  }

  /** Begins a job with an invite of `createInvite`. @param line as handed out. @throws BF-INVITE-* */
  async beginWithInvite(request: JobRequest, plan: Plan, line: string): Promise<JobRecord> {
    const { clock, store } = this.#options;
    const hash = publicInviteHash(decodeInvite(line, Math.floor(clock.wall() / 1000)));
    return this.#holding(toHex(plan.job), () =>
      store.transaction(async (pending) => {
        const record = this.#newRecord(request, plan, await pending.takeInvite(hash));
        await pending.save(record);
        return record;
      }),
    );
  }

  /**
   * Begins the job that follows another one, in its room, under its invite and for its unit; that one goes on no more.
   * @param id of the one before, 32 digits
   */
  async beginAfter(id: string, request: JobRequest, plan: Plan): Promise<JobRecord> {
    return this.#holding(toHex(plan.job), () =>
      this.#options.store.transaction(async (pending) => {
        const before = await pending.load(id);
        const { room, uid, codePolicy } = before;
        // One code for the whole job is one for both.
        const code = codePolicy === 'once' ? before.code : undefined;
        const record = { ...this.#newRecord(request, plan, room), uid, codePolicy, code };
        await pending.save({ ...before, room: { ...room, invite: spend(room.invite, 'vendor') } });
        await pending.save(record);
        return record;
      }),
    );
  }

  /** The job as it is on record. @param id 32 digits. @throws BF-JOB-UNKNOWN, BF-JOB-STATE */
  stored(id: string): Promise<JobRecord> {
    return this.#options.store.load(id);
  }

  /**
   * The stored job, which goes on with its own plan and its own invite. @param id 32 digits.
   * @throws BF-JOB-UNKNOWN, BF-JOB-BUSY, BF-JOB-STATE, BF-JOB-IMAGE-CHANGED; BF-INVITE-SPENT and
   * BF-INVITE-SECOND-HOLDER when it needs a new invite; BF-USAGE for a request of another kind or another policy
   * for the code
   */
  async resume(id: string, request: JobRequest): Promise<JobRecord> {
    const record = await this.#loadFor(id, request);
    const { codePolicy } = record;
    if (request.codePolicy !== undefined && request.codePolicy !== codePolicy) {
      throw fail('BF-USAGE', 'how the code is asked for changes with a new invite only: add --new-invite');
    }
    const { spent } = record.room.invite;
    if (spent !== undefined) throw spentError(spent) ?? fail('BF-INVITE-SPENT', OVER);
    return record;
  }

  /**
   * The stored job under a new invite, with its own code: no key of a chip is approved any more.
   * Resolves once that is stored.
   * @throws as `resume` does, but for the invite
   */
  async resumeUnderNewInvite(id: string, request: JobRequest, invite: InviteRequest): Promise<JobRecord> {
    const record = await this.#loadFor(id, request);
    const room = this.makeRoom(invite);
    const codePolicy = request.codePolicy ?? record.codePolicy;
    requireNoBetterWord(record, codePolicy);
    const renewed: JobRecord = { ...record, room, codePolicy, code: undefined, devices: [] };
    await this.#options.store.save(renewed);
    wipeInviteState(record.room.invite);
    return renewed;
  }

  async #loadFor(id: string, request: JobRequest): Promise<JobRecord> {
    const record = await this.#holding(id, () => this.#options.store.load(id));
    const { kind } = planOf(record);
    if (request.image !== undefined && !isImageOf(record, request.image)) throw fail('BF-JOB-IMAGE-CHANGED');
    if (kind !== request.kind) throw fail('BF-USAGE', `this job is of kind ${kind}`);
    return record;
  }

  // ── a running job ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts a stored job, with the keys its invite names. Its first event comes after the caller's turn, so that
   * `attach` at once misses none.
   */
  start({ record, request, keys }: StartRequest): RunningJob {
    const { clock, random, log, store, verify, trustedPrograms, dial } = this.#options;
    const id = jobId(record);
    const plan = planOf(record);
    requireDevice(plan, request);
    if (this.#active.has(id)) throw fail('BF-INTERNAL-ARGUMENT', `job ${id} is running`);
    if (!equalBytes(record.room.vendor, vendorOf(keys))) throw fail('BF-USAGE', 'the invite was made with other keys');
    const active = new ActiveJob();
    const running = startControllerJob({
      clock,
      random,
      log,
      store,
      verify,
      keys,
      record,
      image: request.image,
      allowedStubs: trustedPrograms(knownChip(plan.devId), programOf(plan) ?? 'stub'),
      device: request.device,
      enrol: request.enrol,
      planted: request.planted === true,
      delta: request.delta === true,
      where: request.where === true,
      planFor: request.fixedSize ? undefined : (flashKiB) => planAgain(record, request.plan, flashKiB),
      dial: () => dial(record.room.relayUrl),
      callbacks: { onEvent: (event) => active.tell(event) },
    });
    active.running = running;
    this.#active.set(id, active);
    const forget = (): void => {
      this.#active.delete(id);
      this.#release(id).catch(() => {});
    };
    running.done.then(forget, forget);
    return running;
  }

  /** Follows a running job from now on; the returned function ends that. @throws BF-JOB-UNKNOWN */
  attach(id: string, listener: JobListener): () => void {
    return this.#find(id).follow(listener);
  }

  /**
   * What the vendor typed for an event `code`; the event's tunnel says which. A void answer counts for nothing.
   * Resolves when the consequence is on record. @throws BF-JOB-UNKNOWN, BF-JOB-STATE when it cannot be stored
   */
  async answerCode(id: string, typed: string, tunnel: number): Promise<CodeAnswer> {
    const { running } = this.#find(id);
    return running === undefined ? 'void' : running.answerCode(typed, tunnel);
  }

  /** Leaves a running job where it is; its agent keeps waiting. A job that has ended stays as it is. */
  interrupt(id: string): void {
    this.#active.get(id)?.running?.interrupt();
  }

  /** Gives back every job that this process holds and does not run. */
  async close(): Promise<void> {
    const idle = [...this.#claims.keys()].filter((id) => !this.#active.has(id));
    await Promise.all(idle.map((id) => this.#release(id)));
  }

  /** Takes the job for this process, and gives it back when the work fails. @throws BF-JOB-BUSY */
  async #holding<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (!this.#claims.has(id)) this.#claims.set(id, await this.#options.store.claim(id));
    try {
      return await work();
    } catch (error) {
      if (!this.#active.has(id)) await this.#release(id);
      throw error;
    }
  }

  async #release(id: string): Promise<void> {
    const release = this.#claims.get(id);
    this.#claims.delete(id);
    await release?.();
  }

  #find(id: string): ActiveJob {
    const active = this.#active.get(id);
    if (active === undefined) throw fail('BF-JOB-UNKNOWN', 'no such job is running here');
    return active;
  }

  #newRecord({ image, codePolicy }: JobRequest, plan: Plan, room: RoomRecord): JobRecord {
    return newRecord(room, plan, image, Math.floor(this.#options.clock.wall()), codePolicy ?? 'each');
  }
}

/** A job under way, and who follows it. */
class ActiveJob {
  running: RunningJob | undefined;
  readonly #listeners = new Set<JobListener>();

  follow(listener: JobListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(event: JobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** @throws BF-USAGE unless a device is named where the plan is for one, and nowhere else */
function requireDevice(plan: Plan, { device }: JobRequest): void {
  const isForOne = hasLoader(plan.mode) && !KINDS[plan.kind].enrols;
  if (isForOne && device === undefined) throw fail('BF-USAGE', 'this job is for one device: name it with --device UID');
  if (!isForOne && device !== undefined) throw fail('BF-USAGE', 'this job is for no device: leave --device out');
}

/** Its receipt must not say that a code was asked for when part of the image left without. @throws BF-USAGE */
function requireNoBetterWord({ codePolicy: before, chipProved }: JobRecord, now: CodePolicy): void {
  if (chipProved === 'untouched' || CODE_POLICIES.indexOf(now) >= CODE_POLICIES.indexOf(before)) return;
  throw fail(
    'BF-USAGE',
    `parts of the image have left under --${before === 'waived' ? 'no-code' : `code ${before}`}: go on so, or begin a new job`,
  );
}

function isImageOf(record: JobRecord, image: Image): boolean {
  return record.imageHash !== undefined && equalBytes(record.imageHash, imageHash(image));
}
