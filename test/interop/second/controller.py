"""A controller: makes keys, tickets and an invite, and runs one job against an agent.

controller.py keys   --state FOLDER
controller.py flash  --state FOLDER --relay ws://HOST:PORT --image FILE
controller.py verify --state FOLDER --relay … --image FILE
controller.py erase  --state FOLDER --relay … --sectors 0,1,2
controller.py info | reset

A state folder with a job in it is gone on with. The code that was heard is typed as a line on
standard input after the event `code-asked`.
"""

import argparse
import asyncio
import os
import sys
import threading
import time

from nacl.signing import SigningKey

import emulated_stub
import invite as invites
import messages as m
import plan as plans
import receipt as receipts
import sealed
import ticket as tickets
import tunnel
from crypto import CryptoError, equal, normal_code, random, sha512, x25519_public
from link import FINISHED, Link, event, note
from store import Store
from wire import Malformed

MOST_T2, MOST_WRONG, MOST_RESTARTS = 32, 3, 3
OFFER_LIMIT = CONFIRM_LIMIT = 900.0


class JobFailed(Exception):
    """Told by BYE failed."""

    def __init__(self, code: str, detail: str):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class TunnelOver(Exception):
    """This tunnel is over, the job is not; `code` is told when there is one."""


class SessionOver(Exception):
    """This sealed session is over; RESTART asks for another."""


class AgentLeft(Exception):
    def __init__(self, board: str):
        super().__init__(board)
        self.board = board


class Live:
    """One tunnel of the controller."""

    def __init__(self, channel: tunnel.Channel, number: int):
        self.channel, self.number = channel, number
        self.inbox = asyncio.Queue()
        self.asked = self.typed = False
        self.approved = False  # one D may still be approved by this tunnel's code
        self.d_first = None
        self.noisy = []
        self.task = None
        self.offered = None  # a SEALED1 that arrived while another session was at work

    def send(self, kind: int, body: bytes = b"") -> None:
        self.channel.send(kind, body)


class Keys:
    def __init__(self, folder: str):
        store = Store(os.path.join(folder, "keys.json"), {"tenant": None})
        if store["tenant"] is None:
            store.put(tenant=random(32).hex(), sealed=random(32).hex(), receipt=random(32).hex())
        self.tenant = SigningKey(bytes.fromhex(store["tenant"]))
        self.sealed = bytes.fromhex(store["sealed"])
        self.sealed_public = x25519_public(self.sealed)
        self.receipt = SigningKey(bytes.fromhex(store["receipt"]))
        self.receipt_public = bytes(self.receipt.verify_key)
        self.vendor = invites.vendor_hash(self.sealed_public, self.receipt_public)

    def tell(self) -> None:
        event("keys", tenant=bytes(self.tenant.verify_key).hex(), sealed=self.sealed_public.hex(),
              receipt=self.receipt_public.hex(), vendor=self.vendor.hex())


