// The public config block of the resident loader: one product's facts, beside the prebuilt binary that is the same for
// everybody (docs/loader.md, "Config"). firmware/loader/config_layout.h is generated from these tables. All numbers are
// little-endian.
import { concat, equalBytes } from '../../shared/codec/bytes.ts';
import { crc32 } from '../../shared/codec/crc32.ts';
import type { LoaderName } from '../../shared/chips/index.ts';
import { isCanonical, isLowOrder } from '../../shared/crypto/schedule.ts';
import { fail } from '../../shared/errors/errors.ts';

/** Where the loader's parts lie in flash; those of firmware/loader/flash_map.h. */
export const LOADER_MAP = {
  start: 0x08000000,
  header: 0x080001c0,
  config: 0x08007600,
  slots: 0x08007800,
  image: 0x08010000,
} as const;

/** UARTs (1 and up) and ports (A and up) that the parts of a loader have. RM0090 §2.3, table 1. */
const TARGETS: Readonly<Record<LoaderName, { readonly uarts: number; readonly ports: number }>> = {
  stm32f42x: { uarts: 8, ports: 11 },
  stm32f4: { uarts: 6, ports: 9 },
};

export const CONFIG_BYTES = 512;
export const CONFIG_MAGIC = 0x434c4642;
export const CONFIG_VERSION = 1;
/** In place of a pin or a register: there is none. */
export const CONFIG_NONE = 0xff;
export const CONFIG_KEYS = 4;

/** Fields of the block: offset and size in bytes. */
export const CONFIG_FIELDS = {
  magic: { offset: 0, size: 4 },
  version: { offset: 4, size: 4 },
  product: { offset: 8, size: 4 },
  flags: { offset: 12, size: 4 },
  uart: { offset: 16, size: 1 },
  txPin: { offset: 17, size: 1 },
  rxPin: { offset: 18, size: 1 },
  baudMost: { offset: 20, size: 4 },
  listenMs: { offset: 24, size: 2 },
  strapPin: { offset: 26, size: 1 },
  strapLevel: { offset: 27, size: 1 },
  rtcRegister: { offset: 28, size: 1 },
  rtcValue: { offset: 32, size: 4 },
  keys: { offset: 64, size: 144 },
  crc: { offset: 508, size: 4 },
} as const;
/** A key of the list: public key, then its roles in four bytes. */
const KEY_BYTES = 32;
const KEY_ROW_BYTES = KEY_BYTES + 4;

export const CONFIG_FLAGS = {
  /** The debug pins stay off once the chip is locked, in the image too until it turns them on. */
  debugPinsOff: 1,
  /** The whole image is hashed before it starts. */
  digest: 2,
} as const;

/** What a vendor key may do. */
export const KEY_ROLES = { sessions: 1, files: 2, keys: 4, spare: 8 } as const;
export type KeyRole = keyof typeof KEY_ROLES;

export interface VendorKey {
  /** X25519, 32 bytes, below 2^255 - 19. */
  readonly publicKey: Uint8Array;
  readonly roles: readonly KeyRole[];
}

/** A pin: port A is 0. */
export interface Pin {
  readonly port: number;
  readonly pin: number;
}

export interface LoaderConfig {
  readonly product: number;
  readonly keys: readonly VendorKey[];
  /** 1..8. */
  readonly uart: number;
  readonly tx: Pin;
  readonly rx: Pin;
  /** Highest bit rate that is taken, bit/s. */
  readonly baudMost: number;
  /** Listens for a knock at every start; 0: it does not. Milliseconds. */
  readonly listenMs: number;
  /** Enters when this pin reads this level. */
  readonly strap?: Pin & { readonly level: 0 | 1 };
  /** Enters when this RTC backup register holds this value, which is used up. */
  readonly rtc?: { readonly register: number; readonly value: number };
  readonly debugPinsOff: boolean;
  readonly digest: boolean;
}

const portLetter = (port: number): string => String.fromCharCode('A'.charCodeAt(0) + port);
const pinByte = ({ port, pin }: Pin): number => port * 16 + pin;
const roleBits = (roles: readonly KeyRole[]): number => roles.reduce((bits, role) => bits | KEY_ROLES[role], 0);

