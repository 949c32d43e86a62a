// The invite: one line the customer pastes (docs/protocol.md §3). Its secret never appears in anything but that line.
import {
  ascii,
  concat,
  copyOf,
  equalBytes,
  fromBase64url,
  fromUtf8,
  Reader,
  toBase64url,
  toHex,
  Writer,
} from '../codec/bytes.ts';
import { hkdfExpand, hmacSha512, sha512, withDomain } from '../crypto/hash.ts';
import { exchangePublic, psk, signingKeyPairFrom } from '../crypto/keys.ts';
import type { ExchangePublic, Psk, SigningKeyPair } from '../crypto/keys.ts';
import { fail, isBlindflashError } from '../errors/errors.ts';

const VERSION = 2;
const PREFIX = 'bf2.';
const MAGIC = 'BFI2';
const CHECK_BYTES = 4;
const LIMITS = { line: 2048, url: 512, ticket: 512 } as const;
const MALFORMED = 'BF-INVITE-MALFORMED';
const CUT_SHORT = 'its end is missing';
const LENGTHENED = 'there is something behind its end';

/** What everybody may know of an invite. */
export interface PublicInvite {
  /** Seconds since 1970. */
  readonly expires: number;
  readonly tunnelPublic: ExchangePublic<'tunnel'>;
  /** V: whose jobs and receipts this invite leads to (`vendorFingerprint`); 32 bytes. */
  readonly vendor: Uint8Array;
  /** ws:// or wss://. */
  readonly relayUrl: string;
  /** The agent side's ticket, opaque here. */
  readonly ticket: Uint8Array;
}

export interface Invite extends PublicInvite {
  /** One-time secret, 32 bytes. */
  readonly secret: Psk;
}

/** The line to send. Throws BF-INTERNAL-ARGUMENT for fields that do not fit. */
export function encodeInvite(invite: Invite): string {
  const body = concat(publicInviteBytes(invite), invite.secret);
  return PREFIX + toBase64url(concat(body, checkOf(body)));
}

/** The bytes of the invite without secret and check. */
export function publicInviteBytes(invite: PublicInvite): Uint8Array {
  if (!isRelayUrl(invite.relayUrl)) throw fail('BF-INTERNAL-ARGUMENT', 'the relay URL does not fit an invite');
  if (invite.ticket.length > LIMITS.ticket) throw fail('BF-INTERNAL-ARGUMENT', 'the ticket does not fit an invite');
  return new Writer()
    .ascii(MAGIC)
    .u64(invite.expires, 'expires')
    .bytes(invite.tunnelPublic, 'tunnelPublic', 32)
    .bytes(invite.vendor, 'vendor', 32)
    .prefixed(ascii(invite.relayUrl))
    .prefixed(invite.ticket)
    .finish();
}

/**
 * V of a vendor: SHA-512("blindflash/2 vendor" ‖ 00 ‖ sealed public key ‖ receipt public key), its first 32 bytes (§3).
 */
export function vendorFingerprint(sealedPublic: Uint8Array, receiptPublic: Uint8Array): Uint8Array {
  return copyOf(sha512(withDomain('blindflash/2 vendor', sealedPublic, receiptPublic)), 0, 32);
}

/** The first 80 bits of V, as people read them to each other: five groups of four digits. @param vendor V, 32 bytes */
export function fingerprintText(vendor: Uint8Array): string {
  return toHex(vendor.slice(0, 10)).replace(/(....)(?=.)/g, '$1 ');
}

/** SHA-512 of the public invite: second context of the tunnel's handshake. 64 bytes. */
export function publicInviteHash(invite: PublicInvite): Uint8Array {
  return sha512(publicInviteBytes(invite));
}

/** The key that presents the agent's ticket: Ed25519 from the invite's secret. */
export function holderKey(secret: Psk): SigningKeyPair<'holder'> {
  const prk = hmacSha512(ascii('blindflash/2 invite'), secret);
  return signingKeyPairFrom('holder', hkdfExpand(prk, ascii('blindflash/2 holder'), 32));
}

