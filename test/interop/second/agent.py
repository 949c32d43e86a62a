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
import mailbox as mb
import messages as m
import plan as plans
import receipt as receipts
import sealed
import tunnel
from crypto import CryptoError, sha512
from emulated_stub import Chip, EmulatedStub
from link import FINISHED, REVOKED, Link, event, note
from store import Store
from wire import Malformed

MOST_CODES, MOST_UNANSWERED, MOST_LOADS = 16, 12, 8
AGENT_NAME = "blindflash second implementation, agent"


def consent_hash(plan_hash: bytes, vendor: bytes, uid: bytes, stub_hash: bytes) -> bytes:
    return sha512(b"blindflash/2 consent\0" + plan_hash + vendor + uid + stub_hash)


def consent_word(consent: str, drawn: bytes) -> str:
    """What the customer types for a yes to this one question."""
    return sha512(b"blindflash/2 consent word\0" + drawn + bytes.fromhex(consent)).hex()[:4]


class Fail(Exception):
    """This agent's own failure: told by PROBLEM, then the board is left."""

    def __init__(self, code: str, detail: str):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class TunnelOver(Exception):
    """A message out of order: the tunnel ends after a PROBLEM."""


class Live:
    """One tunnel of the agent, with its phase of section 6."""

    def __init__(self, channel: tunnel.Channel):
        self.channel = channel
        self.born = time.monotonic()
        self.phase = "opened"
        self.job = self.plan = None
        self.d_offered = None
        self.session_id = None
        self.frames = 0  # the last FRAME of this sealed session
        self.left_number = None


