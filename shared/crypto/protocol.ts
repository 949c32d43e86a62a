// What the key schedule and the boxes need to know of the protocol that uses them. The tunnel and the sealed session
// each declare one (shared/tunnel/protocol.ts, shared/sealed/protocol.ts), so that nothing in this folder names either.
import type { ErrorCode } from '../errors/errors.ts';

export interface HandshakeProtocol {
  /** Second name in the transcript. */
  readonly purpose: string;
  /** First name in the transcript: flow, curve, box and hash (docs/protocol.md §4). */
  readonly suite: string;
  /** Second byte of every box's nonce (docs/protocol.md §5). */
  readonly boxPurpose: number;
  /** Boxes of an epoch, all under one key (docs/protocol.md §5). */
  readonly epochBoxes: number;
  /** What is thrown: a handshake that fails, a box that does not open, a box out of turn, use after the end. */
  readonly codes: Readonly<Record<'handshake' | 'box' | 'order' | 'dead', ErrorCode>>;
}
