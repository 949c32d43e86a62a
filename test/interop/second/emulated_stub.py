"""The stub in an emulated chip (chip.py): it speaks sealed boxes, and is called, not written to."""

import os
import time

import mailbox as mb
import plan as plans
import sealed
from chip import Chip
from crypto import CryptoError, random, sha512, x25519_public
from wire import Malformed

# The emulated stub has no machine code; these bytes stand for it and give it its hash.
STUB_BYTES = b"Blindflash second implementation, emulated stub 2.0\n"
STUB_HASH = sha512(STUB_BYTES)
STUB_VERSION = 0x0200
LIFE_QUESTIONS = 256
SHORT_COST = 64
ERASE_ALL = 255
MOST_HANDSHAKES, MOST_AFTER_BAD_BOX = 16, 3
FREE_QUESTION = 1024


class Abort(Exception):
    """The session ends with a sealed ABORT of this error."""

    def __init__(self, error: int, detail: int = 0):
        super().__init__(sealed.ERRORS[error])
        self.error, self.detail = error, detail


class EmulatedStub:
    """The stub in the chip's RAM. `state` has the numbers of mailbox.md."""

    def __init__(self, chip: Chip, stub_hash: bytes = STUB_HASH):
        self.chip = chip
        self.stub_hash = stub_hash
        self.state = mb.WAITING
        self.error = self.detail = 0
        self.job = self.plan = self.plan_raw = None
        self.d = None
        self.handshakes = self.after_bad_box = 0
        self.questions = 0
        self.failed_box = False
        self.changed = self.changed_before = False
        self.touched = time.monotonic()
        self.reached = self.state  # the furthest of the states 3, 4 and 5 in the last session
        self._wipe_session()

    # -- what survives in RAM while only the agent's process dies

    def keep(self) -> None:
        self.chip._store("ram.json", {
            "stub": self.stub_hash.hex(), "state": self.state, "job": self.job and self.job.hex(),
            "d": self.d and self.d.hex(), "handshakes": self.handshakes,
            "after": self.after_bad_box, "questions": self.questions})

    @classmethod
    def found(cls, chip: Chip):
        """The stub that an earlier process of the agent left running, or None."""
        kept = chip._load("ram.json") if chip.folder else None
        if not kept or not kept["job"] or not kept["d"]:
            return None
        stub = cls(chip, bytes.fromhex(kept["stub"]))
        stub.job = bytes.fromhex(kept["job"])
        stub.static_public, _, stub.plan_raw = mb.read_job_area(stub.job)
        stub.plan = plans.parse(stub.plan_raw)
        stub.d = bytes.fromhex(kept["d"])
        stub.handshakes, stub.after_bad_box = kept["handshakes"], kept["after"]
        stub.questions = kept["questions"]
        stub.state = kept["state"]
        return stub

    def power_off(self) -> None:
        if self.chip.folder:
            path = os.path.join(self.chip.folder, "ram.json")
            if os.path.exists(path):
                os.remove(path)

    # -- states

    def _wipe_session(self) -> None:
        self.initiator = self.sealing = self.opening = None
        self.m1 = self.m3 = None
        self.erased = []
        self.changed_before = self.changed
        self.next_address = 0
        self.final_done = False
        self.words = 0
        self.accepted = 0
        self.session_id = None

    def _enter(self, state: int) -> None:
        accepted = self.accepted
        if state >= mb.ENDED:
            self._wipe_session()
        if state in (mb.EXPIRED, mb.FAULT, mb.REFUSED):
            self.d = None
        self.accepted = accepted
        self.state = state
        self.keep()

    def take_job(self, area: bytes) -> bool:
        """COMMAND 1. False: refused."""
        try:
            if self.state != mb.WAITING:
                raise Malformed("a job was taken already")
            self.static_public, _, self.plan_raw = mb.read_job_area(area)
            self.plan = plans.parse(self.plan_raw)
            if self.plan.dev_id != self.chip.dev_id or self.plan.flash_kib != self.chip.flash_kib:
                self.error, self.detail = 2, self.chip.dev_id
                raise Malformed("wrong chip")
        except Malformed:
            self.error = self.error or 1
            self._enter(mb.REFUSED)
            return False
        self.job = area
        self._offer()
        return True

    def new_handshake(self) -> bool:
        """COMMAND 4: the running session is wiped, a new M1 is offered."""
        if self.state not in (mb.OFFERED, mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE, mb.ENDED, mb.ABORTED,
                              mb.EXPIRED):
            return False
        too_many = self.handshakes >= MOST_HANDSHAKES
        if self.failed_box:
            self.failed_box = False
            self.after_bad_box += 1
            too_many = too_many or self.after_bad_box > MOST_AFTER_BAD_BOX
        if too_many:
            self.error = 19
            self._enter(mb.ABORTED)
            return False
        self._offer()
        return True

    def _offer(self) -> None:
        self._wipe_session()
        if self.d is None:
            self.d = random(32)
        self.handshakes += 1
        chip = self.chip
        facts = sealed.Facts(chip.uid, chip.rev_id << 16 | chip.dev_id, chip.flash_kib, STUB_VERSION,
                             chip.optcr, chip.optcr1, 1, self.handshakes, 2)
        self.initiator = sealed.SealedInitiator(self.static_public, self.stub_hash,
                                                plans.plan_hash(self.plan_raw), facts,
                                                x25519_public(self.d))
        self.m1 = self.initiator.m1
        self.touched = time.monotonic()
        self.state = mb.OFFERED
        self.keep()

    def take_m2(self, m2: bytes) -> bool:
        """COMMAND 2. False: confirm_r was wrong, the session is over."""
        if self.state != mb.OFFERED:
            return False
        try:
            answer = self.initiator.answer(m2, self.d)
        except (Malformed, CryptoError):
            answer = None
        if answer is None:
            self.error = 6
            self._enter(mb.ABORTED)
            return False
        self.m3, keys = answer
        self.reached = mb.ACTIVE
        self.sealing, self.opening = keys.chains(True)
        self.touched = time.monotonic()
        self.state = mb.ACTIVE
        return True

    def stop(self):
        """COMMAND 3; gives the sealed ABORT, if there is one."""
        return self._end_with(Abort(16), 0)

    def tick(self):
        """Looks at the idle limit; gives the sealed ABORT when it has run out."""
        if self.state not in (mb.OFFERED, mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE):
            return []
        if (time.monotonic() - self.touched) * 1000 < self.plan.idle_ms:
            return []
        return self._end_with(Abort(15), 0, mb.EXPIRED)

    def _end_with(self, abort: Abort, answers: int, state: int = mb.ABORTED):
        out = []
        if self.state in (mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE):
            body = abort.error.to_bytes(4, "little") + abort.detail.to_bytes(4, "little")
            out.append(self.sealing.seal(
                sealed.reply(sealed.R_ABORT, 0, answers or self.accepted, body)))
        self.error, self.detail = abort.error, abort.detail
        self._enter(state)
        return out

    # -- frames

    def take_frame(self, sequence: int, box: bytes):
        """The replies (sequence, box) to one frame. A frame that is not the next is left alone."""
        if self.state not in (mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE):
            return []
        if sequence != self.opening.number + 1:
            return []
        try:
            plain = self.opening.open(box)
        except CryptoError:
            self.failed_box = True
            return self._end_with(Abort(7, sequence), sequence)
        self.touched = time.monotonic()
        try:
            try:
                kind, values = sealed.read_command(plain)
            except Malformed:
                raise Abort(21, plain[0] if plain else 0) from None
            answer = self._do(kind, values, sequence)
        except Abort as abort:
            return self._end_with(abort, sequence)
        self.accepted = sequence
        out = [self.sealing.seal(answer)] if answer else []
        if kind == sealed.END:
            self._enter(mb.ENDED)
        elif kind != sealed.IMAGE:
            self.keep()
        return out

    def _do(self, kind, values, sequence):
        if kind == sealed.ABORT:
            raise Abort(17)
        if kind == sealed.PING:
            return sealed.reply(sealed.R_PONG, 0, sequence, self.words.to_bytes(4, "little"))
        if kind == sealed.END:
            undone = self.plan.kind == plans.FLASH or set(self.erased) != set(self.plan.sectors_to_erase())
            if self.state == mb.ACTIVE and undone:
                raise Abort(9, kind)
            for sector in self.erased if self.plan.kind == plans.ERASE else []:
                if not self._blank(sector):
                    raise Abort(13, plans.sectors(self.plan.flash_kib)[sector][0])
            return sealed.reply(sealed.R_ENDED, 0, sequence,
                                self.words.to_bytes(4, "little") + bytes(12))
        if kind == sealed.LOCK:
            return self._lock(sequence)
        if self.state != mb.ACTIVE:
            raise Abort(9, kind)
        if kind == sealed.ERASE:
            return self._erase(*values, sequence)
        if kind == sealed.IMAGE:
            return self._image(*values)
        if kind == sealed.DIGEST:
            return self._question(*values, sequence)
        return self._final(*values, sequence)

    def _erase(self, sector, unless_blank, sequence):
        if sector == ERASE_ALL:
            return self._erase_all(sequence)
        if not self.plan.erase >> sector & 1:
            raise Abort(8, sector)
        if sector in self.erased:
            raise Abort(9, sealed.ERASE)
        first = self.plan.boot_sector()
        if first is not None and not self.erased and sector != first:
            raise Abort(9, sealed.ERASE)
        how = 0
        if unless_blank and not self.changed_before and self._blank(sector):
            how = 1
        else:
            self.changed = True
            self.chip.erase(sector)
        self.erased.append(sector)
        return sealed.reply(sealed.R_ERASED, sector, sequence, how.to_bytes(4, "little"))

    def _blank(self, sector):
        start, size = plans.sectors(self.plan.flash_kib)[sector]
        return self.chip.read(start, size).count(0xFF) == size

    def _erase_all(self, sequence):
        """Says that one by one is faster, whatever is in flash: a stub may."""
        plan = self.plan
        if len(plan.sectors_to_erase()) != len(plans.sectors(plan.flash_kib)):
            raise Abort(8, ERASE_ALL)
        if self.erased or self.next_address:
            raise Abort(9, sealed.ERASE)
        return sealed.reply(sealed.R_ERASED, ERASE_ALL, sequence, (1).to_bytes(4, "little"))

    def _image(self, address, data):
        end = address + len(data)
        if self.plan.kind != plans.FLASH:
            raise Abort(9, sealed.IMAGE)
        if address % 4 or not any(one.what == plans.PROGRAM and one.address <= address
                                  and end <= one.end for one in self.plan.ranges):
            raise Abort(8, address)
        if address < self.plan.boot + plans.BOOT_SIZE and end > self.plan.boot:
            raise Abort(8, address)
        if plans.sector_of(self.plan.flash_kib, address) not in self.erased:
            raise Abort(9, sealed.IMAGE)
        if address < self.next_address:
            raise Abort(9, sealed.IMAGE)
        self.next_address = end
        self.changed = True
        self.words += self.chip.program(address, data)
        return None

    def _digests(self, ranges):
        return [(one.address, one.length, sha512(self.chip.read(one.address, one.length)))
                for one in ranges]

    def _question(self, first, count, expected, sequence):
        ranges = self.plan.ranges[first : first + count]
        if not 1 <= count <= 64 or len(ranges) != count:
            raise Abort(8, first)
        self._count(first, ranges)
        same = plans.root(self._digests(ranges)) == expected
        return sealed.reply(sealed.R_DIGEST, 1 if same else 0, sequence,
                            (LIFE_QUESTIONS - self.questions).to_bytes(4, "little"))

    def _count(self, first, ranges):
        """Counts a question about `ranges`, the first of them number `first`."""
        covered = sum(one.length for one in ranges
                      if plans.sector_of(self.plan.flash_kib, one.address) not in self.erased)
        if covered:
            short = covered < FREE_QUESTION
            if short and len(ranges) != len(self.plan.ranges):
                raise Abort(8, first)
            cost = SHORT_COST if short else 1
            if self.questions + cost > LIFE_QUESTIONS:
                raise Abort(8, first)
            self.questions += cost
            self.keep()

    def _final(self, root, boot_words, sequence):
        plan = self.plan
        if plan.kind != plans.FLASH or self.final_done or not self.erased:
            raise Abort(9, sealed.FINAL)
        data = plan.boot == plans.NO_BOOT
        if data and any(boot_words):
            raise Abort(21, sealed.FINAL)
        self.final_done = True
        if not data and self.chip.read(plan.boot, plans.BOOT_SIZE) != b"\xff" * plans.BOOT_SIZE:
            raise Abort(13, plan.boot)
        self._count(0, plan.ranges)
        if plans.root(self._digests(plan.ranges)) != root:
            raise Abort(12, 0xFFFFFFFF)
        for sector in self.erased:
            start, size = plans.sectors(plan.flash_kib)[sector]
            at = start
            inside = [one for one in plan.ranges if start <= one.address < start + size]
            for low, high in [(one.address, one.end) for one in inside] + [(start + size,) * 2]:
                gap = self.chip.read(at, low - at)
                if gap.count(0xFF) != len(gap):
                    raise Abort(13, at)
                at = high
        for word in [] if data else list(range(4, 16)) + [2, 3, 0, 1]:
            self.words += self.chip.program(plan.boot + 4 * word, boot_words[4 * word :][:4])
        written = root if data else plans.written_root(root, self.chip.read(plan.boot, plans.BOOT_SIZE))
        self.state = self.reached = mb.WRITTEN
        width = min(plan.widest, 2)
        return sealed.reply(sealed.R_WRITTEN, width, sequence,
                            written + self.words.to_bytes(4, "little")
                            + self.chip.optcr.to_bytes(4, "little") + bytes(12))

    def _lock(self, sequence):
        if self.state != mb.WRITTEN or self.plan.lock != 1:
            raise Abort(9, sealed.LOCK)
        self.chip.optcr = self.chip.optcr & ~0xFF00 | 0x5500
        self.chip.keep()
        self.state = self.reached = mb.LOCK_DONE
        return sealed.reply(sealed.R_LOCKED, 1 if self.chip.rdp == 1 else 0, sequence,
                            self.chip.optcr.to_bytes(4, "little")
                            + self.chip.optcr1.to_bytes(4, "little"))
