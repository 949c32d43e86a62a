"""Checks this implementation against the vectors and its four programs against one another.

selfcheck.py --vectors FILE [--only NAME …]
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time

import invite as invites
import link
import messages as m
import plan as plans
import receipt as receipts
import sealed
import ticket as tickets
import tunnel
from agent import consent_hash
from crypto import (BoxChain, CryptoError, Keys, Schedule, expand, normal_code, sha512, typed_code,
                    x25519, x25519_public)
from emulated_stub import Chip, EmulatedStub
from nacl.signing import SigningKey
from wire import Malformed

HERE = os.path.dirname(os.path.abspath(__file__))


def same(one, other, what):
    if one != other:
        raise AssertionError(f"{what} differs: {one!r:.200} is not {other!r:.200}")


def refused(function, *values):
    try:
        function(*values)
    except (Malformed, CryptoError):
        return
    raise AssertionError(f"{values!r:.80} was not refused")


# ---- Vectors

def check_boxes(keys: Keys, boxes) -> None:
    for direction, chain in (("i2r", keys.chain_i2r), ("r2i", keys.chain_r2i)):
        for one in (box for box in boxes if box["direction"] == direction):
            boxer = BoxChain(direction, keys.purpose, chain)
            boxer.number = one["sequence"] - 1
            key, nonce = boxer.material(one["sequence"])
            same(key.hex(), one["key"], "a box key")
            same(nonce.hex(), one["nonce"], "a nonce")
            sequence, box = boxer.seal(bytes.fromhex(one["plaintext"]))
            same((sequence, box.hex()), (one["sequence"], one["box"]), "a box")
            opener = BoxChain(direction, keys.purpose, chain)
            opener.number = one["sequence"] - 1
            same(opener.open(box).hex(), one["plaintext"], "an opened box")


def vector_tunnel(vectors) -> None:
    v, h = vectors["tunnel"], bytes.fromhex
    given = {key: h(value) for key, value in v["input"].items()}
    static, public_hash, secret = (given["static_secret"], given["invite_hash"], given["secret"])
    same(x25519_public(static).hex(), v["static_public"], "the static key")
    attempt = tunnel.Initiator(h(v["static_public"]), public_hash, secret)
    attempt.e_secret, attempt.nonce_i = given["e_i_secret"], given["nonce_i"]
    attempt.t1 = h(v["m1"])
    e_i, commit, payload1, ident = tunnel.read_t1(attempt.t1)
    same(e_i, x25519_public(attempt.e_secret), "e_i")
    same(commit, tunnel.commitment(e_i, public_hash, payload1, attempt.nonce_i), "c")
    same(ident, tunnel.secret_id(secret), "the id")
    assert tunnel.good_tag(tunnel.tag_key(secret), attempt.t1), "the tag of T1 differs"
    t3, session = attempt.answer(h(v["m2"]))
    same(t3.hex(), v["m3"], "T3")
    opened = h(v["m2"])[:80]
    schedule = Schedule("tunnel", [h(v["static_public"]), public_hash], attempt.t1, opened,
                        x25519(given["e_r_secret"], e_i), x25519(static, e_i), secret)
    same((schedule.th.hex(), schedule.prk.hex()), (v["th"], v["prk"]), "th or prk")
    same((opened + schedule.confirm_r).hex(), v["m2"], "T2")
    keys = session.keys
    same([keys.chain_i2r.hex(), keys.chain_r2i.hex(), keys.exporter.hex()],
         [v["chain_i2r"], v["chain_r2i"], v["exporter"]], "the keys")
    check_boxes(keys, v["boxes"])
    s = v["secrets"]
    same([ident.hex(), session.code, session.next_secret.hex(), session.tag.hex(),
          tunnel.spent_answer(tunnel.tag_key(secret), attempt.t1).hex()],
         [s["id"], s["code"], s["next"], s["tag"], s["spent"]], "the secrets")


def vector_sealed(vectors) -> None:
    v, h = vectors["sealed"], bytes.fromhex
    given = v["input"]
    m1, m2 = h(v["m1"]), h(v["m2"])
    e_i, facts, d_public = sealed.read_m1(m1)
    same(d_public, x25519_public(h(given["d_secret"])), "D")
    same(facts.encode().hex(), given["facts"], "the facts")
    same(sealed.make_m1(e_i, h(given["nonce_i"]), facts, d_public), m1, "M1")
    f = vectors["sealed_facts"]
    same([facts.uid.hex(), facts.idcode, facts.flash_kib, facts.version, facts.optcr, facts.optcr1,
          facts.handshake, sealed.WIDTHS[facts.widest]],
         [f["uid"], f["idcode"], f["flash_kib"], f["stub_version"], f["optcr"], f["optcr1"],
          f["handshake"], f["widest"]], "the facts, one by one")
    chip = sealed.SealedInitiator(h(v["static_public"]), h(given["contexts"][0]),
                                  h(given["contexts"][1]), facts, d_public)
    chip.e_secret, chip.m1 = h(given["e_i_secret"]), m1
    m3, keys = chip.answer(m2, h(given["d_secret"]))
    same(m3.hex(), v["m3"], "M3")
    same(sealed.read_m2(m2)[1].hex(), v["session_id"], "the session id in M2")
    same(expand(h(vectors["tunnel"]["exporter"]), b"blindflash/2 session" + sha512(m1), 16).hex(),
         v["session_id"], "the session id")
    schedule = Schedule("sealed", [h(v["static_public"]), *map(h, given["contexts"])], m1, m2[:96],
                        x25519(h(given["e_r_secret"]), e_i), x25519(h(given["static_secret"]), e_i))
    schedule.mix_device(x25519(h(given["e_r_secret"]), d_public))
    same([schedule.th.hex(), schedule.prk.hex(), schedule.confirm_i().hex()],
         [v["th"], v["prk"], v["m3"]], "the responder's end")
    same((m2[:96] + schedule.confirm_r), m2, "M2")
    same([keys.chain_i2r.hex(), keys.chain_r2i.hex(), keys.exporter.hex()],
         [v["chain_i2r"], v["chain_r2i"], v["exporter"]], "the keys")
    check_boxes(keys, v["boxes"])


def vector_messages(vectors) -> None:
    v, h = vectors["sealed_messages"], bytes.fromhex
    one = v["image"]
    same(sealed.image(one["address"], h(one["data"])).hex(), one["plain"], "IMAGE")
    same(sealed.erase(v["erase"]["sector"]).hex(), v["erase"]["plain"], "ERASE")
    one = v["digest"]
    same(sealed.digest(one["first"], one["count"], h(one["expected"])).hex(), one["plain"], "DIGEST")
    one = v["final"]
    same(sealed.final(h(one["root"]), h(one["boot_words"])).hex(), one["plain"], "FINAL")
    for name, kind in (("lock", sealed.LOCK), ("end", sealed.END), ("ping", sealed.PING),
                       ("abort", sealed.ABORT)):
        same(sealed.bare(kind).hex(), v[name]["plain"], name)
    same(sealed.erase(255, True).hex(), v["erase_unless_blank"]["plain"], "ERASE unless blank")
    for name in ("image", "erase", "erase_unless_blank", "digest", "final", "lock", "end", "ping", "abort"):
        sealed.read_command(h(v[name]["plain"]))
        refused(sealed.read_command, h(v[name]["plain"])[:-1] + b"\x01")
    for name, key, more in (
            ("erased", "sector", {"how": "how"}), ("digested", "equal", {"left": "left"}),
            ("written", "width", {"root": "root", "words": "words", "optcr": "optcr", "ms": "ms"}),
            ("locked", None, {"optcr": "optcr", "optcr1": "optcr1"}),
            ("ended", "words", {"ms": "ms"}), ("pong", "words", {}),
            ("stopped", "error", {"detail": "detail"})):
        one, got = v[name], sealed.read_reply(h(v[name]["plain"]))
        same(got["answers"], one["answers"], name)
        for mine, theirs in {**({key: key} if key else {}), **more}.items():
            value = got[mine].hex() if isinstance(got[mine], bytes) else got[mine]
            same(value, one[theirs], f"{name} {mine}")


def vector_rest(vectors) -> None:
    h = bytes.fromhex
    for name in ("plan", "plan_data", "plan_unlock", "plan_options"):
        raw = h(vectors[name]["bytes"])
        plan = plans.parse(raw)
        same((plan.encode(), plan.hash().hex()), (raw, vectors[name]["hash"]), name)
    v = vectors["consent"]
    same(consent_hash(h(v["plan_hash"]), h(v["vendor"]), h(v["uid"]), h(v["stub_hash"])).hex(),
         v["hash"], "the consent")
    v = vectors["root"]
    same(plans.root([(one["address"], one["length"], h(one["digest"])) for one in v["ranges"]]).hex(),
         v["root"], "the root")
    same(plans.written_root(h(v["root"]), h(v["boot_words"])).hex(), v["written"], "the root WRITTEN tells")
    v = vectors["invite"]
    one = invites.parse(v["line"])
    same([one.expires, one.tunnel_public.hex(), one.vendor.hex(), one.url, one.ticket.hex(),
          one.secret.hex(), one.public_hash.hex(), one.line()],
         [v["expires"], v["tunnel_public"], v["vendor"], v["relay_url"], v["ticket"], v["secret"],
          v["public_hash"], v["line"]], "the invite")
    same(invites.vendor_hash(h(v["sealed_key"]), h(v["receipt_key"])).hex(), v["vendor"], "V")
    same([bytes(one.holder()).hex(), bytes(one.holder().verify_key).hex()],
         [v["holder_seed"], v["holder_public"]], "the holder key")


# ---- Small checks without the network

def unit_strict() -> None:
    left = m.left("erased")
    same(m.parse(m.LEFT, left), {"board": "erased"}, "LEFT")
    for bad in (b'{"board":"erased","board":"erased"}', b'{"board":"gone"}', b'{}', b'[]',
                b'{"board":"erased","x":1}', b'{"board":"erased"} x', b"\xff", b'{"board":1}'):
        refused(m.parse, m.LEFT, bad)
    refused(m.parse, m.RESTART, b"\0")
    refused(m.parse, m.CREDIT, bytes(5))
    refused(m.parse, m.FRAME, bytes(4) + bytes(16))
    refused(m.parse, m.BYE, m.bye_done(None, None) + b"\0")
    refused(m.parse, m.BYE, b"\2" + m.bye_done(None, None)[1:])
    refused(m.parse, m.CONSENT, b"\2" + bytes(64))
    refused(m.parse, m.OPTIONS, bytes(15))
    refused(m.parse, m.OPTIONS, bytes(17))
    same(m.parse(m.OPTIONS, bytes(12) + b"\1\0\0\0")["optcr1"], 1, "OPTIONS")
    refused(m.parse, 0x11, b"")
    same(normal_code(" abc-oil "), "ABC011", "a typed code")
    same(normal_code("abcde"), None, "a short code")
    refused(invites.parse, "bf1.AAAA")
    refused(x25519, bytes([1]) * 32, bytes(32))
    tenant, holder = SigningKey.generate(), SigningKey.generate()
    raw = tickets.make(tenant, bytes(16), 1, bytes(16), 2**40, 5, bytes(holder.verify_key), "a.b")
    assert tickets.Ticket(raw).genuine()
    assert tickets.Ticket(raw).proves(bytes(32), tickets.prove(holder, bytes(32), raw))
    assert not tickets.Ticket(raw[:-1] + bytes([raw[-1] ^ 1])).genuine()
    refused(tickets.Ticket, raw + b"\0")
    assert link.comes_back(4002) and link.comes_back(1005) and not link.comes_back(4999)


def unit_plan() -> None:
    image = bytes(range(256)) * 200
    good = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, plans.FLASH_BASE, image)
    raw = good.encode()
    same(plans.parse(raw), good, "a plan")
    for change in (dict(boot=plans.NO_BOOT), dict(boot=plans.FLASH_BASE + 16384 - 32), dict(lock=2),
                   dict(erase=0), dict(kind=plans.VERIFY), dict(kind=8), dict(mode=2),
                   dict(flags=8), dict(flags=4), dict(options=(4, 0, 0, 0)),
                   dict(idle_ms=999), dict(ranges=[]), dict(label=b"\xff")):
        other = plans.parse(raw)
        for key, value in change.items():
            setattr(other, key, value)
        refused(plans.parse, other.encode())
    data = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, plans.FLASH_BASE + 0x20000, image)
    data.boot = plans.NO_BOOT
    same(plans.parse(data.encode()), data, "a plan of data")
    data.lock = 1
    refused(plans.parse, data.encode())
    for bad in (raw[:-4], raw + bytes(4), b"BFP1" + raw[4:], raw[:46] + b"\1" + raw[47:]):
        refused(plans.parse, bad)


def unit_options() -> None:
    """What a plan may do to the option bytes, and what not."""
    def plan(kind, *options, kib=0, dev_id=0x419, **more):
        return plans.parse(plans.Plan(kind, bytes(16), dev_id, kib, options=options, **more).encode())

    plan(plans.UNLOCK, 0xCFFFFF10, 0x0FFFAA00, 0x0FFF0000, 0x0FFF0000)
    plan(plans.UNLOCK, 0xFF00, 0xAA00, 0, 0, dev_id=0x413)
    plan(plans.OPTIONS, 0x0FFF00EC, 0x0FFD0084, 0x0FFF0000, 0x07FF0000)
    for bad in ((0xFF00, 0xCC00, 0, 0), (0xFF00, 0x5500, 0, 0), (0xF000, 0xA000, 0, 0),
                (0x8000FF00, 0x8000AA00, 0, 0), (0x1FF00, 0xAA00, 0, 0), (0xFF04, 0xAA04, 0, 0),
                (0, 0, 0, 0)):
        refused(plan, plans.UNLOCK, *bad)
    for bad in ((0xFF00, 0xAA00, 0, 0), (0x10, 0, 0, 0), (0x40000000, 0, 0, 0), (1, 1, 0, 0),
                (2, 2, 0, 0), (0x80000000, 0, 0, 0), (4, 12, 0, 0), (0, 0, 0, 0), (4, 4, 1, 1)):
        refused(plan, plans.OPTIONS, *bad)
    refused(plan, plans.INFO, 4, 4, 0, 0)
    for kind, options, more in ((plans.OPTIONS, (0, 0, 0x10000, 0), {"kib": 1024}),
                                (plans.UNLOCK, (0x8000FF00, 0xAA00, 0, 0), {"dev_id": 0x413}),
                                (plans.UNLOCK, (0xFF00, 0xAA00, 0, 0), {"flags": plans.LIFT})):
        refused(lambda: plan(kind, *options, **more))


def unit_handshake() -> None:
    """Both ends of T1, T2 and T3, and what each refuses."""
    static, secret, public_hash = bytes([5]) * 32, bytes([6]) * 32, bytes(64)
    attempt = tunnel.Initiator(x25519_public(static), public_hash, secret)
    pending = tunnel.Pending(static, public_hash, secret, attempt.t1)
    refused(attempt.answer, pending.t2[:-1] + bytes([pending.t2[-1] ^ 1]))
    refused(attempt.answer, pending.t2 + b"\0")
    refused(attempt.answer, bytes(32) + pending.t2[32:])
    t3, session = attempt.answer(pending.t2)
    for n in (0, 31, 32, 63):
        assert pending.finish(t3[:n] + bytes([t3[n] ^ 1]) + t3[n + 1 :]) is None
    other = pending.finish(t3)
    same((session.code, session.tag, session.next_secret),
         (other.code, other.tag, other.next_secret), "what both ends have")
    refused(tunnel.read_t1, attempt.t1[:72] + b"\1" + attempt.t1[73:])
    assert not tunnel.good_tag(tunnel.tag_key(bytes(32)), attempt.t1)
    # A nonce_i that does not fit the commitment is refused although its confirmation is right.
    assert pending.finish(bytes(32) + pending.schedule.confirm_i(bytes(32))) is None


def unit_channel() -> None:
    """Boxes get lost in both directions, and all arrive in the end, in order."""
    chance = random.Random(7)
    keys = Keys("tunnel", bytes(32), bytes([1]) * 32, bytes([2]) * 32)
    ends = []
    wires = ([], [])
    for side in (0, 1):
        session = tunnel.TunnelSession.__new__(tunnel.TunnelSession)
        session.keys, session.initiator, session.tag = keys, side == 0, bytes(8)
        ends.append(tunnel.Channel(session, wires[side].append))
    got = ([], [])
    for n in range(300):
        for side in (0, 1):
            ends[side].send(m.CREDIT, m.credit(n))
    until = time.monotonic() + 20
    while min(len(one) for one in got) < 300 and time.monotonic() < until:
        for side in (0, 1):
            moved, wires[side][:] = list(wires[side]), []
            for data in moved:
                if chance.random() < 0.02:
                    continue
                other = ends[1 - side]
                if data[0] == tunnel.BOX:
                    message = other.take_box(data[1:])
                    if message and message[0] != m.ACK:
                        got[1 - side].append(m.parse(*message)["credit"])
                else:
                    other.take_resume(data[1:])
            ends[side].tick()
            ends[side].obeyed_at = ends[side].gap_at = -10.0
        time.sleep(0.001)
        for one in ends:
            one.resume()
    for one in got:
        same(one, list(range(300)), "what arrived")
    assert typed_code(bytes(32), bytes(32), bytes(32))[3] == "-"


def unit_stub() -> None:
    """The emulated stub refuses what the plan does not allow, and says why."""
    image = bytes(random.Random(1).randbytes(20000))
    plan = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, plans.FLASH_BASE, image)
    static = bytes([9]) * 32

    def session(chip=None):
        import mailbox as mb
        stub = EmulatedStub(chip or Chip())
        assert stub.take_job(mb.job_area(x25519_public(static), bytes(32), plan.encode()))
        return stub, *handshake(stub)

    def handshake(stub):
        controller = sealed.SealedResponder(static, stub.stub_hash, plan.hash(), stub.m1, bytes(16))
        assert stub.take_m2(controller.m2) and controller.finish(stub.m3)
        return controller.chains()

    def error(commands):
        stub, sealing, opening = session()
        for plain in commands:
            answer = None
            for _, box in stub.take_frame(*sealing.seal(plain)):
                answer = sealed.read_reply(opening.open(box))
        return answer.get("error") if answer else None

    base = plans.FLASH_BASE
    first = sealed.image(base + 64, image[64:128])
    same(error([sealed.erase(1)]), 9, "another sector before that of the boot words")
    same(error([sealed.erase(5)]), 8, "a sector outside the plan")
    same(error([sealed.erase(0), sealed.erase(0)]), 9, "a sector erased twice")
    same(error([first]), 9, "IMAGE without ERASE")
    same(error([sealed.erase(0), sealed.image(base, image[:64])]), 8, "IMAGE on the boot words")
    same(error([sealed.erase(0), first, first]), 9, "IMAGE backwards")
    same(error([sealed.erase(0), sealed.image(base + 0x100000, bytes(4))]), 8, "IMAGE elsewhere")
    same(error([sealed.erase(0), sealed.bare(sealed.END)]), 9, "END before WRITTEN")
    same(error([sealed.erase(0), sealed.bare(sealed.LOCK)]), 9, "LOCK before WRITTEN")
    same(error([sealed.erase(0), sealed.final(bytes(64), bytes(64))]), 12, "a wrong root")
    same(error([sealed.bare(sealed.ABORT)]), 17, "ABORT")
    same(error([b"\x20" + bytes(175)]), 21, "an unknown command")
    same(error([sealed.digest(0, 3, bytes(64))]), 8, "a question beyond the ranges")
    plan = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, base + 0x8000, image[:8192])
    plan.boot = plans.NO_BOOT
    erases = [sealed.erase(one) for one in reversed(plan.sectors_to_erase())]
    images = [sealed.image(base + 0x8000 + at, image[at : at + 2048]) for at in range(0, 8192, 2048)]
    root = plans.root([(one.address, one.length, sha512(image[: one.length]))
                       for one in plan.ranges])
    same(error([*erases, *images, sealed.final(root, bytes(63) + b"\1")]), 21, "boot words of data")
    same(error([*erases, *images, sealed.final(root, bytes(64))]), None, "data")
    stub, sealing, opening = session()
    replies = stub.take_frame(1, bytes(192))
    same(sealed.read_reply(opening.open(replies[0][1]))["error"], 7, "a box that does not open")
    d_before = stub.d
    assert stub.new_handshake() and stub.d == d_before
    handshake(stub)


# ---- The programs, as processes

class Program:
    def __init__(self, name, process):
        self.name, self.process = name, process
        self.events = []
        self.fresh = asyncio.Event()
        self.reader = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, name, *arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable, os.path.join(HERE, name + ".py"), *map(str, arguments),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20)
        return cls(name, process)

    async def _read(self):
        async for line in self.process.stdout:
            self.events.append(json.loads(line))
            self.fresh.set()
        self.events.append({"event": "exit"})
        self.fresh.set()

    async def until(self, name, after=0, seconds=60):
        """The first event of this name at or after a place in the list."""
        end = time.monotonic() + seconds
        while True:
            for one in self.events[after:]:
                if one["event"] == name:
                    return one
            if self.events and self.events[-1]["event"] == "exit":
                raise AssertionError(f"{self.name} ended without {name}: {self.events[-6:]}")
            self.fresh.clear()
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{self.name} did not say {name}: {self.events[-6:]}")
            try:
                await asyncio.wait_for(self.fresh.wait(), left)
            except asyncio.TimeoutError:
                pass

    def has(self, name) -> int:
        return sum(1 for one in self.events if one["event"] == name)

    def type(self, line):
        self.process.stdin.write((line + "\n").encode())

    async def gone(self, seconds=60):
        await asyncio.wait_for(self.process.wait(), seconds)
        await self.reader
        return self.process.returncode

    async def kill(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.gone()


class Scene:
    """A folder, keys, a relay, and whatever was started beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    async def start(self, name, *arguments):
        program = await Program.start(name, *arguments)
        self.programs.append(program)
        return program

    async def relay(self, port=0):
        keys = await self.start("controller", "keys", "--state", self.path("keys"))
        tenant = (await keys.until("keys"))["tenant"]
        await keys.gone()
        relay = await self.start("relay", "--tenant", tenant, "--port", port)
        self.port = (await relay.until("listening"))["port"]
        return relay

    async def controller(self, command, *more):
        out = self.path("invite")
        if os.path.exists(out):
            os.remove(out)
        program = await self.start("controller", command, "--state", self.path("job"), "--keys",
                                   self.path("keys"), "--relay", f"ws://127.0.0.1:{self.port}",
                                   "--invite-out", out, *more)
        await program.until("invite")
        while not os.path.exists(out):
            await asyncio.sleep(0.02)
        return program

    async def agent(self, *more, consent="yes"):
        return await self.start("agent", self.path("invite"), "--state", self.path("agent"),
                                "--chip", self.path("chip"), "--consent", consent,
                                "--flash-out", self.path("flash"), *more)

    def image(self, size=60000, seed=3):
        data = random.Random(seed).randbytes(size - 5000) + b"\xff" * 5000
        with open(self.path("image"), "wb") as file:
            file.write(data)
        return data

    def flash(self):
        with open(self.path("flash"), "rb") as file:
            return file.read()

    async def read_out(self, agent, controller, after=0):
        """The customer reads the code out and the vendor types it."""
        await controller.until("code-asked", after)
        codes = [one["code"] for one in agent.events if one["event"] == "code"]
        controller.type(codes[-1].lower())

    async def close(self):
        for one in self.programs:
            await one.kill()


