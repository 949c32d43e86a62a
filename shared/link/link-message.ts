// All the relay may understand: the messages of one link. Spec: docs/protocol.md §1.
import { Reader, Writer, ascii, concat } from '../codec/bytes.ts';
import { fail } from '../errors/errors.ts';
import { ADMISSION, LINK } from './limits.ts';
import { foreignVersion } from './version.ts';

export interface LinkMessageRow {
  readonly type: number;
  /** Who may send it: the relay, either side, the controller's side alone, or a side through the relay. */
  readonly from: 'relay' | 'side' | 'controller' | 'both';
  /** Bounds of the body, bytes after the type. */
  readonly min: number;
  readonly max: number;
}

const TICKET = ADMISSION.ticketBytesWithoutName;

export const LINK_MESSAGES = {
  challenge: { type: 0x01, from: 'relay', min: 1 + 32 + 1 + 1, max: 1 + 32 + 1 + ADMISSION.nameBytes }, // version ‖ nonce ‖ name
  present: { type: 0x02, from: 'side', min: 2 + TICKET + 1 + 64, max: 2 + TICKET + ADMISSION.nameBytes + 64 }, // lp(ticket) ‖ signature
  welcome: { type: 0x03, from: 'relay', min: 1, max: 1 }, // peer present 0/1
  peer: { type: 0x04, from: 'relay', min: 1, max: 1 }, // peer present 0/1
  revoke: { type: 0x05, from: 'controller', min: 0, max: 0 },
  data: { type: 0x10, from: 'both', min: 1, max: LINK.dataBytes }, // opaque
} as const satisfies Record<string, LinkMessageRow>;

export type LinkMessageName = keyof typeof LINK_MESSAGES;

export type LinkMessage =
  | { readonly name: 'challenge'; readonly nonce: Uint8Array; readonly relay: string }
  | { readonly name: 'present'; readonly ticket: Uint8Array; readonly signature: Uint8Array }
  | { readonly name: 'welcome'; readonly peerPresent: boolean }
  | { readonly name: 'peer'; readonly peerPresent: boolean }
  | { readonly name: 'revoke' }
  | { readonly name: 'data'; readonly body: Uint8Array };

const BY_TYPE = new Map<number, LinkMessageName>(
  (Object.keys(LINK_MESSAGES) as LinkMessageName[]).map((name) => [LINK_MESSAGES[name].type, name]),
);

/**
 * Which message it is, by its type byte and size alone; the body stays unread.
 * @throws BF-LINK-TOO-LARGE beyond 8192 bytes, BF-LINK-FRAME for an empty message, an unknown type or a wrong size.
 */
export function linkMessageName(message: Uint8Array): LinkMessageName {
  if (message.length > LINK.messageBytes) throw fail('BF-LINK-TOO-LARGE', `${message.length} bytes`);
  const name = message.length === 0 ? undefined : BY_TYPE.get(message[0]!);
  if (name === undefined) throw fail('BF-LINK-FRAME', `type ${message[0] ?? 'missing'}`);
  const { min, max } = LINK_MESSAGES[name];
  const size = message.length - 1;
  if (size < min || size > max) throw fail('BF-LINK-FRAME', `${name} of ${size} bytes`);
  return name;
}

/**
 * Reads a message; bodies are copies.
 * @throws as `linkMessageName`, and BF-LINK-FRAME for a body that breaks its rules.
 */
export function decodeLinkMessage(message: Uint8Array): LinkMessage {
  const name = linkMessageName(message);
  const reader = new Reader(message, 'BF-LINK-FRAME', name);
  reader.u8();
  const decoded = READ[name](reader);
  reader.end();
  return decoded;
}

/** Writes a message, 2..8192 bytes. @throws BF-LINK-TOO-LARGE or BF-LINK-FRAME for one nobody would accept. */
export function encodeLinkMessage(message: LinkMessage): Uint8Array {
  const encoded = concat(Uint8Array.of(LINK_MESSAGES[message.name].type), bodyOf(message));
  linkMessageName(encoded);
  return encoded;
}

const READ: { readonly [Name in LinkMessageName]: (reader: Reader) => LinkMessage } = {
  challenge: (reader) => {
    const version = reader.u8();
    if (version !== ADMISSION.version) throw foreignVersion('the relay’s greeting', version, 'at the relay');
    return { name: 'challenge', nonce: reader.bytes(ADMISSION.nonceBytes), relay: readName(reader) };
  },
  present: (reader) => ({
    name: 'present',
    ticket: reader.prefixed(),
    signature: reader.bytes(ADMISSION.signatureBytes),
  }),
  welcome: (reader) => ({ name: 'welcome', peerPresent: readFlag(reader) }),
  peer: (reader) => ({ name: 'peer', peerPresent: readFlag(reader) }),
  revoke: () => ({ name: 'revoke' }),
  data: (reader) => ({ name: 'data', body: reader.rest() }),
};

function bodyOf(message: LinkMessage): Uint8Array {
  switch (message.name) {
    case 'challenge':
      return writeName(
        new Writer().u8(ADMISSION.version).bytes(message.nonce, 'nonce', ADMISSION.nonceBytes),
        message.relay,
      ).finish();
    case 'present':
      return new Writer()
        .prefixed(message.ticket, 'ticket')
        .bytes(message.signature, 'signature', ADMISSION.signatureBytes)
        .finish();
    case 'welcome':
    case 'peer':
      return Uint8Array.of(message.peerPresent ? 1 : 0);
    case 'revoke':
      return new Uint8Array(0);
    case 'data':
      return message.body;
  }
}

function readFlag(reader: Reader): boolean {
  const value = reader.u8();
  if (value > 1) reader.refuse(`flag ${value}`);
  return value === 1;
}

/** Reads a relay name behind its one length byte. */
export function readName(reader: Reader): string {
  const name = String.fromCharCode(...reader.bytes(reader.u8()));
  if (!isRelayName(name)) reader.refuse('not a relay name');
  return name;
}

/** Writes a relay name. @throws BF-INTERNAL-ARGUMENT when it is no name. */
export function writeName(writer: Writer, name: string): Writer {
  if (!isRelayName(name)) throw fail('BF-INTERNAL-ARGUMENT', 'not a relay name');
  return writer.u8(name.length).bytes(ascii(name));
}

/** Whether a text is a relay name: the host both sides dial, in lower case, without brackets and port (§2). */
export function isRelayName(text: string): boolean {
  return text.length <= ADMISSION.nameBytes && /^[a-z0-9:][a-z0-9.:-]*$/.test(text);
}
