"""What an agent does inside a tunnel: its phases (section 6), from HELLO to LEFT."""

import asyncio
import os
import time

import invite as invites
import mailbox as mb
import messages as m
import plan as plans
import receipt as receipts
import sealed
import tunnel
from crypto import sha512
from emulated_stub import EmulatedStub
from link import event
from wire import Malformed

MOST_LOADS = 8

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


class AgentJob:
    """The part of an Agent (agent.py) that handles what the controller says."""

    by_probe = True

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
            if live.phase in ("confirming", "serving"):
                self.take_frame(live, value["sequence"], value["box"])
        elif kind == m.RESTART:
            if live.phase in ("offered", "confirming", "serving"):
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
        if (plan.mode == plans.HOST_BLIND) != self.by_probe:
            raise Fail("BF-JOB-OTHER-WAY", "the plan is for another way to the board")
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
        self.offer_m1(live, stub.stub_hash, stub.m1)

    def offer_m1(self, live: Live, program_hash: bytes, m1: bytes) -> None:
        _, facts, d_public, _ = sealed.read_any_m1(m1)
        if live.d_offered not in (None, d_public):
            # A chip that shows another D needs another tunnel, and its code, first.
            live.phase = "stale"
            self.want_tunnel = True
            return
        live.d_offered = d_public
        live.session_id = live.channel.session.session_id(m1)
        live.phase = "offered"
        live.frames = 0
        live.channel.send(m.SEALED1, m.sealed1(program_hash, m1))
        event("offered", handshake=facts.handshake)

    def check_session(self, live: Live, m2: bytes) -> None:
        _, session_id, _ = sealed.read_m2(m2)
        if session_id != live.session_id:
            raise TunnelOver("the session id is another: somebody sits between")

    def take_sealed2(self, live: Live, m2: bytes) -> None:
        self.check_session(live, m2)
        if not self.stub.take_m2(m2):
            self.problem(live, "BF-CONFIRMATION-WRONG", "the chip did not take M2")
            return
        live.phase = "serving"
        live.channel.send(m.SEALED3, bytes(self.stub.m3))
        live.channel.send(m.CREDIT, m.credit(mb.FRAME_SLOTS))
        event("serving")

    def next_frame(self, live: Live, sequence: int) -> None:
        if sequence != live.frames + 1:
            raise TunnelOver("a FRAME out of order")
        live.frames = sequence

    def take_frame(self, live: Live, sequence: int, box: bytes) -> None:
        self.next_frame(live, sequence)
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

    def reached(self):
        """The furthest state of the program's last session, or None when it is not known."""
        return self.stub.reached if self.stub else None

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
        reached = self.reached() if live.plan else None
        allowed = {plans.FLASH: {"written": mb.WRITTEN, "lock programmed": mb.LOCK_DONE},
                   plans.VERIFY: {"verified": mb.ACTIVE},
                   plans.ERASE: {"erased": mb.ACTIVE},
                   plans.ENROLL: {"enrolled": mb.ACTIVE},
                   plans.KEYS: {"keys cleared": mb.ACTIVE}}[job["kind"]]
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
