"""The plan: one canonical byte string, with rules that all three ends check (section 7)."""

from dataclasses import dataclass, field

from crypto import sha512
from wire import Malformed, Reader, u16, u32

FLASH, VERIFY, ERASE, INFO, RESET, UNLOCK, OPTIONS, ENROLL, KEYS = range(1, 10)
# What this implementation does; a plan of the two others it only reads.
KINDS = {"flash": FLASH, "verify": VERIFY, "erase": ERASE, "info": INFO, "reset": RESET,
         "enroll": ENROLL, "clear": KEYS}
HOST_BLIND, LOCK_THEN_LOAD, SEEDED = 1, 2, 3
MODES = {"host-blind": HOST_BLIND, "lock-then-load": LOCK_THEN_LOAD, "seeded": SEEDED}
MODE_NAMES = {number: name for name, number in MODES.items()}
# Behind a loader: its own sectors, where an image starts, and which kinds there are.
LOADER_SECTORS, LOADER_IMAGE = 4, 0x08010000
LOADER_KINDS = (FLASH, VERIFY, ENROLL, KEYS)
MOST_KEYS = 4
WITHOUT_STUB = (INFO, RESET, UNLOCK, OPTIONS)
ALWAYS_ERASE, LIFT, KEEP_LIFTED = 1, 2, 4
FLAGS = {FLASH: ALWAYS_ERASE | LIFT | KEEP_LIFTED, ERASE: LIFT | KEEP_LIFTED}
HEAD_SIZE = 64
# OPTCR: RDP, and the bits each of the two kinds may change beside nWRP.
RDP, RDP_LEVEL_0 = 0xFF00, 0xAA00
USER_BITS = 0x0000_00EC       # BOR_LEV, WDG_SW, nRST_STOP, nRST_STDBY
BANK_BITS = 0xC000_0010       # SPRMOD, DB1M, BFB2: only on parts of two banks
NO_BOOT = 0xFFFFFFFF
BOOT_SIZE = 64
FLASH_BASE = 0x08000000
PROGRAM, DIGEST_ONLY = 1, 2


def sectors(flash_kib: int):
    """The sectors of an STM32F42x as (address, size), by number.

    A bank has four sectors of 16 KB, one of 64 KB and the rest of 128 KB. A chip of 2 MB has two
    banks of 1 MB, and sector 12 is the first of the second bank. Parts of 1 MB are taken as one
    bank (DB1M = 0).
    """
    out = []
    for bank in range(0, flash_kib, 1024):
        room = min(1024, flash_kib - bank)
        at = 0
        for size in [16, 16, 16, 16, 64] + [128] * 7:
            if at + size > room:
                break
            out.append((FLASH_BASE + (bank + at) * 1024, size * 1024))
            at += size
    return out


def sector_of(flash_kib: int, address: int) -> int:
    for number, (start, size) in enumerate(sectors(flash_kib)):
        if start <= address < start + size:
            return number
    raise Malformed("an address is outside the flash")


def write_protection(dev_id: int, flash_kib: int) -> tuple:
    """The nWRP bits of the sectors there are, in OPTCR and in OPTCR1."""
    size = flash_kib or (2048 if dev_id == 0x419 else 1024)
    count = len(sectors(size))
    return (0x0FFF_0000 & (1 << 16 + min(count, 12)) - 1,
            0x0FFF_0000 & (1 << 16 + max(count - 12, 0)) - 1)


@dataclass
class Range:
    address: int
    length: int
    what: int

    @property
    def end(self) -> int:
        return self.address + self.length


