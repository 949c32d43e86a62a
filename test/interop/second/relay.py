"""A relay for one or more tenants: relay.py --tenant HEX [--tenant HEX …] (sections 1 and 2)"""

import argparse
import asyncio
import http
import signal
import time

import websockets
from websockets.exceptions import ConnectionClosed

import ticket as tickets
from crypto import random
from link import (BACKLOG, CHALLENGE, DATA, MOST, PATH, PEER, PRESENT, REVOKE, REVOKED, SUBPROTOCOL,
                  WELCOME, ServerSocket, event, keep_alive, note)
from wire import Malformed, Reader, lp1


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
        for sides in list(self.rooms.values()):
            for participant in list(sides.values()):
                asyncio.ensure_future(participant.ws.close(4002))
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
        participant = None
        alive = None
        expiry = None
        try:
            try:
                participant = await asyncio.wait_for(self._greet(ws), 10)
            except asyncio.TimeoutError:
                raise RelayEnd(4009) from None
            alive = asyncio.ensure_future(keep_alive(ws, lambda: not participant.waiting))
            expiry = asyncio.ensure_future(self._expire(participant))
            await self._enter(participant)
            while True:
                await self._one(participant, await self._receive(ws))
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
            if participant:
                await self._leave(participant)

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

    def _other(self, participant):
        return self.rooms.get(self._room(participant.ticket), {}).get(3 - participant.ticket.side)

    async def _enter(self, participant: Participant) -> None:
        """The newest proof wins: an older link of the same side is closed with 4000."""
        sides = self.rooms.setdefault(self._room(participant.ticket), {})
        older = sides.get(participant.ticket.side)
        sides[participant.ticket.side] = participant
        if older:
            asyncio.ensure_future(older.ws.close(4000))
        other = self._other(participant)
        await participant.ws.send(bytes([WELCOME, 1 if other else 0]))
        if other:
            await self._tell(other, bytes([PEER, 1]))

    async def _leave(self, participant: Participant) -> None:
        room = self._room(participant.ticket)
        sides = self.rooms.get(room, {})
        if sides.get(participant.ticket.side) is not participant:
            return
        other = self._other(participant)
        del sides[participant.ticket.side]
        if not sides:
            self.rooms.pop(room, None)
        if other:
            await self._tell(other, bytes([PEER, 0]))

    @staticmethod
    async def _tell(participant: Participant, message: bytes) -> None:
        try:
            await asyncio.wait_for(participant.ws.send(message), 30)
        except asyncio.TimeoutError:
            asyncio.ensure_future(participant.ws.close(4001))
        except ConnectionClosed:
            pass

    async def _expire(self, participant: Participant) -> None:
        while not participant.ticket.expired():
            await asyncio.sleep(min(3600, max(0.2, participant.ticket.expires - time.time())))
        await participant.ws.close(4007)

    async def _one(self, participant: Participant, reader: Reader) -> None:
        kind = reader.u8()
        if kind == REVOKE and participant.ticket.side == tickets.CONTROLLER:
            reader.end()
            self._revoke(participant)
        elif kind == DATA:
            body = reader.rest()
            if not body:
                raise Malformed("DATA without a body")
            await self._forward(participant, body)
        else:
            raise Malformed("a message that does not belong here")

    async def _forward(self, participant: Participant, body: bytes) -> None:
        other = self._other(participant)
        if other is None:
            return
        for one in (participant, other):
            one.forwarded += len(body)
            if one.forwarded > one.ticket.cap * 1024:
                asyncio.ensure_future(one.ws.close(4008))
                return
        participant.waiting = True
        try:
            await self._tell(other, bytes([DATA]) + body)
        finally:
            participant.waiting = False

    def _revoke(self, participant: Participant) -> None:
        room = self._room(participant.ticket)
        self.revoked[room] = max(self.revoked.get(room, 0), participant.ticket.expires)
        while len(self.revoked) > self.MOST_REVOKED:
            del self.revoked[min(self.revoked, key=self.revoked.get)]
        agent = self._other(participant)
        if agent:
            asyncio.ensure_future(agent.ws.close(REVOKED))


async def main(args) -> None:
    relay = Relay([bytes.fromhex(one) for one in args.tenant], args.name or args.host.strip("[]"))
    port = await relay.start(args.host, args.port)
    event("listening", host=args.host, port=port, name=relay.name)
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    await stop.wait()
    await relay.stop()
    event("stopped")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", action="append", required=True, help="an Ed25519 key, 64 digits")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", help="the host that both sides dial; without it, --host")
    asyncio.run(main(parser.parse_args()))
