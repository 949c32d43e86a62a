// Edge: the vendor at a terminal: questions, lines, files named on the command line and Ctrl-C around the job service,
// alike for every command of the vendor.
import { requireRandom } from '../../controller/job/checks.ts';
import { inviteLine, inviteName, isUnused } from '../../controller/job/invite.ts';
import { jobId, planOf, type CodePolicy, type JobRecord, type RoomRecord } from '../../controller/store/job-record.ts';
import type { CodeAsked, JobEvent, JobResult, RunningJob } from '../../controller/job/ports.ts';
import type { Image } from '../../controller/image/image.ts';
import { describePlan, describeTrust } from '../../controller/plan/describe.ts';
import { requireOwnLoader, type LoaderFacts } from '../../controller/loader/read-loader.ts';
import { plant } from '../../controller/service/planting.ts';
import { JobService } from '../../controller/service/job-service.ts';
import type { InviteRequest, JobRequest } from '../../controller/service/job-service.ts';
import { trustedPrograms } from '../../controller/service/trusted-programs.ts';
import { homeFolder, type Home } from '../../controller/store/home.ts';
import { loadKeys, UNPROTECTED_HOME } from '../../controller/store/keys-file.ts';
import { DeviceRegistry } from '../../controller/registry/registry.ts';
import { Ledger } from '../../controller/store/ledger.ts';
import { LedgerDeviceStore } from '../../controller/store/ledger-devices.ts';
import { LedgerJobStore } from '../../controller/store/ledger-job-store.ts';
import type { VendorKeys } from '../../controller/store/keys.ts';
import { findChip, type Chip } from '../../shared/chips/index.ts';
import { toHex, utf8 } from '../../shared/codec/bytes.ts';
import { exitStatusOf, fail } from '../../shared/errors/errors.ts';
import { CODE_ONCE_TEXT, CODE_WAIVED_TEXT, type ProgramOnChip } from '../../shared/plan/modes.ts';
import { encodePlan, planHash, type Plan } from '../../shared/plan/plan.ts';
import { programOf } from '../../shared/plan/program.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { writePrivateFile } from '../../shared/platform/node/private-file.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { fingerprintText } from '../../shared/tunnel/invite.ts';
import { normalizeCode } from '../../shared/tunnel/secrets.ts';
import { dialler } from '../terminal/dialler.ts';
import { askInvite, readInviteFile } from '../terminal/ask-invite.ts';
import { createPrompt, type Prompt } from '../terminal/prompt.ts';
import { boardLines, codeQuestion, JobView } from './job-view.ts';

/** Options all these commands share. */
export interface VendorArguments {
  readonly home?: string | undefined;
  readonly keys?: string | undefined;
  readonly 'passphrase-file'?: string | undefined;
  readonly relay?: string | undefined;
  readonly ca?: string | undefined;
  readonly invite?: string | undefined;
  readonly 'invite-out'?: string | undefined;
  readonly 'valid-hours'?: number | undefined;
  readonly resume?: string | undefined;
  readonly 'new-invite'?: boolean | undefined;
  /** `each`, `once`; false for --no-code. */
  readonly code?: string | boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** What the customer is told, by what does the work on his chip. */
const CUSTOMER_ADVICE = {
  stub: 'install Blindflash, connect board and ST-LINK, run `blindflash agent`, paste the invite.',
  loader:
    'install Blindflash, connect the serial line of the board and no probe, run `blindflash agent --serial PORT`, switch the board ' +
    'off and on, paste the invite.',
} as const satisfies Record<ProgramOnChip, string>;
const CODE_ADVICE =
  'He will read you a short code by voice: type it here. Never take a code by the way the invite went.';

const PLANTED_LINES = [
  'The loader is on the board. Second half: its device is put on record. The customer’s program asks for the board to be switched off ' +
    'and on, goes on over the serial line under the same invite, and shows a code again, for the chip has new keys.',
];

export class VendorTerminal {
  readonly #args: VendorArguments;
  readonly #home: Home;
  readonly #prompt: Prompt;
  readonly #view: JobView;
  readonly #ledger: Ledger;
  readonly #service: JobService;
  #keys: Promise<VendorKeys> | undefined;
  /** Makes the question for the code that is open void. */
  #voidQuestion = new AbortController();
  /** Names what is gone on with where that is more than one job. */
  #resumeAs: string | undefined;
  /** Why the vendor could not be asked. */
  #unasked: unknown;

  constructor(args: VendorArguments) {
    this.#args = args;
    this.#home = homeFolder(args.home);
    this.#prompt = createPrompt({ program: args.json ?? false });
    this.#view = new JobView(args.json ?? false, this.#prompt);
    const log = createLog(args['log-level'] ?? 'silent', 'controller');
    this.#ledger = new Ledger({ home: this.#home, log });
    const homeKey = async () => (await this.#loadKeys()).home;
    this.#service = new JobService({
      clock: systemClock,
      random: systemRandom,
      log,
      store: new LedgerJobStore(this.#ledger, { homeKey, random: systemRandom }),
      verify: verifyEd25519,
      trustedPrograms,
      dial: dialler(args.ca),
    });
  }

