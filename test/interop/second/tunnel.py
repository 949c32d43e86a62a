"""The tunnel: T1, T2, T3 and SPENT of both ends, and the channel of boxes (sections 4 and 6)."""

import time

from crypto import (CryptoError, Schedule, equal, expand, hmac512, random, sha512, typed_code,
                    x25519, x25519_public)
from messages import ACK
from wire import Malformed, Reader, u32

T1, T2, T3, BOX, RESUME, SPENT = 0x01, 0x02, 0x03, 0x10, 0x11, 0x12

MOST_BOXES = 4096
MOST_BYTES = 8 * 1024 * 1024
FOREIGN_BOXES = 64


class TunnelBroken(Exception):
    """What breaks the channel itself; it is told to nobody."""


def secret_id(secret: bytes) -> bytes:
    return expand(secret, b"blindflash/2 id", 8)


def tag_key(secret: bytes) -> bytes:
    return expand(secret, b"blindflash/2 t1", 32)


def spent_answer(key: bytes, t1: bytes) -> bytes:
    return hmac512(key, b"spent" + sha512(t1))[:16]


def commitment(e_i: bytes, public_hash: bytes, payload1: bytes, nonce_i: bytes) -> bytes:
    return sha512(b"blindflash/2 commit\0" + e_i + public_hash + payload1 + nonce_i)[:32]


class TunnelSession:
    """What both ends hold after a right T3."""

    def __init__(self, schedule: Schedule, nonce_i: bytes, nonce_r: bytes, initiator: bool):
        self.keys = schedule.keys()
        self.initiator = initiator
        self.code = typed_code(self.keys.exporter, nonce_i, nonce_r)
        self.next_secret = self.keys.export(b"blindflash/2 resume", 32)
        self.tag = self.keys.export(b"blindflash/2 tag", 32)[:8]

    def session_id(self, m1: bytes) -> bytes:
        """Binds a sealed session to this tunnel (section 8)."""
        return self.keys.export(b"blindflash/2 session" + sha512(m1), 16)


class Initiator:
    """One attempt of the agent: one T1, at most one T2 answered."""

    def __init__(self, tunnel_public: bytes, public_hash: bytes, secret: bytes):
        self.tunnel_public = tunnel_public
        self.public_hash = public_hash
        self.secret = secret
        self.e_secret = random(32)
        self.e_public = x25519_public(self.e_secret)
        self.nonce_i = random(32)
        payload1 = secret_id(secret) + bytes(8)
        head = self.e_public + commitment(self.e_public, public_hash, payload1, self.nonce_i) + payload1
        self.t1 = head + hmac512(tag_key(secret), head)[:16]
        self.sent = 0

    def is_spent(self, body: bytes) -> bool:
        return equal(body, spent_answer(tag_key(self.secret), self.t1))

    def answer(self, t2: bytes):
        """(T3, session) for a T2 that fits; Malformed or CryptoError leaves the T1 as it is."""
        reader = Reader(t2)
        e_r, nonce_r = reader.take(32), reader.take(32)
        reader.zeros(16)
        confirm_r = reader.take(32)
        reader.end()
        schedule = Schedule("tunnel", [self.tunnel_public, self.public_hash], self.t1, t2[:80],
                            x25519(self.e_secret, e_r), x25519(self.e_secret, self.tunnel_public),
                            self.secret)
        if not equal(confirm_r, schedule.confirm_r):
            raise Malformed("this T2 is not from the vendor")
        t3 = self.nonce_i + schedule.confirm_i(self.nonce_i)
        return t3, TunnelSession(schedule, self.nonce_i, nonce_r, True)


def read_t1(t1: bytes):
    """(e_i, c, payload1, id) of a T1 whose shape is right; its tag is the caller's business."""
    reader = Reader(t1)
    e_i, commit = reader.take(32), reader.take(32)
    payload1 = t1[64:80]
    ident = reader.take(8)
    reader.zeros(8)
    reader.take(16)
    reader.end()
    return e_i, commit, payload1, ident


def good_tag(key: bytes, t1: bytes) -> bool:
    return equal(t1[80:], hmac512(key, t1[:80])[:16])


class Pending:
    """The responder's one pending answer."""

    LIVES = 60

    def __init__(self, static_secret: bytes, public_hash: bytes, secret: bytes, t1: bytes):
        self.e_i, self.commit, self.payload1, _ = read_t1(t1)
        self.public_hash = public_hash
        self.t1 = t1
        e_secret = random(32)
        self.nonce_r = random(32)
        opened = x25519_public(e_secret) + self.nonce_r + bytes(16)
        self.schedule = Schedule("tunnel", [x25519_public(static_secret), public_hash], t1, opened,
                                 x25519(e_secret, self.e_i), x25519(static_secret, self.e_i), secret)
        self.t2 = opened + self.schedule.confirm_r
        self.until = time.monotonic() + self.LIVES

    def alive(self) -> bool:
        return time.monotonic() < self.until

    def finish(self, t3: bytes):
        """The session of a right T3, or None for a wrong one: this answer then stays pending."""
        if len(t3) != 64:
            return None
        nonce_i, confirm_i = t3[:32], t3[32:]
        right = equal(confirm_i, self.schedule.confirm_i(nonce_i))
        fits = equal(self.commit, commitment(self.e_i, self.public_hash, self.payload1, nonce_i))
        if not (right and fits):
            return None
        return TunnelSession(self.schedule, nonce_i, self.nonce_r, False)


