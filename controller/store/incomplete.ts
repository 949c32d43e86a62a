// Whether an earlier job of this vendor may have left a cut erase on a unit.
import type { StoreAccess } from './port.ts';

/**
 * True when a job other than `except` began to change the flash of this unit and is not known to have come to its end,
 * or when the record of one cannot be read. A job that began without knowing its unit (a protected chip does not tell)
 * may have been about any. One that is finished has come to its end, proved or not: the customer was told to switch the
 * board off and on, and that was seen. @param uid 24 digits
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
    if (open && (record.uid === undefined || record.uid === uid)) return true;
  }
  return false;
}
