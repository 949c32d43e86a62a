// Little-endian fields of commands and replies (docs/reference/stlink.md §2.1).

export const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
export const u32 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = (value >>> 8) & 0xff;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, value & 0xffff);
  putU16(bytes, at + 2, value >>> 16);
}

/** `length` bytes, zero but for `status` in the first. */
export function statusReply(status: number, length = 2): Uint8Array {
  const reply = new Uint8Array(length);
  if (length > 0) reply[0] = status;
  return reply;
}

/** status@0, LE32 value@4: the 8-byte reply most register commands give. */
export function valueReply(status: number, value: number): Uint8Array {
  const reply = statusReply(status, 8);
  putU32(reply, 4, value);
  return reply;
}