def check_receipt(event, outcome):
    for which in ("vendor", "customer"):
        facts = receipts.read(event[which])
        same(facts["outcome"], outcome, "the outcome")
        assert receipts.genuine(bytes.fromhex(facts["vendorKey"]), event[which],
                                event[which + "Signature"]), "the signature is wrong"


async def done(agent, controller, seconds=60):
    same((await agent.gone(seconds), await controller.gone(seconds)), (0, 0), "how the programs ended")


async def job_flash(scene) -> None:
    """A flash job with a wrong code first and a lock at the end."""
    await scene.relay()
    image = scene.image()
    controller = await scene.controller("flash", "--image", scene.path("image"), "--lock",
                                        "--label", "selfcheck")
    agent = await scene.agent()
    await controller.until("code-asked")
    controller.type("abc")
    await controller.until("code-again")
    controller.type("000-000")
    await controller.until("code-wrong")
    await scene.read_out(agent, controller)
    await done(agent, controller)
    same(scene.flash()[: len(image)], image, "the flash")
    assert scene.flash()[len(image) :].count(0xFF) == 2048 * 1024 - len(image)
    check_receipt([one for one in controller.events if one["event"] == "receipt"][-1],
                  "lock programmed")
    same((await agent.until("end"))["optcr"] >> 8 & 0xFF, 0x55, "the lock")
    typed = (await agent.until("code"))["code"]
    text = json.dumps(controller.events) + open(scene.path("job", "job.json")).read()
    assert typed not in text and typed.replace("-", "") not in text, "the vendor's side knows the code"


