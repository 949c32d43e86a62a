"""The sealed session between controller and chip, both ends (sections 4 and 8)."""

from dataclasses import dataclass

from crypto import Schedule, equal, random, x25519, x25519_public
from wire import Malformed, Reader, u16, u32

IMAGE, ERASE, DIGEST, FINAL, LOCK, END, PING, ABORT = 1, 2, 3, 4, 5, 6, 7, 0x7F
R_ERASED, R_DIGEST, R_WRITTEN, R_LOCKED, R_ENDED, R_PONG, R_ABORT = (0x82, 0x83, 0x84, 0x85, 0x86,
                                                                     0x87, 0xFF)
IMAGE_SIZE, OTHER_SIZE, MOST_IMAGE = 4048, 176, 4032
WIDTHS = ("x8", "x16", "x32")
PRIME = 2**255 - 19

ERRORS = {1: "plan malformed", 2: "wrong chip", 3: "random generator failed", 4: "clock failed",
          5: "read protection active", 6: "confirmation wrong", 7: "box did not open",
          8: "outside plan", 9: "order", 10: "flash error", 11: "flash timeout",
          12: "digest differs", 13: "not blank", 14: "option bytes failed", 15: "idle limit",
          16: "agent asked to stop", 17: "controller asked to stop", 18: "CPU fault",
          19: "too many handshakes", 20: "zero shared secret", 21: "malformed sealed command",
          22: "no random generator", 23: "vendor key refused", 24: "no entry for this device",
          25: "too many tries with file"}


# ---- The handshake

@dataclass
class Facts:
    """payload1 without the chip's keys: what the program reads of its chip."""

    uid: bytes
    idcode: int
    flash_kib: int
    version: int
    optcr: int
    optcr1: int
    key_kind: int
    handshake: int
    widest: int
    boot: bytes = bytes(8)

    def encode(self) -> bytes:
        return (self.uid + u32(self.idcode) + u16(self.flash_kib) + u16(self.version)
                + u32(self.optcr) + u32(self.optcr1)
                + bytes([self.key_kind, self.handshake, self.widest, 0]) + self.boot)


def make_m1(e_public: bytes, nonce_i: bytes, facts: Facts, *chip_keys: bytes) -> bytes:
    return e_public + nonce_i + facts.encode() + b"".join(chip_keys)


def read_m1(m1: bytes):
    """(e_i, facts, D)"""
    e_i, facts, d_public, file_key = read_any_m1(m1)
    if file_key is not None:
        raise Malformed("M1 of an enrolment")
    return e_i, facts, d_public


def read_any_m1(m1: bytes):
    """(e_i, facts, D or D_s, D_f or None)"""
    reader = Reader(m1)
    e_i = reader.take(32)
    reader.take(32)
    facts = Facts(reader.take(12), reader.u32(), reader.u16(), reader.u16(), reader.u32(),
                  reader.u32(), reader.u8(), reader.u8(), reader.u8())
    reader.zeros(1)
    facts.boot = reader.take(8)
    d_public = reader.take(32)
    file_key = reader.take(32) if len(m1) > 136 else None
    reader.end()
    if facts.version >> 8 != 2:
        raise Malformed("the stub is not of major version 2")
    if facts.key_kind not in (1, 2) or facts.handshake < 1 or facts.widest > 2:
        raise Malformed("M1 says what cannot be")
    if facts.key_kind == 1 and (any(facts.boot) or file_key is not None):
        raise Malformed("M1 says of a key in RAM what goes with one in flash")
    return e_i, facts, d_public, file_key


def demand_canonical(key: bytes) -> None:
    if int.from_bytes(key, "little") >= PRIME:
        raise Malformed("a key is not canonical")


def check_d(d_public: bytes, e_i: bytes, static_public: bytes) -> None:
    demand_canonical(d_public)
    if not any(d_public) or d_public in (e_i, static_public):
        raise Malformed("D is a key that cannot be a chip's")


