// What a driver of a kind of probe tells the list in drivers.ts: which selectors it speaks of,
// and which probes are there.
import type { BlindflashError } from '../../shared/errors/errors.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import type { Probe } from './probe.ts';

export interface ProbeEnvironment {
  readonly clock: Clock;
  readonly log: Log;
  /** SWD clock to ask for, kHz; the driver's own choice otherwise. */
  readonly speedKHz?: number | undefined;
}

/** A probe that is there. Making it does no I/O; opening it may fail. */
export interface ProbeListing {
  readonly kind: string;
  readonly serial: string | undefined;
  readonly path: string;
  /** Why it cannot be used, as far as listing already tells. */
  readonly problem: BlindflashError | undefined;
  make(): Probe;
}

export interface ProbeDriver {
  readonly name: string;
  /**
   * How `--probe SELECTOR` begins when it names a place this driver's probes are found at (`tcp:`). Undefined: the
   * probes are on this computer and are selected by their serial number.
   */
  readonly scheme: string | undefined;
  /** @param selector as given, undefined when none was */
  list(selector: string | undefined, environment: ProbeEnvironment): Promise<ProbeListing[]>;
}
