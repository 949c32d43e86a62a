// `blindflash agent`: what the customer runs. Design: docs/product.md §3, §4.
import { writeFile } from 'node:fs/promises';
import { asBlindflashError, exitStatusOf, fail, tell } from '../../shared/errors/errors.ts';
import { stopWhenNobodyReads } from '../terminal/report.ts';
import { signingKeyPairFrom } from '../../shared/crypto/keys.ts';
import { KINDS } from '../../shared/plan/kinds.ts';
import { decodePlan } from '../../shared/plan/plan.ts';
import { decodeInvite, fingerprintText, type Invite, type PublicInvite } from '../../shared/tunnel/invite.ts';
import type { Log } from '../../shared/ports.ts';
import { formatSigned } from '../../shared/plan/receipt.ts';
import { relayNameOf } from '../../shared/link/ticket.ts';
import { RoomClient } from '../../shared/link/room-client.ts';
import { askInvite, readInviteFile } from '../terminal/ask-invite.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { createProgress, progressMode } from '../terminal/progress.ts';
import { createPrompt, type Prompt } from '../terminal/prompt.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { systemRandom } from '../../shared/platform/node/system-random.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { dialler } from '../terminal/dialler.ts';
import { parsePriorConsent } from '../../agent/consent/prior-consent.ts';
import { bundledStubs } from '../../agent/node/bundled-stubs.ts';
import { packageVersion } from '../../agent/node/package-version.ts';
import { namedPort, requirePortName } from './serial-port.ts';
import { asItIsNow, resumableJobs, ResumeFile, resumeFolder } from '../../agent/node/resume-file.ts';
import { TerminalCustomer } from './terminal-customer.ts';
import type { AgentOutcome } from '../../agent/session/ports.ts';
import { findProbe } from '../../agent/probe/drivers.ts';
import { runAgentJobs } from '../../agent/session/agent-jobs.ts';
import { afterPlanting } from './after-planting.ts';

