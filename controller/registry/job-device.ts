// The device a job is for: the one of the registry whose UID begins so, as long as its key may be relied on.
import type { Device } from './device.ts';
import type { DeviceRegistry } from './registry.ts';
import { fromHex } from '../../shared/codec/bytes.ts';
import { fail } from '../../shared/errors/errors.ts';
import type { AnyMode } from '../../shared/plan/modes.ts';
import { PLACES } from '../../shared/registry/states.ts';

export interface JobDevice {
  /** 24 digits. */
  readonly uid: string;
  /** D_s, 32 bytes. */
  readonly sessionKey: Uint8Array;
  readonly product: number;
  /** What a job may claim, by where the device was enrolled. */
  readonly mode: AnyMode;
}

const UID_BEGINNING = /^[0-9a-f]{1,24}$/i;
const NO_UID = 'a device is named by its UID, 24 hexadecimal digits, or by the first of them';

/**
 * @param start first digits of its UID
 * @throws BF-USAGE for what cannot be the beginning of one, BF-DEVICES-UNKNOWN, BF-DEVICES-UNUSABLE for several, one
 *   that is retired or stolen, or one whose key waits for a decision or has no provenance
 */
export async function jobDevice(registry: DeviceRegistry, start: string): Promise<JobDevice> {
  if (!UID_BEGINNING.test(start)) throw fail('BF-USAGE', NO_UID);
  const [device, another] = await registry.devices({ uid: start });
  if (device === undefined) throw fail('BF-DEVICES-UNKNOWN', start);
  if (another !== undefined) throw fail('BF-DEVICES-UNUSABLE', `several begin with ${start}`);
  return usable(device);
}

function usable({ uid, state, keys, place }: Device): JobDevice {
  const refuse = (why: string) => fail('BF-DEVICES-UNUSABLE', `${uid} ${why}`);
  if (state !== 'active') throw refuse(`is ${state}`);
  if (keys === undefined) throw refuse('has keys about which you have to decide');
  if (place === undefined) throw refuse('was enrolled where nothing is known of it: no mode rests on its key');
  return { uid, sessionKey: fromHex(keys.sessionKey), product: keys.product, mode: PLACES[place].mode };
}
