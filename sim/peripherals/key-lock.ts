// A two-key lock as FLASH_CR and FLASH_OPTCR have it: keys in order open it, anything else jams it until the next reset
// (docs/reference/stm32f4.md §3.2).

export interface KeyLock {
  stage: 'locked' | 'half' | 'open' | 'jammed';
}

/** Offers a key; false means the write is answered with a bus error. */
export function offerKey(lock: KeyLock, key: number, keys: readonly [first: number, second: number]): boolean {
  if (lock.stage === 'locked' && key === keys[0]) {
    lock.stage = 'half';
  } else if (lock.stage === 'half' && key === keys[1]) {
    lock.stage = 'open';
  } else {
    lock.stage = 'jammed';
    return false;
  }
  return true;
}

/** Closes an open lock; a jammed one stays jammed. */
export function closeLock(lock: KeyLock): void {
  if (lock.stage === 'open') lock.stage = 'locked';
}