async def job_other_kinds(scene) -> None:
    """Verify, erase and info on one board, after its flash was filled."""
    await scene.relay()
    image = scene.image()
    chip = Chip(scene.path("chip"))
    chip.flash[: len(image)] = image
    for command, outcome, more in (
            ("verify", "verified", ("--image", scene.path("image"))),
            ("erase", "erased", ("--sectors", "0,2")), ("info", None, ()), ("reset", None, ())):
        for name in ("job", "agent"):
            shutil.rmtree(scene.path(name), ignore_errors=True)
        controller = await scene.controller(command, "--no-code", *more)
        agent = await scene.agent()
        await done(agent, controller)
        if outcome:
            check_receipt(await controller.until("receipt"), outcome)
    same(scene.flash()[:16384], b"\xff" * 16384, "the erased sector")
    same(scene.flash()[16384:32768], image[16384:32768], "the sector that stays")


async def job_not_equal(scene) -> None:
    """A verify job of a board that has another image ends as failed."""
    await scene.relay()
    scene.image()
    controller = await scene.controller("verify", "--no-code", "--image", scene.path("image"))
    agent = await scene.agent()
    same((await agent.gone(), await controller.gone()), (1, 1), "how the programs ended")
    same((await agent.until("end"))["outcome"], "BF-NOT-EQUAL", "what the agent was told")