/** @throws BF-USAGE naming the rule that is broken */
function check({ keys, uart, listenMs, baudMost, tx, rx, strap }: LoaderConfig, target: LoaderName): void {
  const { uarts, ports } = TARGETS[target];
  const need = (good: boolean, what: string) => {
    if (!good) throw fail('BF-USAGE', what);
  };
  need(keys.length >= 1 && keys.length <= CONFIG_KEYS, `${keys.length} vendor keys; 1 to ${CONFIG_KEYS} are possible`);
  for (const [index, { publicKey }] of keys.entries()) {
    const isPoint = publicKey.length === KEY_BYTES && isCanonical(publicKey) && !isLowOrder(publicKey);
    need(isPoint, `vendor key ${index + 1} is no X25519 public key`);
    const first = keys.findIndex((key) => equalBytes(key.publicKey, publicKey));
    need(
      first === index,
      `vendor key ${index + 1} is the same as key ${first + 1}; a key is named once, with all its roles`,
    );
  }
  need(
    keys.some(({ roles }) => roles.includes('sessions')),
    'no vendor key has the role "sessions"',
  );
  need(uart >= 1 && uart <= uarts, `UART ${uart}; there are 1 to ${uarts} on this chip`);
  for (const { port } of [tx, rx, ...(strap === undefined ? [] : [strap])]) {
    need(port < ports, `port ${portLetter(port)}; there are A to ${portLetter(ports - 1)} on this chip`);
  }
  need(listenMs <= 200, `listening for ${listenMs} ms; 200 ms are the most`);
  need(baudMost >= 115200, `${baudMost} bit/s; at least 115200 are needed`);
}

/**
 * The block as it lies at LOADER_MAP.config, CONFIG_BYTES long.
 * @throws BF-USAGE when a rule is broken
 */
function encodeConfig(config: LoaderConfig, target: LoaderName): Uint8Array {
  check(config, target);
  const bytes = new Uint8Array(CONFIG_BYTES);
  const view = new DataView(bytes.buffer);
  const set = (name: keyof typeof CONFIG_FIELDS, value: number): void => {
    const { offset, size } = CONFIG_FIELDS[name];
    for (let i = 0; i < size; i++) view.setUint8(offset + i, (value >>> (8 * i)) & 0xff);
  };
  const { strap, rtc } = config;
  set('magic', CONFIG_MAGIC);
  set('version', CONFIG_VERSION);
  set('product', config.product);
  set('flags', (config.debugPinsOff ? CONFIG_FLAGS.debugPinsOff : 0) | (config.digest ? CONFIG_FLAGS.digest : 0));
  set('uart', config.uart);
  set('txPin', pinByte(config.tx));
  set('rxPin', pinByte(config.rx));
  set('baudMost', config.baudMost);
  set('listenMs', config.listenMs);
  set('strapPin', strap === undefined ? CONFIG_NONE : pinByte(strap));
  set('strapLevel', strap?.level ?? 0);
  set('rtcRegister', rtc?.register ?? CONFIG_NONE);
  set('rtcValue', rtc?.value ?? 0);
  config.keys.forEach(({ publicKey, roles }, index) => {
    const at = CONFIG_FIELDS.keys.offset + index * KEY_ROW_BYTES;
    bytes.set(publicKey, at);
    view.setUint32(at + KEY_BYTES, roleBits(roles), true);
  });
  set('crc', crc32(bytes.subarray(0, CONFIG_FIELDS.crc.offset)));
  return bytes;
}

/**
 * The loader of one product: the prebuilt binary, FF up to the config, the config. It goes to LOADER_MAP.start.
 * @throws BF-USAGE when a rule of the config is broken or the binary is too long
 */
export function assembleLoader(prebuilt: Uint8Array, config: LoaderConfig, target: LoaderName): Uint8Array {
  const room = LOADER_MAP.config - LOADER_MAP.start;
  if (prebuilt.length > room) throw fail('BF-USAGE', `the loader has ${prebuilt.length} bytes of ${room}`);
  return concat(prebuilt, new Uint8Array(room - prebuilt.length).fill(0xff), encodeConfig(config, target));
}
