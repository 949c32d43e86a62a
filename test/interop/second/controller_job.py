"""One tunnel of a controller from HELLO to LEFT: plan, code, sealed sessions (sections 6, 8, 13)."""

import asyncio
import time

import messages as m
import plan as plans
import sealed
import tunnel
from controller_tunnel import Live
from controller_work import JobFailed, SessionOver, Work
from devices import PLACES
from crypto import CryptoError, equal, normal_code, random
from link import event, note
from wire import Malformed

MOST_WRONG, MOST_RESTARTS = 3, 3
OFFER_LIMIT = CONFIRM_LIMIT = 900.0


class TunnelOver(Exception):
    """This tunnel is over, the job is not; `code` is told when there is one."""


class AgentLeft(Exception):
    def __init__(self, board: str):
        super().__init__(board)
        self.board = board


class JobRun:
    """The part of a Controller (controller.py) that runs the job in a tunnel."""

    async def take(self, live: Live, kinds, seconds: float):
        """The next message of `kinds`; others are dropped, PROBLEM and LEFT are never missed."""
        until = time.monotonic() + seconds
        while True:
            try:
                kind, value = await asyncio.wait_for(live.inbox.get(),
                                                     max(0.01, until - time.monotonic()))
            except asyncio.TimeoutError:
                raise JobFailed("BF-TIMEOUT", "the agent did not go on in time") from None
            if kind is None:
                raise JobFailed("BF-TUNNEL-MESSAGE", value)
            if kind == m.PROBLEM:
                event("problem", code=value["code"], detail=m.clean(value["detail"]),
                      board=value["board"])
                if value["code"] == "BF-TUNNEL-ORDER":
                    raise TunnelOver("BF-TUNNEL-ORDER")
            if kind == m.SHEET:
                event("sheet")
            if kind in kinds:
                return kind, value
            if kind == m.LEFT:
                raise AgentLeft(value["board"])

    async def serve(self, live: Live) -> None:
        failed = None
        try:
            try:
                await self.job(live)
            except JobFailed as problem:
                failed = problem.code
                event("failed", code=problem.code, detail=problem.detail)
                live.send(m.BYE, m.bye_failed(problem.code, problem.detail))
            await self.leaving(live, failed)
        except AgentLeft as left:
            event("left", board=left.board)
            await self.revoke(failed or "BF-AGENT-LEFT", False)
        except (TunnelOver, tunnel.TunnelBroken) as problem:
            if self.live is live:
                self.drop(str(problem))
        except asyncio.CancelledError:
            raise
        except Exception as problem:
            note(f"controller: {problem!r}")
            self.end("BF-INTERNAL", False)
            raise

    async def leaving(self, live: Live, failed) -> None:
        try:
            _, value = await self.take(live, (m.LEFT,), 900)
            event("left", board=value["board"])
        except JobFailed:
            event("no-left")
        await self.revoke(failed or "done", failed is None)

    async def revoke(self, outcome: str, good: bool) -> None:
        if self.live:
            try:
                self.live.send(m.ACK)  # the agent learns that LEFT has arrived
            except tunnel.TunnelBroken:
                pass
        await asyncio.sleep(0.1)
        for _ in range(100):  # a link that is away at this moment may come back for REVOKE
            if self.link.outgoing is not None or self.over.done():
                break
            await asyncio.sleep(0.1)
        await self.link.finish(revoke=True)
        self.end(outcome, good)

    def check_hello(self, hello) -> None:
        target = hello["target"]
        uid = target["uid"]
        if uid != "00" * 12 and self.state["uid"] not in (None, uid):
            raise JobFailed("BF-OTHER-UNIT", "this is another unit than the job's")
        if self.state["device"] and uid != self.state["device"]["uid"]:
            raise JobFailed("BF-OTHER-UNIT", "this is not the device the job is for")
        if self.plan is None:
            self.make_plan(target)
        if self.plan.dev_id != target["devId"]:
            raise JobFailed("BF-WRONG-CHIP", "DEV_ID is not the plan's")
        if self.plan.flash_kib and target["flashKiB"] not in (0, self.plan.flash_kib):
            raise JobFailed("BF-WRONG-CHIP", "the flash has another size than the plan says")

    def make_plan(self, target) -> None:
        args = self.args
        size = args.flash_kib or target["flashKiB"] or 2048
        job = bytes.fromhex(self.state["job"])
        kind = plans.KINDS[args.command]
        more = dict(idle_ms=args.idle_ms, final=0 if args.halt else 1,
                    label=args.label.encode("utf-8"))
        try:
            if kind in (plans.FLASH, plans.VERIFY):
                if kind == plans.FLASH:
                    more["lock"] = 1 if args.lock else 0
                plan = plans.for_image(kind, job, target["devId"], size, args.address, self.image,
                                       **more, **self.behind_loader(kind))
            elif kind == plans.ENROLL:
                plan = plans.Plan(kind, job, target["devId"], size, **{**more, "final": 0},
                                  mode=plans.MODES[PLACES[args.place]],
                                  options=(args.product, 0, 0, 0))
                plan.check()
            elif kind == plans.KEYS:
                plan = plans.Plan(kind, job, target["devId"], size, **{**more, "final": 0},
                                  **self.behind_loader(kind))
                plan.check()
            else:
                mask = 0
                if kind == plans.ERASE:
                    for one in args.sectors.split(","):
                        mask |= 1 << int(one)
                plan = plans.Plan(kind, job, target["devId"], size, erase=mask, **more)
                plan.check()
        except Malformed as problem:
            raise JobFailed("BF-PLAN", str(problem)) from None
        self.state.put(plan=plan.encode().hex())
        self.plan = plan

    def behind_loader(self, kind: int) -> dict:
        """What a plan for a device on record has beside."""
        device, args = self.state["device"], self.args
        if device is None:
            return {}
        options = (device["product"], 0, 0, 0)
        if kind == plans.FLASH:
            floor = args.release if args.floor is None else args.floor
            options = (device["product"], args.release, floor, 0)
        elif kind == plans.KEYS:
            options = (sum(1 << int(one) - 1 for one in args.clear.split(",")), 0, 0, 0)
        return {"mode": plans.MODES[PLACES[device["place"]]], "options": options}

    async def job(self, live: Live) -> None:
        try:
            _, hello = await self.take(live, (m.HELLO,), 60)
        except JobFailed:
            raise TunnelOver("no HELLO came") from None
        event("hello", **{**hello, "agent": m.clean(hello["agent"])})
        self.hello = hello
        self.check_hello(hello)
        if self.state["finished"]:
            event("finished-before")
            self.say_done(live)
            return
        if not self.state["record"]:
            await self.ask_code(live, hello)
        plan = self.plan
        live.send(m.JOB, m.job(self.keys.sealed_public, self.keys.receipt_public, random(32),
                               plan.encode()))
        while True:
            _, value = await self.take(live, (m.CONSENT,), 3600)
            if value["plan"] != plan.hash():
                raise JobFailed("BF-TUNNEL-MESSAGE", "CONSENT for another plan")
            break
        event("consent", yes=value["yes"])
        if not value["yes"]:
            raise JobFailed("BF-CONSENT-NO", "the customer said no")
        if plan.kind in plans.WITHOUT_STUB:
            self.state.put(finished=True)
            self.say_done(live)
            return
        while self.restarts <= MOST_RESTARTS:
            try:
                work = await self.open_session(live)
                await self.work(work)
                self.say_done(live)
                return
            except SessionOver as problem:
                self.restarts += 1
                event("session-ended", why=str(problem))
                if self.state["finished"]:
                    self.say_done(live)  # the receipt is on record, only END went wrong
                    return
                if live.offered is None:
                    live.send(m.RESTART)
        raise JobFailed("BF-TOO-MANY-SESSIONS", "the sealed session broke too often")

    def say_done(self, live: Live) -> None:
        kept = self.state["receipt"]
        if kept:
            event("receipt", vendor=kept["vendor"], vendorSignature=kept["vendorSignature"],
                  customer=kept["customer"], customerSignature=kept["customerSignature"])
            live.send(m.BYE, m.bye_done(kept["customer"], kept["customerSignature"]))
        else:
            live.send(m.BYE, m.bye_done(None, None))

    # -- the code

    async def ask_code(self, live: Live, hello) -> None:
        live.asked = True
        if self.state["code"] == "waived":
            event("code-waived", number=live.number)
            live.approved = True
            return
        until = time.monotonic() + 1800
        while not self.lines.empty():
            self.lines.get_nowait()
        event("code-asked", number=live.number, invite=self.invite["public"][:16],
              customer=m.clean(hello["agent"]), left=MOST_WRONG - self.invite["wrong"])
        while True:
            waiting = asyncio.ensure_future(self.lines.get())
            while not waiting.done():
                if time.monotonic() > until:
                    raise JobFailed("BF-TIMEOUT", "nobody typed the code")
                await asyncio.wait([waiting], timeout=0.2)
                for kind, value in self.peek_left(live):
                    raise AgentLeft(value["board"])
            typed = normal_code(waiting.result())
            if typed is None:
                event("code-again")
                continue
            if equal(typed.encode(), live.expected.encode()):
                live.approved = live.typed = True
                self.change_invite(answers=0)
                event("code-right")
                return
            self.change_invite(wrong=self.invite["wrong"] + 1)
            event("code-wrong", left=MOST_WRONG - self.invite["wrong"])
            if self.invite["wrong"] >= MOST_WRONG:
                self.spend("the third wrong code")
                raise JobFailed("BF-CODE-WRONG", "the code was typed wrong three times")

    def peek_left(self, live: Live):
        """LEFT is noticed while a person is typing; everything else waits its turn."""
        return [one for one in live.inbox._queue if one[0] == m.LEFT]

    # -- the sealed session

    async def open_session(self, live: Live) -> "Work":
        if live.offered:
            value, live.offered = live.offered, None
        else:
            _, value = await self.take(live, (m.SEALED1,), OFFER_LIMIT)
        m1, stub_hash = value["m1"], value["stub"]
        purpose, device = self.plan.purpose, self.state["device"]
        known = bytes.fromhex(device["sessionKey"]) if device else None
        try:
            _, facts, keys = sealed.check_m1(m1, purpose, self.keys.sealed_public, known)
        except Malformed as problem:
            raise JobFailed("BF-SEALED", str(problem)) from None
        d_public, session_key = keys[0], known
        self.check_facts(facts, stub_hash)
        if self.plan.mode != plans.HOST_BLIND:
            self.check_loader(facts)
        known = any(one == {"d": d_public.hex(), "uid": facts.uid.hex()}
                    for one in self.state["record"])
        live.d_first = live.d_first or d_public
        if live.d_first != d_public:
            raise TunnelOver("a second D in one tunnel")
        if not known:
            if not live.asked:
                await self.ask_code(live, self.hello)
            if not live.approved:
                raise TunnelOver("a D that no code approves")
        try:
            responder = sealed.SealedResponder(self.keys.sealed, stub_hash, self.plan.hash(), m1,
                                               live.channel.session.session_id(m1), purpose,
                                               session_key)
        except (Malformed, CryptoError) as problem:
            raise JobFailed("BF-SEALED", str(problem)) from None
        live.send(m.SEALED2, responder.m2)
        kind, value = await self.take(live, (m.SEALED3, m.PROBLEM), CONFIRM_LIMIT)
        if kind == m.PROBLEM or not responder.finish(value["m3"]):
            raise SessionOver("the chip's confirmation is not good")
        if known:
            self.change_invite(answers=0)
        else:
            live.approved = False
            self.state.put(uid=facts.uid.hex(), record=self.state["record"]
                           + [{"d": d_public.hex(), "uid": facts.uid.hex()}])
        event("sealed", handshake=facts.handshake, uid=facts.uid.hex(), purpose=purpose)
        return Work(self, live, responder, facts, stub_hash, keys)

    def check_loader(self, facts: sealed.Facts) -> None:
        """No M2 for a chip that is not locked, or is looked into, or broke off too often."""
        if facts.optcr >> 8 & 0xFF in (0xAA, 0xCC):
            raise JobFailed("BF-NOT-LOCKED", "the chip is not at read protection level 1")
        if facts.boot[4] & 1 or any(facts.boot[6:]):
            raise JobFailed("BF-WATCHED", "a debugger, breakpoints or trace are on")
        if self.state["image_sessions"] >= self.state["allowed_sessions"]:
            raise JobFailed("BF-TOO-MANY-SESSIONS", "a person has to decide")

    def count_image_session(self) -> None:
        """On record before the first IMAGE of a session leaves (section 8)."""
        self.state.put(image_sessions=self.state["image_sessions"] + 1)

    def check_facts(self, facts: sealed.Facts, stub_hash: bytes) -> None:
        target = self.hello["target"]
        uid = facts.uid.hex()
        if stub_hash.hex() not in self.allowed and "any" not in self.allowed:
            raise JobFailed("BF-STUB-UNKNOWN", "this stub is not on the list")
        if target["uid"] not in ("00" * 12, uid) or self.state["uid"] not in (None, uid):
            raise JobFailed("BF-OTHER-UNIT", "the chip has another UID")
        if target["flashKiB"] not in (0, facts.flash_kib) \
                or facts.flash_kib != self.plan.flash_kib:
            raise JobFailed("BF-WRONG-CHIP", "the chip has another flash size")
        if facts.idcode & 0xFFF != self.plan.dev_id or facts.idcode & 0xFFF != target["devId"]:
            raise JobFailed("BF-WRONG-CHIP", "the chip has another DEV_ID")