class Agent:
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

    # -- phases

    def handle(self, live: Live, kind: int, body: bytes) -> None:
        if kind == m.ACK:
            m.parse(kind, body)
            return
        try:
            if kind not in m.FROM_CONTROLLER:
                raise TunnelOver(f"{m.NAMES[kind] if kind < 16 else kind} from a controller")
            value = m.parse(kind, body)
            if live.phase in ("leaving", "stale"):
                return
            self.step(live, kind, value)
        except Malformed as problem:
            self.problem(live, "BF-TUNNEL-MESSAGE", str(problem))
            self.drop(live, str(problem))
        except TunnelOver as problem:
            self.problem(live, "BF-TUNNEL-ORDER", str(problem))
            self.drop(live, str(problem))
        except Fail as problem:
            event("problem", code=problem.code, detail=problem.detail)
            self.problem(live, problem.code, problem.detail)
            self.leave(live, problem.code, False)

    def problem(self, live: Live, code: str, detail: str) -> None:
        live.channel.send(m.PROBLEM, m.problem(code, detail, self.board))

    def step(self, live: Live, kind: int, value) -> None:
        if kind == m.JOB:
            if live.phase != "opened":
                raise TunnelOver("a second JOB")
            self.take_job(live, value)
        elif kind == m.BYE:
            self.take_bye(live, value)
        elif kind == m.SEALED2:
            if live.phase == "offered":
                self.take_sealed2(live, value["m2"])
        elif kind == m.FRAME:
            if live.phase == "serving":
                self.take_frame(live, value["sequence"], value["box"])
        elif kind == m.RESTART:
            if live.phase in ("offered", "serving"):
                self.offer(live, fresh=True)

    def take_job(self, live: Live, value) -> None:
        if invites.vendor_hash(value["sealed"], value["receipt"]) != self.invite.vendor:
            raise Fail("BF-OTHER-VENDOR", "the keys of the job are not those of the invite")
        try:
            plan = plans.parse(value["plan"])
        except Malformed as problem:
            raise Fail("BF-PLAN", str(problem)) from None
        if plan.kind not in plans.KINDS.values():
            raise Fail("BF-PLAN", "a kind that is only read here")
        if plan.dev_id != self.chip.dev_id or plan.flash_kib not in (
                {self.chip.flash_kib} | ({0} if plan.kind in plans.WITHOUT_STUB else set())):
            raise Fail("BF-WRONG-CHIP", "the plan is for another chip")
        live.job, live.plan = value, plan
        live.plan_hash = plans.plan_hash(value["plan"])
        live.phase = "asked"
        stub_hash = bytes(64) if plan.kind in plans.WITHOUT_STUB else self.stub_hash
        live.consent = consent_hash(live.plan_hash, self.invite.vendor, self.chip.uid,
                                    stub_hash).hex()
        live.channel.send(m.SHEET)
        event("sheet", kind=plan.kind, label=m.clean(plan.label.decode()),
              planHash=live.plan_hash.hex(), word=consent_word(live.consent, os.urandom(16)),
              vendor=self.invite.vendor[:10].hex())
        if live.consent in self.state["yes"] and self.state["loads"] < MOST_LOADS:
            self.answered(live, True)
        else:
            asyncio.get_running_loop().call_later(self.args.consent_delay, self.person, live)

    def person(self, live: Live) -> None:
        """The emulated customer answers what the flag says."""
        if live is self.active and live.phase == "asked":
            yes = self.args.consent == "yes"
            if yes:
                self.state.put(yes=self.state["yes"] + [live.consent], loads=0)
            try:
                self.answered(live, yes)
            except Fail as problem:
                self.problem(live, problem.code, problem.detail)
                self.leave(live, problem.code, False)

    def answered(self, live: Live, yes: bool) -> None:
        live.channel.send(m.CONSENT, m.consent(yes, live.plan_hash))
        event("consent", yes=yes)
        if not yes:
            self.leave(live, "BF-CONSENT-NO", False)
            return
        plan = live.plan
        self.state.put(job={"id": plan.job.hex(), "plan": live.plan_hash.hex(), "kind": plan.kind,
                            "receipt": live.job["receipt"].hex(), "final": plan.final})
        if plan.kind not in plans.WITHOUT_STUB:
            self.offer(live, fresh=False)

    def offer(self, live: Live, fresh: bool) -> None:
        """Brings the stub to state 2 and offers its M1."""
        area = mb.job_area(live.job["sealed"], live.job["entropy"], live.job["plan"])
        stub = self.stub
        mine = stub is not None and stub.plan_raw == live.job["plan"] \
            and stub.static_public == live.job["sealed"]
        if not (mine and stub.new_handshake()):
            if self.state["loads"] >= MOST_LOADS:
                raise Fail("BF-TOO-MANY-LOADS", "the stub was loaded eight times for one yes")
            self.state.put(loads=self.state["loads"] + 1)
            self.stub = stub = EmulatedStub(self.chip, self.stub_hash)
            if not stub.take_job(area):
                raise Fail("BF-STUB-REFUSED", sealed.ERRORS.get(stub.error, "unknown"))
        _, _, d_public = sealed.read_m1(stub.m1)
        if live.d_offered not in (None, d_public):
            # A chip that shows another D needs another tunnel, and its code, first.
            live.phase = "stale"
            self.want_tunnel = True
            return
        live.d_offered = d_public
        live.session_id = live.channel.session.session_id(stub.m1)
        live.phase = "offered"
        live.frames = 0
        live.channel.send(m.SEALED1, m.sealed1(stub.stub_hash, stub.m1))
        event("offered", handshake=stub.handshakes)

    def take_sealed2(self, live: Live, m2: bytes) -> None:
        _, session_id, _ = sealed.read_m2(m2)
        if session_id != live.session_id:
            raise TunnelOver("the session id is another: somebody sits between")
        if not self.stub.take_m2(m2):
            self.problem(live, "BF-CONFIRMATION-WRONG", "the chip did not take M2")
            return
        live.phase = "serving"
        live.channel.send(m.SEALED3, bytes(self.stub.m3))
        live.channel.send(m.CREDIT, m.credit(mb.FRAME_SLOTS))
        event("serving")

    def take_frame(self, live: Live, sequence: int, box: bytes) -> None:
        if sequence != live.frames + 1:
            raise TunnelOver("a FRAME out of order")
        live.frames = sequence
        self.pass_replies(live, self.stub.take_frame(sequence, box))
        if self.stub.erased and self.board in ("untouched", "unknown", "incomplete"):
            self.board = "incomplete"
        if self.stub.state == mb.WRITTEN:
            self.board = "written"
        if sequence % 8 == 0 or self.stub.state != mb.ACTIVE:
            live.channel.send(m.PROGRESS, m.progress(self.stub.accepted, self.stub.words))
        if self.stub.state in (mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE):
            live.channel.send(m.CREDIT, m.credit(self.stub.accepted + mb.FRAME_SLOTS))
        if self.args.die_after and sequence == self.args.die_after:
            os._exit(9)  # a test wants to see this process die in the middle of a job

    def pass_replies(self, live: Live, replies) -> None:
        for sequence, box in replies:
            live.channel.send(m.REPLY, m.boxed(sequence, box))

    # -- the end

    def take_bye(self, live: Live, value) -> None:
        if not value["done"]:
            event("bye", done=False, code=value["code"], detail=m.clean(value["detail"]))
            self.leave(live, value["code"], False)
            return
        job = self.state["job"]
        if job is None or (live.plan and job["plan"] != live.plan_hash.hex()):
            raise Fail("BF-BYE-WITHOUT-YES", "a job is said to be done that nobody agreed to")
        if job["kind"] in plans.WITHOUT_STUB:
            good, why = value["receipt"] is None, "a receipt of a job that has none"
        else:
            good, why = self.receipt_is_good(value, job, live)
        event("bye", done=True, receipt=value["receipt"], signature=value["signature"], good=good,
              why=None if good else why)
        if good:
            if live.plan is None:
                self.board = "unknown"
            elif job["final"] == 1:
                self.board = "running"
            elif job["kind"] == plans.ERASE:
                self.board = "erased"
        self.leave(live, "done" if good else "BF-RECEIPT", good)

    def receipt_is_good(self, value, job, live: Live):
        line, signature = value["receipt"], value["signature"]
        if line is None:
            return False, "there is no receipt"
        try:
            facts = receipts.read(line)
        except Malformed as problem:
            return False, str(problem)
        if facts["version"] != receipts.CUSTOMER:
            return False, "this is not the customer's copy"
        if not receipts.genuine(bytes.fromhex(job["receipt"]), line, signature):
            return False, "the signature is wrong"
        if (facts["job"], facts["planHash"]) != (job["id"], job["plan"]):
            return False, "the receipt is for another job"
        if facts["uid"] != self.chip.uid.hex():
            return False, "the receipt is for another unit"
        reached = self.stub.reached if self.stub and live.plan else None
        allowed = {plans.FLASH: {"written": mb.WRITTEN, "lock programmed": mb.LOCK_DONE},
                   plans.VERIFY: {"verified": mb.ACTIVE},
                   plans.ERASE: {"erased": mb.ACTIVE}}[job["kind"]]
        if facts["outcome"] not in allowed:
            return False, "the outcome is not one of this kind of job"
        if reached is not None and reached < allowed[facts["outcome"]]:
            return False, "the chip did not come that far"
        return True, None

    def leave(self, live: Live, outcome: str, good: bool) -> None:
        live.phase = "leaving"
        self.outcome, self.good = outcome, good
        if self.stub:
            self.stub.power_off()
        live.channel.send(m.LEFT, m.left(self.board))
        live.left_number = live.channel.sealing.number
        event("left", board=self.board)

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
        if self.args.flash_out:
            with open(self.args.flash_out, "wb") as file:
                file.write(bytes(self.chip.flash))
        event("end", good=self.good, outcome=self.outcome, board=self.board, optcr=self.chip.optcr)
        return self.good


async def main(args) -> int:
    if args.invite == "-":
        line = sys.stdin.readline()
    else:
        with open(args.invite) as file:
            line = file.readline()
    return 0 if await Agent(args, invites.parse(line)).run() else 1


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
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust for wss")
    parser.add_argument("--die-after", type=int, metavar="N", help="for tests: die after FRAME N")
    parser.add_argument("--print-stub-hash", action="store_true")
    chosen = parser.parse_args()
    if chosen.print_stub_hash:
        print(emulated_stub.STUB_HASH.hex())
    else:
        sys.exit(asyncio.run(main(chosen)))
