// The sealed session's use of the handshake and of boxes (docs/protocol.md §4, §5, §8). The stub's C has the same strings.
import type { HandshakeProtocol } from '../crypto/protocol.ts';

export const SEALED_PROTOCOL = {
  purpose: 'sealed',
  suite: 'blindflash/1 NKpsk X25519 XSalsa20Poly1305 SHA512',
  extract: 'blindflash/1 extract',
  payload1Bytes: 40,
  payload2Bytes: 32,
  boxPurpose: 0x53,
  codes: {
    handshake: 'BF-STUB-AUTHENTICATION',
    box: 'BF-STUB-AUTHENTICATION',
    order: 'BF-TUNNEL-ORDER',
    dead: 'BF-STUB-AUTHENTICATION',
  },
} as const satisfies HandshakeProtocol<'sealed'>;
