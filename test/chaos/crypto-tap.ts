// Watches every box that is sealed in this process (docs/protocol.md §5: no nonce twice under one key), and lets a hostile agent
// say other things than the honest program would, inside its own authentic tunnel.
import nacl from 'tweetnacl';

const AGENT_TO_CONTROLLER = 1;
const TUNNEL = 0x54;

export interface CryptoTap {
  /** Nonces met twice under one key. */
  readonly repeats: string[];
  readonly sealed: number;
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
    lie: undefined,
    remove: () => void (nacl.secretbox = honest),
  };
  const watched = ((message: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array => {
    const place = Buffer.concat([key, nonce]).toString('latin1');
    if (seen.has(place)) tap.repeats.push(Buffer.from(nonce).toString('hex'));
    seen.add(place);
    tap.sealed++;
    const lies = nonce[0] === AGENT_TO_CONTROLLER && nonce[1] === TUNNEL;
    return honest(lies && tap.lie !== undefined ? tap.lie(message) : message, nonce, key);
  }) as typeof nacl.secretbox;
  nacl.secretbox = Object.assign(watched, honest);
  return tap;
}
