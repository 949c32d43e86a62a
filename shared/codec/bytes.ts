// Byte strings: bounded little-endian readers and writers, text codings, comparison and wiping.
// Serves every codec of docs/protocol.md; knows none of them.
import nacl from 'tweetnacl';
import { fail, type ErrorCode } from '../errors/errors.ts';

export const U32_MAX = 0xffffffff;

// ── assertions that name the argument ─────────────────────────────────────────────────────────────────────────────

/** Refuses anything but a Uint8Array (of `length` bytes, if given). Throws BF-INTERNAL-ARGUMENT naming the argument. */
export function assertBytes(value: unknown, name: string, length?: number): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw fail('BF-INTERNAL-ARGUMENT', `${name} is not a byte array`);
  if (length !== undefined && value.length !== length) {
    throw fail('BF-INTERNAL-ARGUMENT', `${name} has ${value.length} bytes instead of ${length}`);
  }
}

/** Refuses anything but a whole number in min..max. Throws BF-INTERNAL-ARGUMENT naming the argument. */
export function assertInteger(value: unknown, name: string, min: number, max: number): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw fail('BF-INTERNAL-ARGUMENT', `${name} is ${String(value)}, allowed are ${min}..${max}`);
  }
}

// ── building, copying, comparing, wiping ──────────────────────────────────────────────────────────────────────────

/** The parts one after the other, in a new array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** A new array with the bytes from..to (a Buffer's own `slice` would share memory). */
export function copyOf(bytes: Uint8Array, from = 0, to = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

/** True if both hold the same bytes; takes the same time wherever they differ. Lengths are not secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  return a.length === 0 || nacl.verify(a, b);
}

/** True if every byte is zero; reads all of them. */
export function isZero(bytes: Uint8Array): boolean {
  let bits = 0;
  for (const byte of bytes) bits |= byte;
  return bits === 0;
}

/** Overwrites each array with zeros (best effort: copies the engine made itself are out of reach). */
export function wipe(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

// ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 of `text`; lone surrogates (which UTF-8 cannot carry) throw BF-INTERNAL-ARGUMENT. */
export function utf8(text: string): Uint8Array {
  const bytes = utf8Encoder.encode(text);
  if (utf8Decoder.decode(bytes) !== text) throw fail('BF-INTERNAL-ARGUMENT', 'the text holds half a character');
  return bytes;
}

/** The text behind UTF-8 bytes; anything that is not exact UTF-8 throws `code`. */
export function fromUtf8(bytes: Uint8Array, code: ErrorCode, what: string): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw fail(code, `${what} is not UTF-8`);
  }
}

/** ASCII bytes of a label or name; other characters throw BF-INTERNAL-ARGUMENT. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7e || code < 0x20) throw fail('BF-INTERNAL-ARGUMENT', 'the text is not printable ASCII');
    bytes[i] = code;
  }
  return bytes;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** A number of at most 32 bits as registers and addresses are written: `0x08000000`, or with fewer digits. */
