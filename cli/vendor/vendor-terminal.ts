// Edge: the vendor at a terminal: questions, lines, files named on the command line and Ctrl-C around the job service,
// alike for every command of the vendor.
import { readFile } from 'node:fs/promises';
import { requireRandom } from '../../controller/job/checks.ts';
import { inviteLine } from '../../controller/job/invite.ts';
import { jobId, planOf, type JobRecord, type RoomRecord } from '../../controller/job/job-record.ts';
import type { JobResult, RunningJob } from '../../controller/job/ports.ts';
import { describePlan, describeTrust } from '../../controller/plan/describe.ts';
import { JobService } from '../../controller/service/job-service.ts';
import type { InviteRequest, JobRequest, ServiceEvent } from '../../controller/service/job-service.ts';
import { trustedStubs } from '../../controller/service/trusted-stubs.ts';
import { FileJobStore } from '../../controller/store/file-job-store.ts';
import { homeFolder, type Home } from '../../controller/store/home.ts';
import { loadKeys } from '../../controller/store/keys-file.ts';
import type { VendorKeys } from '../../controller/store/keys.ts';
import { findChip, type Chip } from '../../shared/chips/index.ts';
import { toHex, utf8 } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { encodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { writePrivateFile } from '../../shared/platform/node/private-file.ts';
import { systemClock } from '../../shared/platform/node/system-clock.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { dialRelay } from '../../shared/platform/node/ws-link.ts';
import { BOARD } from '../../shared/tunnel/bodies.ts';
import { askInvite } from '../terminal/ask-invite.ts';
import { createPrompt, type Prompt } from '../terminal/prompt.ts';
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

/** What the vendor is told with an invite. */
const INVITE_ADVICE = [
  'Tell the customer: install Blindflash, connect board and ST-LINK, run `blindflash agent`, paste the invite.',
  'He will read you a short code; compare it with the one shown here. Never accept a code by the way the invite went.',
];

export class VendorTerminal {
  readonly #args: VendorArguments;
  readonly #home: Home;
  readonly #prompt: Prompt;
  readonly #view: JobView;
  readonly #service: JobService;

  constructor(args: VendorArguments) {
    this.#args = args;
    this.#home = homeFolder(args.home);
    this.#prompt = createPrompt({ program: args.json ?? false });
    this.#view = new JobView(args.json ?? false);
    this.#service = new JobService({
      clock: systemClock,
      random: systemRandom,
      log: createLog(args['log-level'] ?? 'silent', 'controller'),
      store: new FileJobStore(this.#home),
      trustedStubs,
      dial: (relayUrl) => dialRelay(relayUrl, systemClock),
    });
  }

  async close(): Promise<void> {
    this.#view.stop();
    await this.#prompt.close();
  }

  /** Makes an invite for a job that is begun later, and hands it out. */
  async invite(): Promise<void> {
    const keys = await this.#loadKeys();
    await this.#handOut(await this.#service.createInvite(this.#inviteRequest(keys)));
  }

  /** Runs a request to its end, as a new job or as one that goes on (--resume). */
  async run(request: JobRequest): Promise<JobResult> {
    const { resume, code } = this.#args;
    requireRandom(request.kind, request.chip);
    const keys = await this.#loadKeys();
    const record = resume === undefined ? await this.#begin(request, keys) : await this.#resume(resume, request);
    const id = jobId(record);
    const running = this.#service.start({ record, request, keys, waiveCode: code === false });
    this.#service.attach(id, (event) => this.#show(id, event));
    return this.#attend(id, running);
  }

  // ── before the job runs ───────────────────────────────────────────────────────────────────────────────────────

  async #begin(request: JobRequest, keys: VendorKeys): Promise<JobRecord> {
    const { invite } = this.#args;
    const plan = this.#service.propose(request);
    this.#showPlan(plan, request.chip);
    await this.#approve();
    if (invite !== undefined) return this.#service.beginWithInvite(request, plan, await this.#readInvite(invite));
    const room = this.#service.makeRoom(this.#inviteRequest(keys));
    const record = await this.#service.begin(request, plan, room);
    await this.#handOut(room);
    return record;
  }

  async #resume(id: string, request: JobRequest): Promise<JobRecord> {
    const record = await this.#service.resume(id, request);
    const plan = planOf(record);
    if (record.finished) this.#view.say('This job is finished; its agent is told so, if it still waits.');
    else this.#showPlan(plan, findChip(plan.devId) as Chip);
    if (record.room.inviteSecret !== undefined) await this.#handOut(record.room);
    return record;
  }

  #loadKeys(): Promise<VendorKeys> {
    const { keys, 'passphrase-file': file } = this.#args;
    return loadKeys(keys ?? this.#home.keys, { file, prompt: this.#prompt });
  }

  /** @throws BF-USAGE without a relay address */
  #inviteRequest(keys: VendorKeys): InviteRequest {
    const relayUrl = this.#args.relay ?? process.env['BLINDFLASH_RELAY'];
    if (relayUrl === undefined) {
      throw fail('BF-USAGE', 'name the relay with --relay wss://HOST, or set BLINDFLASH_RELAY');
    }
    return { keys, relayUrl, validHours: this.#args['valid-hours'] };
  }

  #readInvite(file: string): Promise<string> {
    return file === '-' ? askInvite(this.#prompt, '') : readText(file);
  }

  async #approve(): Promise<void> {
    if (this.#args.yes === true || !this.#prompt.interactive) return;
    if (!(await this.#prompt.confirm('Go ahead with this plan?', true))) {
      throw fail('BF-JOB-INTERRUPTED', 'not started');
    }
  }

  /** The plan and what the mode is worth. */
  #showPlan(plan: Plan, chip: Chip): void {
    this.#view.say(...describePlan(plan, chip), '', ...describeTrust(plan), '');
    this.#view.record({
      event: 'plan',
      job: toHex(plan.job),
      planHash: toHex(planHash(encodePlan(plan))),
      lines: describePlan(plan, chip),
      trust: describeTrust(plan),
    });
  }

  /** Shows the invite, or writes it to a file, and says what to tell the customer. */
  async #handOut(room: RoomRecord): Promise<void> {
    const { 'invite-out': out } = this.#args;
    const line = inviteLine(room);
    if (out !== undefined) await writePrivateFile(out, utf8(`${line}\n`));
    const place = out === undefined ? { invite: line } : { file: out };
    this.#view.record({ event: 'invite', ...place, expires: room.expires });
    this.#view.say(
      'Send this invite to the customer, and to nobody else: until it is used it is worth as much as the image.',
      '',
      out === undefined ? line : `  (it is in ${out})`,
      '',
      ...INVITE_ADVICE,
      '',
    );
  }

  // ── while it runs ─────────────────────────────────────────────────────────────────────────────────────────────

  #show(id: string, event: ServiceEvent): void {
    this.#view.show(event);
    if (event.type !== 'code') return;
    const question = `The code is ${event.code}. Is it exactly what the customer reads to you?`;
    this.#service.confirm(id, event.code, this.#prompt.confirm(question));
  }

  async #attend(id: string, running: RunningJob): Promise<JobResult> {
    const forget = this.#onInterrupt(id);
    try {
      const result = await running.done;
      this.#view.finish(result);
      return result;
    } catch (error) {
      this.#view.stop();
      this.#sayHowToResume(id, running);
      throw error;
    } finally {
      forget();
    }
  }

  #sayHowToResume(id: string, running: RunningJob): void {
    const unfinished = running.resumable || running.board === 'incomplete';
    this.#view.record({ event: 'stopped', job: id, board: running.board, resumable: unfinished });
    this.#view.say(`The board: ${BOARD[running.board]}.`);
    if (unfinished) this.#view.say(`Go on with the same command and --resume ${id}`);
  }

  /** Ctrl-C once leaves the job in order and says how; twice ends at once. */
  #onInterrupt(id: string): () => void {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(130);
      asked = true;
      this.#view.say('', 'Stopping; once more ends at once.');
      this.#service.interrupt(id);
    };
    process.on('SIGINT', stop);
    return () => void process.off('SIGINT', stop);
  }
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fail('BF-USAGE-FILE', file, error);
  });
}
