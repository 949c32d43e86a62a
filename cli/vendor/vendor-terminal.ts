// Edge: what every command of the vendor that runs a job does alike: keys, invite, room, view, code, Ctrl-C.
import { readFile } from 'node:fs/promises';
import { imageHash, type Image } from '../../controller/image/image.ts';
import { describePlan, describeTrust } from '../../controller/plan/describe.ts';
import { inviteLine, makeRoom } from '../../controller/job/invite.ts';
import {
  jobId,
  newRecord,
  planAgain,
  planOf,
  type JobRecord,
  type PlanMaker,
  type RoomRecord,
} from '../../controller/job/job-record.ts';
import type { VendorKeys } from '../../controller/store/keys.ts';
import { startControllerJob } from '../../controller/job/run.ts';
import type { JobResult, RunningJob } from '../../controller/job/ports.ts';
import { equalBytes, toHex, utf8 } from '../../shared/codec/bytes.ts';
import { requireRandom } from '../../controller/job/checks.ts';
import { findChip, type Chip } from '../../shared/chips/index.ts';
import { fail } from '../../shared/errors/errors.ts';
import { decodeInvite, publicInviteHash } from '../../shared/tunnel/invite.ts';
import { encodePlan, planHash, type Plan, type PlanKind } from '../../shared/plan/plan.ts';
import type { Log } from '../../shared/ports.ts';
import { askInvite } from '../terminal/ask-invite.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { writePrivateFile } from '../../shared/platform/node/private-file.ts';
import { createPrompt, type Prompt } from '../terminal/prompt.ts';
import { systemClock } from '../../shared/platform/node/system-clock.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { dialRelay } from '../../shared/platform/node/ws-link.ts';
import { BOARD } from '../../shared/tunnel/bodies.ts';
import { homeFolder, type Home } from '../../controller/store/home.ts';
import { FileJobStore } from '../../controller/store/file-job-store.ts';
import { loadKeys } from '../../controller/store/keys-file.ts';
import { trustedStubs } from '../../controller/service/trusted-stubs.ts';
import { JobView } from './job-view.ts';

/** Options all these commands share. */
export interface VendorArguments {
  readonly home?: string | undefined;
  readonly keys?: string | undefined;
  readonly 'passphrase-file'?: string | undefined;
  readonly relay?: string | undefined;
  readonly invite?: string | undefined;
  readonly 'invite-out'?: string | undefined;
  readonly 'valid-hours'?: number | undefined;
  readonly resume?: string | undefined;
  /** False for --no-code. */
  readonly code?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** What a command wants done. */
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

/** KiB the relay forwards on one link: the largest image some twenty times. */
const CAP_KIB = 64 * 1024;
const DEFAULT_VALID_HOURS = 24;

export class VendorTerminal {
  readonly home: Home;
  readonly store: FileJobStore;
  readonly prompt: Prompt;
  readonly view: JobView;
  readonly #args: VendorArguments;
  readonly #log: Log;

  constructor(args: VendorArguments) {
    this.#args = args;
    this.home = homeFolder(args.home);
    this.store = new FileJobStore(this.home);
    this.prompt = createPrompt();
    this.view = new JobView(args.json ?? false);
    this.#log = createLog(args['log-level'] ?? 'silent', 'controller');
  }

  close(): void {
    this.view.stop();
    this.prompt.close();
  }

  loadKeys(): Promise<VendorKeys> {
    const { keys, 'passphrase-file': file } = this.#args;
    return loadKeys(keys ?? this.home.keys, { file, prompt: this.prompt });
  }

  /** A fresh room for an invite. @throws BF-USAGE without a relay address. */
  makeRoom(keys: VendorKeys): RoomRecord {
    const relayUrl = this.#args.relay ?? process.env['BLINDFLASH_RELAY'];
    if (relayUrl === undefined) {
      throw fail('BF-USAGE', 'name the relay with --relay wss://HOST, or set BLINDFLASH_RELAY');
    }
    const hours = this.#args['valid-hours'] ?? DEFAULT_VALID_HOURS;
    const expires = Math.floor(systemClock.wall() / 1000 + hours * 3600);
    return makeRoom({ relayUrl, tenant: keys.tenant, expires, capKiB: CAP_KIB, random: systemRandom });
  }

  /** Runs a wish to its end, as a new job or as one gone on with. */
  async run(wish: JobRequest): Promise<JobResult> {
    requireRandom(wish.kind, wish.chip);
    const keys = await this.loadKeys();
    const record = this.#args.resume === undefined ? await this.#begin(wish, keys) : await this.#resume(wish);
    const running = startControllerJob({
      clock: systemClock,
      random: systemRandom,
      log: this.#log,
      store: this.store,
      keys,
      record,
      image: wish.image,
      allowedStubs: trustedStubs(),
      waiveCode: this.#args.code === false,
      delta: wish.delta === true,
      planFor: wish.fixedSize ? undefined : (flashKiB) => planAgain(record, wish.plan, flashKiB),
      dial: () => dialRelay(record.room.relayUrl, systemClock),
      callbacks: {
        confirmCode: (code) => this.#confirmCode(code),
        onEvent: (event) => this.view.show(event),
      },
    });
    return this.#attend(running);
  }

