"""The link: one WebSocket to the relay (section 1), and the relay itself (sections 1 and 2)."""

import asyncio
import http
import json
import random as dice
import ssl
import sys
import time

import websockets
from websockets.client import WebSocketClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatusCode
from websockets.server import WebSocketServerProtocol

import ticket as tickets
from crypto import random
from invite import relay_address
from wire import Malformed, Reader, lp, lp1

PATH, SUBPROTOCOL, MOST = "/v2/link", "blindflash.2", 8192
CHALLENGE, PRESENT, WELCOME, PEER, REVOKE, DATA = 0x01, 0x02, 0x03, 0x04, 0x05, 0x10
BACKLOG = 256 * 1024
PING_EVERY, SILENCE = 15.0, 45.0
AGAIN = {1011, 4001, 4002, 4003, 4009, 4010, 1001, 1002, 1006, 1012, 1013}
FINISHED, REVOKED = 1000, 4014


def event(name: str, /, **more) -> None:
    """One line of JSON on standard output; all four programs tell what happens this way."""
    print(json.dumps({"event": name, **more}), flush=True)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def comes_back(code: int) -> bool:
    """Whether a side that hears this close code comes back by itself."""
    return code in AGAIN or (code < 4000 and code not in (1000, 1003, 1009))


class _Heard:
    """Notes when anything was heard: a message, a ping or a pong."""

    heard = 0.0

    async def read_frame(self, *args, **kwargs):
        frame = await super().read_frame(*args, **kwargs)
        self.heard = time.monotonic()
        return frame


class ClientSocket(_Heard, WebSocketClientProtocol):
    pass


class ServerSocket(_Heard, WebSocketServerProtocol):
    pass


async def keep_alive(ws, reading=lambda: True) -> None:
    """Pings every 15 s and closes with 4010 what was silent for 45 s."""
    ws.heard = time.monotonic()
    pinged = time.monotonic()
    while True:
        await asyncio.sleep(1.0)
        now = time.monotonic()
        if not reading():
            ws.heard = now
        if now - ws.heard >= SILENCE:
            await ws.close(4010)
            return
        if now - pinged >= PING_EVERY:
            pinged = now
            try:
                await ws.ping()
            except ConnectionClosed:
                return


