"""The cryptography of sections 4, 5 and 13: schedule of both handshakes, boxes in epochs, the code.

HMAC and HKDF-Expand come from the standard library, X25519 and secretbox from PyNaCl's bindings.
"""

import hashlib
import hmac
import os

import nacl.bindings
import nacl.exceptions

from wire import lp, u32, u64


class CryptoError(Exception):
    """A shared secret was zero, a box did not open, or a number ran out."""


SUITES = {
    "tunnel": b"blindflash/2 NK1psk2 X25519 XSalsa20Poly1305 SHA512",
    "sealed": b"blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512",
    "device": b"blindflash/2 K1K1 X25519 XSalsa20Poly1305 SHA512",
    "enroll": b"blindflash/2 I1K1 X25519 XSalsa20Poly1305 SHA512",
}
PURPOSE_BYTE = {"tunnel": 0x54, "sealed": 0x53, "device": 0x53, "enroll": 0x53}
DIRECTION_BYTE = {"i2r": 1, "r2i": 2}
EPOCH = {"tunnel": 64, "sealed": 64, "device": 1, "enroll": 1}
LAST_NUMBER = 2**32 - 1
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def hmac512(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha512).digest()


def equal(one: bytes, other: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one, other)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """The expansion of RFC 5869 with HMAC-SHA-512."""
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac512(prk, block + info + bytes([counter]))
        out += block
        counter += 1
    return out[:length]


def random(count: int) -> bytes:
    return os.urandom(count)


def x25519_public(secret: bytes) -> bytes:
    return nacl.bindings.crypto_scalarmult_base(secret)


def x25519(secret: bytes, public: bytes) -> bytes:
    """A shared secret; one that is all zero is refused wherever it appears."""
    try:
        shared = nacl.bindings.crypto_scalarmult(secret, public)
    except Exception as problem:  # libsodium itself refuses keys of small order
        raise CryptoError("the shared secret is zero") from problem
    if not any(shared):
        raise CryptoError("the shared secret is zero")
    return shared


class Schedule:
    """The schedule of section 4 up to prk0; finish() gives what follows once prk is known."""

    def __init__(self, purpose: str, contexts, m1: bytes, m2_open: bytes, ee: bytes, es: bytes,
                 psk: bytes = bytes(32)):
        self.purpose = purpose
        self.prk0 = hmac512(b"blindflash/2 extract", ee + es + psk)
        hashed = lp(SUITES[purpose]) + lp(purpose.encode())
        for context in contexts:
            hashed += lp(context)
        self.th = sha512(hashed + lp(m1) + lp(m2_open))
        self.confirm_r = hmac512(self.k0(b"confirm r"), self.th)[:32]
        self.prk = self.prk0 if purpose == "tunnel" else None

    def k0(self, label: bytes) -> bytes:
        return expand(self.prk0, label + self.th, 32)

    def mix_device(self, *se: bytes) -> None:
        """The second step of a sealed session: the chip's keys come in."""
        label = b"enroll" if self.purpose == "enroll" else b"device"
        self.prk = hmac512(b"blindflash/2 " + label, self.k0(label) + b"".join(se))

    def k(self, label: bytes) -> bytes:
        return expand(self.prk, label + self.th, 32)

    def confirm_i(self, nonce_i: bytes = b"") -> bytes:
        """The tunnel adds nonce_i, the sealed session adds nothing."""
        return hmac512(self.k(b"confirm i"), self.th + self.confirm_r + nonce_i)[:32]

    def keys(self) -> "Keys":
        return Keys(self.purpose, self.k(b"chain i2r"), self.k(b"chain r2i"), self.k(b"exporter"))


class Keys:
    """What a finished handshake leaves behind."""

    def __init__(self, purpose: str, chain_i2r: bytes, chain_r2i: bytes, exporter: bytes):
        self.purpose = purpose
        self.chain_i2r = chain_i2r
        self.chain_r2i = chain_r2i
        self.exporter = exporter

    def chains(self, initiator: bool):
        """The chain this end seals with, and the one it opens with."""
        forth = BoxChain("i2r", self.purpose, self.chain_i2r)
        back = BoxChain("r2i", self.purpose, self.chain_r2i)
        return (forth, back) if initiator else (back, forth)

    def export(self, info: bytes, length: int) -> bytes:
        return expand(self.exporter, info, length)


class BoxChain:
    """One direction's boxes, in order. `number` is that of the last box sealed or opened."""

    def __init__(self, direction: str, purpose: str, chain: bytes):
        self.direction = DIRECTION_BYTE[direction]
        self.purpose = PURPOSE_BYTE[purpose]
        self.boxes = EPOCH[purpose]
        self.chain = chain
        self.number = 0
        self.epoch = -1
        self.key = b""

    def material(self, sequence: int):
        """Key and nonce of the next box. The chain of an epoch is gone once its key was made."""
        if sequence > LAST_NUMBER:
            raise CryptoError("the numbers of this direction are used up")
        epoch = (sequence - 1) // self.boxes
        while self.epoch < epoch:
            self.epoch += 1
            self.key = expand(self.chain, b"box key" + u32(self.epoch), 32)
            self.chain = expand(self.chain, b"next chain" + u32(self.epoch), 32)
        nonce = (bytes([self.direction, self.purpose]) + bytes(6) + u32(epoch) + bytes(4)
                 + u64(sequence))
        return self.key, nonce

    def seal(self, plain: bytes):
        sequence = self.number + 1
        key, nonce = self.material(sequence)
        box = nacl.bindings.crypto_secretbox(plain, nonce, key)
        self.number = sequence
        return sequence, box

    def open(self, box: bytes) -> bytes:
        """Opens the box that follows the last one; the number on the wire is not looked at."""
        key, nonce = self.material(self.number + 1)
        try:
            plain = nacl.bindings.crypto_secretbox_open(box, nonce, key)
        except (nacl.exceptions.CryptoError, ValueError) as problem:
            raise CryptoError("a box did not open") from problem
        self.number += 1
        return plain


def typed_code(exporter: bytes, nonce_i: bytes, nonce_r: bytes) -> str:
    """The six characters of section 13, written ABC-DEF."""
    bits = int.from_bytes(expand(exporter, b"blindflash/2 code" + nonce_i + nonce_r, 32)[:4], "big")
    bits >>= 2
    letters = "".join(ALPHABET[(bits >> (25 - 5 * n)) & 31] for n in range(6))
    return letters[:3] + "-" + letters[3:]


def normal_code(text: str):
    """What a person typed, without case, blanks and hyphens; None if it has not six characters."""
    plain = "".join(c for c in text.upper() if c not in "- \t\r\n")
    plain = plain.replace("O", "0").replace("I", "1").replace("L", "1")
    return plain if len(plain) == 6 else None