/**
 * Reads a pasted line; blanks, line breaks and quotes around it are forgiven.
 * @param nowSeconds seconds since 1970, for the expiry.
 * Throws BF-INVITE-MALFORMED (the detail says whether the end is missing or a character is wrong), BF-INVITE-OLD,
 * BF-INVITE-VERSION, BF-INVITE-EXPIRED.
 */
export function decodeInvite(pasted: string, nowSeconds: number): Invite {
  const invite = parse(bytesOf(tidy(pasted)));
  if (invite.expires <= nowSeconds) throw fail('BF-INVITE-EXPIRED');
  return invite;
}

/** True for the beginning of an invite: what follows may be in the next line. */
export function isCutShort(pasted: string): boolean {
  try {
    decodeInvite(pasted, 0);
    return false;
  } catch (error) {
    return isBlindflashError(error, MALFORMED) && error.detail?.startsWith(CUT_SHORT) === true;
  }
}

/** Mail programs wrap and quote; none of these characters occurs in an invite. */
function tidy(pasted: string): string {
  if (pasted.length > 4 * LIMITS.line) throw fail(MALFORMED, 'it is far too long');
  return pasted.replace(/[\s"'`<>]+/g, '');
}

function bytesOf(line: string): Uint8Array {
  const version = /^bf(\d+)\./.exec(line)?.[1];
  if (version !== undefined && !line.startsWith(PREFIX)) {
    throw fail(Number(version) < VERSION ? 'BF-INVITE-OLD' : 'BF-INVITE-VERSION', `version ${version.slice(0, 9)}`);
  }
  if (!line.startsWith(PREFIX)) throw fail(MALFORMED, `it does not begin with ${PREFIX}`);
  if (line.length > LIMITS.line) throw fail(MALFORMED, 'it is too long');
  const text = line.slice(PREFIX.length);
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw fail(MALFORMED, 'it holds a character that does not belong there');
  try {
    return fromBase64url(text, MALFORMED);
  } catch {
    throw fail(MALFORMED, isWhole(text.slice(0, -1)) ? LENGTHENED : CUT_SHORT);
  }
}

/** One stray character behind a whole invite often makes no base64url: nothing is missing then. */
function isWhole(text: string): boolean {
  try {
    parse(fromBase64url(text, MALFORMED));
    return true;
  } catch {
    return false;
  }
}

function parse(bytes: Uint8Array): Invite {
  const reader = new Reader(bytes, MALFORMED, CUT_SHORT);
  const magic = reader.bytes(4);
  if (!equalBytes(magic, ascii(MAGIC))) throw fail(MALFORMED, 'a character is wrong');
  const expires = reader.u64();
  const tunnelPublic = exchangePublic('tunnel', reader.bytes(32));
  const vendor = reader.bytes(32);
  const url = reader.prefixed();
  const ticket = reader.prefixed();
  const secret = psk(reader.bytes(32));
  const body = copyOf(bytes, 0, reader.offset);
  const check = reader.bytes(CHECK_BYTES);
  if (!equalBytes(check, checkOf(body))) throw fail(MALFORMED, 'a character is wrong');
  if (reader.remaining > 0) throw fail(MALFORMED, LENGTHENED);
  const relayUrl = fromUtf8(url, MALFORMED, 'the relay address');
  if (!isRelayUrl(relayUrl) || ticket.length > LIMITS.ticket) throw fail(MALFORMED, 'its contents make no sense');
  return { expires, tunnelPublic, vendor, relayUrl, ticket, secret };
}

function checkOf(body: Uint8Array): Uint8Array {
  return copyOf(sha512(body), 0, CHECK_BYTES);
}

/** Printable ASCII, ws or wss, no credentials, no fragment. */
function isRelayUrl(text: string): boolean {
  if (text.length > LIMITS.url || !/^wss?:\/\/[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return false;
  const { username, password, hash } = new URL(text);
  return username === '' && password === '' && hash === '';
}
