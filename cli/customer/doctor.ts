// `blindflash doctor`: what is wrong with probe, driver, wiring or chip, and what to do. Design: docs/product.md §4.
import { fail, type ErrorCode } from '../../shared/errors/errors.ts';
import { print, printJson, say } from '../terminal/output.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { bad, examine, type DoctorOptions, type Finding } from '../../agent/target/doctor.ts';
import { chooseListing, listProbes } from '../../agent/probe/drivers.ts';

export interface DoctorArguments {
  readonly probe?: string | undefined;
  readonly 'under-reset'?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** Prints the findings. @throws the code of the first bad one. */
export async function runDoctor(args: DoctorArguments): Promise<void> {
  const worst = await tellFindings(args);
  if (worst !== undefined) throw fail(worst);
}

const MARKS = { good: 'ok  ', note: 'note', bad: 'BAD ' } as const satisfies Record<Finding['verdict'], string>;

/** Returns the code of the first bad finding. */
async function tellFindings(args: DoctorArguments): Promise<ErrorCode | undefined> {
  const log = createLog(args['log-level'] ?? 'silent', 'doctor');
  const environment = { clock: systemClock, log };
  const listings = await listProbes(args.probe, environment);
  let worst: ErrorCode | undefined;
  const connect = args['under-reset'] === true ? 'under reset' : 'auto';
  const options: DoctorOptions = { clock: systemClock, log, connect, ask: (text) => say(text) };
  const tell = (finding: Finding): void => {
    tellFinding(finding, args.json ?? false);
    worst ??= finding.verdict === 'bad' ? finding.code : undefined;
  };
  try {
    for await (const finding of examine(chooseListing(listings, args.probe).make(), options)) tell(finding);
  } catch (error) {
    tell(bad('probe', error));
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