async def job_no(scene) -> None:
    """The customer says no."""
    await scene.relay()
    scene.image()
    controller = await scene.controller("flash", "--no-code", "--image", scene.path("image"))
    agent = await scene.agent(consent="no")
    same((await agent.gone(), await controller.gone()), (1, 1), "how the programs ended")
    assert not (await controller.until("consent"))["yes"]
    same(scene.flash().count(0xFF), 2048 * 1024, "the flash")


async def job_spent(scene) -> None:
    """The third wrong code spends the invite, and the relay refuses who comes with it."""
    await scene.relay()
    scene.image()
    controller = await scene.controller("flash", "--image", scene.path("image"))
    agent = await scene.agent()
    await controller.until("code-asked")
    right = (await agent.until("code"))["code"].replace("-", "")
    wrong = "000000" if right != "000000" else "111111"
    for n in range(3):
        controller.type(wrong)
    await controller.until("spent")
    same((await agent.gone(), await controller.gone()), (1, 1), "how the programs ended")
    again = await scene.agent()
    same(await again.gone(), 1, "the second agent")
    same((await again.until("end"))["outcome"], "link closed with 4014", "how it ended")


async def job_agent_dies(scene) -> None:
    """The agent's process dies in the middle; the next one needs no code and no second yes."""
    await scene.relay()
    image = scene.image()
    controller = await scene.controller("flash", "--image", scene.path("image"))
    agent = await scene.agent("--die-after", "9")
    await scene.read_out(agent, controller)
    same(await agent.gone(), 9, "how the first agent ended")
    agent = await scene.agent(consent="no")
    await done(agent, controller)
    same(controller.has("code-asked"), 1, "how often the code was asked for")
    same(scene.flash()[: len(image)], image, "the flash")


