// The registry of the vendor's devices: who enrols, changes or looks up one does it here, whatever face he has. Every
// entry that is read is checked by its signature first. No I/O of its own.
import { deviceOf, nextNumber, type Device } from './device.ts';
import { formatDeviceFile, parseDeviceFile, signerOf, type FiledEntry } from './device-file.ts';
import { signEntry, verifyEntry, type Enrolment, type Entry, type EntryOf } from './entry.ts';
import { equalBytes, fromHex, toHex } from '../../shared/codec/bytes.ts';
import { isoTime } from '../../shared/codec/iso-time.ts';
import type { SigningKeyPair, Verify } from '../../shared/crypto/keys.ts';
import type { SignedText } from '../../shared/crypto/signed-text.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { Clock } from '../../shared/ports.ts';
import type { DeviceState, Place } from '../../shared/registry/states.ts';

/** The store port under the registry. */
export interface DeviceStore {
  /** All entries of the devices whose UID begins so, device after device. @param start up to 24 digits */
  entries(start: string): Promise<readonly StoredEntry[]>;
  /** UIDs of the devices that were ever enrolled with this key for sessions or for files, 64 digits. */
  uidsOfKey(publicKey: string): Promise<readonly string[]>;
  /** Keeps entries, all or none; those it has are passed over. @returns how many are new */
  add(entries: readonly SignedText[]): Promise<number>;
}

/** An entry as it is stored; the UID is the one in its text. */
export interface StoredEntry extends SignedText {
  readonly uid: string;
}

export interface RegistryOptions {
  readonly store: DeviceStore;
  readonly clock: Clock;
  readonly verify: Verify;
  /** The vendor's receipt key, public half, 32 bytes; for reading no other is needed. */
  readonly vendorKey: () => Promise<Uint8Array>;
  /** The pair; asked for when something is signed. */
  readonly signer: () => Promise<SigningKeyPair<'receipt'>>;
}

/** What became of an enrolment: a device more, one with these keys already, or another key that a person decides on. */
export type Enrolled = 'new' | 'known' | 'waiting';

/** What an import did. */
export interface Imported {
  /** Devices in the file. */
  readonly devices: number;
  /** Entries that are new here. */
  readonly added: number;
  /** UIDs with keys about which a person has to decide, of those in the file. */
  readonly waiting: readonly string[];
}

/** Which devices; all unless given. */
export interface DeviceFilter {
  /** First digits of the UID. */
  readonly uid?: string | undefined;
  readonly state?: DeviceState | undefined;
}

/** What of a file is to be kept, and the UIDs with keys that wait afterwards. */
interface Taken {
  readonly signed: readonly SignedText[];
  readonly waiting: readonly string[];
}

/** By UID. */
type Devices = ReadonlyMap<string, Device>;

type Draft<E = Entry> = E extends Entry ? Omit<E, 'version' | 'at' | 'vendorKey'> : never;

export class DeviceRegistry {
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** In the order of their UIDs. @throws BF-DEVICES-ENTRY */
  async devices({ uid = '', state }: DeviceFilter = {}): Promise<Device[]> {
    const devices = await this.#read(uid.toLowerCase());
    return state === undefined ? devices : devices.filter((device) => device.state === state);
  }

  /** @param uid 24 digits. @throws BF-DEVICES-UNKNOWN, BF-DEVICES-ENTRY */
  async device(uid: string): Promise<Device> {
    const device = await this.#find(uid.toLowerCase());
    if (device === undefined) throw fail('BF-DEVICES-UNKNOWN', uid);
    return device;
  }

  /**
   * Puts a device on record as it presented itself. A second key for a UID starts without provenance and waits until a
   * person accepts it.
   * @param by who is at work. @throws BF-DEVICES-KEY-TWICE for a key of another device
   */
  async enrol(facts: Enrolment, by: string): Promise<Enrolled> {
    const known = await this.#find(facts.uid);
    const { outcome, drafts } = await this.#enrolment(facts, known, { by, repeats: null }, new Keys());
    await this.#add(drafts);
    return outcome;
  }

