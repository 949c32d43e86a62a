// The jobs of one invite, one after the other: a single one, or the planting of a loader and then the enrolment of its
// device over the serial line (docs/protocol.md §11, "Planting").
import type { SerialPortSource } from '../transport/serial/port.ts';
import { runAgentJob, type AgentJobOptions } from './agent-session.ts';
import type { AgentOutcome } from './ports.ts';
import type { RoomPort } from './tunnel-event-queue.ts';

/** The way to the board. */
export type BoardWay = Pick<AgentJobOptions, 'probe' | 'serialPort'>;

export interface AgentJobsOptions extends Omit<AgentJobOptions, keyof BoardWay | 'room'> {
  /** A room client that is not yet started, for each job another. */
  readonly openRoom: () => RoomPort;
  /** The way to the board of the first job; undefined: an earlier process planted the loader, its port is next. */
  readonly first: BoardWay | undefined;
  /**
   * A loader was planted: has the board switched off and on, and resolves with its serial port; undefined when nobody
   * does. @param planted how that job ended; undefined when it was an earlier process's
   */
  readonly afterPlanting: (planted: AgentOutcome | undefined) => Promise<SerialPortSource | undefined>;
}

/** A vendor who says again and again that the planting is done gets no further. */
const MOST_JOBS = 4;

/** How the last of them ended. Rejects only with what `afterPlanting` throws. */
export async function runAgentJobs(options: AgentJobsOptions): Promise<AgentOutcome> {
  const { openRoom, first, afterPlanting, ...common } = options;
  let way = first;
  let outcome: AgentOutcome | undefined;
  for (let jobs = 0; jobs < MOST_JOBS; jobs++) {
    if (way === undefined) {
      const serialPort = await afterPlanting(outcome);
      if (serialPort === undefined) break;
      way = { serialPort };
    }
    outcome = await runAgentJob({ ...common, ...way, room: openRoom() });
    if (!outcome.planted) break;
    if (way.serialPort === undefined) way = undefined;
  }
  return outcome ?? NOTHING_DONE;
}

const NOTHING_DONE: AgentOutcome = {
  result: 'failed',
  board: 'locked',
  error: undefined,
  byVendor: false,
  receipt: undefined,
  plan: undefined,
  planted: true,
};