async def job_controller_dies(scene) -> None:
    """The controller's process dies in the middle; the next one skips what is on record."""
    await scene.relay()
    image = scene.image(400000)
    more = ("flash", "--image", scene.path("image"))
    controller = await scene.controller(*more, "--die-after", "75")
    agent = await scene.agent()
    await scene.read_out(agent, controller)
    same(await controller.gone(), 9, "how the first controller ended")
    controller = await scene.controller(*more)
    await done(agent, controller)
    same(controller.has("code-asked"), 0, "how often the code was asked for again")
    assert controller.has("skipped") > 0, "nothing was skipped"
    same(scene.flash()[: len(image)], image, "the flash")


async def job_finished(scene) -> None:
    """The controller dies after the receipt is on record; the next one only says so."""
    await scene.relay()
    scene.image(30000)
    more = ("flash", "--image", scene.path("image"))
    # ERASE, 4 or 5 IMAGE and DIGEST for each of two sectors, FINAL, END
    controller = await scene.controller(*more, "--die-after", frames_of(scene))
    agent = await scene.agent()
    await scene.read_out(agent, controller)
    same(await controller.gone(), 9, "how the first controller ended")
    controller = await scene.controller(*more)
    await done(agent, controller)
    same((controller.has("finished-before"), controller.has("sealed")), (1, 0), "what it did")