@dataclass
class Plan:
    kind: int
    job: bytes
    dev_id: int
    flash_kib: int
    idle_ms: int = 600000
    erase: int = 0
    boot: int = NO_BOOT
    widest: int = 2
    lock: int = 0
    final: int = 1
    ranges: list = field(default_factory=list)
    label: bytes = b""
    mode: int = 1
    flags: int = 0
    # Mode 1: OPTCR mask, OPTCR value, OPTCR1 mask, OPTCR1 value; behind a loader: product,
    # version, floor, 0, or for keys their mask.
    options: tuple = (0, 0, 0, 0)

    def encode(self) -> bytes:
        body = b""
        for one in self.ranges:
            body += u32(one.address) + u32(one.length) + u32(one.what)
        body += self.label + bytes(-len(self.label) % 4)
        head = (b"BFP2" + u16(HEAD_SIZE + len(body)) + bytes([self.kind, self.mode]) + self.job
                + u16(self.dev_id) + u16(self.flash_kib) + u32(self.idle_ms) + u32(self.erase)
                + u32(self.boot)
                + bytes([self.widest, self.lock, self.final, len(self.ranges), len(self.label)])
                + bytes([self.flags, 0, 0]) + b"".join(map(u32, self.options)))
        return head + body

    def hash(self) -> bytes:
        return plan_hash(self.encode())

    def sectors_to_erase(self):
        return [n for n in range(32) if self.erase >> n & 1]

    def check(self) -> None:
        """The rules of section 7."""
        def demand(condition, text):
            if not condition:
                raise Malformed("plan: " + text)

        with_stub = self.kind not in WITHOUT_STUB
        demand(FLASH <= self.kind <= KEYS, "unknown kind")
        demand(self.mode in MODE_NAMES, "unknown mode")
        demand(1000 <= self.idle_ms <= 3600000, "idle limit")
        demand(self.widest in (0, 1, 2), "widest programming")
        demand(self.lock in (0, 1), "lock")
        demand(self.final in (0, 1), "final action")
        demand(len(self.ranges) <= 64, "too many ranges")
        demand(len(self.label) <= 64, "label")
        demand(self.dev_id <= 0xFFF, "DEV_ID")
        demand(self.flash_kib != 0 or not with_stub, "flash size")
        try:
            self.label.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise Malformed("plan: label is not UTF-8") from problem
        table = sectors(self.flash_kib) if self.flash_kib else []
        demand(self.erase >> len(table) == 0, "a sector the chip does not have")
        last = 0
        programs = 0
        for one in self.ranges:
            demand(one.address % 4 == 0 and one.length % 4 == 0 and one.length > 0, "alignment")
            demand(one.what in (PROGRAM, DIGEST_ONLY), "what is to be done with a range")
            demand(one.address >= last, "order of the ranges")
            last = one.end
            number = sector_of(self.flash_kib, one.address)
            demand(sector_of(self.flash_kib, one.end - 1) == number, "a range leaves its sector")
            if one.what == PROGRAM:
                programs += 1
                demand(self.erase >> number & 1, "a range to program is not erased")
        if self.kind == FLASH:
            demand(programs > 0, "nothing to program")
            if self.boot == NO_BOOT:
                demand(self.erase & 1 == 0, "data in the sector the chip starts from")
                demand(self.lock == 0, "data that locks")
            else:
                demand(self.boot % 4 == 0, "boot words")
                demand(any(one.what == PROGRAM and one.address <= self.boot
                           and self.boot + BOOT_SIZE <= one.end for one in self.ranges),
                       "boot words")
        else:
            demand(self.boot == NO_BOOT and self.lock == 0, "boot words or lock")
        if self.kind == VERIFY:
            demand(self.ranges and programs == 0 and self.erase == 0, "a verify job")
        if self.kind == ERASE:
            demand(self.erase != 0 and not self.ranges, "an erase job")
        if not with_stub or self.kind in (ENROLL, KEYS):
            demand(self.erase == 0 and not self.ranges, "a job that leaves flash alone")
        demand(self.flags & ~FLAGS.get(self.kind, 0) == 0, "flags")
        demand(self.flags & LIFT or not self.flags & KEEP_LIFTED, "kept lifted, but not lifted")
        if self.mode == HOST_BLIND:
            demand(self.kind < ENROLL, "a kind that only a loader has")
            self.check_options(demand)
        else:
            self.check_behind_loader(demand)

    def check_behind_loader(self, demand) -> None:
        product, version, floor, nothing = self.options
        demand(self.kind in LOADER_KINDS, "a kind that no loader has")
        demand(self.lock == 0 and not self.flags & LIFT and nothing == 0, "behind a loader")
        if self.kind == KEYS:
            demand(0 < product < 1 << MOST_KEYS and version == 0 and floor == 0, "keys to clear")
        elif self.kind != FLASH:
            demand(product != 0 and version == 0 and floor == 0, "what it names")
        else:
            demand(self.boot == LOADER_IMAGE, "where an image starts")
            demand(self.erase & (1 << LOADER_SECTORS) - 1 == 0, "a sector of the loader")
            demand(all(one.address >= LOADER_IMAGE for one in self.ranges), "a range of the loader")
            demand(floor <= version, "floor")

    @property
    def purpose(self) -> str:
        """The suite of the sealed session (section 4)."""
        if self.mode == HOST_BLIND:
            return "sealed"
        return "enroll" if self.kind == ENROLL else "device"

    def check_options(self, demand) -> None:
        mask, value, mask1, value1 = self.options
        nwrp, nwrp1 = write_protection(self.dev_id, self.flash_kib)
        demand(value & ~mask == 0 and value1 & ~mask1 == 0, "an option bit outside its mask")
        if self.kind == UNLOCK:
            bank = BANK_BITS if self.dev_id == 0x419 else 0
            demand(mask & RDP == RDP, "unlock without RDP")
            demand(mask & ~(RDP | bank | nwrp) == 0 and mask1 & ~nwrp1 == 0, "option bits")
            demand(value == mask & (RDP_LEVEL_0 | nwrp) and value1 == mask1, "what unlock sets")
        elif self.kind == OPTIONS:
            demand(mask | mask1, "no option bit to change")
            demand(mask & ~(USER_BITS | nwrp) == 0 and mask1 & ~nwrp1 == 0, "option bits")
        else:
            demand(mask | mask1 == 0, "option bits in a job that keeps them")

    def boot_sector(self):
        """None for data."""
        if self.boot == NO_BOOT:
            return None
        return sector_of(self.flash_kib, self.boot)