class Link:
    """A side's link. It comes back by itself as the table of close codes says.

    Callbacks: on_present(bool) for WELCOME and PEER, on_data(body). run() returns the close code
    with which it ended for good.
    """

    def __init__(self, url: str, ticket: bytes, holder, on_present, on_data, ca=None):
        self.scheme, self.host, self.port = relay_address(url)
        self.ticket, self.holder = ticket, holder
        self.on_present, self.on_data = on_present, on_data
        self.ca = ca
        self.present = False
        self.ever = False
        self.leaving = False
        self.ws = None
        self.outgoing = None

    def send(self, body: bytes) -> None:
        """Sends DATA, or drops it while there is no link: the tunnel sends it again."""
        if self.outgoing is not None:
            self.outgoing.put_nowait(bytes([DATA]) + body)

    async def finish(self, revoke: bool = False) -> None:
        """Ends the link with 1000, after what is still queued; with REVOKE before it if asked."""
        self.leaving = True
        ws, queue = self.ws, self.outgoing
        if ws is None or queue is None:
            return
        if revoke:
            queue.put_nowait(bytes([REVOKE]))
        try:
            await asyncio.wait_for(queue.join(), 5)
        except asyncio.TimeoutError:
            pass
        await ws.close(FINISHED)

    async def run(self) -> int:
        delay = 0.5
        lost = time.monotonic()
        while not self.leaving:
            self.entered_now = False
            code = await self._once()
            self.ws = self.outgoing = None
            if self.present:
                self.present = False
                self.on_present(False)
            if self.leaving or not comes_back(code):
                return code
            now = time.monotonic()
            if self.entered_now:
                delay, lost = 0.5, now
            limit = 900 if self.ever else 60
            if now - lost > limit:
                return code
            note(f"the link ended with {code}, trying again")
            await asyncio.sleep(delay * (0.5 + dice.random() / 2))
            delay = min(30.0, delay * 2)
        return FINISHED

    async def _once(self) -> int:
        """One link from dialling to its end; gives the close code."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = {}
        if self.scheme == "wss":
            options["ssl"] = ssl.create_default_context(cafile=self.ca)
        dialled = time.monotonic()
        try:
            ws = await websockets.connect(
                f"{self.scheme}://{host}:{self.port}{PATH}", subprotocols=[SUBPROTOCOL],
                compression=None, max_size=MOST, ping_interval=None, open_timeout=15,
                close_timeout=3, create_protocol=ClientSocket, **options)
        except InvalidStatusCode as problem:
            note(f"the relay refused the request with {problem.status_code}")
            return 1013 if problem.status_code in (429, 500, 502, 503, 504) else 4011
        except (OSError, InvalidHandshake, asyncio.TimeoutError) as problem:
            note(f"no link: {problem}")
            return 1006
        if ws.subprotocol != SUBPROTOCOL:
            await ws.close(4012)
            return 4012
        self.ws = ws
        tasks = []
        try:
            try:
                left = max(0.1, 15 - (time.monotonic() - dialled))
                await asyncio.wait_for(self._greet(ws), left)
            except asyncio.TimeoutError:
                await ws.close(4009)
                return 4009
            self.ever = self.entered_now = True
            self.outgoing = asyncio.Queue()
            tasks = [asyncio.ensure_future(keep_alive(ws)),
                     asyncio.ensure_future(self._write(ws, self.outgoing))]
            self.on_present(self.present)
            await self._read(ws)
        except Malformed as problem:
            note(f"the relay broke the rules: {problem}")
            await ws.close(4011)
            return 4011
        except ConnectionClosed:
            pass
        finally:
            for task in tasks:
                task.cancel()
        await ws.wait_closed()
        return ws.close_code or 1006

    async def _receive(self, ws) -> Reader:
        message = await ws.recv()
        if isinstance(message, str):
            await ws.close(1003)
            raise ConnectionClosed(None, None)
        return Reader(message)

    async def _greet(self, ws) -> None:
        reader = await self._receive(ws)
        if reader.u8() != CHALLENGE:
            raise Malformed("the relay does not begin with CHALLENGE")
        if reader.u8() != 2:
            await ws.close(4012)
            raise ConnectionClosed(None, None)
        nonce, name = reader.take(32), reader.lp1()
        reader.end()
        if name != self.host.encode():
            await ws.close(4005)
            raise ConnectionClosed(None, None)
        await ws.send(bytes([PRESENT]) + lp(self.ticket)
                      + tickets.prove(self.holder, nonce, self.ticket))
        reader = await self._receive(ws)
        if reader.u8() != WELCOME:
            raise Malformed("the relay does not answer with WELCOME")
        self.present = self._flag(reader)

    @staticmethod
    def _flag(reader: Reader) -> bool:
        value = reader.u8()
        reader.end()
        if value > 1:
            raise Malformed("a flag is neither 0 nor 1")
        return value == 1

    async def _read(self, ws) -> None:
        while True:
            reader = await self._receive(ws)
            kind = reader.u8()
            if kind == PEER:
                self.present = self._flag(reader)
                self.on_present(self.present)
            elif kind == DATA:
                body = reader.rest()
                if not body:
                    raise Malformed("DATA without a body")
                self.on_data(body)
            else:
                raise Malformed("a message that does not belong here")

    async def _write(self, ws, queue) -> None:
        while True:
            message = await queue.get()
            try:
                await ws.send(message)
            except ConnectionClosed:
                pass
            finally:
                queue.task_done()


# ---- The relay

class RelayEnd(Exception):
    """Closes a link with this code."""

    def __init__(self, code: int):
        super().__init__(str(code))
        self.code = code


class Participant:
    """One side's link in a room."""

    def __init__(self, ws, ticket):
        self.ws, self.ticket = ws, ticket
        self.forwarded = 0
        self.waiting = False  # this link is not read while the other side's backlog drains


