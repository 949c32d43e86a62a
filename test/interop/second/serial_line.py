"""The serial link's bytes (serial-link.md): COBS, packets, IDENT and STATUS, for both ends."""

import binascii
import struct
from dataclasses import dataclass

from wire import u32

MOST_PACKET, MOST_CODED = 4200, 4217
START_RATE = 115200
RATES = (921600, 460800, 230400)
WAKE = b"\x55"
KNOCK = WAKE * 8 + b"BFKNOCK2"

ASK_IDENT, JOB, M2, COMMAND, FETCHED, AGAIN, ABORT, BAUD = range(1, 9)
IDENT, M1, M3, STATUS, REPLY = range(0x81, 0x86)

# Type → sizes of its body.
FROM_AGENT = {ASK_IDENT: {0}, JOB: range(136, 1609), M2: {128}, COMMAND: {4 + 4064, 4 + 192},
              FETCHED: {4}, AGAIN: {5}, ABORT: {0}, BAUD: {4}}
FROM_LOADER = {IDENT: {112}, M1: {136 + 64, 168 + 64}, M3: {32}, STATUS: {36}, REPLY: {4 + 192}}

FLAG_LOCKED, FLAG_COMPLETE, FLAG_KEYS, FLAG_NO_IMAGE = 1, 2, 4, 8
BUSY, MISSING = 0x40, 0x80  # bits of STATUS's first byte


def cobs(data: bytes) -> bytes:
    out, block, unfinished = bytearray(), bytearray(), True
    for byte in data:
        if byte:
            block.append(byte)
            unfinished = True
            if len(block) == 254:
                out += b"\xff" + block
                block.clear()
                unfinished = False
        else:
            out += bytes([len(block) + 1]) + block
            block.clear()
            unfinished = True
    return bytes(out + bytes([len(block) + 1]) + block) if unfinished else bytes(out)


def uncobs(coded: bytes):
    """The bytes, or None for what is not COBS."""
    out, at = bytearray(), 0
    while at < len(coded):
        count = coded[at]
        if count == 0 or at + count > len(coded):
            return None
        out += coded[at + 1 : at + count]
        at += count
        if count != 0xFF and at < len(coded):
            out.append(0)
    return bytes(out)


def packet(kind: int, body: bytes = b"") -> bytes:
    plain = bytes([kind]) + body
    return cobs(plain + u32(binascii.crc32(plain))) + b"\0"


def unpacked(coded: bytes, known: dict):
    """(type, body) of what stood between two zeros, or None when it is to be dropped."""
    if len(coded) > MOST_CODED:
        return None
    plain = uncobs(coded)
    if plain is None or not 5 <= len(plain) <= MOST_PACKET:
        return None
    if u32(binascii.crc32(plain[:-4])) != plain[-4:]:
        return None
    kind, body = plain[0], plain[1:-4]
    return (kind, body) if len(body) in known.get(kind, ()) else None


class PacketReader:
    """Cuts what arrives at its zeros. Gives (type, body) for a good packet and None for a dropped
    one; the bytes of a knock between two zeros are given as they are."""

    def __init__(self, known: dict):
        self.known = known
        self.held = bytearray()
        self.too_long = False

    def forget(self) -> None:
        self.held.clear()
        self.too_long = False

    def take(self, data: bytes):
        for byte in data:
            if byte:
                if len(self.held) < MOST_CODED:
                    self.held.append(byte)
                else:
                    self.too_long = True
                continue
            coded, too_long = bytes(self.held), self.too_long
            self.forget()
            if coded == KNOCK:
                yield KNOCK
            elif coded:
                yield None if too_long else unpacked(coded, self.known)


_IDENT = struct.Struct("<BBHHBBIII64s12sIIHHI")
_STATUS = struct.Struct("<BBBB8I")
assert _IDENT.size == 112 and _STATUS.size == 36


@dataclass
class Ident:
    state: int
    flags: int
    version: int
    slots: int
    free_keys: int
    product: int
    image: int
    floor: int
    loader_hash: bytes
    uid: bytes
    optcr: int
    optcr1: int
    dev_id: int
    flash_kib: int
    most_rate: int

    def encode(self) -> bytes:
        return _IDENT.pack(1, *vars(self).values())

    @classmethod
    def read(cls, body: bytes):
        """None for a format that is not 1."""
        values = _IDENT.unpack(body)
        return cls(*values[1:]) if values[0] == 1 else None


@dataclass
class Status:
    first: int
    activity: int = 0
    argument: int = 0
    error: int = 0
    accepted: int = 0
    credit: int = 0
    replied: int = 0
    words: int = 0
    detail: int = 0
    handshakes: int = 0
    received: int = 0
    dropped: int = 0

    @property
    def state(self) -> int:
        return self.first & 0x3F

    @property
    def works(self) -> bool:
        return bool(self.first & BUSY)

    @property
    def misses(self) -> bool:
        return bool(self.first & MISSING)

    def encode(self) -> bytes:
        return _STATUS.pack(*vars(self).values())

    @classmethod
    def read(cls, body: bytes):
        return cls(*_STATUS.unpack(body))
