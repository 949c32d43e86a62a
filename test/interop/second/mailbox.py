"""The little of the mailbox that is needed here: its job area and its states (mailbox.md).

Rings, control page and trailers are left out: the emulated stub is called, not written to.
"""

from wire import Malformed, Reader, u32

FRAME_SLOTS, REPLY_SLOTS = 40, 16

(BOOT, WAITING, OFFERED, ACTIVE, WRITTEN, LOCK_DONE, ENDED, ABORTED, EXPIRED, FAULT,
 REFUSED) = range(11)


def job_area(sealed_public: bytes, entropy: bytes, plan: bytes) -> bytes:
    body = sealed_public + entropy + plan
    return b"BFJ2" + u32(8 + len(body)) + body


def read_job_area(raw: bytes):
    """(sealed public key, host entropy, plan)"""
    reader = Reader(raw)
    reader.expect(b"BFJ2", "a job area of layout 2")
    if reader.u32() != len(raw):
        raise Malformed("the job area has another length")
    return reader.take(32), reader.take(32), reader.rest()
