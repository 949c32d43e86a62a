// What a yes of the customer is for (docs/protocol.md §14): exactly this plan, of this vendor, for
// this unit, by this stub.
import { toHex } from '../codec/bytes.ts';
import { sha512, withDomain } from '../crypto/hash.ts';

export interface ConsentSubject {
  /** 64 bytes (§7). */
  readonly planHash: Uint8Array;
  /** V, 32 bytes (§3). */
  readonly vendor: Uint8Array;
  /** 12 bytes, all 0 where the chip does not tell it. */
  readonly uid: Uint8Array;
  /** 64 bytes; undefined for kinds that run no stub. */
  readonly stubHash: Uint8Array | undefined;
}

/** SHA-512("blindflash/2 consent" ‖ 00 ‖ plan hash ‖ V ‖ UID ‖ stub hash), 64 bytes. */
export function consentHash({ planHash, vendor, uid, stubHash }: ConsentSubject): Uint8Array {
  return sha512(withDomain('blindflash/2 consent', planHash, vendor, uid, stubHash ?? new Uint8Array(64)));
}

/** Hexadecimal digits of the word a yes is typed with. */
const WORD_DIGITS = 4;

/**
 * The word of one question: SHA-512("blindflash/2 consent word" ‖ 00 ‖ drawn ‖ consent hash), its first digits. Who
 * chooses the plan does not choose the word: a part of it is drawn after the plan has come.
 * @param hash of consentHash, 64 bytes
 * @param drawn by the agent for this question, 16 bytes
 */
export function consentWord(hash: Uint8Array, drawn: Uint8Array): string {
  return toHex(sha512(withDomain('blindflash/2 consent word', drawn, hash))).slice(0, WORD_DIGITS);
}