def frames_of(scene) -> int:
    """The number of the END frame of a flash job of the scene's image."""
    with open(scene.path("image"), "rb") as file:
        data = file.read()
    plan = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, plans.FLASH_BASE, data)
    count = 2
    for one in plan.ranges:
        count += 2
        at = one.address + (64 if one.address == plan.boot else 0)
        while at < one.end:
            room = min(4032, one.end - at)
            piece = data[at - plans.FLASH_BASE :][:room]
            count += piece.count(0xFF) != room
            at += room
    return count


async def job_older_secret(scene) -> None:
    """T3 never left, so only the older one of the two secrets on disk opens a tunnel."""
    await scene.relay()
    controller = await scene.controller("info", "--no-code")
    with open(scene.path("invite")) as file:
        one = invites.parse(file.readline())
    os.makedirs(scene.path("agent"))
    with open(scene.path("agent", "agent.json"), "w") as file:
        json.dump({"secrets": [one.secret.hex(), "ab" * 32]}, file)
    agent = await scene.agent()
    await done(agent, controller)


async def job_stolen(scene) -> None:
    """A copy of the way back is noticed when it is used, and spends the invite."""
    await scene.relay()
    scene.image()
    controller = await scene.controller("flash", "--no-code", "--image", scene.path("image"))
    for n in range(3):
        seen = len(controller.events)
        agent = await scene.agent("--consent-delay", 100)
        await controller.until("sheet", seen)
        await agent.until("tunnel")
        if n == 0:
            shutil.copytree(scene.path("agent"), scene.path("copy"))
        if n < 2:
            await agent.kill()
    thief = await scene.start("agent", scene.path("invite"), "--state", scene.path("copy"))
    await controller.until("two-hold-the-way-back")
    same((await thief.gone(), await agent.gone(), await controller.gone()), (1, 1, 1), "the ends")
    same((await thief.until("end"))["outcome"], "BF-INVITE-SPENT", "what the thief was told")
    same((await agent.until("end"))["outcome"], "link closed with 4000", "the agent's end")