export function hexNumber(value: number, digits = 8): string {
  return `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;
}

/** Bytes of hexadecimal text of either case; throws `code` for anything else. */
export function fromHex(text: string, code: ErrorCode = 'BF-INTERNAL-ARGUMENT', what = 'the text'): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw fail(code, `${what} is not hexadecimal`);
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BASE64URL_VALUE = new Map([...BASE64URL].map((character, value) => [character, value]));

/** base64url without padding (RFC 4648 §5). */
export function toBase64url(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += BASE64URL[(held >> bits) & 63];
    }
  }
  return bits === 0 ? text : text + BASE64URL[(held << (6 - bits)) & 63];
}

/** Bytes of unpadded base64url; foreign characters, impossible lengths and left-over bits throw `code`. */
export function fromBase64url(text: string, code: ErrorCode, what = 'the text'): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let bits = 0;
  let held = 0;
  let count = 0;
  for (const character of text) {
    const value = BASE64URL_VALUE.get(character);
    if (value === undefined) throw fail(code, `${what} holds a character that does not belong there`);
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[count++] = held >> bits;
  }
  if (text.length % 4 === 1 || (held & ((1 << bits) - 1)) !== 0) throw fail(code, `${what} ends in mid-character`);
  return bytes;
}

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reads little-endian fields front to back; whatever does not fit throws the code it was made with. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #code: ErrorCode;
  readonly #what: string;
  #offset = 0;

  /** @param code what to throw; @param what the name of the message, for the error's detail. */
  constructor(bytes: Uint8Array, code: ErrorCode, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = code;
    this.#what = what;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An 8-byte integer; refuses what a JavaScript number cannot hold exactly. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.refuse('a number is too large');
    return Number(value);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return copyOf(this.#bytes, start, start + length);
  }

  /** A copy of what is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** lp(x): a two-byte length and that many bytes; longer than `max` is refused. */
  prefixed(max = 0xffff): Uint8Array {
    const length = this.u16();
    if (length > max) this.refuse(`a part has ${length} bytes, allowed are ${max}`);
    return this.bytes(length);
  }

  /** The next bytes must be exactly these (a magic number, a version). */
  expect(expected: Uint8Array, name: string): void {
    if (!equalBytes(this.bytes(expected.length), expected)) this.refuse(`${name} is not right`);
  }

  /** The next `length` bytes must be zero. */
  zeros(length: number): void {
    if (!isZero(this.bytes(length))) this.refuse('a reserved byte is set');
  }

  /** Nothing may be left. */
  end(): void {
    if (this.remaining !== 0) this.refuse(`${this.remaining} bytes too many`);
  }

  /** Throws the reader's code. */
  refuse(reason: string): never {
    throw fail(this.#code, `${this.#what}: ${reason}`);
  }

  #take(length: number): number {
    if (length > this.remaining) this.refuse('too short');
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

// ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Writes little-endian fields one after the other; values that do not fit throw BF-INTERNAL-ARGUMENT. */
export class Writer {
  /** Zeros behind what is written. */
  #bytes = new Uint8Array(64);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number, name = 'a byte'): this {
    assertInteger(value, name, 0, 0xff);
    return this.#number(1, value);
  }

  u16(value: number, name = 'a half-word'): this {
    assertInteger(value, name, 0, 0xffff);
    return this.#number(2, value);
  }

  u32(value: number, name = 'a word'): this {
    assertInteger(value, name, 0, U32_MAX);
    return this.#number(4, value);
  }

  u64(value: number, name = 'a long number'): this {
    assertInteger(value, name, 0, Number.MAX_SAFE_INTEGER);
    return this.#number(4, value % 2 ** 32).#number(4, Math.floor(value / 2 ** 32));
  }

  bytes(value: Uint8Array, name = 'a byte string', length?: number): this {
    assertBytes(value, name, length);
    return this.#push(value);
  }

  ascii(text: string): this {
    return this.#push(ascii(text));
  }

  zeros(length: number): this {
    this.#room(length);
    return this;
  }

  /** lp(x): two-byte length ‖ x. */
  prefixed(value: Uint8Array, name = 'a byte string'): this {
    assertBytes(value, name);
    assertInteger(value.length, `the length of ${name}`, 0, 0xffff);
    return this.u16(value.length).bytes(value);
  }

  /** Zeros up to a total of `length` bytes; more than that already written throws BF-INTERNAL-ARGUMENT. */
  padTo(length: number): this {
    assertInteger(this.#length, 'the message length', 0, length);
    return this.zeros(length - this.#length);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** The low `width` bytes of a number of at most 32 bits. */
  #number(width: number, value: number): this {
    const at = this.#room(width);
    for (let i = 0; i < width; i++) this.#bytes[at + i] = value >>> (8 * i);
    return this;
  }

  #push(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Takes the next `length` bytes; returns where they begin. What it grows out of is overwritten. */
  #room(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      larger.set(this.#bytes);
      wipe(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }
}

/** Four bytes, little-endian. */
export function u32le(value: number): Uint8Array {
  return new Writer().u32(value).finish();
}
