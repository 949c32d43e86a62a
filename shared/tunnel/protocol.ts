// The tunnel's use of the key schedule and of boxes (docs/protocol.md §4, §5).
import type { HandshakeProtocol } from '../crypto/protocol.ts';

export const TUNNEL_PROTOCOL = {
  purpose: 'tunnel',
  suite: 'blindflash/2 NK1psk2 X25519 XSalsa20Poly1305 SHA512',
  boxPurpose: 0x54,
  epochBoxes: 64,
  codes: {
    handshake: 'BF-TUNNEL-HANDSHAKE',
    box: 'BF-TUNNEL-AUTHENTICATION',
    order: 'BF-TUNNEL-ORDER',
    dead: 'BF-TUNNEL-CLOSED',
  },
} as const satisfies HandshakeProtocol;