async def job_relay_rules(scene) -> None:
    """Which requests and tickets the relay refuses, and how."""
    import websockets
    tenant, holder = SigningKey.generate(), SigningKey.generate()
    relay = link.Relay([bytes(tenant.verify_key)], "127.0.0.1")
    port = await relay.start("127.0.0.1", 0)
    for path, more, status in (
            ("/v2/link", dict(origin="http://x"), 403), ("/v1/link", {}, 404),
            ("/v2/link", dict(subprotocols=["blindflash.1"]), 400)):
        try:
            await websockets.connect(f"ws://127.0.0.1:{port}{path}",
                                     **{"subprotocols": ["blindflash.2"], **more})
            raise AssertionError("the relay took a request it should refuse")
        except websockets.InvalidStatusCode as answer:
            same(answer.status_code, status, "the status")

    async def come(signer=tenant, name="127.0.0.1", expires=2**40, proof=holder, cap=100, side=1,
                   spoil=False, then=None):
        raw = tickets.make(signer, bytes(16), side, bytes(16), int(expires), cap,
                           bytes(holder.verify_key), name)
        raw = raw[:-1] + bytes([raw[-1] ^ spoil])
        async with websockets.connect(f"ws://127.0.0.1:{port}/v2/link", ping_interval=None,
                                      subprotocols=["blindflash.2"], compression=None) as ws:
            challenge = await ws.recv()
            same((challenge[:2], challenge[34:]), (b"\1\2", b"\x09127.0.0.1"), "CHALLENGE")
            await ws.send(b"\2" + link.lp(raw) + tickets.prove(proof, challenge[2:34], raw))
            try:
                same((await ws.recv())[0], 3, "WELCOME")
                for one in then or []:
                    await ws.send(one)
                while then is not None:
                    await ws.recv()
                return 0
            except websockets.ConnectionClosed:
                return ws.close_code

    same([await come(), await come(SigningKey.generate()), await come(name="other"),
          await come(expires=time.time() - 1), await come(proof=SigningKey.generate()),
          await come(spoil=True), await come(expires=time.time() + 1, then=[])],
         [0, 4006, 4005, 4007, 4004, 4004, 4007], "the close codes")
    same([await come(then=["text"]), await come(then=[b"\x05"]), await come(then=[b"\x10"]),
          await come(then=[b"\x20abc"]), await come(then=[b"\x10" + bytes(8192)])],
         [1003, 4011, 4011, 4011, 1009], "the close codes of messages")
    older = asyncio.ensure_future(come(then=[]))
    await asyncio.sleep(0.1)
    newer = asyncio.ensure_future(come(then=[]))
    same(await older, 4000, "the older link")
    revoker = asyncio.ensure_future(come(side=2, then=[b"\x05"]))
    same((await newer, await come()), (4014, 4014), "the revoked room")
    await relay.stop()
    same(await revoker, 4002, "a relay that is stopped")


async def job_power(scene) -> None:
    """Agent and board lose their power: a new D, so the code is asked for again."""
    await scene.relay()
    image = scene.image()
    controller = await scene.controller("flash", "--image", scene.path("image"))
    agent = await scene.agent("--die-after", "9")
    await scene.read_out(agent, controller)
    await agent.gone()
    os.remove(scene.path("chip", "ram.json"))
    seen = len(controller.events)
    agent = await scene.agent(consent="no")
    await scene.read_out(agent, controller, seen)
    await done(agent, controller)
    same(controller.has("code-asked"), 2, "how often the code was asked for")
    same(scene.flash()[: len(image)], image, "the flash")


async def job_expired(scene) -> None:
    """The chip's idle limit runs out while the agent is away from its controller."""
    await scene.relay()
    image = scene.image()
    more = ("flash", "--image", scene.path("image"), "--idle-ms", "2000")
    controller = await scene.controller(*more, "--die-after", "9")
    agent = await scene.agent()
    await scene.read_out(agent, controller)
    await controller.gone()
    await asyncio.sleep(2.5)
    controller = await scene.controller(*more)
    await scene.read_out(agent, controller)
    await done(agent, controller)
    same(scene.flash()[: len(image)], image, "the flash")


