// Where the time of a job went, in words.
import type { JobTimes } from '../../shared/plan/receipt.ts';

/** The machine’s time and all its parts, and the people’s apart. */
export function timesText({ people, network, erase, program, check }: JobTimes): string {
  const parts = [
    `erasing ${seconds(erase)}`,
    `programming ${seconds(program)}`,
    `checking ${seconds(check)}`,
    `network and the rest ${seconds(network)}`,
  ];
  const machine = seconds(erase + program + check + network);
  return `${machine} (${parts.join(', ')}), and ${seconds(people)} waiting for people`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
