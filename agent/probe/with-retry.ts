// Tries an access to the target again that a disturbed wire or a confused probe may have spoilt. For
// accesses that may be repeated.
import { asBlindflashError, mayRepeatAccess } from '../../shared/errors/errors.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { pause } from './deadline.ts';
import type { Probe } from './probe.ts';

const ATTEMPTS = 3;
const RETRY_PAUSE_MS = 5;

export interface RetryOptions {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the access, at most ATTEMPTS times in all. @throws the last trouble met */
export async function withRetry<T>({ probe, clock, log }: RetryOptions, access: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await access();
    } catch (error) {
      const probeFailed = mayRepeatAccess(error, 'probe');
      const again = attempt < ATTEMPTS && (probeFailed || mayRepeatAccess(error, 'target'));
      if (!again) throw asBlindflashError(error);
      log.warn({ code: error.code, attempt }, 'access to the target failed, trying again');
      if (probeFailed) await probe.recover();
      else await pause(clock, RETRY_PAUSE_MS);
    }
  }
}
