// Which devices of the registry an update file is sealed for, and what it may claim then (docs/update-files.md §6).
import { fromHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import { MODE_ORDER } from '../../shared/plan/modes.ts';
import type { Recipient } from '../../shared/update/seal.ts';
import type { UpdateMode } from '../../shared/update/update-plan.ts';

/** A device as the registry has it. */
export interface RegisteredDevice {
  /** 24 digits. */
  readonly uid: string;
  readonly state: 'active' | 'retired' | 'stolen';
  /** Its product, and D_f in 64 digits; undefined while a person has to decide about its keys. */
  readonly keys: { readonly product: number; readonly fileKey: string } | undefined;
  /** The strongest mode that rests on those keys; undefined for none. */
  readonly mode: UpdateMode | undefined;
}

export interface RecipientChoice {
  /** First digits of UIDs, or `all`. */
  readonly to: readonly string[];
  /** Needed where the devices are of several. */
  readonly product?: number | undefined;
}

export interface Recipients {
  readonly recipients: readonly Recipient[];
  readonly product: number;
  /** The weakest of the devices'. */
  readonly mode: UpdateMode;
  /** Devices that `all` means and that get nothing, and why. */
  readonly left: readonly { readonly uid: string; readonly why: string }[];
}

/**
 * @throws BF-UPDATE-RECIPIENTS when a device that was named cannot get the file, when none is left, and when they are
 *   of several products
 */
export function chooseRecipients(devices: readonly RegisteredDevice[], choice: RecipientChoice): Recipients {
  const isAll = choice.to.includes('all');
  const meant = isAll ? devices : named(devices, choice.to);
  const product = choice.product ?? onlyProduct(meant);
  const judged = meant.map((device) => ({ device, why: obstacle(device, product) }));
  const left = judged.flatMap(({ device: { uid }, why }) => (why === undefined ? [] : [{ uid, why }]));
  const [first] = left;
  if (!isAll && first !== undefined) throw fail('BF-UPDATE-RECIPIENTS', `${first.uid} ${first.why}`);
  const taken = judged.flatMap(({ device, why }) => (why === undefined ? [device] : []));
  if (taken.length === 0) throw fail('BF-UPDATE-RECIPIENTS', 'none is left');
  const modes = taken.map(({ mode }) => mode);
  const mode = MODE_ORDER.find((one): one is UpdateMode => (modes as readonly (string | undefined)[]).includes(one));
  if (mode === undefined) throw fail('BF-INTERNAL-ARGUMENT', 'recipients without a mode');
  const recipients = taken.map(({ uid, keys }) => ({ uid: fromHex(uid), devicePublic: fromHex(keys?.fileKey ?? '') }));
  return { recipients, product, mode, left };
}

/** The devices whose UIDs begin so, each once. @throws BF-UPDATE-RECIPIENTS for a beginning that fits none */
function named(devices: readonly RegisteredDevice[], to: readonly string[]): RegisteredDevice[] {
  const starts = to.map((text) => text.toLowerCase());
  for (const start of starts) {
    if (start === '' || !devices.some(({ uid }) => uid.startsWith(start))) {
      throw fail('BF-UPDATE-RECIPIENTS', `the registry has no device ${start}`);
    }
  }
  return devices.filter(({ uid }) => starts.some((start) => uid.startsWith(start)));
}

function onlyProduct(devices: readonly RegisteredDevice[]): number {
  const products = [...new Set(devices.flatMap(({ keys }) => (keys === undefined ? [] : [keys.product])))];
  const [product, another] = products;
  if (devices.length === 0) throw fail('BF-UPDATE-RECIPIENTS', 'the registry has no device yet');
  if (product === undefined) throw fail('BF-UPDATE-RECIPIENTS', 'none of them has keys in use');
  if (another === undefined) return product;
  throw fail('BF-UPDATE-RECIPIENTS', `they are of products ${products.join(', ')}: --product says which is meant`);
}

/** Why a device does not get the file. */
function obstacle({ state, keys, mode }: RegisteredDevice, product: number): string | undefined {
  if (state !== 'active') return `is ${state}`;
  if (keys === undefined) return 'has keys about which you have to decide (`blindflash devices show`)';
  if (mode === undefined) return 'was enrolled where nothing is known of it: no mode rests on its keys';
  return keys.product === product ? undefined : `is of product ${keys.product}`;
}
