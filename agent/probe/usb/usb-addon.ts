// Edge: the compiled part of npm `usb`. It runs with everything the agent may do, so it is loaded only when it is,
// to the byte, one that this version of Blindflash was made with (addon-table.ts). One that was built on this
// computer is none of them.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type * as Usb from 'usb';
import { fail } from '../../../shared/errors/errors.ts';
import { USB_ADDONS, USB_VERSION } from './addon-table.ts';

const KNOWN: ReadonlySet<string> = new Set(Object.values(USB_ADDONS));

/**
 * Loads npm `usb` once its addon is known.
 * @throws BF-PROBE-ADDON, BF-INTERNAL-BUILD when it does not load on this computer
 */
export async function loadUsb(): Promise<typeof Usb> {
  requireKnownAddon(findAddon());
  try {
    return await import('usb');
  } catch (error) {
    throw fail('BF-INTERNAL-BUILD', 'the USB module does not load on this computer', error);
  }
}

/** @param path of an addon. @throws BF-PROBE-ADDON for one that is in no row of the table, or cannot be read */
export function requireKnownAddon(path: string): void {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fail('BF-PROBE-ADDON', `${path} cannot be read`, error);
  }
  if (!KNOWN.has(createHash('sha256').update(bytes).digest('hex'))) {
    throw fail('BF-PROBE-ADDON', `${path} is not of usb ${USB_VERSION}`);
  }
}

/** The addon that `usb` is going to load: found by its own means, with the same variables of the environment. */
function findAddon(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('usb/package.json');
    const loader = createRequire(manifest)('node-gyp-build') as { readonly path: (folder: string) => string };
    return loader.path(process.env['NODE_USB_PATH'] ?? dirname(manifest));
  } catch (error) {
    throw fail('BF-INTERNAL-BUILD', 'there is no USB module for this computer', error);
  }
}
