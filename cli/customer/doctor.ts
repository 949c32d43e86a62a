// `blindflash doctor`: what is wrong with probe, driver, wiring or chip, and what to do. Design: docs/product.md §4.
import { fail, type ErrorCode } from '../../shared/errors/errors.ts';
import { print, printJson, say } from '../terminal/output.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { bad, examine, type DoctorOptions, type Finding } from '../../agent/target/doctor.ts';
import { chooseListing, listProbes } from '../../agent/probe/drivers.ts';
import { namedPort, requirePortName } from './serial-port.ts';
import { examineLoader } from '../../agent/target/loader-doctor.ts';

export interface DoctorArguments {
  readonly probe?: string | undefined;
  readonly serial?: string | undefined;
  readonly 'under-reset'?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** How long a loader is looked for: long enough to switch a board off and on. */
const KNOCK_MS = 30_000;

/** Prints the findings. @throws the code of the first bad one. */
export async function runDoctor(args: DoctorArguments): Promise<void> {
  requirePortName(args.serial);
  const worst = await tellFindings(args);
  if (worst !== undefined) throw fail(worst);
}

const MARKS = { good: 'ok  ', note: 'note', bad: 'BAD ' } as const satisfies Record<Finding['verdict'], string>;

/** Returns the code of the first bad finding. */
async function tellFindings(args: DoctorArguments): Promise<ErrorCode | undefined> {
  const log = createLog(args['log-level'] ?? 'silent', 'doctor');
  const environment = { clock: systemClock, log };
  const listings = args.serial === undefined ? await listProbes(args.probe, environment) : [];
  let worst: ErrorCode | undefined;
  const connect = args['under-reset'] === true ? 'under reset' : 'auto';
  const options: DoctorOptions = { clock: systemClock, log, connect, ask: (text) => say(text) };
  const findings = async (): Promise<AsyncGenerator<Finding>> => {
    if (args.serial === undefined) return examine(chooseListing(listings, args.probe).make(), options);
    const port = await namedPort(args.serial, args.probe, environment);
    say('Looking for a loader. Switch the board off and on now, or press its reset button.');
    return examineLoader(port, { clock: systemClock, log, limitMs: KNOCK_MS });
  };
  const tell = (finding: Finding): void => {
    tellFinding(finding, args.json ?? false);
    worst ??= finding.verdict === 'bad' ? finding.code : undefined;
  };
  try {
    for await (const finding of await findings()) tell(finding);
  } catch (error) {
    tell(bad(args.serial === undefined ? 'probe' : 'serial', error));
  }
  return worst;
}

function tellFinding(finding: Finding, json: boolean): void {
  if (json) {
    printJson({ event: 'finding', ...finding });
    return;
  }
  const remedy = finding.remedy === undefined ? '' : `\n      → ${finding.remedy}`;
  print(`${MARKS[finding.verdict]}  ${finding.what.padEnd(10)} ${finding.text}${remedy}`);
}