export interface AgentArguments {
  /** Words on the command line that have no business there. */
  readonly words?: readonly string[] | undefined;
  readonly probe?: string | undefined;
  readonly speed?: number | undefined;
  readonly serial?: string | undefined;
  readonly 'then-serial'?: string | undefined;
  readonly 'under-reset'?: boolean | undefined;
  readonly 'invite-file'?: string | undefined;
  readonly yes?: string | undefined;
  readonly vendor?: string | undefined;
  readonly 'receipt-out'?: string | undefined;
  readonly ca?: string | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** Runs one job. @throws what a person has to be told; the exit status is that of the error. */
export async function runAgent(args: AgentArguments): Promise<void> {
  refuseWords(args.words ?? []);
  requirePortName(args.serial);
  requirePortName(args['then-serial']);
  const prior = parsePriorConsent(args.yes, args.vendor);
  const json = args.json ?? false;
  const log = createLog(args['log-level'] ?? 'silent', 'agent');
  const prompt = createPrompt({ program: json });
  const progress = createProgress(progressMode(json), systemClock);
  const customer = new TerminalCustomer({ prompt, progress, json, prior });
  try {
    const ticket = await chooseJob(args['invite-file'], prompt, customer);
    const outcome = await runJobs(args, ticket, { customer, prompt, log });
    customer.finish(outcome);
    await keepReceipt(args['receipt-out'], outcome);
    if (outcome.error !== undefined) throw outcome.error;
    if (outcome.result === 'declined') throw fail('BF-JOB-DECLINED');
  } finally {
    progress.stop();
    await prompt.close();
  }
}

/** Whatever it is: if it looks like an invite it is spent, because everybody on this computer could read it. */
function refuseWords(words: readonly string[]): void {
  if (words.length === 0) return;
  if (words.some((word) => /^["'<]*bf\d+\./.test(word))) throw fail('BF-USAGE-SECRET-ARGUMENT', 'the invite');
  throw fail('BF-USAGE', 'agent takes options only; the invite is pasted when asked for');
}

interface ChosenJob {
  readonly invite: PublicInvite;
  /** The fresh invite; undefined for one that is gone on with. */
  readonly fresh: Invite | undefined;
  readonly memory: ResumeFile;
}

/** An interrupted job, if there is one and the customer wants it; else the job of the invite that is pasted. */
async function chooseJob(
  inviteFile: string | undefined,
  prompt: Prompt,
  customer: TerminalCustomer,
): Promise<ChosenJob> {
  const folder = resumeFolder();
  const { jobs, foreign } = resumableJobs(folder, systemClock.wall());
  for (const path of foreign) customer.say(tell(fail('BF-VERSION-FILE', path), 'customer'));
  const [interrupted] = inviteFile === undefined ? jobs : [];
  if (interrupted !== undefined && (await prompt.confirm(questionFor(interrupted)))) {
    const memory = asItIsNow(interrupted);
    if (memory !== undefined) return { invite: memory.invite, fresh: undefined, memory };
    customer.say('That job has come to its end meanwhile.');
  }
  const text = await readInvite(inviteFile, prompt);
  const fresh = decodeInvite(text, Math.floor(systemClock.wall() / 1000));
  return { invite: fresh, fresh, memory: ResumeFile.forInvite(folder, fresh) };
}

/** Whose job it is, and whether a yes is remembered that is not asked for again. */
function questionFor({ invite, consent }: ResumeFile): string {
  const what =
    consent === undefined
      ? 'nothing was agreed to yet'
      : `${KINDS[decodePlan(consent.plan).kind].forCustomer}; you said yes to it`;
  return `A job of the vendor ${fingerprintText(invite.vendor)} was interrupted (${what}). Go on with it?`;
}

async function readInvite(file: string | undefined, prompt: Prompt): Promise<string> {
  if (file === undefined) return askInvite(prompt, 'Paste the invite of the vendor and press Enter:\n');
  if (file === '-') return askInvite(prompt, '');
  return readInviteFile(file);
}

/** Who is asked and told. */
interface Ends {
  readonly customer: TerminalCustomer;
  readonly prompt: Prompt;
  readonly log: Log;
}

/** The job of the invite, and after a planting the enrolment. */
async function runJobs(
  args: AgentArguments,
  { invite, fresh, memory }: ChosenJob,
  { customer, prompt, log }: Ends,
): Promise<AgentOutcome> {
  const [clock, random] = [systemClock, systemRandom];
  const dial = dialler(args.ca);
  const openRoom = () =>
    new RoomClient({
      dial: () => dial(invite.relayUrl),
      dialledHost: relayNameOf(invite.relayUrl),
      clock,
      random,
      log: log.child({ part: 'room' }),
      ticket: invite.ticket,
      holderSecretKey: signingKeyPairFrom('holder', memory.holderSeed).secretKey,
    });
  const first = memory.planted && args.serial === undefined ? undefined : await boardOf(args, log);
  const environment = { clock, log: log.child({ part: 'probe' }) };
  const keepCopy = (planted: AgentOutcome) => keepReceipt(copyPath(args['receipt-out']), planted);
  const between = { prompt, customer, port: args['then-serial'], probe: args.probe, environment, keepCopy };
  const stop = new AbortController();
  const forget = onInterrupt(customer, stop);
  try {
    const stubs = bundledStubs();
    const { signal } = stop;
    const version = packageVersion();
    const secret = fresh?.secret;
    return await runAgentJobs({
      first,
      afterPlanting: (planted) => afterPlanting(planted, between),
      openRoom,
      invite,
      inviteSecret: secret,
      memory,
      stubs,
      customer,
      clock,
      random,
      log,
      version,
      verify: verifyEd25519,
      keepSpeed: args.speed !== undefined,
      connect: args['under-reset'] === true ? 'under reset' : 'auto',
      signal,
    });
  } finally {
    forget();
  }
}

/** The probe, or the serial port of a board with a loader. */
async function boardOf({ probe, serial, speed }: AgentArguments, log: Log) {
  const environment = { clock: systemClock, log: log.child({ part: 'probe' }) };
  if (serial === undefined) return { probe: await findProbe(probe, { ...environment, speedKHz: speed }) };
  return { serialPort: await namedPort(serial, probe, environment) };
}

/** The first Ctrl-C ends the job in order, the second one at once. Returns what takes it back. */
export function onInterrupt(customer: Pick<TerminalCustomer, 'say'>, stop: AbortController): () => void {
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(exitStatusOf('BF-JOB-INTERRUPTED'));
    customer.say('Stopping: putting the board back in order. (Ctrl-C again leaves at once.)');
    stop.abort();
  };
  // A terminal that closes, and a program behind a pipe that ends, come once with every line that finds nobody.
  const abandoned = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  process.on('SIGHUP', abandoned);
  const forgetPipes = stopWhenNobodyReads(abandoned);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    process.off('SIGHUP', abandoned);
    forgetPipes();
  };
}

/** Where the customer's copy of a planting goes; the file itself is for that of the enrolment. */
function copyPath(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `${path}.planting`;
}

async function keepReceipt(path: string | undefined, { receipt }: AgentOutcome): Promise<void> {
  if (path === undefined || receipt === undefined) return;
  await writeFile(path, formatSigned(receipt)).catch((error: unknown) => {
    throw fail('BF-USAGE-FILE', `${path}: ${asBlindflashError(error).detail ?? ''}`, error);
  });
}
