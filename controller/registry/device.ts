// What the entries of a device come to: its state, the keys it is spoken to with, and those a person has yet to decide
// about. Entries may come together from several ledgers of one vendor, so that what they come to depends on which
// there are, and not on who got them first. Pure.
import type { Entry, EntryOf } from './entry.ts';
import { fail } from '../../shared/errors/errors.ts';
import { PLACE_ORDER, type DeviceState, type Place } from '../../shared/registry/states.ts';

/** A device of the registry. */
export interface Device {
  /** 24 digits. */
  readonly uid: string;
  readonly state: DeviceState;
  /** The keys it is spoken to with; undefined while a person has to decide. */
  readonly keys: EntryOf<'enrolled'> | undefined;
  /** Where those were enrolled; undefined: without provenance, no mode rests on them. */
  readonly place: Place | undefined;
  /** Keys that came for the same UID and were not accepted. */
  readonly waiting: readonly EntryOf<'enrolled'>[];
  /** All entries, oldest first. */
  readonly history: readonly Entry[];
}

/** @param entries of one device, at least one. @throws BF-DEVICES-ENTRY when some are missing */
export function deviceOf(entries: readonly Entry[]): Device {
  const history = [...entries].sort(byNumberThenText);
  const { uid } = history[0] as Entry;
  requireNoGap(uid, history);
  const enrolled = firstOfEachKey(history);
  const decided = decidedKeys(enrolled, history);
  const last = decided.at(-1);
  return {
    uid,
    state: stateOf(history),
    keys: last?.keys,
    place: last?.place,
    waiting: enrolled.filter((keys) => !decided.some((each) => each.keys === keys)),
    history,
  };
}

/** The number the next entry of a device has. */
export function nextNumber(device: Device | undefined): number {
  return (device?.history.at(-1)?.number ?? 0) + 1;
}

/** Two ledgers may have given one number to two entries: then the earlier by its time, and its text. */
function byNumberThenText(a: Entry, b: Entry): number {
  const [left, right] = [a, b].map((entry) => `${entry.at} ${JSON.stringify(entry)}`) as [string, string];
  return a.number - b.number || (left < right ? -1 : Number(left > right));
}

/** Whoever signs an entry knew one with each number below its own. */
function requireNoGap(uid: string, history: readonly Entry[]): void {
  let expected = 1;
  for (const { number } of history) {
    if (number > expected) throw fail('BF-DEVICES-ENTRY', `${uid}: entry ${expected} is missing`);
    if (number === expected) expected++;
  }
}

function firstOfEachKey(history: readonly Entry[]): EntryOf<'enrolled'>[] {
  const seen = new Set<string>();
  return history.filter((entry): entry is EntryOf<'enrolled'> => {
    if (entry.kind !== 'enrolled' || seen.has(entry.sessionKey)) return false;
    seen.add(entry.sessionKey);
    return true;
  });
}

interface Decided {
  readonly keys: EntryOf<'enrolled'>;
  readonly place: Place | undefined;
}

/** Keys in use, one after the other: the first of the device if there was one alone, then those that were accepted. */
function decidedKeys(enrolled: readonly EntryOf<'enrolled'>[], history: readonly Entry[]): Decided[] {
  const [first, rival] = enrolled.filter(({ number }) => number === 1);
  const decided: Decided[] =
    first === undefined || rival !== undefined ? [] : [{ keys: first, place: first.place ?? undefined }];
  for (const entry of history) {
    if (entry.kind !== 'accepted') continue;
    const keys = enrolled.find(({ sessionKey }) => sessionKey === entry.sessionKey);
    if (keys !== undefined) decided.push({ keys, place: weaker(entry.place, keys.place) });
  }
  return decided;
}

/** A person may take a key for less than it came with, not for more. */
function weaker(said: Place | null, came: Place | null): Place | undefined {
  if (said === null || came === null) return undefined;
  return PLACE_ORDER.find((place) => place === said || place === came);
}

/** A change that its signer made from another state than the device was in has no effect, unless it says "stolen". */
function stateOf(history: readonly Entry[]): DeviceState {
  let state: DeviceState = 'active';
  for (const entry of history) {
    if (entry.kind === 'state' && (entry.was === state || entry.is === 'stolen')) state = entry.is;
  }
  return state;
}
