"""Update files (docs/update-files.md) with Python's standard library and nothing else.

update.py vectors                    prints test/vectors/update.json
update.py open FILE DEVICE.json      prints what the device of {"uid", "d_f", "S_f"} would then have in flash
update.py seal FILE ORDER.json       writes a file for {"s_f", "recipients": [{"uid", "D_f"}], "image", "mode",
                                     "product", "version", "floor", "label"}
"""

import hashlib
import hmac as hmacs
import json
import secrets
import sys

START = 0x08010000
SECTORS = {4: (0x08010000, 0x10000), **{5 + n: (0x08020000 + 0x20000 * n, 0x20000) for n in range(7)}}
IMAGE, ERASE, FINAL, END = 1, 2, 4, 6
MODES = {"lock-then-load": 2, "seeded": 3}


class Refused(Exception):
    pass


# ---- primitives

def sha512(*parts):
    return hashlib.sha512(b"".join(parts)).digest()


def hmac(key, *parts):
    return hmacs.new(key, b"".join(parts), hashlib.sha512).digest()


def expand(prk, *info):
    """RFC 5869, one block: 32 bytes."""
    return hmac(prk, *info, b"\x01")[:32]


def le(value, count):
    return value.to_bytes(count, "little")


PRIME = 2 ** 255 - 19


def x25519(secret, point):
    """RFC 7748, section 5."""
    scalar = int.from_bytes(secret, "little") & ~7 & (2 ** 255 - 1) | 2 ** 254
    u = int.from_bytes(point, "little") & (2 ** 255 - 1)
    x2, z2, x3, z3 = 1, 0, u, 1
    swapped = 0
    for at in reversed(range(255)):
        bit = scalar >> at & 1
        if swapped != bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % PRIME, b * b % PRIME
        e = aa - bb
        da, cb = (x3 - z3) * a % PRIME, (x3 + z3) * b % PRIME
        x3, z3 = (da + cb) ** 2 % PRIME, u * (da - cb) ** 2 % PRIME
        x2, z2 = aa * bb % PRIME, e * (aa + 121665 * e) % PRIME
    if swapped:
        x2, z2 = x3, z3
    return le(x2 * pow(z2, PRIME - 2, PRIME) % PRIME, 32)


def public(secret):
    return x25519(secret, le(9, 32))


def words(data):
    return [int.from_bytes(data[at:at + 4], "little") for at in range(0, len(data), 4)]


def salsa_rounds(state):
    x = list(state)

    def quarter(a, b, c, d):
        for to, one, two, by in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            value = x[one] + x[two] & 0xFFFFFFFF
            x[to] ^= (value << by | value >> 32 - by) & 0xFFFFFFFF

    for _ in range(10):
        for start in (0, 5, 10, 15):
            quarter(*((start + 4 * step) % 16 for step in range(4)))
        for row in range(4):
            quarter(*(4 * row + (row + step) % 4 for step in range(4)))
    return x


def salsa_state(key, middle):
    c, k = words(b"expand 32-byte k"), words(key)
    return [c[0], *k[:4], c[1], *words(middle), c[2], *k[4:], c[3]]


