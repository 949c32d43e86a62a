"""What a controller asks of the chip in a sealed session (section 9), and the receipt of it."""

import asyncio
import os

import emulated_stub
import messages as m
import plan as plans
import receipt as receipts
import sealed
from crypto import CryptoError, random, sha512
from link import event
from wire import Malformed


class JobFailed(Exception):
    """Told by BYE failed."""

    def __init__(self, code: str, detail: str):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class SessionOver(Exception):
    """This sealed session is over; RESTART asks for another."""


class Work:
    """A sealed session at work: commands under credit, replies in order."""

    def __init__(self, controller, live, responder, facts, stub_hash, chip_keys):
        self.controller, self.live = controller, live
        self.facts, self.stub_hash = facts, stub_hash
        self.chip_keys = chip_keys  # D, or D_s and in an enrolment D_f
        self.counted = controller.plan.mode == plans.HOST_BLIND
        self.sealing, self.opening = responder.chains()
        self.credit = 0
        self.waiting = []  # (sequence, kind of the reply, sector or None), in order
        self.answers = {}
        self.args = controller.args

    async def post(self, plain: bytes, expects=None, sector=None) -> int:
        await asyncio.sleep(0)
        while self.sealing.number + 1 > self.credit or not self.live.inbox.empty():
            await self.pump()
        if plain[0] == sealed.IMAGE and not self.counted:
            self.counted = True
            self.controller.count_image_session()
        sequence, box = self.sealing.seal(plain)
        if expects:
            self.waiting.append((sequence, expects, sector))
        self.live.send(m.FRAME, m.boxed(sequence, box))
        if self.args.die_after and sequence == self.args.die_after:
            os._exit(9)  # a test wants to see this process die in the middle of a job
        return sequence

    async def ask(self, plain: bytes, expects: int) -> dict:
        sequence = await self.post(plain, expects)
        while sequence not in self.answers:
            await self.pump()
        return self.answers.pop(sequence)

    async def settle(self) -> None:
        while self.waiting:
            await self.pump()

    async def pump(self) -> None:
        """Takes one message of this session's agent."""
        idle = self.controller.plan.idle_ms / 1000 + 60
        kind, value = await self.controller.take(
            self.live, (m.REPLY, m.CREDIT, m.PROGRESS, m.PROBLEM, m.SEALED1), idle)
        if kind == m.CREDIT:
            self.credit = max(self.credit, value["credit"])
        elif kind == m.SEALED1:
            self.live.offered = value
            raise SessionOver("the chip offers a new handshake")
        elif kind == m.REPLY:
            self.take_reply(value["sequence"], value["box"])

    def take_reply(self, sequence: int, box: bytes) -> None:
        if sequence <= self.opening.number:
            return
        if sequence != self.opening.number + 1:
            raise SessionOver("a REPLY is missing")
        try:
            answer = sealed.read_reply(self.opening.open(box))
        except (CryptoError, Malformed) as problem:
            raise SessionOver(str(problem)) from None
        if answer["kind"] == sealed.R_ABORT:
            name = sealed.ERRORS.get(answer["error"], "unknown")
            event("abort", error=answer["error"], name=name, detail=answer["detail"],
                  answers=answer["answers"])
            raise SessionOver(f"the chip ended the session: {name}")
        if not self.waiting or self.waiting[0][:2] != (answer["answers"], answer["kind"]):
            raise SessionOver("a reply that nobody asked for")
        _, expects, sector = self.waiting.pop(0)
        if sector is None:
            self.answers[answer["answers"]] = answer
        elif expects == sealed.R_DIGEST:
            event("digest", sector=sector, equal=answer["equal"], left=answer["left"])
            if not answer["equal"]:
                raise JobFailed("BF-NOT-EQUAL", f"sector {sector} does not read as written")
            state = self.controller.state
            state.put(sectors=sorted(set(state["sectors"]) | {sector}))


