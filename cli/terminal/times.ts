// Where the time of a job went, in words.
import type { JobTimes } from '../../shared/plan/receipt.ts';

/** The machine’s time and its parts, and the people’s apart; parts that took none are left out. */
export function timesText({ people, network, erase, program, check }: JobTimes): string {
  const parts = Object.entries({
    erasing: erase,
    programming: program,
    checking: check,
    'network and the rest': network,
  })
    .filter(([, ms]) => ms > 0)
    .map(([what, ms]) => `${what} ${seconds(ms)}`);
  const machine = `${seconds(erase + program + check + network)}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
  return people === 0 ? machine : `${machine}, and ${seconds(people)} waiting for people`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
