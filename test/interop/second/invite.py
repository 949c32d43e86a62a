"""The invite: one line that leads an agent to its vendor (section 3)."""

import base64
import re

from nacl.signing import SigningKey

from crypto import expand, hmac512, sha512
from wire import Malformed, Reader, lp, u64

MAX_EXPIRES = 2**53 - 1


def vendor_hash(sealed_public: bytes, receipt_public: bytes) -> bytes:
    """V: whose jobs and receipts an invite leads to."""
    return sha512(b"blindflash/2 vendor\0" + sealed_public + receipt_public)[:32]


def relay_address(url: str):
    """Scheme, host and port of a relay's URL; its path is not used."""
    found = re.fullmatch(r"(wss?)://(\[[0-9A-Fa-f:.]+\]|[^/:@?#\[\] ]+)(?::([0-9]{1,5}))?(/[^?#]*)?", url)
    if not found or len(url) > 512 or not all(0x20 < ord(c) < 0x7F for c in url):
        raise Malformed("the relay's URL is not one")
    scheme, host, port = found.group(1), found.group(2).lower(), found.group(3)
    number = int(port) if port else (443 if scheme == "wss" else 80)
    if not 0 < number < 65536:
        raise Malformed("the relay's port is not one")
    return scheme, host.strip("[]"), number


def holder_of(secret: bytes) -> SigningKey:
    return SigningKey(expand(hmac512(b"blindflash/2 invite", secret), b"blindflash/2 holder", 32))


class Invite:
    def __init__(self, expires: int, tunnel_public: bytes, vendor: bytes, url: str, ticket: bytes,
                 secret: bytes):
        self.expires = expires
        self.tunnel_public = tunnel_public
        self.vendor = vendor
        self.url = url
        self.ticket = ticket
        self.secret = secret
        relay_address(url)
        if expires > MAX_EXPIRES:
            raise Malformed("the invite expires too late")
        if len(ticket) > 512:
            raise Malformed("the invite's ticket is too long")
        self.public = (b"BFI2" + u64(expires) + tunnel_public + vendor + lp(url.encode("ascii"))
                       + lp(ticket))
        self.public_hash = sha512(self.public)

    def line(self) -> str:
        body = self.public + self.secret
        body += sha512(body)[:4]
        text = "bf2." + base64.urlsafe_b64encode(body).decode().rstrip("=")
        if len(text) > 2048:
            raise Malformed("the invite is too long")
        return text

    def holder(self) -> SigningKey:
        return holder_of(self.secret)


def parse(line: str) -> Invite:
    line = line.strip()
    if line.startswith("bf1."):
        raise Malformed("this is an invite of version 1: the vendor's side is to be updated")
    if len(line) > 2048 or not re.fullmatch(r"bf2\.[A-Za-z0-9_-]+", line):
        raise Malformed("this is not an invite")
    text = line[4:]
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as problem:
        raise Malformed("this is not an invite") from problem
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise Malformed("the invite is not written canonically")
    if len(raw) < 8 or sha512(raw[:-4])[:4] != raw[-4:]:
        raise Malformed("the invite has a typing mistake")
    reader = Reader(raw[:-4])
    reader.expect(b"BFI2", "an invite of version 2")
    expires = reader.u64()
    tunnel_public = reader.take(32)
    vendor = reader.take(32)
    url = reader.lp(512)
    ticket = reader.lp(512)
    secret = reader.take(32)
    reader.end()
    try:
        return Invite(expires, tunnel_public, vendor, url.decode("ascii"), ticket, secret)
    except UnicodeDecodeError as problem:
        raise Malformed("the relay's URL is not ASCII") from problem