class Relay:
    MOST_LINKS, MOST_REVOKED = 1000, 100000

    def __init__(self, tenants, name: str):
        self.tenants = set(tenants)
        self.name = name
        self.rooms = {}
        self.revoked = {}
        self.links = 0
        self.server = None

    async def start(self, host: str, port: int) -> int:
        self.server = await websockets.serve(
            self._serve, host, port, subprotocols=[SUBPROTOCOL], compression=None, max_size=MOST,
            ping_interval=None, write_limit=BACKLOG, max_queue=8, close_timeout=3,
            create_protocol=ServerSocket, process_request=self._admit)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for seats in list(self.rooms.values()):
            for seat in list(seats.values()):
                asyncio.ensure_future(seat.ws.close(4002))
        await asyncio.sleep(0.2)
        self.server.close()
        await self.server.wait_closed()

    async def _admit(self, path, headers):
        """Refuses requests that are none of ours, before they become WebSockets."""
        def no(status):
            return http.HTTPStatus(status), [], b""

        if path.split("?")[0] != PATH:
            return no(404)
        if "Origin" in headers:
            return no(403)
        offered = [one.strip() for value in headers.get_all("Sec-WebSocket-Protocol")
                   for one in value.split(",")]
        if SUBPROTOCOL not in offered:
            return no(400)
        if self.links >= self.MOST_LINKS:
            return no(503)
        return None

    async def _serve(self, ws, *_):
        self.links += 1
        seat = None
        alive = None
        expiry = None
        try:
            try:
                seat = await asyncio.wait_for(self._greet(ws), 10)
            except asyncio.TimeoutError:
                raise RelayEnd(4009) from None
            alive = asyncio.ensure_future(keep_alive(ws, lambda: not seat.waiting))
            expiry = asyncio.ensure_future(self._expire(seat))
            await self._enter(seat)
            while True:
                await self._one(seat, await self._receive(ws))
        except RelayEnd as end:
            await ws.close(end.code)
        except Malformed:
            await ws.close(4011)
        except ConnectionClosed:
            pass
        except Exception as problem:  # whatever it is, the side may come again
            note(f"relay: {problem!r}")
            await ws.close(1011)
        finally:
            for task in (alive, expiry):
                if task:
                    task.cancel()
            self.links -= 1
            if seat:
                await self._leave(seat)

    async def _receive(self, ws) -> Reader:
        message = await ws.recv()
        if isinstance(message, str):
            raise RelayEnd(1003)
        if not message:
            raise Malformed("an empty message")
        return Reader(message)

    async def _greet(self, ws) -> Participant:
        nonce = random(32)
        await ws.send(bytes([CHALLENGE, 2]) + nonce + lp1(self.name.encode()))
        reader = await self._receive(ws)
        if reader.u8() != PRESENT:
            raise Malformed("the side does not begin with PRESENT")
        raw, signature = reader.lp(), reader.take(64)
        reader.end()
        try:
            ticket = tickets.Ticket(raw)
        except Malformed:
            raise RelayEnd(4004) from None
        if ticket.tenant not in self.tenants:
            raise RelayEnd(4006)
        if not ticket.genuine() or not ticket.proves(nonce, signature):
            raise RelayEnd(4004)
        if ticket.name != self.name:
            raise RelayEnd(4005)
        if ticket.expired():
            raise RelayEnd(4007)
        if ticket.side == tickets.AGENT and self._is_revoked(self._room(ticket)):
            raise RelayEnd(REVOKED)
        return Participant(ws, ticket)

    @staticmethod
    def _room(ticket):
        return ticket.tenant, ticket.room

    def _is_revoked(self, room) -> bool:
        until = self.revoked.get(room)
        if until is not None and until <= time.time():
            del self.revoked[room]
            until = None
        return until is not None

    def _other(self, seat):
        return self.rooms.get(self._room(seat.ticket), {}).get(3 - seat.ticket.side)

    async def _enter(self, seat: Participant) -> None:
        """The newest proof wins: an older link of the same side is closed with 4000."""
        seats = self.rooms.setdefault(self._room(seat.ticket), {})
        older = seats.get(seat.ticket.side)
        seats[seat.ticket.side] = seat
        if older:
            asyncio.ensure_future(older.ws.close(4000))
        other = self._other(seat)
        await seat.ws.send(bytes([WELCOME, 1 if other else 0]))
        if other:
            await self._tell(other, bytes([PEER, 1]))

    async def _leave(self, seat: Participant) -> None:
        room = self._room(seat.ticket)
        seats = self.rooms.get(room, {})
        if seats.get(seat.ticket.side) is not seat:
            return
        other = self._other(seat)
        del seats[seat.ticket.side]
        if not seats:
            self.rooms.pop(room, None)
        if other:
            await self._tell(other, bytes([PEER, 0]))

    @staticmethod
    async def _tell(seat: Participant, message: bytes) -> None:
        try:
            await asyncio.wait_for(seat.ws.send(message), 30)
        except asyncio.TimeoutError:
            asyncio.ensure_future(seat.ws.close(4001))
        except ConnectionClosed:
            pass

    async def _expire(self, seat: Participant) -> None:
        while not seat.ticket.expired():
            await asyncio.sleep(min(3600, max(0.2, seat.ticket.expires - time.time())))
        await seat.ws.close(4007)

    async def _one(self, seat: Participant, reader: Reader) -> None:
        kind = reader.u8()
        if kind == REVOKE and seat.ticket.side == tickets.CONTROLLER:
            reader.end()
            self._revoke(seat)
        elif kind == DATA:
            body = reader.rest()
            if not body:
                raise Malformed("DATA without a body")
            await self._forward(seat, body)
        else:
            raise Malformed("a message that does not belong here")

    async def _forward(self, seat: Participant, body: bytes) -> None:
        other = self._other(seat)
        if other is None:
            return
        for one in (seat, other):
            one.forwarded += len(body)
            if one.forwarded > one.ticket.cap * 1024:
                asyncio.ensure_future(one.ws.close(4008))
                return
        seat.waiting = True
        try:
            await self._tell(other, bytes([DATA]) + body)
        finally:
            seat.waiting = False

    def _revoke(self, seat: Participant) -> None:
        room = self._room(seat.ticket)
        self.revoked[room] = max(self.revoked.get(room, 0), seat.ticket.expires)
        while len(self.revoked) > self.MOST_REVOKED:
            del self.revoked[min(self.revoked, key=self.revoked.get)]
        agent = self._other(seat)
        if agent:
            asyncio.ensure_future(agent.ws.close(REVOKED))