def check_m1(m1: bytes, purpose: str, static_public: bytes, known: bytes = None):
    """(e_i, facts, the chip's keys) of an M1 that goes with this suite; `known`: D_s on record."""
    e_i, facts, d_public, file_key = read_any_m1(m1)
    if facts.key_kind != (1 if purpose == "sealed" else 2):
        raise Malformed("the key's kind does not go with the mode")
    if (file_key is not None) != (purpose == "enroll"):
        raise Malformed("M1 is not of this suite")
    keys = [d_public] if file_key is None else [d_public, file_key]
    for key in keys:
        check_d(key, e_i, static_public)
    if len(set(keys)) != len(keys):
        raise Malformed("one key stands for two")
    if purpose != "sealed":
        demand_canonical(e_i)
    if purpose == "device" and d_public != known:
        raise Malformed("D_s is not the one on record")
    return e_i, facts, keys


class SealedResponder:
    """The controller's end: M2, then the check of M3. `known` is the D_s on record, in `device`."""

    def __init__(self, static_secret: bytes, program_hash: bytes, plan_hash: bytes, m1: bytes,
                 session_id: bytes, purpose: str = "sealed", known: bytes = None):
        static_public = x25519_public(static_secret)
        e_i, self.facts, keys = check_m1(m1, purpose, static_public, known)
        self.d_public = keys[0]
        contexts = [static_public, program_hash, plan_hash]
        e_secret = random(32)
        opened = x25519_public(e_secret) + random(32) + session_id + b"\x02" + bytes(15)
        self.schedule = Schedule(purpose, contexts + ([known] if purpose == "device" else []), m1,
                                 opened, x25519(e_secret, e_i), x25519(static_secret, e_i))
        self.m2 = opened + self.schedule.confirm_r
        self.schedule.mix_device(*(x25519(e_secret, key) for key in keys))

    def finish(self, m3: bytes) -> bool:
        return equal(m3, self.schedule.confirm_i())

    def chains(self):
        """(sealing, opening)"""
        return self.schedule.keys().chains(False)


def read_m2(m2: bytes):
    """(e_r, session id, confirm_r)"""
    reader = Reader(m2)
    e_r = reader.take(32)
    reader.take(32)
    session_id = reader.take(16)
    if reader.u8() != 2:
        raise Malformed("M2 is not of version 2")
    reader.zeros(15)
    confirm_r = reader.take(32)
    reader.end()
    return e_r, session_id, confirm_r


class SealedInitiator:
    """The chip's end: M1, then M3 for an M2 whose confirm_r is right."""

    def __init__(self, static_public: bytes, program_hash: bytes, plan_hash: bytes, facts: Facts,
                 *chip_keys: bytes, purpose: str = "sealed"):
        self.purpose = purpose
        self.contexts = [static_public, program_hash, plan_hash]
        if purpose == "device":
            self.contexts.append(chip_keys[0])
        self.static_public = static_public
        self.e_secret = random(32)
        self.m1 = make_m1(x25519_public(self.e_secret), random(32), facts, *chip_keys)

    def answer(self, m2: bytes, *d_secrets: bytes):
        """(M3, keys), or None when confirm_r is wrong; d is not touched before that is known."""
        e_r, _, confirm_r = read_m2(m2)
        if self.purpose != "sealed":
            demand_canonical(e_r)
        schedule = Schedule(self.purpose, self.contexts, self.m1, m2[:96],
                            x25519(self.e_secret, e_r), x25519(self.e_secret, self.static_public))
        if not equal(confirm_r, schedule.confirm_r):
            return None
        schedule.mix_device(*(x25519(one, e_r) for one in d_secrets))
        return schedule.confirm_i(), schedule.keys()


# ---- Commands, controller to chip

def _other(head: bytes) -> bytes:
    return head + bytes(OTHER_SIZE - len(head))