  /** @throws BF-DEVICES-UNKNOWN, BF-DEVICES-STATE when it is so already */
  async change(uid: string, is: DeviceState, { by, note }: { by: string; note: string }): Promise<Device> {
    const device = await this.device(uid);
    if (device.state === is) throw fail('BF-DEVICES-STATE', `${device.uid} is ${is}`);
    await this.#add([stateDraft(device, is, by, note)]);
    return this.device(uid);
  }

  /**
   * A person takes a key for the device's, from now on in place of the one before.
   * @param key its first digits, at least 8. @param place where he takes it to have been enrolled; not more than where
   * it was. @throws BF-DEVICES-UNKNOWN, BF-DEVICES-KEY
   */
  async accept(uid: string, key: string, { by, place }: { by: string; place: Place | null }): Promise<Device> {
    const device = await this.device(uid);
    const fits = ({ sessionKey }: { sessionKey: string }) => sessionKey.startsWith(key.toLowerCase());
    const [found, another] = key.length < 8 ? [] : device.waiting.filter(fits);
    if (found === undefined || another !== undefined) {
      throw fail('BF-DEVICES-KEY', `${device.uid}, ${device.waiting.length} keys wait`);
    }
    const { sessionKey } = found;
    await this.#add([{ kind: 'accepted', uid: device.uid, number: nextNumber(device), sessionKey, place, by }]);
    return this.device(uid);
  }