async def job_order(scene) -> None:
    """What ends a tunnel with BF-TUNNEL-ORDER, and what is only dropped, at an agent."""
    import agent as agents
    agents.event = agents.note = lambda *_, **__: None  # only checks speak in this process
    Agent = agents.Agent
    static, keys, entropy = bytes([5]) * 32, bytes([8]) * 32, bytes(32)
    receipt_public = bytes(SigningKey(bytes([4]) * 32).verify_key)
    invite = invites.Invite(2**40, x25519_public(static), invites.vendor_hash(
        x25519_public(keys), receipt_public), "ws://127.0.0.1:1", b"", bytes([6]) * 32)
    args = argparse.Namespace(state=None, chip=None, flash_kib=2048, stub_hash=None, ca=None,
                              consent="yes", consent_delay=0, die_after=None)
    plan = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, plans.FLASH_BASE, bytes(2000))
    job = m.job(x25519_public(keys), receipt_public, entropy, plan.encode())

    class Vendor:
        """A controller's end whose every message is chosen by the check."""

        def __init__(self):
            self.agent, self.sent, self.got = Agent(args, invite), [], []
            self.agent.link.send, self.agent.link.present = self.sent.append, True
            self.agent.ask()
            pending = tunnel.Pending(static, invite.public_hash, invite.secret, self.sent[0][1:])
            self.agent.on_data(bytes([tunnel.T2]) + pending.t2)
            session = pending.finish(self.sent[1][1:])
            self.channel = tunnel.Channel(session, self.agent.on_data)
            self.at = 2

        async def say(self, kind, body=b""):
            self.channel.send(kind, body)
            await asyncio.sleep(0.01)
            new, self.at = self.sent[self.at :], len(self.sent)
            messages = [self.channel.take_box(one[1:]) for one in new if one[0] == tunnel.BOX]
            self.got = [(one[0], m.parse(*one)) for one in messages if one and one[0] != m.ACK]
            return [kind for kind, _ in self.got]

        async def offered(self):
            same(await self.say(m.JOB, job), [m.HELLO, m.SHEET, m.CONSENT, m.SEALED1], "the start")
            value = self.got[-1][1]
            return lambda ident: sealed.SealedResponder(keys, value["stub"], plan.hash(), value["m1"],
                                                        ident(value["m1"]))

        def ended(self):
            same([(kind, value["code"]) for kind, value in self.got],
                 [(m.PROBLEM, "BF-TUNNEL-ORDER")], "how the tunnel ended")
            assert self.agent.active is None and self.agent.want_tunnel

    one = Vendor()
    make = await one.offered()
    await one.say(m.JOB, job)
    one.ended()
    one = Vendor()
    make = await one.offered()
    same(await one.say(m.FRAME, m.boxed(1, bytes(192))), [], "a FRAME that is dropped")
    await one.say(m.SEALED2, make(lambda m1: bytes(16)).m2)
    one.ended()
    one = Vendor()
    make = await one.offered()
    responder = make(one.channel.session.session_id)
    same(await one.say(m.SEALED2, responder.m2), [m.SEALED3, m.CREDIT], "the session")
    assert responder.finish(one.got[0][1]["m3"])
    same(await one.say(m.SEALED2, responder.m2), [], "a SEALED2 that is dropped")
    await one.say(m.FRAME, m.boxed(2, bytes(192)))
    one.ended()
    one = Vendor()
    same(await one.say(m.RESTART), [m.HELLO], "a RESTART that is dropped")
    other = m.job(x25519_public(entropy[:31] + b"\1"), receipt_public, entropy, plan.encode())
    same(await one.say(m.JOB, other), [m.PROBLEM, m.LEFT], "a JOB of another vendor")
    same(one.got[0][1]["code"], "BF-OTHER-VENDOR", "why")
    one = Vendor()
    done_early = m.bye_done(None, None)
    same(await one.say(m.BYE, done_early), [m.HELLO, m.PROBLEM, m.LEFT], "a BYE without a yes")


async def job_lossy(scene) -> None:
    """A relay that loses three DATA in a hundred: everything travels again until it has arrived."""
    keys = await scene.start("controller", "keys", "--state", scene.path("keys"))
    tenant = (await keys.until("keys"))["tenant"]
    chance = random.Random(11)

    class Lossy(link.Relay):
        async def _forward(self, seat, body):
            if chance.random() >= 0.03:
                await super()._forward(seat, body)

    relay = Lossy([bytes.fromhex(tenant)], "127.0.0.1")
    scene.port = await relay.start("127.0.0.1", 0)
    image = scene.image(50000)
    controller = await scene.controller("flash", "--image", scene.path("image"))
    agent = await scene.agent()
    await scene.read_out(agent, controller)
    await done(agent, controller, 150)
    same(scene.flash()[: len(image)], image, "the flash")
    same((controller.has("tunnel"), controller.has("sealed")), (1, 1), "tunnels and sessions")
    await relay.stop()


async def job_relay_dies(scene) -> None:
    """The relay is killed in the middle and comes back: neither tunnel nor session notices."""
    relay = await scene.relay()
    image = scene.image(1500000)
    controller = await scene.controller("flash", "--image", scene.path("image"))
    agent = await scene.agent()
    await scene.read_out(agent, controller)
    await controller.until("digest")
    await relay.kill()
    await scene.relay(scene.port)
    await done(agent, controller)
    same((controller.has("tunnel"), controller.has("sealed")), (1, 1), "tunnels and sessions")
    same(scene.flash()[: len(image)], image, "the flash")


async def main(args) -> int:
    with open(args.vectors) as file:
        vectors = json.load(file)
    checks = []
    for name, function in list(globals().items()):
        if name.startswith("vector_"):
            checks.append((name, lambda f=function: f(vectors)))
        elif name.startswith("unit_"):
            checks.append((name, function))
        elif name.startswith("job_"):
            checks.append((name, function))
    failed = 0
    for name, function in checks:
        if args.only and name not in args.only:
            continue
        began = time.monotonic()
        folder = tempfile.mkdtemp(prefix="second-")
        problem = None
        try:
            if name.startswith("job_"):
                scene = Scene(folder)
                try:
                    await asyncio.wait_for(function(scene), 180)
                finally:
                    await scene.close()
            else:
                function()
        except Exception as found:
            problem, failed = f"{type(found).__name__}: {found}", failed + 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        link.event("check", name=name, good=problem is None, problem=problem,
                   seconds=round(time.monotonic() - began, 2))
    link.event("selfcheck", good=failed == 0, failed=failed)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", required=True, metavar="FILE")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="only these checks")
    sys.exit(asyncio.run(main(parser.parse_args())))