def xsalsa_stream(key, nonce, length):
    first = salsa_rounds(salsa_state(key, nonce[:16]))
    subkey = b"".join(le(first[at], 4) for at in (0, 5, 10, 15, 6, 7, 8, 9))
    stream = b""
    while len(stream) < length:
        state = salsa_state(subkey, nonce[16:] + le(len(stream) // 64, 8))
        mixed = salsa_rounds(state)
        stream += b"".join(le(one + two & 0xFFFFFFFF, 4) for one, two in zip(mixed, state))
    return stream[:length]


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\x01", "little")) * r % (2 ** 130 - 5)
    return le(total + int.from_bytes(key[16:], "little") & 2 ** 128 - 1, 16)


def box(key, nonce, plain):
    stream = xsalsa_stream(key, nonce, 32 + len(plain))
    cipher = bytes(one ^ two for one, two in zip(plain, stream[32:]))
    return poly1305(stream[:32], cipher) + cipher


def unbox(key, nonce, data):
    stream = xsalsa_stream(key, nonce, 16 + len(data))
    if not hmacs.compare_digest(poly1305(stream[:32], data[16:]), data[:16]):
        raise Refused("a box does not open")
    return bytes(one ^ two for one, two in zip(data[16:], stream[32:]))


def nonce(purpose, number):
    return bytes([2, purpose]) + bytes(6) + le(number - 1, 4) + bytes(4) + le(number, 8)


# ---- section 3

def nonzero(shared):
    if not any(shared):
        raise Refused("a shared secret is zero")
    return shared


def tag_key(own, s_f_public, d_f_public, uid):
    return expand(hmac(b"blindflash/2 file tag", nonzero(own)), b"tag key", s_f_public, d_f_public, uid)


def tag(k, h, uid):
    return hmac(k, b"blindflash/2 tag", h, uid)[:16]


def entry_key(once, own, h, s_f_public, e_public, d_f_public, uid):
    prk = hmac(b"blindflash/2 file", nonzero(once), nonzero(own))
    return expand(prk, b"entry key", h, s_f_public, e_public, d_f_public, uid)


def key_id(s_f_public):
    return sha512(b"blindflash/2 files key\0", s_f_public)[:16]


# ---- section 4

def frame_hash(frame):
    return sha512(b"blindflash/2 frame", frame)[:32]


def frame_keys(content_key):
    chain, number = content_key, 0
    while True:
        yield expand(chain, b"box key", le(number, 4))
        chain = expand(chain, b"next chain", le(number, 4))
        number += 1


def root(ranges):
    """protocol.md, section 8. Ranges: address and content."""
    listed = b"".join(le(address, 4) + le(len(data), 4) + sha512(data) for address, data in ranges)
    return sha512(b"blindflash/2 root", le(len(ranges), 4), listed)


def cut(image):
    """The ranges of an image that begins at START: one for each sector it fills."""
    found = []
    for sector, (base, size) in SECTORS.items():
        data = image[base - START:base - START + size]
        if data:
            found.append((sector, base, data))
    return found


def commands_for(image):
    """Plaintexts, in the order of protocol.md, section 9; and the root with the boot words in place."""
    ranges = cut(image)
    said = []
    for sector, base, data in ranges:
        said.append((bytes([ERASE, sector])).ljust(176, b"\0"))
        skip = 64 if base == START else 0
        for at in range(skip, len(data), 4032):
            part = data[at:at + 4032]
            head = bytes([IMAGE, 0]) + le(len(part), 2) + le(base + at, 4) + bytes(8)
            said.append(head + part.ljust(160 if len(part) <= 160 else 4032, b"\0"))
    without = [(base, b"\xff" * 64 + data[64:] if base == START else data) for _, base, data in ranges]
    said.append((bytes([FINAL]) + bytes(15) + root(without) + image[:64]).ljust(176, b"\0"))
    said.append(bytes([END]).ljust(176, b"\0"))
    return said, root([(base, data) for _, base, data in ranges])


def seal_frames(said, content_key):
    source = frame_keys(content_key)
    keys = [next(source) for _ in said]
    frames, following = [], bytes(32)
    for number in range(len(said), 0, -1):
        frames.insert(0, box(keys[number - 1], nonce(0x46, number), said[number - 1] + following))
        following = frame_hash(frames[0])
    return keys, frames


# ---- section 2

def plan_bytes(image, mode, product, version, floor, label):
    ranges = cut(image)
    text = label.encode()
    padded = text.ljust(-(-len(text) // 4) * 4, b"\0")
    length = 64 + 12 * len(ranges) + len(padded)
    mask = sum(1 << sector for sector, _, _ in ranges)
    head = (b"BFP2" + le(length, 2) + bytes([1, MODES[mode]]) + bytes(16) + le(0x419, 2) + le(2048, 2)
            + le(3600000, 4) + le(mask, 4) + le(START, 4) + bytes([2, 0, 1, len(ranges), len(text), 0, 0, 0])
            + le(product, 4) + le(version, 4) + le(floor, 4) + bytes(4))
    return head + b"".join(le(base, 4) + le(len(data), 4) + le(1, 4) for _, base, data in ranges) + padded


def header_bytes(entries_log2, frames, s_f_public, e_public, plan):
    return (b"BFU2" + le(64 + len(plan), 2) + bytes([1, entries_log2]) + le(frames, 2) + bytes(6)
            + key_id(s_f_public) + e_public + plan)


class Sealed:
    """A file with everything it was made of."""

    def __init__(self, order, draw):
        self.s_f, self.e = bytes.fromhex(order["s_f"]), draw("e")
        self.s_f_public, self.e_public = public(self.s_f), public(self.e)
        self.content_key = draw("content key")
        image = bytes.fromhex(order["image"])
        said, self.root = commands_for(image)
        self.keys, self.frames = seal_frames(said, self.content_key)
        recipients = order["recipients"]
        log2 = (len(recipients) - 1).bit_length()
        facts = [order[name] for name in ("mode", "product", "version", "floor", "label")]
        self.header = header_bytes(log2, len(said), self.s_f_public, self.e_public, plan_bytes(image, *facts))
        self.h = sha512(self.header)
        self.devices = [self.entry_for(bytes.fromhex(one["uid"]), bytes.fromhex(one["D_f"])) for one in recipients]
        padding = [draw(f"padding {at}", 160) for at in range(2 ** log2 - len(recipients))]
        entries = [bytes.fromhex(one["entry"]) for one in self.devices] + padding
        entries.sort(key=lambda entry: sha512(b"order", entry))
        framed = b"".join(le(len(frame), 2) + frame for frame in self.frames)
        self.file = self.header + b"".join(entries) + framed

    def entry_for(self, uid, d_f_public):
        own, once = x25519(self.s_f, d_f_public), x25519(self.e, d_f_public)
        k = tag_key(own, self.s_f_public, d_f_public, uid)
        key = entry_key(once, own, self.h, self.s_f_public, self.e_public, d_f_public, uid)
        inner = self.content_key + frame_hash(self.frames[0]) + self.root
        entry = tag(k, self.h, uid) + box(key, nonce(0x45, 1), inner)
        return {"uid": uid.hex(), "D_f": d_f_public.hex(), "k": k.hex(), "entry_key": key.hex(), "entry": entry.hex()}


# ---- sections 1 and 5

def parts_of(data):
    if data[:4] != b"BFU2" or data[6] != 1 or any(data[10:16]):
        raise Refused("no update file")
    at = int.from_bytes(data[4:6], "little")
    header = data[:at]
    entries = [data[at + 160 * n:at + 160 * n + 160] for n in range(2 ** data[7])]
    at += 160 * len(entries)
    frames = []
    for _ in range(int.from_bytes(data[8:10], "little")):
        length = int.from_bytes(data[at:at + 2], "little")
        if length not in (224, 4096):
            raise Refused("a frame of another length")
        frames.append(data[at + 2:at + 2 + length])
        at += 2 + length
    if at != len(data):
        raise Refused("another length")
    return header, entries, frames


def open_file(data, uid, d_f, s_f_public):
    """Flash from START on, as the device has it in the end."""
    header, entries, frames = parts_of(data)
    if header[16:32] != key_id(s_f_public):
        raise Refused("another files key")
    h, e_public, d_f_public = sha512(header), header[32:64], public(d_f)
    own = x25519(d_f, s_f_public)
    wanted = tag(tag_key(own, s_f_public, d_f_public, uid), h, uid)
    ours = [entry for entry in entries if hmacs.compare_digest(entry[:16], wanted)]
    if not ours:
        raise Refused("no entry for this device")
    key = entry_key(x25519(d_f, e_public), own, h, s_f_public, e_public, d_f_public, uid)
    inner = unbox(key, nonce(0x45, 1), ours[0][16:])
    expected, whole, keys = inner[32:64], inner[64:], frame_keys(inner[:32])
    plan = header[64:]
    ranges = [words(plan[64 + 12 * n:76 + 12 * n])[:2] for n in range(plan[43])]
    flash, boot = bytearray(b"\x5a" * 0xF0000), None
    for number, frame in enumerate(frames, 1):
        if frame_hash(frame) != expected:
            raise Refused(f"frame {number} is not the expected one")
        plain = unbox(next(keys), nonce(0x46, number), frame)
        expected = plain[-32:]
        if plain[0] == ERASE:
            base, size = SECTORS[plain[1]]
            flash[base - START:base - START + size] = b"\xff" * size
        elif plain[0] == IMAGE:
            count, address = int.from_bytes(plain[2:4], "little"), int.from_bytes(plain[4:8], "little")
            flash[address - START:address - START + count] = plain[16:16 + count]
        elif plain[0] == FINAL:
            boot = plain[80:144]
            read = [(address, bytes(flash[address - START:address - START + length])) for address, length in ranges]
            if root(read) != plain[16:80]:
                raise Refused("the root without the boot words")
            if root([(at, boot + held[64:] if at == START else held) for at, held in read]) != whole:
                raise Refused("the root with the boot words")
            flash[:64] = boot
        elif plain[0] != END:
            raise Refused("a command that does not belong into a file")
    if boot is None or any(expected):
        raise Refused("it is not complete")
    end = max(address + length for address, length in ranges) - START
    return bytes(flash[:end])


# ---- the program

def named(name, length=32):
    """Recognisable bytes: SHA-512 of the name with a counter."""
    blocks = [sha512(f"update vector {name} {at}".encode()) for at in range(-(-length // 64))]
    return b"".join(blocks)[:length]


def vectors():
    image = bytearray(named("image", 5000))
    image[:8] = le(0x20020000, 4) + le(START + 0x201, 4)
    order = {"s_f": named("s_f").hex(), "image": image.hex(), "mode": "seeded", "product": 7, "version": 5, "floor": 3,
             "label": "release 5"}
    d_f = [named(f"d_f {at}") for at in range(3)]
    order["recipients"] = [{"uid": named(f"uid {at}", 12).hex(), "D_f": public(d_f[at]).hex()} for at in range(3)]
    made = Sealed(order, named)
    for at, device in enumerate(made.devices):
        device["d_f"] = d_f[at].hex()
    for secret, device in zip(d_f, made.devices):
        if open_file(made.file, bytes.fromhex(device["uid"]), secret, made.s_f_public) != bytes(image):
            raise Refused("its own file")
    return {
        "note": "docs/update-files.md; made by test/interop/second/update.py with Python's standard library. Hex is lower case.",
        **{name: order[name] for name in ("s_f", "image", "mode", "product", "version", "floor", "label")},
        "S_f": made.s_f_public.hex(), "files_key_id": key_id(made.s_f_public).hex(),
        "e": made.e.hex(), "E": made.e_public.hex(), "content_key": made.content_key.hex(),
        "header": made.header.hex(), "header_hash": made.h.hex(), "root": made.root.hex(),
        "devices": made.devices,
        "frame_keys": [key.hex() for key in made.keys], "frame_hashes": [frame_hash(one).hex() for one in made.frames],
        "file": made.file.hex(),
    }


def main(words_given):
    task, *rest = words_given
    if task == "vectors":
        print(json.dumps(vectors(), indent=1))
        return
    path, settings = rest
    with open(settings, encoding="utf-8") as opened:
        order = json.load(opened)
    if task == "seal":
        with open(path, "wb") as out:
            out.write(Sealed(order, lambda _name, length=32: secrets.token_bytes(length)).file)
        print(json.dumps({"event": "sealed"}))
        return
    with open(path, "rb") as opened:
        data = opened.read()
    uid, d_f, s_f_public = (bytes.fromhex(order[name]) for name in ("uid", "d_f", "S_f"))
    try:
        print(json.dumps({"event": "opened", "flash": open_file(data, uid, d_f, s_f_public).hex()}))
    except Refused as why:
        print(json.dumps({"event": "refused", "why": str(why)}))


if __name__ == "__main__":
    main(sys.argv[1:])
