"""A controller's invite and its tunnels: T1 to T3 (section 4), boxes, the way back, SPENT."""

import asyncio
import time

from nacl.signing import SigningKey

import invite as invites
import messages as m
import receipt as receipts
import ticket as tickets
import tunnel
from crypto import CryptoError, random, sha512, x25519_public
from link import event, note
from wire import Malformed

MOST_T2 = 32


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


class TunnelEnd:
    """The part of a Controller (controller.py) that keeps the invite and opens tunnels."""

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
