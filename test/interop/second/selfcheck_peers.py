"""What relay, agent and controller take from a peer that is old, stolen, wrong or out of order
(selfcheck.py)."""

import argparse
import asyncio
import json
import os
import shutil
import time

from nacl.signing import SigningKey

import agent
import agent_job
import invite as invites
import messages as m
import plan as plans
import sealed
import ticket as tickets
import tunnel
from crypto import x25519_public
from relay import Relay
from selfcheck_common import same
from selfcheck_programs import done
from wire import lp


async def job_older_secret(programs) -> None:
    """T3 never left, so only the older one of the two secrets on disk opens a tunnel."""
    await programs.relay()
    controller = await programs.controller("info", "--no-code")
    with open(programs.path("invite")) as file:
        one = invites.parse(file.readline())
    os.makedirs(programs.path("agent"))
    with open(programs.path("agent", "agent.json"), "w") as file:
        json.dump({"secrets": [one.secret.hex(), "ab" * 32]}, file)
    agent = await programs.agent()
    await done(agent, controller)


async def job_stolen(programs) -> None:
    """A copy of the way back is noticed when it is used, and spends the invite."""
    await programs.relay()
    programs.image()
    controller = await programs.controller("flash", "--no-code", "--image", programs.path("image"))
    for n in range(3):
        seen = len(controller.events)
        agent = await programs.agent("--consent-delay", 100)
        await controller.until("sheet", seen)
        await agent.until("tunnel")
        if n == 0:
            shutil.copytree(programs.path("agent"), programs.path("copy"))
        if n < 2:
            await agent.kill()
    thief = await programs.start("agent", programs.path("invite"), "--state", programs.path("copy"))
    await controller.until("two-hold-the-way-back")
    same((await thief.gone(), await agent.gone(), await controller.gone()), (1, 1, 1), "the ends")
    same((await thief.until("end"))["outcome"], "BF-INVITE-SPENT", "what the thief was told")
    same((await agent.until("end"))["outcome"], "link closed with 4000", "the agent's end")


async def job_relay_rules(programs) -> None:
    """Which requests and tickets the relay refuses, and how."""
    import websockets
    tenant, holder = SigningKey.generate(), SigningKey.generate()
    relay = Relay([bytes(tenant.verify_key)], "127.0.0.1")
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
            await ws.send(b"\2" + lp(raw) + tickets.prove(proof, challenge[2:34], raw))
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


async def job_order(programs) -> None:
    """What ends a tunnel with BF-TUNNEL-ORDER, and what is only dropped, at an agent."""
    for module in (agent, agent_job):  # only checks speak in this process
        module.event = lambda *_, **__: None
    agent.note = lambda *_, **__: None
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
            self.agent, self.sent, self.got = agent.Agent(args, invite), [], []
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
