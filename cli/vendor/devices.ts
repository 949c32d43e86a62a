// `blindflash devices`: the registry of devices at a terminal or for a program.
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Device } from '../../controller/registry/device.ts';
import { FILE_LIMITS } from '../../controller/registry/device-file.ts';
import { ENTRY_LIMITS, type Entry, type EntryOf } from '../../controller/registry/entry.ts';
import { DeviceRegistry } from '../../controller/registry/registry.ts';
import { homeFolder } from '../../controller/store/home.ts';
import { loadKeys, readKeyText, UNPROTECTED_HOME } from '../../controller/store/keys-file.ts';
import { publicKeysOf } from '../../controller/store/keys.ts';
import { Ledger } from '../../controller/store/ledger.ts';
import { LedgerDeviceStore } from '../../controller/store/ledger-devices.ts';
import { fromHex, utf8 } from '../../shared/codec/bytes.ts';
import { cleanText } from '../../shared/codec/foreign-text.ts';
import { fail } from '../../shared/errors/errors.ts';
import { createLog, type LogLevel } from '../../shared/platform/node/logger.ts';
import { writePrivateFile } from '../../shared/platform/node/private-file.ts';
import { verifyEd25519 } from '../../shared/platform/node/verify-signature.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { PLACE_TEXTS, PLACES, type DeviceState, type Place } from '../../shared/registry/states.ts';
import { print, printJson, say } from '../terminal/output.ts';
import { createPrompt } from '../terminal/prompt.ts';

export interface RegistryArguments {
  readonly home?: string | undefined;
  readonly keys?: string | undefined;
  readonly 'passphrase-file'?: string | undefined;
  readonly json?: boolean | undefined;
  readonly 'log-level'?: LogLevel | undefined;
}
interface DeviceArguments extends RegistryArguments {
  readonly uid: string;
}
export interface WritingArguments extends RegistryArguments {
  readonly by?: string | undefined;
}

export async function listDevices(
  args: RegistryArguments & { readonly uid?: string | undefined; readonly state?: DeviceState | undefined },
): Promise<void> {
  const devices = await withRegistry(args, (registry) => registry.devices({ uid: args.uid, state: args.state }));
  if (args.json === true) {
    for (const device of devices) printJson({ event: 'device', ...summaryOf(device) });
    printJson({ event: 'listed', devices: devices.length });
    return;
  }
  print(...(devices.length === 0 ? ['no such device here'] : devices.map(rowOf)));
}

export async function showDevice(args: DeviceArguments): Promise<void> {
  tell(args, await withRegistry(args, (registry) => registry.device(args.uid)));
}

/** The handler of a command that changes a device's state. */
export function changeTo(state: DeviceState) {
  return async (args: DeviceArguments & WritingArguments & { readonly note?: string | undefined }): Promise<void> => {
    const note = wordsOf(args.note ?? '', ENTRY_LIMITS.note, '--note');
    tell(args, await withRegistry(args, (registry) => registry.change(args.uid, state, { by: whoIs(args), note })));
  };
}

export async function acceptKey(
  args: DeviceArguments & WritingArguments & { readonly key: string; readonly place?: Place | undefined },
): Promise<void> {
  const how = { by: whoIs(args), place: args.place ?? null };
  tell(args, await withRegistry(args, (registry) => registry.accept(args.uid, args.key, how)));
}

export async function exportDevices(args: RegistryArguments & { readonly file: string }): Promise<void> {
  const { file } = args;
  const { text, devices, entries } = await withRegistry(args, (registry) => registry.exportFile());
  await writePrivateFile(file, utf8(text));
  if (args.json === true) printJson({ event: 'exported', file, devices, entries });
  else print(`${devices} devices, ${entries} entries: ${file}`);
}

export async function importDevices(
  args: WritingArguments & { readonly file: string; readonly key?: string | undefined },
): Promise<void> {
  const named = args.key === undefined ? undefined : fromHex(args.key, 'BF-USAGE', '--key');
  const text = await readBounded(args.file);
  const imported = await withRegistry(args, (registry) => registry.importFile(text, whoIs(args), named));
  if (args.json === true) return printJson({ event: 'imported', ...imported });
  const { devices, added, waiting } = imported;
  print(`${devices} devices in the file, ${added} entries new here`);
  if (waiting.length > 0) print('Keys wait for your decision (`blindflash devices show UID`):', ...waiting);
}