class Channel:
    """Boxes with acknowledgements. `transmit` takes a whole DATA body.

    The owner calls take_box() and take_resume() for what arrives, tick() about ten times a second,
    and resume() when the other end has come into the room.
    """

    def __init__(self, session: TunnelSession, transmit, t3: bytes = None):
        self.session = session
        self.transmit = transmit
        self.t3 = t3  # the agent sends it again until something of the controller has opened
        self.sealing, self.opening = session.keys.chains(session.initiator)
        self.stored = []  # (sequence, DATA body), not acknowledged yet
        self.stored_bytes = 0
        self.acked = 0
        self.foreign = 0
        self.unanswered = 0  # boxes received since the last one was sent, ACKs left out
        self.received_at = None
        self.progress_at = time.monotonic()
        self.patience = 5.0
        self.gap_at = -10.0
        self.obeyed_at = -10.0
        self.heard_at = None
        self.before_first_ack = None  # called once, before the first box that opens is told

    @property
    def confirmed(self) -> bool:
        return self.opening.number > 0

    def send(self, kind: int, body: bytes = b"") -> None:
        if len(self.stored) >= MOST_BOXES or self.stored_bytes + len(body) > MOST_BYTES:
            raise TunnelBroken("too much is not acknowledged")
        if not self.stored:
            self.progress_at, self.patience = time.monotonic(), 5.0
        plain = u32(self.opening.number) + bytes([kind]) + body
        sequence, box = self.sealing.seal(plain)
        data = bytes([BOX]) + u32(sequence) + box
        self.stored.append((sequence, data))
        self.stored_bytes += len(data)
        self.unanswered, self.received_at = 0, None
        self.transmit(data)

    def take_box(self, body: bytes):
        """(type, body) of a box in order, or None for one that is dropped."""
        if len(body) < 4 + 16 + 5:
            return self._not_opened("a box is too short")
        sequence = int.from_bytes(body[:4], "little")
        if sequence <= self.opening.number:
            return None
        if sequence > self.opening.number + 1:
            if time.monotonic() - self.gap_at >= 1.0:
                self.gap_at = time.monotonic()
                self.resume()
            return None
        try:
            plain = self.opening.open(body[4:])
        except CryptoError:
            return self._not_opened("a box did not open")
        if self.opening.number == 1 and self.before_first_ack:
            self.before_first_ack()
        self.t3 = None
        self.heard_at = time.monotonic()
        ack, kind = int.from_bytes(plain[:4], "little"), plain[4]
        if ack > self.sealing.number:
            raise TunnelBroken("a box acknowledges what was not sent")
        if ack > self.acked:
            self.acked = ack
            self.progress_at, self.patience = time.monotonic(), 5.0
            while self.stored and self.stored[0][0] <= ack:
                self.stored_bytes -= len(self.stored.pop(0)[1])
        if kind != ACK:
            self.unanswered += 1
            self.received_at = time.monotonic()
            if self.unanswered >= 32:
                self.send(ACK)
        return kind, plain[5:]

    def _not_opened(self, why: str):
        if self.confirmed:
            raise TunnelBroken(why)
        self.foreign += 1
        if self.foreign > FOREIGN_BOXES:
            raise TunnelBroken(why)
        return None

    def resume(self) -> None:
        self.transmit(bytes([RESUME]) + self.session.tag + u32(self.opening.number))

    def take_resume(self, body: bytes) -> bool:
        """True if the RESUME is of this session; it makes stored boxes travel again."""
        if len(body) != 12 or body[:8] != self.session.tag:
            return False
        have = int.from_bytes(body[8:], "little")
        if have > self.sealing.number:
            return False
        self.heard_at = time.monotonic()
        if time.monotonic() - self.obeyed_at < 0.25:
            return True
        self.obeyed_at = time.monotonic()
        if self.t3:
            self.transmit(bytes([T3]) + self.t3)
        for sequence, data in self.stored:
            if sequence > have:
                self.transmit(data)
        return True

    def tick(self) -> None:
        now = time.monotonic()
        if self.received_at and now - self.received_at >= 0.1:
            self.send(ACK)
        if self.stored and now - self.progress_at >= self.patience:
            self.progress_at = now
            self.patience = min(60.0, self.patience * 2)
            if self.t3:
                self.transmit(bytes([T3]) + self.t3)
            for _, data in self.stored[:4]:
                self.transmit(data)
