// `blindflash probes`: the ST-LINKs there are, each as --probe takes it. Claims none and sends none a command.
import { listProbes } from '../../agent/probe/drivers.ts';
import type { ProbeListing } from '../../agent/probe/probe-driver.ts';
import { tell } from '../../shared/errors/errors.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { print, printJson } from '../terminal/output.ts';

export interface ProbesArguments {
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}

/** Prints one line a probe. */
export async function runProbes(args: ProbesArguments): Promise<void> {
  const log = createLog(args['log-level'] ?? 'silent', 'probes');
  const listings = await listProbes(undefined, { clock: systemClock, log });
  if (args.json === true) for (const listing of listings) printJson(asEvent(listing));
  else print(...(listings.length === 0 ? [NONE] : listings.flatMap(linesOf)));
}

const NONE = 'No ST-LINK is connected. Plug it in with a USB cable that carries data; `blindflash doctor` says more.';

function asEvent({ kind, serial, problem }: ProbeListing) {
  return { event: 'probe', kind, serial, problem: problem?.code } as const;
}

/** The probe, and what keeps it from being used. */
export function linesOf({ kind, serial, problem }: ProbeListing): string[] {
  const how = serial === undefined ? 'no serial number' : `--probe ${serial}`;
  return [`${kind.padEnd(14)} ${how}`, ...(problem === undefined ? [] : [tell(problem, 'customer')])];
}