  /** The whole registry as a file, and how many entries are in it. */
  async exportFile(): Promise<{ readonly text: string; readonly devices: number; readonly entries: number }> {
    const stored = await this.#options.store.entries('');
    const devices = await this.#read('');
    const text = formatDeviceFile(stored, this.#now(), await this.#options.signer());
    return { text, devices: devices.length, entries: stored.length };
  }

  /**
   * Takes the entries of a file: of the vendor's own as they are, of another vendor's by enrolling each device here.
   * @param namedKey the other vendor's receipt key, 32 bytes, which a person named
   * @throws BF-DEVICES-FILE, BF-DEVICES-FOREIGN, BF-DEVICES-ENTRY, BF-DEVICES-KEY-TWICE; nothing was taken then
   */
  async importFile(text: string, by: string, namedKey?: Uint8Array): Promise<Imported> {
    const own = await this.#options.vendorKey();
    const signer = fromHex(signerOf(text));
    const isOwn = equalBytes(signer, own);
    if (!isOwn && !(namedKey !== undefined && equalBytes(signer, namedKey))) {
      throw fail('BF-DEVICES-FOREIGN', toHex(signer));
    }
    const filed = parseDeviceFile(text, this.#options.verify, signer);
    const known = new Map((await this.#read('')).map((device) => [device.uid, device]));
    const groups = [...byUid(filed.map(({ entry }) => entry)).values()];
    const { signed, waiting } = isOwn
      ? await this.#fromOwn(filed, groups, known)
      : await this.#fromForeign(groups, known, by, toHex(signer));
    return { devices: groups.length, added: await this.#options.store.add(signed), waiting };
  }

  // ── taking a file ─────────────────────────────────────────────────────────────────────────────────────────────

  async #fromOwn(filed: readonly FiledEntry[], groups: readonly Entry[][], known: Devices): Promise<Taken> {
    const keys = new Keys();
    const waiting: string[] = [];
    for (const entries of groups) {
      const device = known.get(entries[0]!.uid);
      for (const entry of entries) if (entry.kind === 'enrolled') await this.#requireFree(entry, device, keys);
      const after = deviceOf([...(device?.history ?? []), ...entries]);
      if (after.waiting.length > 0) waiting.push(after.uid);
    }
    return { signed: filed.map(({ signed }) => signed), waiting };
  }

  async #fromForeign(groups: readonly Entry[][], known: Devices, by: string, repeats: string): Promise<Taken> {
    const drafts: Draft[] = [];
    const keys = new Keys();
    const waiting: string[] = [];
    for (const entries of groups) {
      const { uid, state, keys: inUse, place } = deviceOf(entries);
      // About keys that the other vendor has not decided on, this one has nothing to go by.
      if (inUse === undefined) continue;
      const device = known.get(uid);
      const facts = { ...inUse, place: place ?? null };
      const enrolment = await this.#enrolment(facts, device, { by: inUse.by, repeats }, keys);
      drafts.push(...enrolment.drafts);
      if (enrolment.outcome === 'waiting' || (device?.waiting.length ?? 0) > 0) waiting.push(uid);
      const isNews = device === undefined ? state !== 'active' : state === 'stolen' && device.state !== 'stolen';
      if (!isNews) continue;
      const number = nextNumber(device) + enrolment.drafts.length;
      drafts.push({ kind: 'state', uid, number, was: device?.state ?? 'active', is: state, note: '', by });
    }
    return { signed: await this.#sign(drafts), waiting };
  }

  /** @param known the device before. @param keys of devices that are enrolled together */
  async #enrolment(
    { uid, sessionKey, fileKey, product, loaderHash, place, job }: Enrolment,
    known: Device | undefined,
    origin: Pick<EntryOf<'enrolled'>, 'by' | 'repeats'>,
    keys: Keys,
  ): Promise<{ readonly outcome: Enrolled; readonly drafts: readonly Draft[] }> {
    await this.#requireFree({ uid, sessionKey, fileKey }, known, keys);
    if (enrolledKeys(known).some((entry) => entry.sessionKey === sessionKey)) return { outcome: 'known', drafts: [] };
    const facts = { sessionKey, fileKey, product, loaderHash, place, job };
    const draft = { kind: 'enrolled', uid, number: nextNumber(known), ...facts, ...origin } as const;
    return { outcome: known === undefined ? 'new' : 'waiting', drafts: [draft] };
  }

  /** No two devices have one key, and no key has two partners. @throws BF-DEVICES-KEY-TWICE */
  async #requireFree(
    { uid, sessionKey, fileKey }: Pick<Enrolment, 'uid' | 'sessionKey' | 'fileKey'>,
    known: Device | undefined,
    keys: Keys,
  ): Promise<void> {
    for (const key of [sessionKey, fileKey]) {
      const uids = [...(await this.#options.store.uidsOfKey(key)), ...keys.uidOf(key)];
      const other = uids.find((each) => each !== uid);
      if (other !== undefined) throw fail('BF-DEVICES-KEY-TWICE', `${uid} and ${other}`);
    }
    for (const each of enrolledKeys(known)) {
      if ((each.sessionKey === sessionKey) !== (each.fileKey === fileKey)) throw fail('BF-DEVICES-KEY-TWICE', uid);
    }
    keys.add(uid, sessionKey, fileKey);
  }

  // ── entries ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #find(uid: string): Promise<Device | undefined> {
    return uid.length === 24 ? (await this.#read(uid))[0] : undefined;
  }

  async #read(start: string): Promise<Device[]> {
    const { store, verify, vendorKey } = this.#options;
    const stored = await store.entries(start);
    if (stored.length === 0) return [];
    const key = await vendorKey();
    return [...byUid(stored.map((each) => verifyEntry(each, verify, key))).values()].map(deviceOf);
  }

  async #add(drafts: readonly Draft[]): Promise<number> {
    return this.#options.store.add(await this.#sign(drafts));
  }

  async #sign(drafts: readonly Draft[]): Promise<SignedText[]> {
    if (drafts.length === 0) return [];
    const key = await this.#options.signer();
    const [at, vendorKey] = [this.#now(), toHex(key.publicKey)];
    const entries = drafts.map((draft) => ({ ...draft, version: 'blindflash device 2', at, vendorKey }) as Entry);
    return entries.map((entry) => signEntry(entry, key));
  }

  #now(): string {
    return isoTime(this.#options.clock.wall());
  }
}

/** Keys that come with one import, by the device they came with. */
class Keys {
  readonly #uids = new Map<string, string>();

  add(uid: string, ...keys: readonly string[]): void {
    for (const key of keys) this.#uids.set(key, uid);
  }

  uidOf(key: string): readonly string[] {
    const uid = this.#uids.get(key);
    return uid === undefined ? [] : [uid];
  }
}

function enrolledKeys(device: Device | undefined): EntryOf<'enrolled'>[] {
  return (device?.history ?? []).filter((entry) => entry.kind === 'enrolled');
}

function stateDraft(device: Device, is: DeviceState, by: string, note: string): Draft {
  return { kind: 'state', uid: device.uid, number: nextNumber(device), was: device.state, is, note, by };
}

function byUid(entries: readonly Entry[]): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.uid);
    if (group === undefined) groups.set(entry.uid, [entry]);
    else group.push(entry);
  }
  return groups;
}
