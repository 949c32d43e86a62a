// What stub and controller say inside the handshake of the sealed session: payload1 of M1 and payload2 of M2
// (docs/protocol.md §8). Authentic only once the handshake is confirmed.
import { Reader, Writer } from '../codec/bytes.ts';
import { WIDTHS, type Width } from '../chips/chip.ts';
import { fail } from '../errors/errors.ts';
import { DEVICE_KEY_OFFSET, SEALED_BYTES } from './protocol.ts';

export const SEALED_VERSION = 2;
/** The one major version of stubs that both sides speak with (docs/protocol.md §12). */
export const STUB_MAJOR = 2;

/** Where the secret half of the chip's key lies: wiped with the RAM, or in the device's flash. */
export const KEY_KINDS = { ram: 1, device: 2 } as const;
export type KeyKind = keyof typeof KEY_KINDS;

/** What the stub read on its chip, by itself. */
export interface StubFacts {
  /** 12 bytes, as they lie in memory. */
  readonly uid: Uint8Array;
  /** DBGMCU_IDCODE, the whole word. */
  readonly idcode: number;
  /** Flash size register, KiB. */
  readonly flashKiB: number;
  /** major·256 + minor. */
  readonly stubVersion: number;
  readonly optcr: number;
  readonly optcr1: number;
  readonly keyKind: KeyKind;
  /** Number of this handshake since the stub started, 1.. */
  readonly handshake: number;
  /** Widest programming the supply allows now. */
  readonly widest: Width;
}

/** payload1 without D: 40 bytes. */
export function encodeStubFacts(facts: StubFacts): Uint8Array {
  return new Writer()
    .bytes(facts.uid, 'uid', 12)
    .u32(facts.idcode, 'idcode')
    .u16(facts.flashKiB, 'flashKiB')
    .u16(facts.stubVersion, 'stubVersion')
    .u32(facts.optcr, 'optcr')
    .u32(facts.optcr1, 'optcr1')
    .u8(KEY_KINDS[facts.keyKind])
    .u8(facts.handshake, 'handshake')
    .u8(WIDTHS[facts.widest])
    .padTo(DEVICE_KEY_OFFSET)
    .finish();
}

/**
 * Reads payload1, 72 bytes. Throws BF-TUNNEL-MESSAGE, or BF-VERSION-MISMATCH for a key kind this version does not know.
 */
export function decodeStubFacts(payload: Uint8Array): StubFacts & { readonly deviceKey: Uint8Array } {
  const reader = new Reader(payload, 'BF-TUNNEL-MESSAGE', 'payload of M1');
  const facts = {
    uid: reader.bytes(12),
    idcode: reader.u32(),
    flashKiB: reader.u16(),
    stubVersion: reader.u16(),
    optcr: reader.u32(),
    optcr1: reader.u32(),
  };
  const kind = reader.u8();
  const keyKind = (Object.keys(KEY_KINDS) as KeyKind[]).find((name) => KEY_KINDS[name] === kind);
  if (keyKind === undefined) throw fail('BF-VERSION-MISMATCH', `key kind ${kind}`);
  const handshake = reader.u8();
  if (handshake === 0) reader.refuse('handshake number 0');
  const width = reader.u8();
  const known = (Object.keys(WIDTHS) as Width[]).find((name) => WIDTHS[name] === width);
  const widest = known ?? reader.refuse(`programming width ${width}`);
  reader.zeros(9);
  const deviceKey = reader.bytes(32);
  reader.end();
  return { ...facts, keyKind, handshake, widest, deviceKey };
}

/** payload2, 32 bytes: session id 16 ‖ version 1 ‖ 0×15. */
export function encodeSessionChoice(sessionId: Uint8Array): Uint8Array {
  return new Writer().bytes(sessionId, 'sessionId', 16).u8(SEALED_VERSION).padTo(SEALED_BYTES.payload2).finish();
}

/** Reads payload2; returns the session id, 16 bytes. Throws BF-TUNNEL-MESSAGE or BF-VERSION-MISMATCH. */
export function decodeSessionChoice(payload: Uint8Array): Uint8Array {
  const reader = new Reader(payload, 'BF-TUNNEL-MESSAGE', 'payload of M2');
  const sessionId = reader.bytes(16);
  const version = reader.u8();
  if (version !== SEALED_VERSION) throw fail('BF-VERSION-MISMATCH', `sealed session version ${version}`);
  reader.zeros(15);
  reader.end();
  return sessionId;
}