class OrderedWork:
    """The part of a Controller (controller.py) that knows what is asked in which order."""

    def wanted(self, one: plans.Range, boot: bool) -> bytes:
        """The bytes a range is to have; with boot False the boot words read FF."""
        low = one.address - self.args.address
        data = bytearray(self.image[low : low + one.length])
        if not boot and one.address <= self.plan.boot < one.end:
            at = self.plan.boot - one.address
            data[at : at + plans.BOOT_SIZE] = b"\xff" * plans.BOOT_SIZE
        return bytes(data)

    def root(self, ranges, boot: bool) -> bytes:
        return plans.root([(one.address, one.length, sha512(self.wanted(one, boot)))
                           for one in ranges])

    async def work(self, work: "Work") -> None:
        plan = self.plan
        if plan.kind == plans.FLASH:
            await self.flash(work)
        elif plan.kind == plans.ENROLL:
            await self.enrol(work)
        elif plan.kind == plans.KEYS:
            ended = await work.ask(sealed.bare(sealed.END), sealed.R_ENDED)
            self.keep_receipt(work, "keys cleared", "stub", 0, ended["words"], None, None, None)
        elif plan.kind == plans.VERIFY:
            answer = await work.ask(sealed.digest(0, len(plan.ranges),
                                                  self.root(plan.ranges, True)),
                                    sealed.R_DIGEST)
            event("digest", equal=answer["equal"], left=answer["left"])
            ended = await work.ask(sealed.bare(sealed.END), sealed.R_ENDED)
            if not answer["equal"]:
                raise JobFailed("BF-NOT-EQUAL", "the flash is not the image")
            touched = {plans.sector_of(plan.flash_kib, one.address) for one in plan.ranges}
            self.keep_receipt(work, "verified", "vendor", len(touched), ended["words"], None, None,
                              self.root(plan.ranges, True))
        else:
            for sector in plan.sectors_to_erase():
                answer = await work.ask(sealed.erase(sector), sealed.R_ERASED)
                if answer["sector"] != sector:
                    raise JobFailed("BF-SEALED", "another sector was erased")
                event("erased", sector=sector)
            ended = await work.ask(sealed.bare(sealed.END), sealed.R_ENDED)
            self.keep_receipt(work, "erased", "stub", 0, ended["words"], None, None, None)

    async def enrol(self, work: "Work") -> None:
        """Keys go on record once END was answered, and the receipt is signed after that."""
        ended = await work.ask(sealed.bare(sealed.END), sealed.R_ENDED)
        session_key, file_key = (key.hex() for key in work.chip_keys)
        outcome = self.devices.enrol(work.facts.uid.hex(), session_key, file_key,
                                     self.plan.options[0], work.stub_hash.hex(), self.args.place,
                                     self.state["job"], self.args.by)
        event("enrolled", uid=work.facts.uid.hex(), sessionKey=session_key, fileKey=file_key,
              outcome=outcome)
        self.keep_receipt(work, "enrolled", "stub", 0, ended["words"], None, None, None)

    async def flash(self, work: "Work") -> None:
        plan = self.plan
        boot = plan.boot_sector()
        skipped = 0
        order = ([] if boot is None else [boot]) + [one for one in plan.sectors_to_erase() if one != boot]
        for sector in order:
            inside = [n for n, one in enumerate(plan.ranges)
                      if plans.sector_of(plan.flash_kib, one.address) == sector]
            ranges = [plan.ranges[n] for n in inside]
            question = None
            if ranges:
                question = sealed.digest(inside[0], len(inside), self.root(ranges, False))
            if sector != boot and sector in self.state["sectors"] and ranges \
                    and sum(one.length for one in ranges) >= emulated_stub.FREE_QUESTION:
                answer = await work.ask(question, sealed.R_DIGEST)
                if answer["equal"]:
                    skipped += 1
                    event("skipped", sector=sector)
                    continue
            if sector in self.state["sectors"]:
                self.state.put(sectors=[one for one in self.state["sectors"] if one != sector])
            await work.post(sealed.erase(sector), sealed.R_ERASED)
            for one in ranges:
                if one.what == plans.PROGRAM:
                    await self.write_range(work, one)
            if question:
                await work.post(question, sealed.R_DIGEST, sector)
        await work.settle()
        boot_words = bytes(plans.BOOT_SIZE)
        if boot is not None:
            boot_words = self.image[plan.boot - self.args.address :][: plans.BOOT_SIZE]
        written = await work.ask(sealed.final(self.root(plan.ranges, False), boot_words),
                                 sealed.R_WRITTEN)
        root = self.root(plan.ranges, False)
        if boot is not None:
            root = plans.written_root(root, boot_words)
        if written["root"] != root:
            raise JobFailed("BF-ROOT", "the chip has another image than the one sent")
        event("written", root=written["root"].hex(), words=written["words"], width=written["width"])
        facts = ("stub", skipped, written["words"], written["width"])
        # A job that is not to be locked is finished with its receipt: END changes no flash.
        self.keep_receipt(work, "written", *facts, None, root, finished=not plan.lock)
        if plan.lock:
            locked = await work.ask(sealed.bare(sealed.LOCK), sealed.R_LOCKED)
            event("locked", locked=locked["locked"], optcr=locked["optcr"])
            if not locked["locked"]:
                raise JobFailed("BF-NOT-LOCKED", "the image is written, the chip is not locked")
            self.keep_receipt(work, "lock programmed", *facts, locked["optcr"], root)
        await work.ask(sealed.bare(sealed.END), sealed.R_ENDED)

    async def write_range(self, work: "Work", one: plans.Range) -> None:
        """IMAGE after IMAGE, never touching the boot words; pieces that are all FF are left out."""
        data = self.wanted(one, False)
        at = 0
        while at < one.length:
            address = one.address + at
            room = min(sealed.MOST_IMAGE, one.length - at)
            if self.plan.boot <= address < self.plan.boot + plans.BOOT_SIZE:
                at += self.plan.boot + plans.BOOT_SIZE - address
                continue
            if address < self.plan.boot < address + room:
                room = self.plan.boot - address
            piece = data[at : at + room]
            if piece.count(0xFF) != room:
                await work.post(sealed.image(address, piece))
            at += room

    def keep_receipt(self, work, outcome, source, by_equal, words, psize, optcr, image_digest,
                     finished=True):
        plan = self.plan
        kept = self.state["receipt"]
        facts = {
            "job": plan.job.hex(), "planHash": plan.hash().hex(), "mode": plans.MODE_NAMES[plan.mode],
            "outcome": outcome, "uid": work.facts.uid.hex(), "devId": plan.dev_id,
            "flashKiB": plan.flash_kib, "imageDigest": image_digest and image_digest.hex(),
            "salt": kept["salt"] if kept else random(16).hex(), "source": source,
            "sectorsByEqual": by_equal,
            "erase": {"sectors": len(plan.sectors_to_erase()) - by_equal if plan.kind != plans.VERIFY else 0,
                      "blank": 0, "atOnce": False},
            "time": dict.fromkeys(("people", "network", "erase", "program", "check"), 0), "code": self.state["code"], "ranges": len(plan.ranges),
            "bytes": sum(one.length for one in plan.ranges), "wordsProgrammed": words,
            "psize": psize, "stubHash": work.stub_hash.hex(), "sealedAt": receipts.now(),
            "lock": {"asked": plan.lock == 1, "optcr": optcr}, "statement": receipts.STATEMENT,
            "vendorKey": self.keys.receipt_public.hex()}
        if plan.mode != plans.HOST_BLIND:
            place = self.state["device"]["place"] if self.state["device"] else self.args.place
            facts.update(statement=receipts.DEVICE_STATEMENT, device={
                "enrolled": place, "lock": "effective", "sessions": self.state["image_sessions"]})
        vendor = receipts.write(receipts.VENDOR, facts)
        customer = receipts.write(receipts.CUSTOMER, receipts.customer_facts(facts))
        self.state.put(finished=finished, receipt={
            "salt": facts["salt"], "vendor": vendor,
            "vendorSignature": receipts.sign(self.keys.receipt, vendor), "customer": customer,
            "customerSignature": receipts.sign(self.keys.receipt, customer)})
        for name, line in (("vendor", vendor), ("customer", customer)):
            with open(os.path.join(self.args.state, f"receipt-{name}.txt"), "wb") as file:
                file.write(receipts.as_file(line, receipts.sign(self.keys.receipt, line)))
