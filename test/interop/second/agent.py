"""An agent with an emulated customer and an emulated chip.

agent.py [INVITE FILE] --consent yes --state FOLDER --chip FOLDER --flash-out FILE
"""

import argparse
import asyncio
import os
import sys
import time

import emulated_stub
import invite as invites
import messages as m
import tunnel
from agent_job import AgentJob, Live
from agent_serial import SerialJob
from chip import Chip
from crypto import CryptoError
from emulated_stub import EmulatedStub
from link import FINISHED, REVOKED, Link, event, note
from serial_agent import LoaderGone, LoaderLink
from store import Store
from wire import Malformed

MOST_CODES, MOST_UNANSWERED = 16, 12
AGENT_NAME = "blindflash second implementation, agent"


class Agent(AgentJob):
    def __init__(self, args, invite: invites.Invite):
        self.args, self.invite = args, invite
        path = os.path.join(args.state, "agent.json") if args.state else None
        self.state = Store(path, {
            "invite": invite.public_hash.hex(), "secrets": [invite.secret.hex()], "yes": [],
            "loads": 0, "job": None})
        if self.state["invite"] != invite.public_hash.hex():
            raise SystemExit("this state belongs to another invite")
        self.chip = Chip(args.chip, flash_kib=args.flash_kib)
        self.stub_hash = bytes.fromhex(args.stub_hash) if args.stub_hash else emulated_stub.STUB_HASH
        self.stub = EmulatedStub.found(self.chip)
        # The state of the board is known to the process that changed it, and to no other.
        self.board = "unknown" if self.state["job"] else "untouched"
        self.active = self.candidate = None
        self.attempts = []
        self.want_tunnel = True
        self.check_at = None
        self.codes = 0
        self.outcome = None
        self.over = asyncio.get_running_loop().create_future()
        self.link = Link(invite.url, invite.ticket, invite.holder(), self.on_present, self.on_data,
                         args.ca)

    # -- the link

    def on_present(self, present: bool) -> None:
        event("peer", present=present)
        if not present:
            return
        for live in self.lives():
            live.channel.resume()
        if self.lives():
            self.check_at = time.monotonic() + 3.0

    def lives(self):
        return [one for one in (self.candidate, self.active) if one]

    def on_data(self, body: bytes) -> None:
        tag, rest = body[0], body[1:]
        try:
            if tag == tunnel.T2:
                self.take_t2(rest)
            elif tag == tunnel.SPENT:
                if any(one.is_spent(rest) for one in self.attempts):
                    self.finish("BF-INVITE-SPENT", False)
            elif tag == tunnel.RESUME:
                for live in self.lives():
                    if live.channel.take_resume(rest):
                        self.heard(live)
            elif tag == tunnel.BOX:
                self.take_box(rest)
        except Exception as problem:  # a fault of this program must not look like silence
            note(f"agent: {problem!r}")
            self.finish("BF-INTERNAL", False)
            raise

    # -- T1, T2, T3

    def ask(self) -> None:
        """Sends T1s while a tunnel is wanted and the controller is in the room."""
        now = time.monotonic()
        if not self.link.present or not self.want_tunnel:
            return
        secrets = [bytes.fromhex(one) for one in self.state["secrets"]]
        if not self.attempts:
            self.attempts = [tunnel.Initiator(self.invite.tunnel_public, self.invite.public_hash,
                                              secrets[-1])]
            self.attempts[0].next_at = now
            self.asked_at = now
        elif len(self.attempts) == 1 and len(secrets) > 1 and now - self.asked_at >= 5:
            older = tunnel.Initiator(self.invite.tunnel_public, self.invite.public_hash, secrets[0])
            older.next_at = now
            self.attempts.append(older)
        for one in self.attempts:
            if now >= one.next_at:
                if one.sent >= MOST_UNANSWERED:
                    self.finish("BF-NO-ANSWER", False)
                    return
                one.sent += 1
                one.next_at = now + 5
                self.link.send(bytes([tunnel.T1]) + one.t1)

    def take_t2(self, t2: bytes) -> None:
        for one in self.attempts:
            try:
                t3, session = one.answer(t2)
            except (Malformed, CryptoError):
                continue
            if self.codes >= MOST_CODES:
                self.finish("BF-TOO-MANY-CODES", False)
                return
            # Both secrets are on disk before T3 leaves; this attempt is never used again.
            self.state.put(secrets=[one.secret.hex(), session.next_secret.hex()])
            self.attempts = []
            self.want_tunnel = False
            self.codes += 1
            channel = tunnel.Channel(session, self.link.send, t3)
            channel.before_first_ack = lambda: self.state.put(secrets=[session.next_secret.hex()])
            self.candidate = Live(channel)
            if self.active:
                # A box of the old tunnel behind T3 would end the new one at the controller.
                self.active.channel.transmit = lambda data: None
            self.link.send(bytes([tunnel.T3]) + t3)
            event("code", code=session.code)
            channel.send(m.HELLO, m.hello(self.hello()))
            return

    def hello(self) -> dict:
        chip = self.chip
        return {"agent": AGENT_NAME, "stubs": [self.stub_hash.hex()],
                "probe": {"kind": "emulated", "firmware": "none", "serial": "none",
                          "millivolts": chip.millivolts},
                "target": {"devId": chip.dev_id, "revId": chip.rev_id, "uid": chip.uid.hex(),
                           "flashKiB": chip.flash_kib, "rdp": chip.rdp, "optcr": chip.optcr,
                           "optcr1": chip.optcr1}}

    def take_box(self, body: bytes) -> None:
        for live in self.lives():
            try:
                message = live.channel.take_box(body)
            except tunnel.TunnelBroken as problem:
                self.drop(live, str(problem))
                continue
            if message is None:
                continue
            if live is self.candidate:
                self.active, self.candidate = live, None
                event("tunnel")
            self.heard(live)
            try:
                self.handle(live, *message)
            except tunnel.TunnelBroken as problem:
                self.drop(live, str(problem))
            return

    def heard(self, live: Live) -> None:
        """A tunnel that lives makes another one needless, unless its chip shows another D."""
        if live.phase != "stale" and live is self.active:
            self.attempts = []
            self.want_tunnel = False

    def drop(self, live: Live, why: str) -> None:
        note(f"the tunnel ended: {why}")
        event("tunnel-ended", why=why)
        if live is self.candidate:
            self.candidate = None
            if self.active:
                self.active.channel.transmit = self.link.send
        if live is self.active:
            self.active = None
        if not self.lives():
            self.want_tunnel = True

    # -- the end

    def finish(self, outcome: str, good: bool) -> None:
        self.outcome, self.good = outcome, good
        if not self.over.done():
            self.over.set_result(None)

    async def clock(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            now = time.monotonic()
            for live in self.lives():
                try:
                    live.channel.tick()
                    if self.stub and live is self.active:
                        replies = self.stub.tick()
                        if replies and live.phase == "serving":
                            self.pass_replies(live, replies)
                except tunnel.TunnelBroken as problem:
                    self.drop(live, str(problem))
                if live.left_number and live.channel.acked >= live.left_number:
                    self.finish(self.outcome, self.good)
            if self.check_at and now >= self.check_at:
                heard = [live.channel.heard_at or 0 for live in self.lives()]
                if not heard or max(heard) < self.check_at - 3.0:
                    self.want_tunnel = True
                self.check_at = None
            if self.candidate and now - self.candidate.born > 60 and not self.attempts:
                self.candidate.born = now
                self.want_tunnel = True
            self.ask()

    async def run(self) -> bool:
        link = asyncio.ensure_future(self.link.run())
        clock = asyncio.ensure_future(self.clock())
        await asyncio.wait([link, clock, self.over], return_when=asyncio.FIRST_COMPLETED)
        if clock.done():
            clock.result()
        if link.done():
            code = link.result()
            leaving = any(live.left_number for live in self.lives())
            if not (leaving and code in (FINISHED, REVOKED)):
                self.outcome, self.good = f"link closed with {code}", False
        else:
            await self.link.finish()
        clock.cancel()
        if self.args.flash_out and self.by_probe:
            with open(self.args.flash_out, "wb") as file:
                file.write(bytes(self.chip.flash))
        event("end", good=self.good, outcome=self.outcome, board=self.board, optcr=self.chip.optcr)
        return self.good


class SerialAgent(SerialJob, Agent):
    """An agent with a real board's loader, or somebody's, at the end of a serial line."""


async def main(args) -> int:
    if args.invite == "-":
        line = sys.stdin.readline()
    else:
        with open(args.invite) as file:
            line = file.readline()
    if not args.serial:
        return 0 if await Agent(args, invites.parse(line)).run() else 1
    agent = SerialAgent(args, invites.parse(line))
    try:
        await agent.begin(LoaderLink(args.serial))
    except (LoaderGone, OSError) as problem:
        event("end", good=False, outcome="BF-SERIAL-NONE", board="unknown", detail=str(problem))
        return 1
    return 0 if await agent.run() else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("invite", nargs="?", default="-", help="a file with the invite, or - for stdin")
    parser.add_argument("--consent", choices=("yes", "no"), default="no")
    parser.add_argument("--consent-delay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--state", metavar="FOLDER", help="the way back is kept here")
    parser.add_argument("--chip", metavar="FOLDER", help="flash and RAM of the chip are kept here")
    parser.add_argument("--flash-kib", type=int, default=2048)
    parser.add_argument("--flash-out", metavar="FILE", help="the flash is written here at the end")
    parser.add_argument("--stub-hash", metavar="HEX", help="the hash that the emulated stub claims")
    parser.add_argument("--serial", metavar="DEVICE", help="a board's loader, instead of the emulated chip")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust for wss")
    parser.add_argument("--die-after", type=int, metavar="N", help="for tests: die after FRAME N")
    parser.add_argument("--print-stub-hash", action="store_true")
    chosen = parser.parse_args()
    if chosen.print_stub_hash:
        print(emulated_stub.STUB_HASH.hex())
    else:
        sys.exit(asyncio.run(main(chosen)))