  /** The devices of this vendor; his passphrase is asked for once. */
  get registry(): DeviceRegistry {
    return new DeviceRegistry({
      store: new LedgerDeviceStore(this.#ledger),
      clock: systemClock,
      verify: verifyEd25519,
      vendorKey: async () => (await this.#loadKeys()).receipt.publicKey,
      signer: async () => (await this.#loadKeys()).receipt,
    });
  }

  async close(): Promise<void> {
    this.#view.stop();
    await this.#service.close();
    await this.#ledger.close();
    await this.#prompt.close();
  }

  /** Makes an invite for a job that is begun later, and hands it out. */
  async invite(): Promise<void> {
    const keys = await this.#loadKeys();
    await this.#handOut(await this.#service.createInvite(this.#inviteRequest(keys)), 'stub');
  }

  /** Runs a request to its end, as a new job or as one that goes on (--resume). */
  async run(wanted: JobRequest): Promise<JobResult> {
    const { resume, code } = this.#args;
    const request = { ...wanted, codePolicy: codePolicyOf(code) };
    requireRandom(request.kind, request.chip);
    const keys = await this.#loadKeys();
    const record = resume === undefined ? await this.#begin(request, keys) : await this.#resume(resume, request, keys);
    return this.#start(record, request, keys);
  }

  #start(record: JobRecord, request: JobRequest, keys: VendorKeys): Promise<JobResult> {
    const id = jobId(record);
    this.#sayPolicy(record.codePolicy);
    const running = this.#service.start({ record, request, keys });
    this.#service.attach(id, (event) => this.#show(id, event));
    return this.#attend(id, running);
  }

  /**
   * Plants a loader and enrols its device, as a new job or as one that goes on at what is not done yet (--resume).
   * @param trusted hashes of the loaders an enrolment takes, 128 digits each
   */
  async plant(
    loader: LoaderFacts,
    trusted: readonly string[],
    requests: { readonly planting: JobRequest; readonly enrolment: JobRequest },
  ): Promise<JobResult> {
    const { resume, code } = this.#args;
    const planting = { ...requests.planting, codePolicy: codePolicyOf(code) };
    requireRandom(planting.kind, planting.chip);
    const keys = await this.#loadKeys();
    requireOwnLoader(loader, trusted, keys.sealed.publicKey);
    const id = resume ?? jobId(await this.#begin(planting, keys));
    this.#resumeAs = id;
    return plant({
      service: this.#service,
      id,
      planting,
      enrolment: requests.enrolment,
      renew: this.#args['new-invite'] === true ? this.#inviteRequest(keys) : undefined,
      attend: async (record, request) => {
        if (resume !== undefined) await this.#showResumed(record, request);
        return this.#start(record, request, keys);
      },
      onPlanted: (record) => {
        this.#view.say('', ...PLANTED_LINES, '');
        this.#showPlan(planOf(record), planting.chip, undefined);
      },
    });
  }

  // ── before the job runs ───────────────────────────────────────────────────────────────────────────────────────

  async #begin(request: JobRequest, keys: VendorKeys): Promise<JobRecord> {
    const { invite } = this.#args;
    const plan = this.#service.propose(request);
    this.#showPlan(plan, request.chip, request.image);
    await this.#approve();
    if (invite !== undefined) return this.#service.beginWithInvite(request, plan, await this.#readInvite(invite));
    const room = this.#service.makeRoom(this.#inviteRequest(keys));
    const record = await this.#service.begin(request, plan, room);
    await this.#handOut(room, programOf(plan) ?? 'stub');
    return record;
  }

  async #resume(id: string, request: JobRequest, keys: VendorKeys): Promise<JobRecord> {
    const record =
      this.#args['new-invite'] === true
        ? await this.#service.resumeUnderNewInvite(id, request, this.#inviteRequest(keys))
        : await this.#service.resume(id, request);
    await this.#showResumed(record, request);
    return record;
  }

  async #showResumed(record: JobRecord, request: JobRequest): Promise<void> {
    const plan = planOf(record);
    if (record.finished) this.#view.say('This job is finished; its agent is told so, if it still waits.');
    else this.#showPlan(plan, findChip(plan.devId) as Chip, request.image);
    if (isUnused(record.room)) await this.#handOut(record.room, programOf(plan) ?? 'stub');
  }

  /** The keys, asked for once. */
  #loadKeys(): Promise<VendorKeys> {
    return (this.#keys ??= this.#openKeys());
  }

  async #openKeys(): Promise<VendorKeys> {
    const { keys: path, 'passphrase-file': file } = this.#args;
    const { keys, isProtected } = await loadKeys(path ?? this.#home.keys, { file, prompt: this.#prompt });
    if (!isProtected) this.#view.say(UNPROTECTED_HOME, '');
    return keys;
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
    return file === '-' ? askInvite(this.#prompt, '') : readInviteFile(file);
  }

  async #approve(): Promise<void> {
    if (this.#args.yes === true || !this.#prompt.interactive) return;
    if (!(await this.#prompt.confirm('Go ahead with this plan?', true))) {
      throw fail('BF-JOB-INTERRUPTED', 'not started');
    }
  }

  /** The plan and what the mode is worth. */
  #showPlan(plan: Plan, chip: Chip, image: Image | undefined): void {
    const lines = describePlan(plan, chip, image);
    this.#view.say(...lines, '', ...describeTrust(plan), '');
    this.#view.record({
      event: 'plan',
      job: toHex(plan.job),
      planHash: toHex(planHash(encodePlan(plan))),
      lines,
      trust: describeTrust(plan),
    });
  }

