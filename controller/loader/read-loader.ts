// A loader as a file that is to be planted, read back before it is on a chip for good (docs/loader.md, "Config"): one
// that would not answer its vendor afterwards locks the board for nothing.
import { CONFIG_BYTES, CONFIG_FIELDS, CONFIG_KEYS, CONFIG_MAGIC, KEY_ROLES, LOADER_MAP } from './config.ts';
import type { Image } from '../image/image.ts';
import { equalBytes, toHex } from '../../shared/codec/bytes.ts';
import { crc32 } from '../../shared/codec/crc32.ts';
import { sha512 } from '../../shared/crypto/hash.ts';
import { fail } from '../../shared/errors/errors.ts';

/** What such a file says. */
export interface LoaderFacts {
  /** Loader hash, 128 digits. */
  readonly hash: string;
  readonly product: number;
  readonly keys: readonly { readonly publicKey: Uint8Array; readonly roles: number }[];
}

/** The header (docs/loader.md): magic "BFLH", version, length of code and constants, address of the config. */
const HEADER = { magic: 0x484c4642, at: LOADER_MAP.header - LOADER_MAP.start, length: 8 } as const;
const CONFIG_AT = LOADER_MAP.config - LOADER_MAP.start;
const KEY_ROW_BYTES = 36;
const KEY_BYTES = 32;

/** @throws BF-USAGE for an image that is no loader of `loader make` */
export function readLoader({ segments }: Image): LoaderFacts {
  const [only] = segments;
  const refuse = (why: string) => fail('BF-USAGE', `this is no file of \`blindflash loader make\`: ${why}`);
  if (only === undefined || segments.length > 1 || only.address !== LOADER_MAP.start) {
    throw refuse(`it has to be one piece at 0x${LOADER_MAP.start.toString(16).padStart(8, '0')}`);
  }
  const { bytes } = only;
  if (bytes.length !== CONFIG_AT + CONFIG_BYTES) throw refuse(`${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = view.getUint32(HEADER.at + HEADER.length, true);
  if (view.getUint32(HEADER.at, true) !== HEADER.magic || length > CONFIG_AT) throw refuse('it has no header');
  const config = bytes.subarray(CONFIG_AT);
  const word = (at: number): number => view.getUint32(CONFIG_AT + at, true);
  const { magic, product, keys, crc } = CONFIG_FIELDS;
  if (word(magic.offset) !== CONFIG_MAGIC || word(crc.offset) !== crc32(config.subarray(0, crc.offset))) {
    throw refuse('its config is damaged');
  }
  const rows = Array.from({ length: CONFIG_KEYS }, (_, place) => keys.offset + place * KEY_ROW_BYTES);
  return {
    hash: toHex(sha512(bytes.subarray(0, length))),
    product: word(product.offset),
    keys: rows.map((at) => ({ publicKey: config.slice(at, at + KEY_BYTES), roles: word(at + KEY_BYTES) })),
  };
}

/**
 * The loader is one the enrolment will take, and takes this vendor.
 * @param trusted loader hashes for the chip, 128 digits each @param sessionsKey the vendor's, public half
 * @throws BF-USAGE
 */
export function requireOwnLoader(facts: LoaderFacts, trusted: readonly string[], sessionsKey: Uint8Array): void {
  if (!trusted.includes(facts.hash)) {
    throw fail('BF-USAGE', 'the loader in this file is not the one of this version for this chip: make it again');
  }
  if (facts.product === 0) {
    throw fail('BF-USAGE', 'a device is enrolled for a product from 1: make the loader with one');
  }
  const own = facts.keys.find(({ publicKey }) => equalBytes(publicKey, sessionsKey));
  if (own === undefined || (own.roles & KEY_ROLES.sessions) === 0) {
    throw fail('BF-USAGE', 'this loader does not take your key for sessions: it could never be enrolled');
  }
}
