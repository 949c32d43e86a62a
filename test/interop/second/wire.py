"""Readers and writers of bytes. Everything on the wire is little-endian and unsigned.

A reader refuses what it does not know: a body that is too short, too long, or has a set reserved
byte raises Malformed, and nobody above catches that in order to go on with half of a message.
"""


class Malformed(Exception):
    """Bytes that are not what the specification says they are."""


class Reader:
    """Reads fields one after the other; end() makes sure that nothing is left over."""

    def __init__(self, data: bytes):
        self.data = bytes(data)
        self.at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise Malformed("the message is too short")
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def u8(self) -> int:
        return self.number(1)

    def u16(self) -> int:
        return self.number(2)

    def u32(self) -> int:
        return self.number(4)

    def u64(self) -> int:
        return self.number(8)

    def lp(self, most: int = 0xFFFF) -> bytes:
        """A field with its two-byte length before it."""
        length = self.u16()
        if length > most:
            raise Malformed("a field is too long")
        return self.take(length)

    def lp1(self) -> bytes:
        """A field with a one-byte length before it."""
        return self.take(self.u8())

    def zeros(self, count: int) -> None:
        if any(self.take(count)):
            raise Malformed("a reserved byte is set")

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def expect(self, value: bytes, what: str) -> None:
        if self.take(len(value)) != value:
            raise Malformed(f"not {what}")

    def end(self) -> None:
        if self.at != len(self.data):
            raise Malformed("the message is too long")


def le(value: int, count: int) -> bytes:
    return int(value).to_bytes(count, "little")


def u16(value: int) -> bytes:
    return le(value, 2)


def u32(value: int) -> bytes:
    return le(value, 4)


def u64(value: int) -> bytes:
    return le(value, 8)


def lp(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise Malformed("a field is too long to be written")
    return u16(len(data)) + data


def lp1(data: bytes) -> bytes:
    if len(data) > 0xFF:
        raise Malformed("a field is too long to be written")
    return bytes([len(data)]) + data
