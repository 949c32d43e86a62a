"""An agent's part at a serial line: in the place of the emulated stub, a loader (serial-link.md)."""

import asyncio
from dataclasses import dataclass

import mailbox as mb
import messages as m
import plan as plans
from agent_job import Fail, Live
from link import event, note
from serial_agent import LoaderGone, LoaderLink, LoaderStopped

LAST_WORDS = 3.0
ROOM = 40  # FRAMEs beyond the last accepted that this agent holds


@dataclass
class LoaderChip:
    """What IDENT says of the chip, as far as HELLO tells it."""

    dev_id: int
    flash_kib: int
    uid: bytes
    optcr: int
    optcr1: int
    rev_id = 0
    millivolts = None

    @property
    def rdp(self) -> int:
        return {0xAA: 0, 0xCC: 2}.get(self.optcr >> 8 & 0xFF, 1)


class SerialJob:
    """What differs from AgentJob (agent_job.py): the program of the board is reached by packets."""

    by_probe = False

    async def begin(self, loader: LoaderLink) -> None:
        ident = await loader.find()
        event("loader", rate=loader.proven, product=ident.product, uid=ident.uid.hex(),
              version=ident.image, floor=ident.floor)
        self.loader, self.stub_hash, self.task = loader, ident.loader_hash, None
        self.chip = LoaderChip(ident.dev_id, ident.flash_kib, ident.uid, ident.optcr, ident.optcr1)
        self.far = None

    async def clock(self) -> None:
        quiet = asyncio.ensure_future(self._quiet())
        try:
            await super().clock()
        finally:
            quiet.cancel()
            self.loader.close()

    async def _quiet(self) -> None:
        """Lets the loader know that its agent is there, as long as there is nothing else to say."""
        while True:
            await asyncio.sleep(0.5)
            if self.task is None and self.board in ("untouched", "unknown"):
                self.loader.keep_alive()

    def hello(self) -> dict:
        value = super().hello()
        value["probe"].update(kind="serial line", firmware="", serial=self.loader.path[:64])
        return value

    def reached(self):
        return self.far

    # -- the loader's work, one task at a time

    def _work(self, live: Live, work) -> None:
        if self.task:
            self.task.cancel()
        self.task = asyncio.ensure_future(self._guarded(live, work))

    async def _guarded(self, live: Live, work) -> None:
        try:
            await work
        except Fail as problem:
            self.problem(live, problem.code, problem.detail)
            self.leave(live, problem.code, False)
        except LoaderStopped as problem:
            if live.phase == "offering":
                self.problem(live, "BF-STUB-REFUSED", str(problem))
                self.leave(live, "BF-STUB-REFUSED", False)
            else:
                self.problem(live, "BF-STUB-ABORTED", str(problem))
        except LoaderGone as problem:
            self.problem(live, "BF-SERIAL-SILENT", str(problem))
            self.leave(live, "BF-SERIAL-SILENT", False)
        except asyncio.CancelledError:
            raise
        except Exception as problem:  # a fault of this program must not look like silence
            note(f"agent: {problem!r}")
            self.finish("BF-INTERNAL", False)
            raise

    def offer(self, live: Live, fresh: bool) -> None:
        live.phase = "offering"
        self._work(live, self._offer(live))

    async def _offer(self, live: Live) -> None:
        self.far = None
        area = mb.job_area(live.job["sealed"], live.job["entropy"], live.job["plan"])
        m1, loader_hash = await self.loader.give_job(area)
        if loader_hash != self.stub_hash:
            raise Fail("BF-STUB-OTHER", "the loader is another one than IDENT said")
        self.offer_m1(live, loader_hash, m1)

    def take_sealed2(self, live: Live, m2: bytes) -> None:
        self.check_session(live, m2)
        live.phase = "confirming"
        self._work(live, self._serve(live, m2))

    async def _serve(self, live: Live, m2: bytes) -> None:
        told = 0

        def on_status(status) -> None:
            nonlocal told
            if status.state in (mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE):
                self.far = max(self.far or 0, status.state)
            if live.phase != "serving" or status.accepted <= told:
                return
            told = status.accepted
            if live.plan.kind == plans.FLASH:
                self.board = "written" if self.far == mb.WRITTEN else "incomplete"
            live.channel.send(m.PROGRESS, m.progress(status.accepted, status.words))
            live.channel.send(m.CREDIT, m.credit(status.accepted + ROOM))

        m3 = await self.loader.give_m2(m2)
        self.far = mb.ACTIVE
        live.phase = "serving"
        live.channel.send(m.SEALED3, m3)
        live.channel.send(m.CREDIT, m.credit(ROOM))
        event("serving")
        self.loader.on_status = on_status
        self.loader.on_reply = lambda sequence, box: live.channel.send(m.REPLY, m.boxed(sequence, box))
        status = await self.loader.serve()
        event("session-over", state=status.state, error=status.error)
        if status.state != mb.ENDED:
            raise LoaderStopped(status)
        if live.plan.kind == plans.FLASH:
            # No END is taken of an image that was not written; the STATUS that said so may be lost.
            self.far, self.board = mb.WRITTEN, "written"

    def take_bye(self, live: Live, value) -> None:
        """An agent that is done hears first how the loader ended: it may be gone soon."""
        if not (value["done"] and self.task and not self.task.done()):
            super().take_bye(live, value)
            return

        async def when_over() -> None:
            await asyncio.wait([self.task], timeout=LAST_WORDS)
            try:
                super(SerialJob, self).take_bye(live, value)
            except Fail as problem:
                self.problem(live, problem.code, problem.detail)
                self.leave(live, problem.code, False)
        self.ending = asyncio.ensure_future(when_over())

    def take_frame(self, live: Live, sequence: int, box: bytes) -> None:
        self.next_frame(live, sequence)
        self.loader.queue(box)

    def leave(self, live: Live, outcome: str, good: bool) -> None:
        if self.task and self.task is not asyncio.current_task():
            self.task.cancel()
        if self.loader.status.state in (mb.OFFERED, mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE):
            self.loader.abort()
        super().leave(live, outcome, good)
