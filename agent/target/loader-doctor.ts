// Which loader answers on a serial port, in words: its IDENT, and the bit rate the line carries (docs/serial-link.md).
// All of it is the loader's own word; nothing is changed.
import { toHex } from '../../shared/codec/bytes.ts';
import { findChip, protectionLevel } from '../../shared/chips/index.ts';
import { stateName } from '../../shared/mailbox/layout.ts';
import type { Clock, Log } from '../../shared/ports.ts';
import { IDENT_FLAGS, type Ident } from '../../shared/serial/packets.ts';
import type { SerialPortSource } from '../transport/serial/port.ts';
import { SerialTransport } from '../transport/serial/serial-transport.ts';
import { bad, good, note, type Finding } from './doctor.ts';

/** Digits of the loader hash that are shown. */
const HASH_DIGITS = 16;

export interface LoaderDoctorOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long to knock, milliseconds. */
  readonly limitMs: number;
}

/** Looks for a loader at a port; every finding as it is made. Ends after the first one that bars the way. */
export async function* examineLoader(source: SerialPortSource, options: LoaderDoctorOptions): AsyncGenerator<Finding> {
  const transport = new SerialTransport({ source, clock: options.clock, log: options.log });
  try {
    const ident = await transport.open(options.limitMs);
    yield good('serial', `${source.name}, ${transport.rate} bit/s`);
    yield loader(ident);
    yield chip(ident);
    yield protection(ident);
    yield image(ident);
  } catch (error) {
    yield bad('serial', error);
  } finally {
    await transport.close();
  }
}

const has = ({ flags }: Ident, flag: keyof typeof IDENT_FLAGS): boolean => (flags & IDENT_FLAGS[flag]) !== 0;

function loader(ident: Ident): Finding {
  const { version, loaderHash, freeKeySlots, state } = ident;
  const hash = `hash ${toHex(loaderHash).slice(0, HASH_DIGITS)}…`;
  const keys = has(ident, 'keys') ? 'has its keys' : 'has no keys yet';
  const text =
    `version ${version >>> 8}.${version & 0xff}, ${hash}, ${keys}, can make ${freeKeySlots} more, ` +
    `state: ${stateName(state) ?? `unknown (${state})`}`;
  return good('loader', text);
}

function chip({ devId, flashKiB, uid }: Ident): Finding {
  const name = findChip(devId)?.name ?? `unknown (DEV_ID 0x${devId.toString(16)})`;
  return good('chip', `${name}, ${flashKiB} KiB of flash, unit ${toHex(uid)}`);
}

function protection({ optcr }: Ident): Finding {
  const level = protectionLevel(optcr);
  if (level !== 0) return good('protection', `locked (RDP level ${level})`);
  return note(
    'protection',
    'none (RDP level 0)',
    'It keeps no secret as it is: the vendor locks it before it is enrolled.',
  );
}

function image(ident: Ident): Finding {
  const { product, imageVersion, floor } = ident;
  const least = `product ${product}, takes version ${floor} or later`;
  if (has(ident, 'image')) return good('image', `version ${imageVersion}, ${least}`);
  return note('image', `none that is complete; ${least}`, 'The board does nothing until the vendor has written one.');
}
