"""Tickets and the proof with which a side presents one (section 2)."""

import re
import time

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from crypto import sha512
from wire import Malformed, Reader, lp1, u32, u64

AGENT, CONTROLLER = 1, 2
MAX_EXPIRES = 2**53 - 1
NAME = re.compile(rb"[a-z0-9:][a-z0-9.:-]{0,254}")


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """libsodium refuses a signature whose S is not below L by itself."""
    try:
        VerifyKey(key).verify(message, signature)
        return True
    except (BadSignatureError, ValueError, TypeError):
        return False
    except Exception:  # a key of small order or not on the curve
        return False


class Ticket:
    def __init__(self, raw: bytes):
        reader = Reader(raw)
        reader.expect(b"BFT2", "a ticket of version 2")
        self.raw = raw
        self.tenant = reader.take(32)
        self.room = reader.take(16)
        self.side = reader.u8()
        self.id = reader.take(16)
        self.expires = reader.u64()
        self.cap = reader.u32()
        self.holder = reader.take(32)
        name = reader.lp1()
        self.signed = raw[: reader.at]
        self.signature = reader.take(64)
        reader.end()
        if self.side not in (AGENT, CONTROLLER):
            raise Malformed("the ticket is for no side")
        if self.expires > MAX_EXPIRES:
            raise Malformed("the ticket expires too late")
        if not NAME.fullmatch(name):
            raise Malformed("the ticket names no relay")
        self.name = name.decode()

    def genuine(self) -> bool:
        return verify(self.tenant, b"blindflash/2 ticket\0" + self.signed, self.signature)

    def proves(self, nonce: bytes, signature: bytes) -> bool:
        return verify(self.holder, proof_message(nonce, self.raw), signature)

    def expired(self) -> bool:
        return time.time() >= self.expires


def make(tenant: SigningKey, room: bytes, side: int, ident: bytes, expires: int, cap: int,
         holder: bytes, name: str) -> bytes:
    body = (b"BFT2" + bytes(tenant.verify_key) + room + bytes([side]) + ident + u64(expires)
            + u32(cap) + holder + lp1(name.encode("ascii")))
    return body + tenant.sign(b"blindflash/2 ticket\0" + body).signature


def proof_message(nonce: bytes, raw: bytes) -> bytes:
    return b"blindflash/2 present\0" + nonce + sha512(raw)


def prove(holder: SigningKey, nonce: bytes, raw: bytes) -> bytes:
    return holder.sign(proof_message(nonce, raw)).signature
