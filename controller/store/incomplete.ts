// Whether an earlier job of this vendor may have left a cut erase on a unit.
import { planOf, type JobRecord } from './job-record.ts';
import type { StoreAccess } from './port.ts';
import { KINDS } from '../../shared/plan/kinds.ts';

/**
 * True when a job other than `except` began to change the flash of this unit and is not known to have come to its end,
 * or when the record of one cannot be read. One that is finished has come to its end, proved or not: the customer was
 * told to switch the board off and on, and that was seen. An unlock that does not know its unit met a protected chip,
 * which does not tell: it erases itself whole before its level changes (docs/reference/stm32f4.md §5.1), so that a chip
 * with a cut erase is locked still, and whoever asks here works on one that is not. Any other job without a unit may
 * have been about any. @param uid 24 digits
 */
export async function anyIncomplete(
  store: Pick<StoreAccess, 'jobIds' | 'load'>,
  uid: string,
  except: string,
): Promise<boolean> {
  for (const id of await store.jobIds()) {
    if (id === except) continue;
    const record = await store.load(id).catch(() => undefined);
    if (record === undefined) return true;
    const open = record.chipProved === 'incomplete' && !record.finished;
    if (open && (record.uid === undefined ? mayBeAny(record) : record.uid === uid)) return true;
  }
  return false;
}

function mayBeAny(record: JobRecord): boolean {
  return KINDS[planOf(record).kind].options !== 'freed';
}
