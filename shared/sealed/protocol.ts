// The sealed session's uses of the key schedule and of boxes, one row each (docs/protocol.md §4, §5, §8). The programs
// on the chip have the same strings.
import type { ChipKeyMix } from '../crypto/labels.ts';
import type { HandshakeProtocol } from '../crypto/protocol.ts';
import { fail } from '../errors/errors.ts';

/** Where the secret half of the chip's key lies: wiped with the RAM, or in the device's flash. */
export const KEY_KINDS = { ram: 1, device: 2 } as const;
export type KeyKind = keyof typeof KEY_KINDS;

/** Sizes of the messages and payloads, bytes. */
export const SEALED_BYTES = { payload1: 72, payload2: 32, m1: 136, m2: 128, m3: 32 } as const;
/** M1 of an enrolment is longer by the device's key for files. */
export const ENROLL_BYTES = { payload1: 104, m1: 168 } as const;
/** Where the chip's public keys lie in payload1: D, or D_s; and D_f, where there is one. */
export const CHIP_KEY_OFFSETS = { sessions: 40, files: 72 } as const;

export interface SealedSuite extends HandshakeProtocol {
  /** The kind of key it goes with, and no other. */
  readonly keyKind: KeyKind;
  /** Bytes of M1. */
  readonly m1: number;
  /** What X25519 of the chip's keys and e_r are mixed in under. */
  readonly mix: ChipKeyMix;
  /** The responder knows D_s beforehand: it is a context. */
  readonly knowsDevice: boolean;
  /** M1 brings D_f as well. */
  readonly bringsFileKey: boolean;
}

const COMMON = {
  boxPurpose: 0x53,
  codes: {
    handshake: 'BF-STUB-AUTHENTICATION',
    box: 'BF-STUB-AUTHENTICATION',
    order: 'BF-TUNNEL-ORDER',
    dead: 'BF-STUB-AUTHENTICATION',
  },
} as const satisfies Partial<HandshakeProtocol>;

const UNKNOWN_CHIP = 'blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512';
const KNOWN_CHIP = 'blindflash/2 K1K1 X25519 XSalsa20Poly1305 SHA512';

export const SEALED_SUITES = {
  /** A stub, whose key is as old as the job. */
  sealed: {
    ...COMMON,
    purpose: 'sealed',
    suite: UNKNOWN_CHIP,
    epochBoxes: 64,
    keyKind: 'ram',
    m1: SEALED_BYTES.m1,
    mix: 'chipKey',
    knowsDevice: false,
    bringsFileKey: false,
  },
  /** A loader whose D_s is in the registry. */
  device: {
    ...COMMON,
    purpose: 'device',
    suite: KNOWN_CHIP,
    epochBoxes: 1,
    keyKind: 'device',
    m1: SEALED_BYTES.m1,
    mix: 'chipKey',
    knowsDevice: true,
    bringsFileKey: false,
  },
  /** A loader that tells its D_s and D_f for the first time. */
  enroll: {
    ...COMMON,
    purpose: 'enroll',
    suite: UNKNOWN_CHIP,
    epochBoxes: 1,
    keyKind: 'device',
    m1: ENROLL_BYTES.m1,
    mix: 'enroll',
    knowsDevice: false,
    bringsFileKey: true,
  },
} as const satisfies Record<string, SealedSuite>;

/** The suite for a kind of key, by its number, and for a job that enrols a device or not. */
export function suiteFor(keyKind: number, enrols: boolean): SealedSuite {
  const suites: readonly SealedSuite[] = Object.values(SEALED_SUITES);
  const suite = suites.find((row) => KEY_KINDS[row.keyKind] === keyKind && row.bringsFileKey === enrols);
  if (suite === undefined) throw fail('BF-INTERNAL-ARGUMENT', `no suite for key kind ${keyKind}`);
  return suite;
}
