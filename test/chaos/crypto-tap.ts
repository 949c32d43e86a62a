// Watches every box that is sealed in this process (docs/protocol.md §5: no nonce twice under one key), and lets a
// hostile agent say other things than the honest program would, inside its own authentic tunnel.
import nacl from 'tweetnacl';

const AGENT_TO_CONTROLLER = 1;
const TUNNEL = 0x54;

export interface SeenBox {
  /** 1 from the initiator, 2 from the responder. */
  readonly direction: number;
  /** 0x54 tunnel, 0x53 sealed session. */
  readonly purpose: number;
  readonly plaintext: Uint8Array;
}

export interface CryptoTap {
  /** Nonces met twice under one key. */
  readonly repeats: string[];
  readonly sealed: number;
  /** Sees what is sealed, as it is sealed. */
  onSealed: (box: SeenBox) => void;
  /** Changes what the agent is about to seal for the controller. */
  lie: ((plaintext: Uint8Array) => Uint8Array) | undefined;
  remove(): void;
}

/** Puts itself between box.ts and tweetnacl until removed. */
export function tapCrypto(): CryptoTap {
  const honest = nacl.secretbox;
  const seen = new Set<string>();
  const tap: CryptoTap & { sealed: number } = {
    repeats: [],
    sealed: 0,
    onSealed: () => {},
    lie: undefined,
    remove: () => void (nacl.secretbox = honest),
  };
  const watched = ((message: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array => {
    const place = Buffer.concat([key, nonce]).toString('latin1');
    if (seen.has(place)) tap.repeats.push(Buffer.from(nonce).toString('hex'));
    seen.add(place);
    tap.sealed++;
    const [direction = 0, purpose = 0] = nonce;
    const lies = direction === AGENT_TO_CONTROLLER && purpose === TUNNEL;
    const plaintext = lies && tap.lie !== undefined ? tap.lie(message) : message;
    tap.onSealed({ direction, purpose, plaintext });
    return honest(plaintext, nonce, key);
  }) as typeof nacl.secretbox;
  nacl.secretbox = Object.assign(watched, honest);
  return tap;
}