  /** Shows the invite, or writes it to a file, and says what to tell the customer. */
  async #handOut(room: RoomRecord, program: ProgramOnChip): Promise<void> {
    const { 'invite-out': out } = this.#args;
    const line = inviteLine(room);
    if (out !== undefined) await writePrivateFile(out, utf8(`${line}\n`));
    const place = out === undefined ? { invite: line } : { file: out };
    const vendor = toHex(room.vendor);
    this.#view.record({ event: 'invite', ...place, name: inviteName(room), vendor, expires: room.expires });
    this.#view.say(
      `Send this invite (${inviteName(room)}) to the customer, and to nobody else: whoever has it can come in his ` +
        'place, and then only the code tells you.',
      '',
    );
    if (out === undefined) this.#view.sayUnbroken(line);
    else this.#view.say(`  (it is in ${out})`);
    this.#view.say(
      '',
      `Tell the customer: ${CUSTOMER_ADVICE[program]}`,
      CODE_ADVICE,
      `His sheet shows your fingerprint; read it to him when he asks: ${fingerprintText(room.vendor)}`,
      '',
    );
  }

  // ── while it runs ─────────────────────────────────────────────────────────────────────────────────────────────

  #show(id: string, event: JobEvent): void {
    // A question that is void, or takes another's place, is not repeated below the line that says so.
    if (event.type === 'codeVoid' || event.type === 'code') this.#voidQuestion.abort();
    this.#view.show(event);
    if (event.type !== 'code') return;
    this.#voidQuestion = new AbortController();
    this.#ask(id, event, this.#voidQuestion.signal).catch((error: unknown) => {
      this.#unasked = error;
      this.#service.interrupt(id);
    });
  }

  /** The vendor types the code he hears; a question that is void takes no answer. */
  async #ask(id: string, asked: CodeAsked, voided: AbortSignal): Promise<void> {
    const typed = await this.#prompt.askFresh(codeQuestion(asked), voided);
    if (typed === undefined || voided.aborted) return;
    const { code, tunnel } =
      this.#args.json === true ? answerOf(typed, asked.tunnel) : { code: typed, tunnel: asked.tunnel };
    const answer = await this.#service.answerCode(id, code, tunnel);
    if (tunnel !== asked.tunnel && !voided.aborted) this.#show(id, asked);
    if (answer === 'right') this.#view.say('The code is right. Tell the customer so, by voice: he waits for it.');
  }

  #sayPolicy(policy: CodePolicy): void {
    if (policy === 'once') this.#view.say(CODE_ONCE_TEXT);
    if (policy === 'waived') this.#view.say(CODE_WAIVED_TEXT);
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
      throw this.#unasked ?? error;
    } finally {
      this.#voidQuestion.abort();
      forget();
    }
  }

  #sayHowToResume(id: string, running: RunningJob): void {
    const { chipProved, agentSays, room } = running.record;
    const resumable = running.resumable || chipProved === 'incomplete';
    const newInvite = resumable && room.invite.spent !== undefined;
    this.#view.record({ event: 'stopped', job: id, chipProved, agentSays, resumable, newInvite });
    this.#view.say(...boardLines({ chipProved, agentSays }));
    if (resumable) {
      this.#view.say(
        `Go on with the same command and --resume ${this.#resumeAs ?? id}${newInvite ? ' --new-invite' : ''}`,
      );
    }
  }

  /** Ctrl-C once leaves the job in order and says how; twice ends at once. */
  #onInterrupt(id: string): () => void {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(exitStatusOf('BF-JOB-INTERRUPTED'));
      asked = true;
      this.#view.say('', 'Stopping; once more ends at once.');
      this.#service.interrupt(id);
    };
    process.on('SIGINT', stop);
    return () => void process.off('SIGINT', stop);
  }
}

/** A program may say to which question its line is the answer, `TUNNEL CODE`: another one may be open by now. */
export function answerOf(line: string, open: number): { readonly code: string; readonly tunnel: number } {
  const [, tunnel, code] = /^(\d{1,10}) (.+)$/.exec(line) ?? [];
  const isNumbered = code !== undefined && normalizeCode(code) !== undefined;
  return isNumbered ? { code, tunnel: Number(tunnel) } : { code: line, tunnel: open };
}

/** What --code and --no-code say; undefined when neither was given. @throws BF-USAGE */
function codePolicyOf(code: string | boolean | undefined): CodePolicy | undefined {
  if (code === undefined) return undefined;
  if (code === false) return 'waived';
  if (code === 'each' || code === 'once') return code;
  throw fail('BF-USAGE', '--code is each or once; --no-code waives it');
}