def image(address: int, data: bytes) -> bytes:
    if len(data) % 4 or not 4 <= len(data) <= MOST_IMAGE:
        raise Malformed("an IMAGE of this size cannot be")
    head = bytes([IMAGE, 0]) + u16(len(data)) + u32(address) + bytes(8) + data
    return head + bytes((OTHER_SIZE if len(head) <= OTHER_SIZE else IMAGE_SIZE) - len(head))


def erase(sector: int, unless_blank: bool = False) -> bytes:
    return _other(bytes([ERASE, sector, 1 if unless_blank else 0]))


def digest(first: int, count: int, expected: bytes) -> bytes:
    return _other(bytes([DIGEST, first, count]) + bytes(13) + expected)


def final(root: bytes, boot_words: bytes) -> bytes:
    return _other(bytes([FINAL]) + bytes(15) + root + boot_words)


def bare(kind: int) -> bytes:
    """LOCK, END, PING or ABORT."""
    return _other(bytes([kind]))


def read_command(plain: bytes):
    """(kind, values)"""
    if not plain:
        raise Malformed("an empty command")
    kind = plain[0]
    reader = Reader(plain)
    if len(plain) != OTHER_SIZE and (kind != IMAGE or len(plain) != IMAGE_SIZE):
        raise Malformed("a command of another size")
    reader.u8()
    if kind == IMAGE:
        reader.zeros(1)
        count, address = reader.u16(), reader.u32()
        reader.zeros(8)
        if count % 4 or not 4 <= count <= MOST_IMAGE:
            raise Malformed("an IMAGE of this size cannot be")
        values = (address, reader.take(count))
    elif kind == ERASE:
        sector, unless_blank = reader.u8(), reader.u8()
        if unless_blank > 1:
            raise Malformed("a flag that is none")
        values = (sector, unless_blank == 1)
    elif kind == DIGEST:
        first, count = reader.u8(), reader.u8()
        reader.zeros(13)
        values = (first, count, reader.take(64))
    elif kind == FINAL:
        reader.zeros(15)
        values = (reader.take(64), reader.take(64))
    elif kind in (LOCK, END, PING, ABORT):
        values = ()
    else:
        raise Malformed("an unknown command")
    reader.zeros(len(plain) - reader.at)
    return kind, values


# ---- Replies, chip to controller

def reply(kind: int, argument: int, answers: int, body: bytes = b"") -> bytes:
    return _other(bytes([kind, argument, 0, 0]) + u32(answers) + body)


def read_reply(plain: bytes) -> dict:
    if len(plain) != OTHER_SIZE:
        raise Malformed("a reply of another size")
    reader = Reader(plain)
    kind, argument = reader.u8(), reader.u8()
    reader.zeros(2)
    out = {"kind": kind, "answers": reader.u32()}
    if kind == R_ERASED:
        out["sector"] = argument
        argument = 0
        out["how"] = reader.u32()
        if out["how"] > 2:
            raise Malformed("a way to erase that is none")
    elif kind == R_DIGEST:
        if argument > 1:
            raise Malformed("neither equal nor not")
        out["equal"], argument = argument == 1, 0
        out["left"] = reader.u32()
    elif kind == R_WRITTEN:
        if argument > 2:
            raise Malformed("a width that is none")
        out["width"], argument = WIDTHS[argument], 0
        out["root"], out["words"], out["optcr"] = reader.take(64), reader.u32(), reader.u32()
        out["ms"] = [reader.u32() for _ in range(3)]
    elif kind == R_LOCKED:
        if argument > 1:
            raise Malformed("neither locked nor not")
        out["locked"], argument = argument == 1, 0
        out["optcr"], out["optcr1"] = reader.u32(), reader.u32()
    elif kind in (R_ENDED, R_PONG):
        out["words"] = reader.u32()
        if kind == R_ENDED:
            out["ms"] = [reader.u32() for _ in range(3)]
    elif kind == R_ABORT:
        out["error"], out["detail"] = reader.u32(), reader.u32()
    else:
        raise Malformed("an unknown reply")
    if argument:
        raise Malformed("an argument that means nothing")
    reader.zeros(OTHER_SIZE - reader.at)
    return out
