"""Receipts: the vendor's own and the customer's copy (section 10)."""

import json
import re
import time

from nacl.signing import SigningKey

from crypto import sha512
from messages import (fields, hexa, integer, nullable, one_of, read_json, text)
from ticket import verify
from wire import Malformed

VENDOR, CUSTOMER = "blindflash receipt 2", "blindflash customer receipt 2"
MOST = 3000
HOST_BLIND = "host-blind"
STATEMENT = ("Whoever completed this session reported this for this plan. In host-blind it does not "
             "prove that a chip exists, which one, or how many.")
DEVICE_STATEMENT = ("Whoever completed this session reported this for this plan. It held the device's key "
                    "that is on record; what that is worth says where the device was enrolled.")


def stamp(value):
    if not isinstance(value, str) or not re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
        raise Malformed("a time is not one")


_HEAD = dict(job=hexa(16), planHash=hexa(64), mode=one_of("host-blind", "lock-then-load", "seeded"),
             outcome=one_of("written", "lock programmed", "verified", "erased", "enrolled",
                            "keys cleared"),
             uid=hexa(12), devId=integer(4095), flashKiB=integer(0xFFFF))
_TAIL = dict(source=one_of("stub", "vendor"), sectorsByEqual=integer(32),
             erase=fields(sectors=integer(32), blank=integer(32), atOnce=one_of(True, False)),
             time=fields(**{name: integer(0xFFFFFFFF)
                            for name in ("people", "network", "erase", "program", "check")}),
             code=one_of("typed", "waived"), ranges=integer(64), bytes=integer(0xFFFFFFFF),
             wordsProgrammed=integer(0xFFFFFFFF), psize=nullable(one_of("x8", "x16", "x32")),
             stubHash=hexa(64), sealedAt=stamp,
             lock=fields(asked=one_of(True, False), optcr=nullable(integer(0xFFFFFFFF))))
_DEVICE = dict(device=fields(enrolled=one_of("customer", "bench"), lock=one_of("effective"),
                             sessions=integer(0xFFFFFFFF)))
_END = dict(statement=text(600), vendorKey=hexa(32))
_DIGESTS = {VENDOR: dict(imageDigest=nullable(hexa(64)), salt=hexa(16)),
            CUSTOMER: dict(saltedDigest=nullable(hexa(64)))}


def _shape(version: str, behind_loader: bool) -> dict:
    return dict(version=one_of(version), **_HEAD, **_DIGESTS[version], **_TAIL,
                **(_DEVICE if behind_loader else {}), **_END)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write(version: str, facts: dict) -> str:
    """The text: keys in the order of the page, without blanks between them."""
    shape = _shape(version, facts["mode"] != HOST_BLIND)
    ordered = {"version": version}
    for key in shape:
        if key != "version":
            ordered[key] = facts[key]
    line = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    read(line)
    return line


def read(line: str) -> dict:
    raw = line.encode("utf-8")
    if len(raw) > MOST:
        raise Malformed("the receipt is too long")
    if "blindflash receipt 1" in line or "blindflash customer receipt 1" in line:
        raise Malformed("this is a receipt of version 1")
    for version in _DIGESTS:
        if f'"version":"{version}"' in line:
            shape = _shape(version, f'"mode":"{HOST_BLIND}"' not in line)
            value = read_json(raw, fields(**shape))
            if list(value) != list(shape):
                raise Malformed("the receipt's keys are in another order")
            if json.dumps(value, ensure_ascii=False, separators=(",", ":")) != line:
                raise Malformed("the receipt is not written canonically")
            return value
    raise Malformed("this is no receipt")


def customer_facts(facts: dict) -> dict:
    out = dict(facts)
    digest = facts["imageDigest"]
    out["saltedDigest"] = (None if digest is None else
                           sha512(bytes.fromhex(facts["salt"]) + bytes.fromhex(digest)).hex())
    return out


def sign(key: SigningKey, line: str) -> str:
    return key.sign(b"blindflash/2 receipt\0" + line.encode("utf-8")).signature.hex()


def genuine(public: bytes, line: str, signature: str) -> bool:
    return verify(public, b"blindflash/2 receipt\0" + line.encode("utf-8"),
                  bytes.fromhex(signature))


def as_file(line: str, signature: str) -> bytes:
    return (line + "\n" + signature + "\n").encode("utf-8")
