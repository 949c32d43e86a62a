// What stub and controller say inside the handshake of the sealed session: payload1 of M1 and payload2 of M2
// (docs/protocol.md §8). Authentic only once the handshake is confirmed.
import { Reader, Writer } from '../codec/bytes.ts';
import { WIDTHS, type Width } from '../chips/chip.ts';
import { fail } from '../errors/errors.ts';
import { CHIP_KEY_OFFSETS, KEY_KINDS, SEALED_BYTES, type KeyKind } from './protocol.ts';

export const SEALED_VERSION = 2;
/** The one major version of stubs that both sides speak with (docs/protocol.md §12). */
export const STUB_MAJOR = 2;

/** What a loader found when its boot began, and now: whether a debugger is attached. */
export interface BootFacts {
  /** RCC_CSR as the boot found it: why the chip was reset. */
  readonly resetFlags: number;
  /** Low half of DHCSR (C_DEBUGEN is bit 0). */
  readonly debug: number;
  /** Bits of WATCHERS. */
  readonly watchers: number;
}
/** Debug units of the core that were found switched on. */
export const WATCHERS = { breakpoints: 1, trace: 2 } as const satisfies Record<string, number>;

/** What the program on the chip read there, by itself. */
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
  /** With a key of kind `device` only. */
  readonly boot?: BootFacts;
}

/** payload1 without the chip's keys: 40 bytes. */
export function encodeStubFacts(facts: StubFacts): Uint8Array {
  const writer = new Writer()
    .bytes(facts.uid, 'uid', 12)
    .u32(facts.idcode, 'idcode')
    .u16(facts.flashKiB, 'flashKiB')
    .u16(facts.stubVersion, 'stubVersion')
    .u32(facts.optcr, 'optcr')
    .u32(facts.optcr1, 'optcr1')
    .u8(KEY_KINDS[facts.keyKind])
    .u8(facts.handshake, 'handshake')
    .u8(WIDTHS[facts.widest]);
  const { boot } = facts;
  if (boot !== undefined) {
    writer.zeros(1).u32(boot.resetFlags, 'resetFlags').u16(boot.debug, 'debug').u16(boot.watchers, 'watchers');
  }
  return writer.padTo(CHIP_KEY_OFFSETS.sessions).finish();
}

/** The chip's public keys, 32 bytes each. */
export interface ChipKeys {
  /** D, or D_s. */
  readonly deviceKey: Uint8Array;
  /** D_f, in an enrolment. */
  readonly fileKey?: Uint8Array;
}

/**
 * Reads payload1. Throws BF-TUNNEL-MESSAGE, or BF-VERSION-MISMATCH for a key kind this version does not know.
 * @param payload 72 bytes, or 104 of an enrolment
 */
export function decodeStubFacts(payload: Uint8Array): StubFacts & ChipKeys {
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
  const read = { ...facts, keyKind, handshake, widest, ...(keyKind === 'device' && { boot: bootFacts(reader) }) };
  reader.zeros(CHIP_KEY_OFFSETS.sessions - reader.offset);
  const deviceKey = reader.bytes(32);
  const fileKey = keyKind === 'device' && reader.remaining > 0 ? reader.bytes(32) : undefined;
  reader.end();
  return { ...read, deviceKey, ...(fileKey && { fileKey }) };
}

function bootFacts(reader: Reader): BootFacts {
  reader.zeros(1);
  return { resetFlags: reader.u32(), debug: reader.u16(), watchers: reader.u16() };
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
