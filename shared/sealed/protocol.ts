// The sealed session's use of the key schedule and of boxes (docs/protocol.md §4, §5, §8). The
// stub's C has the same strings.
import type { HandshakeProtocol } from '../crypto/protocol.ts';

export const SEALED_PROTOCOL = {
  purpose: 'sealed',
  suite: 'blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512',
  boxPurpose: 0x53,
  codes: {
    handshake: 'BF-STUB-AUTHENTICATION',
    box: 'BF-STUB-AUTHENTICATION',
    order: 'BF-TUNNEL-ORDER',
    dead: 'BF-STUB-AUTHENTICATION',
  },
} as const satisfies HandshakeProtocol;

/** Sizes of the messages and payloads, bytes. */
export const SEALED_BYTES = { payload1: 72, payload2: 32, m1: 136, m2: 128, m3: 32 } as const;
/** M1 of an enrolment is longer by the device's key for files. */
export const ENROLL_BYTES = { payload1: 104, m1: 168 } as const;
/** Where D lies in payload1. */
export const DEVICE_KEY_OFFSET = 40;
