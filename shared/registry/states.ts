// What the vendor's registry says of a device in one word each (docs/devices.md).
import type { AnyMode } from '../plan/modes.ts';

/**
 * Where a device was enrolled, weakest first: on a customer's desk the key is trusted on first use, at a bench of the
 * vendor's the computer, the probe and the people are trusted too. The mode is the strongest a job may then claim.
 */
export const PLACES = {
  customer: { mode: 'lock-then-load' },
  bench: { mode: 'seeded' },
} as const satisfies Record<string, { readonly mode: AnyMode }>;
export type Place = keyof typeof PLACES;

/** All of them, weakest first. */
export const PLACE_ORDER = Object.keys(PLACES) as [Place, ...Place[]];

/** In words. */
export const PLACE_TEXTS = {
  customer: 'on a customer’s desk',
  bench: 'at a bench',
} as const satisfies Record<Place, string>;

/** Where the devices of a mode were enrolled; undefined for a mode without devices. */
export function placeOf(mode: AnyMode): Place | undefined {
  return PLACE_ORDER.find((place) => PLACES[place].mode === mode);
}

/** What the vendor says of a device as a whole. */
export const DEVICE_STATES = ['active', 'retired', 'stolen'] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];
