// The orderly end of a sealed session (docs/protocol.md §9).
import type { ChipTimes } from '../../shared/sealed/messages.ts';
import type { WorkOptions } from './work.ts';

/** END and its reply: how long the chip worked. */
export async function end(options: WorkOptions): Promise<ChipTimes> {
  let chipTimes: ChipTimes = NO_TIMES;
  await options.untilProved();
  await options.untilCredit();
  options.session.ask({ name: 'END' }, 'ENDED', (reply) => (chipTimes = reply.chipTimes));
  await options.answered();
  return chipTimes;
}

const NO_TIMES: ChipTimes = { erase: 0, program: 0, check: 0 };
