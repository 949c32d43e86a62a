"""Small checks without a network (selfcheck.py)."""

import random
import time

from nacl.signing import SigningKey

import invite as invites
import link
import messages as m
import mailbox as mb
import plan as plans
import sealed
import ticket as tickets
import tunnel
from chip import Chip
from crypto import Keys, normal_code, sha512, typed_code, x25519, x25519_public
from emulated_stub import EmulatedStub
from selfcheck_common import refused, same


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
