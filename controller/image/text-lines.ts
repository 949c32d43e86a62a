// Lines of a text image (Intel HEX, S-record), numbered for the error messages.

export interface Line {
  /** 1, 2, 3 … as an editor counts them. */
  readonly number: number;
  readonly text: string;
}

/** The lines of an ASCII file that hold anything, blanks around them removed. Line ends of any system. */
export function linesOf(file: Uint8Array): Line[] {
  return new TextDecoder('latin1')
    .decode(file)
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .split(/\r\n|\r|\n/)
    .map((text, index) => ({ number: index + 1, text: text.trim() }))
    .filter(({ text }) => text !== '');
}

/** Bytes of hexadecimal digits, or undefined. */
export function bytesOfDigits(digits: string): Uint8Array | undefined {
  if (digits.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(digits)) return undefined;
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Sum of all bytes, low 8 bits. */
export function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
}
