"""The link: a side's one WebSocket to the relay (section 1), and what the relay shares with it."""

import asyncio
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
from invite import relay_address
from wire import Malformed, Reader, lp

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
