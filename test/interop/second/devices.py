"""The vendor's signed record of devices (devices.md): entries, what they come to, and the file of them."""

import json
import os

import receipt as receipts
from crypto import sha512
from messages import fields, hexa, integer, nullable, one_of, read_json, text
from store import Store
from ticket import verify
from wire import Malformed

ENTRY, FILE = "blindflash device 2", "blindflash devices 2"
ENTRY_DOMAIN, FILE_DOMAIN = b"blindflash/2 device entry\0", b"blindflash/2 device file\0"
MOST_TEXT = 1500
# Place of the enrolment → mode of the jobs it allows.
PLACES = {"customer": "lock-then-load", "bench": "seeded"}
STATES = ("active", "retired", "stolen")

_PLACE = nullable(one_of(*PLACES))
_HEAD = dict(version=one_of(ENTRY), uid=hexa(12), number=integer(0xFFFFFFFF, 1))
_TAIL = dict(at=receipts.stamp, by=text(64), vendorKey=hexa(32))
_KINDS = {
    "enrolled": dict(**_HEAD, kind=one_of("enrolled"), sessionKey=hexa(32), fileKey=hexa(32),
                     product=integer(0xFFFFFFFF), loaderHash=hexa(64), place=_PLACE,
                     job=nullable(hexa(16)), repeats=nullable(hexa(32)), **_TAIL),
    "accepted": dict(**_HEAD, kind=one_of("accepted"), sessionKey=hexa(32), place=_PLACE, **_TAIL),
    "state": dict(**_HEAD, kind=one_of("state"), was=one_of(*STATES), **{"is": one_of(*STATES)},
                  note=text(200), **_TAIL),
}
_MANIFEST = dict(version=one_of(FILE), at=receipts.stamp, entries=integer(100000), digest=hexa(64),
                 vendorKey=hexa(32))


def _line(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read(line: str, shape: dict) -> dict:
    value = read_json(line.encode("utf-8"), fields(**shape))
    if list(value) != list(shape) or _line(value) != line:
        raise Malformed("an entry is not written canonically")
    return value


def read_entry(line: str) -> dict:
    if len(line) > MOST_TEXT:
        raise Malformed("an entry is too long")
    for kind, shape in _KINDS.items():
        if f'"kind":"{kind}"' in line:
            return _read(line, shape)
    raise Malformed("this is no entry")


def device_of(entries) -> dict:
    """What a device's entries come to. Malformed when one is missing, or no key is in use."""
    if {one["number"] for one in entries} != set(range(1, len(entries) + 1)):
        raise Malformed("an entry is missing")
    ordered = sorted(entries, key=lambda one: (one["number"], one["at"], _line(one)))
    enrolled = [one for one in ordered if one["kind"] == "enrolled"]
    keys, place, state = None, None, "active"
    for one in ordered:
        if one["kind"] == "enrolled" and one["number"] == 1:
            keys, place = one, one["place"]
        elif one["kind"] == "accepted":
            found = [entry for entry in enrolled if entry["sessionKey"] == one["sessionKey"]]
            if found:
                keys, place = found[-1], weaker(found[-1]["place"], one["place"])
        elif one["kind"] == "state" and (one["was"] == state or one["is"] == "stolen"):
            state = one["is"]
    if keys is None:
        raise Malformed("the device has no key in use")
    return {**keys, "place": place, "state": state}


def weaker(one, other):
    order = [None, *PLACES]
    return min(one, other, key=order.index)


class Devices:
    """The record, in a folder: pairs of text and signature."""

    def __init__(self, folder: str, key):
        self.key, self.public = key, bytes(key.verify_key)
        self.store = Store(os.path.join(folder, "devices.json"), {"entries": []})

    def entries(self, uid: str):
        return [one for one in map(read_entry, (line for line, _ in self.store["entries"]))
                if one["uid"] == uid]

    def usable(self, uid: str) -> dict:
        """The device whose UID begins so; Malformed when no job may be for it."""
        uids = {read_entry(line)["uid"] for line, _ in self.store["entries"]}
        found = [one for one in uids if one.startswith(uid)]
        if len(found) != 1:
            raise Malformed("no device, or several, with these first digits")
        device = device_of(self.entries(found[0]))
        if device["state"] != "active" or device["place"] is None:
            raise Malformed("the device is not to be used")
        return device

    def enrol(self, uid, session_key, file_key, product, loader_hash, place, job, by) -> str:
        """'new', 'known' when it is on record with these keys, 'waiting' for a person otherwise."""
        before = self.entries(uid)
        if any(one.get("sessionKey") == session_key for one in before):
            return "known"
        self._add({"version": ENTRY, "uid": uid, "number": len(before) + 1, "kind": "enrolled",
                   "sessionKey": session_key, "fileKey": file_key, "product": product,
                   "loaderHash": loader_hash, "place": None if before else place, "job": job,
                   "repeats": None, "at": receipts.now(), "by": by, "vendorKey": self.public.hex()})
        return "waiting" if before else "new"

    def _add(self, entry: dict) -> None:
        line = _line(entry)
        read_entry(line)
        signature = self.key.sign(ENTRY_DOMAIN + line.encode("utf-8")).signature.hex()
        self.store.put(entries=self.store["entries"] + [[line, signature]])

    def export(self) -> bytes:
        body = "".join(f"{line}\n{signature}\n" for line, signature in self.store["entries"])
        raw = body.encode("utf-8")
        manifest = _line({"version": FILE, "at": receipts.now(), "entries": len(self.store["entries"]),
                          "digest": sha512(raw).hex(), "vendorKey": self.public.hex()})
        signature = self.key.sign(FILE_DOMAIN + manifest.encode("utf-8")).signature.hex()
        return f"{manifest}\n{signature}\n".encode("utf-8") + raw

    def take_over(self, raw: bytes, by: str) -> int:
        """Enrols here what a file of another vendor's says, in its words; gives the number."""
        uids = {}
        for one in read_file(raw):
            uids.setdefault(one["uid"], []).append(one)
        for uid, entries in uids.items():
            found = device_of(entries)
            self.enrol(uid, found["sessionKey"], found["fileKey"], found["product"],
                       found["loaderHash"], found["place"], found["job"], by)
        return len(uids)


def read_file(raw: bytes):
    """The entries of a file, everything about it checked."""
    lines = raw.decode("utf-8").split("\n")
    if lines.pop() != "" or len(lines) < 2 or len(lines) % 2:
        raise Malformed("this is no file of devices")
    manifest = _read(lines[0], _MANIFEST)
    public = bytes.fromhex(manifest["vendorKey"])
    behind = "".join(one + "\n" for one in lines[2:]).encode("utf-8")
    if not genuine(public, FILE_DOMAIN, *lines[:2]) or sha512(behind).hex() != manifest["digest"] \
            or len(lines) != 2 + 2 * manifest["entries"]:
        raise Malformed("the file is not what was signed")
    out = []
    for line, signature in zip(lines[2::2], lines[3::2]):
        entry = read_entry(line)
        if entry["vendorKey"] != manifest["vendorKey"] \
                or not genuine(public, ENTRY_DOMAIN, line, signature):
            raise Malformed("an entry is not genuine")
        out.append(entry)
    return out


def genuine(public: bytes, domain: bytes, line: str, signature: str) -> bool:
    try:
        return verify(public, domain + line.encode("utf-8"), bytes.fromhex(signature))
    except ValueError:
        return False