  async #attend(running: RunningJob): Promise<JobResult> {
    const forget = this.#onInterrupt(running);
    try {
      const result = await running.done;
      this.view.finish(result);
      return result;
    } catch (error) {
      this.view.stop();
      this.#sayHowToGoOn(running);
      throw error;
    } finally {
      forget();
    }
  }

  #sayHowToGoOn(running: RunningJob): void {
    const id = jobId(running.record);
    const unfinished = running.resumable || running.board === 'incomplete';
    this.view.record({ event: 'stopped', job: id, board: running.board, resumable: unfinished });
    this.view.say(`The board: ${BOARD[running.board]}.`);
    if (unfinished) this.view.say(`Go on with the same command and --resume ${id}`);
  }

  /** Ctrl-C once leaves the job in order and says how; twice ends at once. */
  #onInterrupt(running: RunningJob): () => void {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(130);
      asked = true;
      this.view.say('', 'Stopping; once more ends at once.');
      running.interrupt();
    };
    process.on('SIGINT', stop);
    return () => void process.off('SIGINT', stop);
  }

  async #begin(wish: JobRequest, keys: VendorKeys): Promise<JobRecord> {
    const plan = wish.plan(systemRandom.bytes(16), undefined);
    this.showPlan(plan, wish.chip);
    await this.#approve();
    const { room, made } = await this.#room(keys);
    const record = newRecord(room, plan, wish.image, Math.floor(systemClock.wall()));
    await this.store.save(record);
    if (made) await this.handOut(room);
    return record;
  }

  /** The stored job with its own plan, if the image is still the same. */
  async #resume(wish: JobRequest): Promise<JobRecord> {
    const record = await this.store.load(this.#args.resume as string);
    const plan = planOf(record);
    if (wish.image !== undefined && !sameImage(record, wish.image)) throw fail('BF-JOB-IMAGE-CHANGED');
    if (plan.kind !== wish.kind) throw fail('BF-USAGE', `this job is of kind ${plan.kind}`);
    if (record.finished) this.view.say('This job is finished; its agent is told so, if it still waits.');
    else this.showPlan(plan, findChip(plan.devId) as Chip);
    if (record.room.inviteSecret !== undefined) await this.handOut(record.room);
    return record;
  }

  async #room(keys: VendorKeys): Promise<{ room: RoomRecord; made: boolean }> {
    const { invite } = this.#args;
    if (invite === undefined) return { room: this.makeRoom(keys), made: true };
    const line = invite === '-' ? await askInvite(this.prompt, '') : await readText(invite);
    const now = Math.floor(systemClock.wall() / 1000);
    const room = await this.store.takeInvite(publicInviteHash(decodeInvite(line, now)));
    return { room, made: false };
  }

  /** The plan and what the mode is worth. */
  showPlan(plan: Plan, chip: Chip): void {
    this.view.say(...describePlan(plan, chip), '', ...describeTrust(plan), '');
    this.view.record({
      event: 'plan',
      job: toHex(plan.job),
      planHash: toHex(planHash(encodePlan(plan))),
      lines: describePlan(plan, chip),
      trust: describeTrust(plan),
    });
  }

  async #approve(): Promise<void> {
    if (this.#args.yes === true || !this.prompt.interactive) return;
    if (!(await this.prompt.confirm('Go ahead with this plan?', true))) throw fail('BF-JOB-INTERRUPTED', 'not started');
  }

  /** Shows the invite, or writes it to a file, and says what to tell the customer. */
  async handOut(room: RoomRecord): Promise<void> {
    const { 'invite-out': out } = this.#args;
    const line = inviteLine(room);
    if (out !== undefined) await writePrivateFile(out, utf8(`${line}\n`));
    this.view.record({
      event: 'invite',
      ...(out === undefined ? { invite: line } : { file: out }),
      expires: room.expires,
    });
    this.view.say(
      'Send this invite to the customer, and to nobody else: until it is used it is worth as much as the image.',
      '',
      out === undefined ? line : `  (it is in ${out})`,
      '',
      'Tell the customer: install Blindflash, connect board and ST-LINK, run `blindflash agent`, paste the invite.',
      'He will read you a short code; compare it with the one shown here. Never accept a code by the way the invite went.',
      '',
    );
  }

  async #confirmCode(code: string): Promise<boolean> {
    this.view.stop();
    this.view.record({ event: 'code', code });
    return this.prompt.confirm(`The code is ${code}. Is it exactly what the customer reads to you?`);
  }
}

function sameImage(record: JobRecord, image: Image): boolean {
  return record.imageHash !== undefined && equalBytes(record.imageHash, imageHash(image));
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fail('BF-USAGE-FILE', file, error);
  });
}