class Controller:
    def __init__(self, args, keys: Keys):
        self.args, self.keys = args, keys
        self.state = Store(os.path.join(args.state, "job.json"), {
            "kind": args.command, "job": random(16).hex(), "plan": None, "invite": None,
            "record": [], "uid": None, "sectors": [], "receipt": None, "finished": False,
            "code": "waived" if args.no_code else "typed"})
        if self.state["kind"] != args.command:
            raise SystemExit("this state folder holds a job of another kind")
        self.image = b""
        if args.command in ("flash", "verify"):
            with open(args.image, "rb") as file:
                self.image = file.read()
            self.image += b"\xff" * (-len(self.image) % 4)
        self.plan = None
        if self.state["plan"]:
            self.plan = plans.parse(bytes.fromhex(self.state["plan"]))
        if self.state["invite"] is None or args.new_invite:
            self.make_invite()
        self.load_invite()
        self.allowed = set(args.allow_stub or [emulated_stub.STUB_HASH.hex()])
        self.pending = None
        self.live = None
        self.tunnels = self.restarts = 0
        self.seen = set()
        self.lines = asyncio.Queue()
        self.over = asyncio.get_running_loop().create_future()
        self.link = Link(self.invite["url"], bytes.fromhex(self.invite["ticket"]),
                         SigningKey(bytes.fromhex(self.invite["holder"])), self.on_present,
                         self.on_data, args.ca)

    # -- invite and secrets

    def make_invite(self) -> None:
        scheme, host, port = invites.relay_address(self.args.relay)
        shown = f"[{host}]" if ":" in host else host
        url = f"{scheme}://{shown}:{port}"
        room, secret, tunnel_secret = random(16), random(32), random(32)
        holder = SigningKey.generate()
        expires = int(time.time()) + self.args.hours * 3600

        def ticket(side, key):
            return tickets.make(self.keys.tenant, room, side, random(16), expires,
                                self.args.cap_kib, bytes(key), host)

        agents = ticket(tickets.AGENT, invites.holder_of(secret).verify_key)
        one = invites.Invite(expires, x25519_public(tunnel_secret), self.keys.vendor, url, agents,
                             secret)
        self.state.put(record=[], invite={
            "line": one.line(), "public": one.public_hash.hex(), "url": url,
            "tunnel": tunnel_secret.hex(), "holder": bytes(holder).hex(),
            "ticket": ticket(tickets.CONTROLLER, holder.verify_key).hex(),
            "secret": secret.hex(), "replaced": [], "opened": 0, "answers": 0, "wrong": 0,
            "spent": None})

    def load_invite(self) -> None:
        self.invite = self.state["invite"]
        self.public_hash = bytes.fromhex(self.invite["public"])
        self.tunnel_secret = bytes.fromhex(self.invite["tunnel"])

    def change_invite(self, **changes) -> None:
        self.invite = {**self.invite, **changes}
        self.state.put(invite=self.invite)

    def spend(self, why: str) -> None:
        """The invite and all its secrets are spent; what answers SPENT stays in memory only."""
        if self.invite["spent"]:
            return
        keys = [tunnel.tag_key(bytes.fromhex(self.invite["secret"])).hex()]
        keys += [one["key"] for one in self.invite["replaced"]]
        self.spent_keys = [bytes.fromhex(one) for one in keys]
        self.change_invite(spent=why, secret=None, line=None, replaced=[])
        self.pending = None
        event("spent", why=why)

    # -- the link

    def on_present(self, present: bool) -> None:
        event("peer", present=present)
        if present and self.live:
            self.live.channel.resume()

    def on_data(self, body: bytes) -> None:
        tag, rest = body[0], body[1:]
        try:
            if tag == tunnel.T1:
                self.take_t1(rest)
            elif tag == tunnel.T3:
                self.take_t3(rest)
            elif tag == tunnel.RESUME and self.live:
                self.live.channel.take_resume(rest)
            elif tag == tunnel.BOX and self.live:
                self.take_box(rest)
        except tunnel.TunnelBroken as problem:
            self.drop(str(problem))
        except Exception as problem:
            note(f"controller: {problem!r}")
            self.end("BF-INTERNAL", False)
            raise

    def take_t1(self, t1: bytes) -> None:
        try:
            _, _, _, ident = tunnel.read_t1(t1)
        except Malformed:
            return
        if self.invite["spent"]:
            for key in getattr(self, "spent_keys", []):
                if tunnel.good_tag(key, t1):
                    self.link.send(bytes([tunnel.SPENT]) + tunnel.spent_answer(key, t1))
                    self.end("BF-INVITE-SPENT", False, soon=True)
            return
        secret = bytes.fromhex(self.invite["secret"])
        if ident == tunnel.secret_id(secret) and tunnel.good_tag(tunnel.tag_key(secret), t1):
            self.seen.add(sha512(t1))
            self.answer_t1(secret, t1)
            return
        for one in self.invite["replaced"]:
            if ident.hex() == one["id"] and tunnel.good_tag(bytes.fromhex(one["key"]), t1):
                fresh = sha512(t1) not in self.seen
                self.seen.add(sha512(t1))
                if one["armed"] and fresh:
                    event("two-hold-the-way-back")
                    self.drop("two hold the way back")
                    self.spend("two hold the way back")
                    self.link.send(bytes([tunnel.SPENT]) + tunnel.spent_answer(
                        bytes.fromhex(one["key"]), t1))
                    self.end("BF-TWO-HOLD-THE-WAY-BACK", False, soon=True)
                return

    def answer_t1(self, secret: bytes, t1: bytes) -> None:
        if self.pending and self.pending.alive() and self.pending.t1 == t1:
            self.link.send(bytes([tunnel.T2]) + self.pending.t2)
            return
        if self.invite["answers"] >= MOST_T2:
            self.spend("too many tunnels were asked for")
            self.link.send(bytes([tunnel.SPENT])
                           + tunnel.spent_answer(tunnel.tag_key(secret), t1))
            self.end("BF-INVITE-SPENT", False, soon=True)
            return
        try:
            pending = tunnel.Pending(self.tunnel_secret, self.public_hash, secret, t1)
        except (Malformed, CryptoError):
            return
        self.change_invite(answers=self.invite["answers"] + 1)
        self.pending, self.pending_secret = pending, secret
        self.link.send(bytes([tunnel.T2]) + pending.t2)

    def take_t3(self, t3: bytes) -> None:
        if not self.pending or not self.pending.alive():
            return
        session = self.pending.finish(t3)
        if session is None:
            event("wrong-t3")
            return
        secret = self.pending_secret
        self.pending = None
        opened = self.invite["opened"] + 1
        entry = {"id": tunnel.secret_id(secret).hex(), "key": tunnel.tag_key(secret).hex(),
                 "opened": opened, "armed": False}
        # R_k is replaced by R_k+1 in one write, before any box.
        self.change_invite(secret=session.next_secret.hex(), opened=opened,
                           replaced=self.invite["replaced"] + [entry])
        self.drop("another tunnel took its place")
        self.tunnels += 1
        live = Live(tunnel.Channel(session, self.link.send), opened)
        live.expected = session.code.replace("-", "")
        self.live = live
        event("tunnel", number=opened, at=receipts.now())
        live.task = asyncio.ensure_future(self.serve(live))

    def take_box(self, body: bytes) -> None:
        live = self.live
        message = live.channel.take_box(body)
        if message is None:
            return
        if live.channel.acked:
            late = [one for one in self.invite["replaced"]
                    if one["opened"] < live.number and not one["armed"]]
            if late:
                self.change_invite(replaced=[
                    {**one, "armed": one["armed"] or one["opened"] < live.number}
                    for one in self.invite["replaced"]])
        kind, raw = message
        try:
            if kind not in m.FROM_AGENT:
                raise Malformed(f"message {kind:02x} does not come from an agent")
            value = m.parse(kind, raw)
        except Malformed as problem:
            live.inbox.put_nowait((None, str(problem)))
            return
        if kind in (m.SHEET, m.PROBLEM):
            now = time.monotonic()
            live.noisy.append(now)
            if len(live.noisy) > 64 or sum(1 for one in live.noisy if now - one < 1) > 8:
                live.inbox.put_nowait((None, "too many SHEET and PROBLEM"))
                return
        if kind != m.ACK:
            live.inbox.put_nowait((kind, value))

    def drop(self, why: str) -> None:
        if self.live:
            live, self.live = self.live, None
            event("tunnel-ended", number=live.number, why=why)
            if live.task and live.task is not asyncio.current_task():
                live.task.cancel()

    # -- one tunnel, from HELLO to LEFT

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
                                       **more)
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
        try:
            e_i, facts, d_public = sealed.read_m1(m1)
            sealed.check_d(d_public, e_i, self.keys.sealed_public)
        except Malformed as problem:
            raise JobFailed("BF-SEALED", str(problem)) from None
        self.check_facts(facts, stub_hash)
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
                                               live.channel.session.session_id(m1))
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
        event("sealed", handshake=facts.handshake, uid=facts.uid.hex())
        return Work(self, live, responder, facts, stub_hash)

    def check_facts(self, facts: sealed.Facts, stub_hash: bytes) -> None:
        target = self.hello["target"]
        uid = facts.uid.hex()
        if stub_hash.hex() not in self.allowed and "any" not in self.allowed:
            raise JobFailed("BF-STUB-UNKNOWN", "this stub is not on the list")
        if facts.key_kind != 1:
            raise JobFailed("BF-SEALED", "the key's kind does not go with the mode")
        if target["uid"] not in ("00" * 12, uid) or self.state["uid"] not in (None, uid):
            raise JobFailed("BF-OTHER-UNIT", "the chip has another UID")
        if target["flashKiB"] not in (0, facts.flash_kib) \
                or facts.flash_kib != self.plan.flash_kib:
            raise JobFailed("BF-WRONG-CHIP", "the chip has another flash size")
        if facts.idcode & 0xFFF != self.plan.dev_id or facts.idcode & 0xFFF != target["devId"]:
            raise JobFailed("BF-WRONG-CHIP", "the chip has another DEV_ID")

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
            "job": plan.job.hex(), "planHash": plan.hash().hex(), "mode": "host-blind",
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
        vendor = receipts.write(receipts.VENDOR, facts)
        customer = receipts.write(receipts.CUSTOMER, receipts.customer_facts(facts))
        self.state.put(finished=finished, receipt={
            "salt": facts["salt"], "vendor": vendor,
            "vendorSignature": receipts.sign(self.keys.receipt, vendor), "customer": customer,
            "customerSignature": receipts.sign(self.keys.receipt, customer)})
        for name, line in (("vendor", vendor), ("customer", customer)):
            with open(os.path.join(self.args.state, f"receipt-{name}.txt"), "wb") as file:
                file.write(receipts.as_file(line, receipts.sign(self.keys.receipt, line)))

    # -- the end

    def end(self, outcome: str, good: bool, soon: bool = False) -> None:
        """Ends the program; `soon` leaves half a second for what was just sent."""
        def now():
            if not self.over.done():
                self.over.set_result((outcome, good))
        if soon:
            asyncio.get_running_loop().call_later(0.5, now)
        else:
            now()

    async def clock(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self.live:
                try:
                    self.live.channel.tick()
                except tunnel.TunnelBroken as problem:
                    self.drop(str(problem))

    def read_lines(self, loop) -> None:
        for line in sys.stdin:
            try:
                loop.call_soon_threadsafe(self.lines.put_nowait, line)
            except RuntimeError:
                return

    async def run(self) -> bool:
        self.keys.tell()
        if self.invite["spent"]:
            event("end", good=False, outcome="BF-INVITE-SPENT")
            return False
        if self.args.invite_out:
            with open(self.args.invite_out + ".new", "w") as file:
                file.write(self.invite["line"] + "\n")
            os.replace(self.args.invite_out + ".new", self.args.invite_out)
        event("invite", line=self.invite["line"], job=self.state["job"])
        threading.Thread(target=self.read_lines, args=(asyncio.get_running_loop(),),
                         daemon=True).start()
        link = asyncio.ensure_future(self.link.run())
        clock = asyncio.ensure_future(self.clock())
        await asyncio.wait([link, clock, self.over], return_when=asyncio.FIRST_COMPLETED,
                           timeout=self.args.patience)
        if clock.done():
            clock.result()
        if link.done() and not self.over.done():
            if self.link.leaving:
                await self.over  # the link was closed by revoke(), whose outcome follows
            else:
                self.end(f"link closed with {link.result()}", False)
        outcome, good = self.over.result() if self.over.done() else ("BF-TIMEOUT", False)
        if self.invite["spent"] and not link.done():
            await self.link.finish(revoke=True)
        elif not link.done():
            await self.link.finish()
        clock.cancel()
        event("end", good=good, outcome=outcome)
        return good


class Work:
    """A sealed session at work: commands under credit, replies in order."""

    def __init__(self, controller, live, responder, facts, stub_hash):
        self.controller, self.live = controller, live
        self.facts, self.stub_hash = facts, stub_hash
        self.sealing, self.opening = responder.chains()
        self.credit = 0
        self.waiting = []  # (sequence, kind of the reply, sector or None), in order
        self.answers = {}
        self.args = controller.args

    async def post(self, plain: bytes, expects=None, sector=None) -> int:
        await asyncio.sleep(0)
        while self.sealing.number + 1 > self.credit or not self.live.inbox.empty():
            await self.pump()
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


async def main(args) -> int:
    keys = Keys(args.keys or args.state)
    if args.command == "keys":
        keys.tell()
        return 0
    return 0 if await Controller(args, keys).run() else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["keys", *plans.KINDS])
    parser.add_argument("--state", required=True, metavar="FOLDER", help="one job lives here")
    parser.add_argument("--keys", metavar="FOLDER", help="keys of the vendor; without it, --state")
    parser.add_argument("--relay", help="the relay's URL")
    parser.add_argument("--image", metavar="FILE")
    parser.add_argument("--address", type=lambda text: int(text, 0), default=plans.FLASH_BASE)
    parser.add_argument("--sectors", default="0", help="for erase: numbers with commas")
    parser.add_argument("--flash-kib", type=int, default=0, help="0: what HELLO says")
    parser.add_argument("--idle-ms", type=int, default=600000)
    parser.add_argument("--lock", action="store_true", help="RDP level 1 at the end")
    parser.add_argument("--halt", action="store_true", help="leave the board halted")
    parser.add_argument("--label", default="")
    parser.add_argument("--invite-out", metavar="FILE")
    parser.add_argument("--new-invite", action="store_true", help="go on under a new invite")
    parser.add_argument("--no-code", action="store_true", help="waive the code")
    parser.add_argument("--allow-stub", action="append", metavar="HEX",
                        help="a stub hash that is allowed, or any; without it, the emulated stub's")
    parser.add_argument("--hours", type=int, default=24, help="how long invite and tickets live")
    parser.add_argument("--cap-kib", type=int, default=65536)
    parser.add_argument("--patience", type=float, default=7200, metavar="SECONDS")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust for wss")
    parser.add_argument("--die-after", type=int, metavar="N", help="for tests: die after FRAME N")
    chosen = parser.parse_args()
    code = asyncio.run(main(chosen))
    sys.stdout.flush()
    os._exit(code)  # the thread that reads standard input does not hold the program
