// COBS, "consistent overhead byte stuffing" (S. Cheshire, M. Baker, IEEE/ACM Transactions on Networking 7(2), 1999):
// bytes without a zero among them, so that a zero can end a packet (docs/serial-link.md, "Packets").

/** Bytes that follow a full code byte; a block of this many stands for no zero. */
const BLOCK = 254;

/** Longest coded form of `length` bytes, without the zero that ends a packet. */
export function cobsMost(length: number): number {
  return length + Math.floor(length / BLOCK) + 1;
}

/** Coded form: at least one byte, none of them zero. */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const coded = new Uint8Array(cobsMost(bytes.length));
  let code = 0;
  let length = 1;
  for (const [index, byte] of bytes.entries()) {
    if (byte !== 0) coded[length++] = byte;
    if (byte === 0 || (length - code === BLOCK + 1 && index + 1 < bytes.length)) {
      coded[code] = length - code;
      code = length++;
    }
  }
  coded[code] = length - code;
  return coded.subarray(0, length);
}

/** What was coded, or undefined when these bytes, without the zero that ended them, are no coded form. */
export function cobsDecode(coded: Uint8Array): Uint8Array | undefined {
  if (coded.length === 0 || coded.includes(0)) return undefined;
  const bytes = new Uint8Array(coded.length);
  let length = 0;
  for (let at = 0; at < coded.length;) {
    const code = coded[at] as number;
    const next = at + code;
    if (next > coded.length) return undefined;
    bytes.set(coded.subarray(at + 1, next), length);
    length += code - 1;
    if (code <= BLOCK && next < coded.length) bytes[length++] = 0;
    at = next;
  }
  return bytes.subarray(0, length);
}