/** The registry of a folder, for as long as `work` takes. The passphrase is asked for when something is signed. */
export async function withRegistry<T>(
  args: RegistryArguments,
  work: (registry: DeviceRegistry) => Promise<T>,
): Promise<T> {
  const { keys, 'passphrase-file': file, 'log-level': level, json = false } = args;
  const home = homeFolder(args.home);
  const path = keys ?? home.keys;
  const ledger = new Ledger({ home, log: createLog(level ?? 'silent', 'controller') });
  const prompt = createPrompt({ program: json });
  const signer = async () => {
    const loaded = await loadKeys(path, { file, prompt });
    if (!loaded.isProtected) say(UNPROTECTED_HOME);
    return loaded.keys.receipt;
  };
  const registry = new DeviceRegistry({
    store: new LedgerDeviceStore(ledger),
    clock: systemClock,
    verify: verifyEd25519,
    vendorKey: async () => fromHex(publicKeysOf(await readKeyText(path)).receipt),
    signer,
  });
  try {
    return await work(registry);
  } finally {
    await ledger.close();
    await prompt.close();
  }
}

async function readBounded(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > FILE_LIMITS.characters) throw fail('BF-DEVICES-FILE', 'it is too long');
    return await readFile(file, 'utf8');
  } catch (error) {
    throw error instanceof Error && 'code' in error && 'errno' in error ? fail('BF-USAGE-FILE', file, error) : error;
  }
}

export function whoIs({ by }: WritingArguments): string {
  return wordsOf(by ?? userInfo().username, ENTRY_LIMITS.by, '--by');
}

/** Text for the record as it will be shown. @throws BF-USAGE */
function wordsOf(typed: string, most: number, option: string): string {
  const text = cleanText(typed, most + 1);
  if (text.length > most) throw fail('BF-USAGE', `${option} has at most ${most} characters`);
  return text;
}

// ── words and fields ─────────────────────────────────────────────────────────────────────────────────────────────

function tell({ json }: RegistryArguments, device: Device): void {
  if (json === true) {
    const history = device.history.map((entry) => JSON.stringify(entry));
    return printJson({ event: 'device', ...summaryOf(device), history });
  }
  const { uid, state, keys, waiting, history } = device;
  print(
    `device   ${uid}`,
    `state    ${state}`,
    `mode     ${modeOf(device) ?? 'none: a job may claim nothing that rests on its key'}`,
    ...(keys === undefined ? ['keys     none in use: a person has to decide (devices accept)'] : keyLines(keys)),
    ...waiting.flatMap((each) => ['', 'waits for a decision:', ...keyLines(each)]),
    '',
    'history',
    ...history.map((entry) => `  ${entry.at}  ${entry.by}: ${deedOf(entry)}`),
  );
}

function keyLines({ sessionKey, fileKey, product, loaderHash, place, job, at, by }: EntryOf<'enrolled'>): string[] {
  return [
    `sessions ${sessionKey}`,
    `files    ${fileKey}`,
    `product  ${product}, loader ${loaderHash.slice(0, 16)}…`,
    `enrolled ${at} by ${by}, ${placeText(place)}${job === null ? '' : `, job ${job}`}`,
  ];
}

function placeText(place: Place | null): string {
  return place === null ? 'without provenance' : PLACE_TEXTS[place];
}

function deedOf(entry: Entry): string {
  switch (entry.kind) {
    case 'enrolled':
      return `enrolled with ${entry.sessionKey.slice(0, 8)}…, ${placeText(entry.place)}`;
    case 'accepted':
      return `accepted ${entry.sessionKey.slice(0, 8)}…, ${placeText(entry.place)}`;
    case 'state':
      return `${entry.was} → ${entry.is}${entry.note === '' ? '' : ` (${entry.note})`}`;
  }
}

function rowOf(device: Device): string {
  const { uid, state, keys, waiting } = device;
  const product = keys === undefined ? '-' : String(keys.product);
  const decisions = waiting.length === 0 ? '' : `  ${waiting.length} keys wait for a decision`;
  return `${uid}  ${state.padEnd(7)}  ${(modeOf(device) ?? 'none').padEnd(14)}  product ${product}${decisions}`;
}

function modeOf({ place }: Device) {
  return place === undefined ? undefined : PLACES[place].mode;
}

function summaryOf(device: Device) {
  const { uid, state, keys, waiting } = device;
  return {
    uid,
    state,
    mode: modeOf(device) ?? null,
    keys: keys === undefined ? null : fieldsOf(keys),
    waiting: waiting.map(fieldsOf),
  };
}

function fieldsOf({ sessionKey, fileKey, product, loaderHash, place, job, at, by }: EntryOf<'enrolled'>) {
  return { sessionKey, fileKey, product, loaderHash, place, job, at, by };
}