def plan_hash(raw: bytes) -> bytes:
    return sha512(b"blindflash/2 plan\0" + raw)


def parse(raw: bytes) -> Plan:
    reader = Reader(raw)
    reader.expect(b"BFP2", "a plan of version 2")
    length = reader.u16()
    if length != len(raw) or length % 4 or length > 1536:
        raise Malformed("plan: length")
    kind, mode = reader.u8(), reader.u8()
    job = reader.take(16)
    dev_id, flash_kib = reader.u16(), reader.u16()
    idle, erase, boot = reader.u32(), reader.u32(), reader.u32()
    widest, lock, final, count, label_length = (reader.u8() for _ in range(5))
    flags = reader.u8()
    reader.zeros(2)
    options = tuple(reader.u32() for _ in range(4))
    if count > 64 or label_length > 64:
        raise Malformed("plan: too many ranges or too long a label")
    ranges = [Range(reader.u32(), reader.u32(), reader.u32()) for _ in range(count)]
    label = reader.take(label_length)
    reader.zeros(-label_length % 4)
    reader.end()
    plan = Plan(kind, job, dev_id, flash_kib, idle, erase, boot, widest, lock, final, ranges, label,
                mode, flags, options)
    plan.check()
    return plan


def root(ranges) -> bytes:
    """The root over ranges given as (address, length, digest)."""
    data = b"blindflash/2 root" + u32(len(ranges))
    for address, length, digest in ranges:
        data += u32(address) + u32(length) + digest
    return sha512(data)


def written_root(root_before: bytes, boot_words: bytes) -> bytes:
    """What WRITTEN tells: the root with the boot words erased, and the boot words behind it."""
    return sha512(b"blindflash/2 written" + root_before + boot_words)


def for_image(kind: int, job: bytes, dev_id: int, flash_kib: int, address: int, image: bytes,
              **more) -> Plan:
    """A flash or verify plan for an image at one address; one range for each sector."""
    end = address + len(image)
    ranges, erase = [], 0
    for number, (start, size) in enumerate(sectors(flash_kib)):
        low, high = max(start, address), min(start + size, end)
        if low < high:
            ranges.append(Range(low, high - low, PROGRAM if kind == FLASH else DIGEST_ONLY))
            erase |= 1 << number if kind == FLASH else 0
    if sum(one.length for one in ranges) != len(image):
        raise Malformed("the image does not lie in the flash")
    plan = Plan(kind, job, dev_id, flash_kib, erase=erase, ranges=ranges,
                boot=address if kind == FLASH else NO_BOOT, **more)
    plan.check()
    return plan
