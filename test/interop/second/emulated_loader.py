"""The loader of an emulated device: the emulated stub's sessions with keys that outlive them."""

import mailbox as mb
import plan as plans
import sealed
from chip import Chip
from crypto import CryptoError, random, x25519_public
from emulated_stub import Abort, EmulatedStub
from store import Store
from wire import Malformed

LEVEL_1 = 0x0FFF55ED
LOADER_VERSION = 0x0200
# RCC_CSR as a boot finds it behind a power reset; nobody looks in.
BOOT_FACTS = (0x0E000000).to_bytes(4, "little") + bytes(4)


class EmulatedLoader(EmulatedStub):
    """`vendors`: (sealed key, roles) of its config. What outlives a power cut is in `store`."""

    def __init__(self, chip: Chip, loader_hash: bytes, vendors, product: int, path=None):
        chip.optcr = LEVEL_1
        self.vendors, self.product = list(vendors), product
        self.store = Store(path, {"d_s": random(32).hex(), "d_f": random(32).hex(),
                                  "version": 0, "floor": 0, "complete": False, "cleared": 0})
        self.store.put()
        super().__init__(chip, loader_hash)

    def keep(self) -> None:
        """Nothing of a session is kept."""

    @property
    def secrets(self):
        names = ("d_s", "d_f") if self.plan.purpose == "enroll" else ("d_s",)
        return [bytes.fromhex(self.store[name]) for name in names]

    def take_job(self, area: bytes) -> bool:
        """JOB: the session there is ends. False: refused."""
        if not mb.WAITING <= self.state <= mb.EXPIRED:
            return False
        self._wipe_session()
        self.error = self.detail = 0
        try:
            self.static_public, _, self.plan_raw = mb.read_job_area(area)
            self.plan = plans.parse(self.plan_raw)
            self._check_plan()
        except Malformed:
            self.error = self.error or 1
            self._enter(mb.REFUSED)
            return False
        self.job = area
        self._offer()
        return True

    def _check_plan(self) -> None:
        plan, chip = self.plan, self.chip
        if plan.dev_id != chip.dev_id or plan.flash_kib != chip.flash_kib:
            self.error, self.detail = 2, chip.dev_id
            raise Malformed("wrong chip")
        product, version, _, _ = plan.options
        keys = plan.kind == plans.KEYS
        if plan.mode == plans.HOST_BLIND or (product != self.product and not keys):
            raise Malformed("a plan for somebody else")
        places = [at for at, (key, _) in enumerate(self.vendors) if key == self.static_public]
        self.error, self.detail = 23, places[0] if places else plans.MOST_KEYS
        if not places or self.store["cleared"] >> places[0] & 1:
            raise Malformed("a vendor's key that is not taken")
        if ("keys" if keys else "sessions") not in self.vendors[places[0]][1]:
            raise Malformed("a vendor's key without the role")
        if keys and product >> places[0] & 1:
            raise Malformed("a key that would clear itself")
        self.error = self.detail = 0
        if plan.kind == plans.FLASH and version < self.store["floor"]:
            raise Malformed("a version below the floor")

    def _offer(self) -> None:
        self._wipe_session()
        self.handshakes += 1
        chip = self.chip
        facts = sealed.Facts(chip.uid, chip.rev_id << 16 | chip.dev_id, chip.flash_kib,
                             LOADER_VERSION, chip.optcr, chip.optcr1, 2, (self.handshakes - 1) % 255 + 1,
                             2, BOOT_FACTS)
        self.initiator = sealed.SealedInitiator(
            self.static_public, self.stub_hash, plans.plan_hash(self.plan_raw), facts,
            *map(x25519_public, self.secrets), purpose=self.plan.purpose)
        self.m1 = self.initiator.m1
        self.state = mb.OFFERED

    def take_m2(self, m2: bytes) -> bool:
        try:
            answer = self.initiator.answer(m2, *self.secrets)
        except (Malformed, CryptoError):
            answer = None
        if answer is None:
            self.error = 6
            self._enter(mb.ABORTED)
            return False
        self.m3, keys = answer
        self.sealing, self.opening = keys.chains(True)
        self.state = self.reached = mb.ACTIVE
        return True

    def _do(self, kind, values, sequence):
        answer = super()._do(kind, values, sequence)
        if kind == sealed.END and self.plan.kind == plans.KEYS:
            self.store.put(cleared=self.store["cleared"] | self.plan.options[0])
        return answer

    def stop(self):
        """ABORT; gives the sealed ABORT, if there is one."""
        if not mb.OFFERED <= self.state <= mb.ABORTED:
            return []
        return self._end_with(Abort(16), 0, mb.EXPIRED)

    def _erase(self, sector, unless_blank, sequence):
        """A sector that reads blank is erased like any other: its last erase may have been cut."""
        self.store.put(complete=False)
        return super()._erase(sector, False, sequence)

    def _final(self, root, boot_words, sequence):
        answer = super()._final(root, boot_words, sequence)
        _, version, floor, _ = self.plan.options
        self.store.put(complete=True, version=version, floor=max(floor, self.store["floor"]))
        return answer
