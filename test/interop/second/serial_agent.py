"""The agent's end of the serial link (serial-link.md): knock, bit rate, handshake, COMMANDs in order."""

import asyncio
import time

import mailbox as mb
import serial_line as sl
from serial_port import Port
from wire import u32

ASK_EVERY, ALIVE_EVERY, SILENCE, GONE = 0.25, 2.0, 3.0, 10.0
REPEAT_AFTER, OPEN_EVERY, OPEN_FOR = 0.3, 0.5, 60.0
ANSWER_WITHIN, KNOCK_EVERY, RATE_EVERY, RATE_FOR = 2.0, 0.1, 0.06, 0.3
# A COMMAND that no loader takes, with every value there is, against which a bit rate is proven.
TRIAL, TRIALS = bytes(range(256)) * 15 + bytes(range(224)), 4
TROUBLE = (mb.ABORTED, mb.EXPIRED, mb.FAULT, mb.REFUSED)


class LoaderGone(Exception):
    """Nobody answers at the other end, or not the one who was there before."""


class LoaderStopped(Exception):
    """The loader is in a state 7..10; `status` says why."""

    def __init__(self, status: sl.Status):
        super().__init__(f"state {status.state}, error {status.error}, detail {status.detail:#x}")
        self.status = status


class LoaderLink:
    """One loader at the end of a line. Callbacks: on_reply(sequence, box), on_status(status)."""

    def __init__(self, path: str):
        self.path = path
        self.port = None
        self.reader = sl.PacketReader(sl.FROM_LOADER)
        self.fresh = asyncio.Event()
        self.ident = self.m1 = self.m3 = None
        self.status = sl.Status(0)
        self.idents = self.statuses = self.damaged = 0
        self.proven = sl.START_RATE
        self.heard_at = self.talked_at = time.monotonic()
        self.lost = False
        self.on_reply = lambda sequence, box: None
        self.on_status = lambda status: None
        self._new_session()

    def _new_session(self) -> None:
        self.boxes = []          # boxes[n - 1] is COMMAND n
        self.sent = 0            # the last COMMAND that left, or is to be taken as if it had
        self.have = self.fetched = 0
        self.asked = False       # a STATUS that comes may be the answer to AGAIN
        self.repeated, self.repeated_at = -1, 0.0

    # -- the line

    def _open(self) -> None:
        self.port = Port.open(self.path, sl.START_RATE)
        self.port.on_bytes = self._bytes
        self.port.on_gone = self._gone
        self.lost = False

    def _gone(self) -> None:
        self.lost = True
        self.fresh.set()

    def close(self) -> None:
        if self.port:
            self.port.close()

    def send(self, kind: int, body: bytes = b"") -> None:
        self.talked_at = time.monotonic()
        self.port.write(sl.packet(kind, body))

    async def until(self, what, seconds: float):
        """The first value of what() that is not None, or None after so many seconds."""
        end = time.monotonic() + seconds
        while True:
            self.fresh.clear()
            found = what()
            left = end - time.monotonic()
            if found is not None or left <= 0:
                return found
            try:
                await asyncio.wait_for(self.fresh.wait(), left)
            except asyncio.TimeoutError:
                pass

    def _bytes(self, data: bytes) -> None:
        for one in self.reader.take(data):
            if one is None or one is sl.KNOCK:
                self.damaged += 1
            else:
                self.heard_at = time.monotonic()
                self._packet(*one)
        self.fresh.set()

    def _packet(self, kind: int, body: bytes) -> None:
        if kind == sl.IDENT:
            self.ident, self.idents = sl.Ident.read(body), self.idents + 1
        elif kind == sl.M1:
            self.m1 = (body[:-64], body[-64:])
            self.status = sl.Status(mb.OFFERED)  # what was told before belongs to another session
        elif kind == sl.M3:
            self.m3 = body
        elif kind == sl.STATUS:
            self.status, self.statuses = sl.Status.read(body), self.statuses + 1
            self._look()
            self.on_status(self.status)
        elif kind == sl.REPLY:
            self._take_reply(int.from_bytes(body[:4], "little"), body[4:])

    # -- finding it, and the bit rate

    async def find(self, seconds: float = 60.0) -> sl.Ident:
        if self.port is None:
            self._open()
        if not await self._knock(seconds):
            raise LoaderGone("nobody answers the knock")
        await self._raise_rate([one for one in sl.RATES if one <= self.ident.most_rate])
        return self.ident

    async def _knock(self, seconds: float) -> bool:
        self.port.set_rate(sl.START_RATE)
        self.reader.forget()
        known, end = self.idents, time.monotonic() + seconds
        while time.monotonic() < end and not self.lost:
            self.port.write(sl.KNOCK + b"\0")
            if await self.until(lambda: self.idents > known or None, KNOCK_EVERY) and self.ident:
                return True
        return False

    async def _raise_rate(self, rates) -> None:
        self.proven = sl.START_RATE
        for rate in rates:
            if await self._try_rate(rate):
                self.proven = rate
                return
            if not await self._knock(GONE):
                raise LoaderGone("nobody answers any more")

    async def _try_rate(self, rate: int) -> bool:
        self.send(sl.BAUD, u32(rate))
        await self.port.drained()
        left, known = time.monotonic(), self.idents
        await asyncio.sleep(0.02)
        self.port.set_rate(rate)
        self.reader.forget()
        while not await self.until(lambda: self.idents > known or None, RATE_EVERY):
            if time.monotonic() - left >= RATE_FOR:
                self.port.set_rate(sl.START_RATE)
                await asyncio.sleep(0.05)
                return False
            self.port.write(sl.WAKE * 32 + b"\0" + sl.packet(sl.ASK_IDENT))
        return await self._proves()

    async def _proves(self) -> bool:
        """Whether what is sent now arrives whole at both ends."""
        before, damaged = await self._ask_status(), self.damaged
        known = self.idents
        for _ in range(TRIALS):
            self.send(sl.COMMAND, u32(0) + TRIAL)
        for _ in range(TRIALS):
            self.send(sl.ASK_IDENT)
        all_came = await self.until(lambda: self.idents >= known + TRIALS or None, ANSWER_WITHIN)
        after = await self._ask_status()
        if not (before and all_came and after):
            return False
        return after.dropped == before.dropped and self.damaged == damaged

    async def _ask_status(self, seconds: float = SILENCE):
        known, end = self.statuses, time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(sl.AGAIN, bytes([sl.STATUS]) + u32(0))
            if await self.until(lambda: self.statuses > known or None, ASK_EVERY):
                return self.status
        return None

    # -- the handshake

    async def give_job(self, area: bytes):
        """(M1, loader hash). A session there is ends."""
        status = await self._status_now()
        before = status.handshakes
        self._new_session()
        self.m1 = self.m3 = None
        self.send(sl.JOB, area)
        while True:
            refused = (mb.FAULT, mb.REFUSED)
            if await self.until(lambda: self.m1 or self._stopped(refused), ANSWER_WITHIN):
                if self.m1:
                    return self.m1
                raise LoaderStopped(self.status)
            status = await self._status_now()
            if status.handshakes > before:
                self.send(sl.AGAIN, bytes([sl.M1]) + u32(0))
            elif not status.works:
                self.send(sl.JOB, area)

    async def give_m2(self, m2: bytes) -> bytes:
        self.send(sl.M2, m2)
        while True:
            if await self.until(lambda: self.m3 or self._stopped(TROUBLE), ANSWER_WITHIN):
                if self.m3:
                    return self.m3
                raise LoaderStopped(self.status)
            status = await self._status_now()
            if status.state == mb.OFFERED and not status.works:
                self.send(sl.M2, m2)
            elif not status.works:
                self.send(sl.AGAIN, bytes([sl.M3]) + u32(0))

    def _stopped(self, states):
        return True if self.status.state in states and not self.status.works else None

    async def _status_now(self) -> sl.Status:
        """What the loader says now; one that lost count of the bits is knocked at."""
        status = await self._ask_status()
        for _ in range(3):
            if status is None:
                await self._find_silent()
                status = await self._ask_status()
        if status is None:
            raise LoaderGone("the loader does not answer")
        return status

    async def _find_silent(self) -> None:
        if not await self._knock(GONE):
            raise LoaderGone("the loader does not answer any more")
        if self.proven > sl.START_RATE:
            await self._raise_rate([self.proven])

    def abort(self) -> None:
        if self.port and not self.lost:
            self.send(sl.ABORT)

    def keep_alive(self) -> None:
        """To be called now and then while there is nothing to say."""
        if not self.lost and time.monotonic() - self.talked_at >= ALIVE_EVERY:
            self.send(sl.ASK_IDENT)

    # -- a session at work

    def queue(self, box: bytes) -> None:
        self.boxes.append(box)
        self._push()

    def _push(self) -> None:
        """Sends what there is room for."""
        credit = self.status.credit if self.status.state in (mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE) else 0
        while self.sent < min(credit, len(self.boxes)):
            self.sent += 1
            self.send(sl.COMMAND, u32(self.sent) + self.boxes[self.sent - 1])

    def _look(self) -> None:
        """What a STATUS asks for: repetition, a REPLY that is missing, FETCHED, more COMMANDs."""
        status, now = self.status, time.monotonic()
        if status.state < mb.ACTIVE:
            return
        idle = self.asked and status.activity == 0 and not status.works
        self.asked = False
        if status.received < self.sent and (status.misses or idle):
            if status.received != self.repeated or now - self.repeated_at >= REPEAT_AFTER:
                self.repeated, self.repeated_at = status.received, now
                self.sent = status.received
        if status.replied > self.have:
            self.send(sl.AGAIN, bytes([sl.REPLY]) + u32(self.have + 1))
        self._fetch()
        self._push()

    def _take_reply(self, sequence: int, box: bytes) -> None:
        if sequence == self.have + 1:
            self.have = sequence
            self.on_reply(sequence, box)
            self._fetch()
        elif sequence <= self.have and self.fetched:
            self.send(sl.FETCHED, u32(self.fetched))

    def _fetch(self) -> None:
        told = min(self.have, self.status.replied)
        if told > self.fetched:
            self.fetched = told
            self.send(sl.FETCHED, u32(told))

    @property
    def over(self) -> bool:
        """The loader has ended its session, and everything it said of it is here."""
        return self.status.state >= mb.ENDED and self.fetched >= self.status.replied

    async def serve(self) -> sl.Status:
        """Carries COMMANDs and REPLYs until the session is over; LoaderGone when it is lost."""
        before = self.status
        while not self.over:
            known = self.statuses + self.have
            news = await self.until(lambda: self.statuses + self.have > known or self.lost or None,
                                    ASK_EVERY)
            now = time.monotonic()
            if self.lost or now - self.heard_at > SILENCE:
                await self._find_again(before)
            elif not news:
                self.asked = True
                self.send(sl.AGAIN, bytes([sl.STATUS]) + u32(0))
                if self.fetched:
                    self.send(sl.FETCHED, u32(self.fetched))
            before = self.status
        return self.status

    async def _find_again(self, before: sl.Status) -> None:
        end = time.monotonic() + OPEN_FOR
        while self.lost:
            if time.monotonic() > end:
                raise LoaderGone("the line is gone")
            await asyncio.sleep(OPEN_EVERY)
            try:
                self._open()
            except OSError:
                continue
        await self._find_silent()
        status = await self._status_now()
        same = status.handshakes == before.handshakes and status.accepted >= before.accepted \
            and status.replied >= before.replied and status.state >= mb.ACTIVE
        if not same:
            raise LoaderGone("the board was reset or lost its power")
        self.heard_at = time.monotonic()
