"""An emulated device with a loader, at the far end of a pseudo-terminal (serial-link.md).

loader.py --vendor-key ROLES=HEX --product N [--uid HEX] [--state FILE]
"""

import argparse
import asyncio
import random as dice
import signal

import mailbox as mb
import serial_line as sl
from chip import Chip
from crypto import sha512
from emulated_loader import LOADER_VERSION, EmulatedLoader
from link import event
from serial_port import Port
from wire import u32

LOADER_HASH = sha512(b"Blindflash second implementation, emulated loader\n")
SLOTS, MOST_KEPT, MOST_DROPPED = 8, 16, 3
STATUS_EVERY, TRY_FOR, GONE_AFTER = 0.02, 0.3, 10.0
SEARCHING, LINKED, TRYING = "searching", "linked", "trying"
SESSION = (mb.ACTIVE, mb.WRITTEN, mb.LOCK_DONE)


class LoaderEnd:
    """The loader's end of the line. A bit rate is agreed to; a pseudo-terminal has none."""

    def __init__(self, program: EmulatedLoader, port: Port, most_rate: int, one_in: int, seed: int):
        self.program, self.port, self.most_rate = program, port, most_rate
        self.one_in, self.chance = one_in, dice.Random(seed)
        self.reader = sl.PacketReader(sl.FROM_AGENT)
        self.line, self.before = SEARCHING, bytearray()
        self.bad = self.dropped = 0
        self.told = self.leaving = None
        self.telling = False
        self.runs = False  # the image: nobody is at this end any more
        self._new_session()
        port.on_bytes = self._bytes

    def _new_session(self) -> None:
        self.replied, self.replies, self.missing = 0, {}, False
        self.m3 = None

    # -- the line

    def _bytes(self, data: bytes) -> None:
        if self.one_in and self.chance.randrange(self.one_in) == 0:
            at = self.chance.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << self.chance.randrange(8)]) + data[at + 1 :]
        for byte in data:
            if self.runs:
                return
            if self.line == SEARCHING:
                self._search(byte)
            elif self.line == TRYING and not self.heard_zero:
                self.heard_zero = byte == 0
            else:
                for one in self.reader.take(bytes([byte])):
                    self._one(one)
        self._tell_changes()

    def _search(self, byte: int) -> None:
        self.before.append(byte)
        if self.before.endswith(sl.KNOCK):
            self._link()
            self._send_ident()

    def _link(self) -> None:
        self.line, self.bad = LINKED, 0
        self.before.clear()
        self.reader.forget()

    def _one(self, one) -> None:
        if one is sl.KNOCK:
            self._send_ident()
        elif one is None:
            self.dropped += 1
            self.bad += 1
            if self.bad == MOST_DROPPED:
                self.line = LINKED if self.line == TRYING else SEARCHING
                self.bad = 0
        else:
            self.bad = 0
            self.line = LINKED
            self._good()
            self._packet(*one)

    def _good(self) -> None:
        """A good packet came; without another one the agent is taken for gone."""
        if self.leaving:
            self.leaving.cancel()
        self.leaving = asyncio.get_running_loop().call_later(GONE_AFTER, self._run_image)

    def _run_image(self) -> None:
        """An orderly end, and the plan says run: the image starts."""
        program = self.program
        if program.state == mb.ENDED and program.plan.final == 1 and not self.runs:
            self.runs = True
            event("image-runs", version=program.store["version"])

    def _try(self, rate: int) -> None:
        if not 0 < rate <= self.most_rate:
            return
        self.line, self.heard_zero = TRYING, False
        self.reader.forget()

        def give_up():
            if self.line == TRYING:
                self._link()
        asyncio.get_running_loop().call_later(TRY_FOR, give_up)

    def _send(self, kind: int, body: bytes) -> None:
        if self.line != SEARCHING:
            self.port.write(sl.packet(kind, body))

    # -- packets

    def _packet(self, kind: int, body: bytes) -> None:
        program = self.program
        if kind == sl.ASK_IDENT:
            self._send_ident()
        elif kind == sl.JOB and mb.WAITING <= program.state <= mb.EXPIRED:
            self._new_session()
            if program.take_job(body):
                event("job", kind=program.plan.kind, mode=program.plan.mode)
                self._send_m1()
        elif kind == sl.M2 and program.state == mb.OFFERED:
            if program.take_m2(body):
                event("session", purpose=program.plan.purpose)
                self.m3 = program.m3
                self._send(sl.M3, self.m3)
        elif kind == sl.COMMAND:
            self._command(int.from_bytes(body[:4], "little"), body[4:])
        elif kind == sl.FETCHED:
            self._fetched(int.from_bytes(body, "little"))
        elif kind == sl.AGAIN:
            self._again(body[0], int.from_bytes(body[1:], "little"))
        elif kind == sl.ABORT:
            self._reply(program.stop())
            self._send_status()
        elif kind == sl.BAUD:
            self._try(int.from_bytes(body, "little"))

    def _command(self, sequence: int, box: bytes) -> None:
        program = self.program
        if program.state not in SESSION or sequence > program.accepted + SLOTS:
            return
        if sequence > program.accepted + 1:
            self.missing = True
        elif sequence == program.accepted + 1 and len(self.replies) < MOST_KEPT:
            self.missing = False
            was = program.state
            self._reply(program.take_frame(sequence, box))
            if program.state != was:
                event("state", state=program.state, error=program.error)

    def _reply(self, replies) -> None:
        for sequence, box in replies:
            self.replied = sequence
            self.replies[sequence] = box
            self._send(sl.REPLY, u32(sequence) + box)

    def _fetched(self, sequence: int) -> None:
        if not mb.ACTIVE <= self.program.state <= mb.ABORTED or sequence > self.replied:
            return
        for one in [one for one in self.replies if one <= sequence]:
            del self.replies[one]
        if not self.replies:
            self._run_image()

    def _again(self, kind: int, sequence: int) -> None:
        program = self.program
        if kind == sl.IDENT:
            self._send_ident()
        elif kind == sl.M1:
            if program.state == mb.OFFERED:
                self._send_m1()
        elif kind == sl.M3:
            if self.m3 and mb.ACTIVE <= program.state <= mb.ABORTED:
                self._send(sl.M3, self.m3)
        elif kind == sl.REPLY:
            if sequence in self.replies:
                self._send(sl.REPLY, u32(sequence) + self.replies[sequence])
        else:
            self._send_status()

    # -- what it says of itself

    def _send_ident(self) -> None:
        program, chip, kept = self.program, self.program.chip, self.program.store
        flags = sl.FLAG_LOCKED | sl.FLAG_KEYS | (sl.FLAG_COMPLETE if kept["complete"] else
                                                 sl.FLAG_NO_IMAGE)
        self._send(sl.IDENT, sl.Ident(
            program.state, flags, LOADER_VERSION, SLOTS, 6, program.product, kept["version"],
            kept["floor"], program.stub_hash, chip.uid, chip.optcr, chip.optcr1, chip.dev_id,
            chip.flash_kib, self.most_rate).encode())

    def _send_m1(self) -> None:
        self._send(sl.M1, self.program.m1 + self.program.stub_hash)

    def _status(self) -> sl.Status:
        program = self.program
        accepted = program.accepted
        return sl.Status(program.state | (sl.MISSING if self.missing else 0), 0, 0, program.error,
                         accepted, accepted + SLOTS, self.replied, program.words, program.detail,
                         program.handshakes, accepted, self.dropped)

    def _send_status(self) -> None:
        status = self._status()
        self.told = (status.first, status.error, status.accepted, status.replied)
        self._send(sl.STATUS, status.encode())

    def _tell_changes(self) -> None:
        """STATUS when what it tells has changed, at most every 20 ms."""
        status = self._status()
        if self.telling or self.told == (status.first, status.error, status.accepted, status.replied):
            return
        self.telling = True

        def tell():
            self.telling = False
            if not self.runs:
                self._send_status()
        asyncio.get_running_loop().call_later(STATUS_EVERY, tell)


def vendor(text: str):
    """(key, roles) of ROLES=HEX."""
    roles, _, key = text.rpartition("=")
    return bytes.fromhex(key), roles.split("+")


async def main(args) -> None:
    chip = Chip(args.chip, uid=bytes.fromhex(args.uid) if args.uid else None)
    program = EmulatedLoader(chip, bytes.fromhex(args.loader_hash) if args.loader_hash else LOADER_HASH,
                             map(vendor, args.vendor_key), args.product, args.state)
    port, address = Port.offer()
    LoaderEnd(program, port, args.baud, args.flips, args.seed)
    event("serial", address=address, uid=chip.uid.hex(), loader=program.stub_hash.hex())
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    await stop.wait()
    if args.flash_out:
        with open(args.flash_out, "wb") as file:
            file.write(bytes(chip.flash))
    event("end", version=program.store["version"], floor=program.store["floor"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendor-key", action="append", required=True, metavar="ROLES=HEX",
                        help="a vendor's sealed key and what it may: sessions, keys")
    parser.add_argument("--product", type=int, required=True)
    parser.add_argument("--uid", metavar="HEX", help="whose unique id it claims; a random one")
    parser.add_argument("--loader-hash", metavar="HEX", help="which loader it claims to be")
    parser.add_argument("--baud", type=int, default=921600, help="highest bit rate it claims")
    parser.add_argument("--state", metavar="FILE", help="its keys, version and floor are kept here")
    parser.add_argument("--chip", metavar="FOLDER", help="its flash is kept here")
    parser.add_argument("--flash-out", metavar="FILE", help="the flash is written here at the end")
    parser.add_argument("--flips", type=int, default=0, metavar="N",
                        help="flips a bit in one of N pieces that arrive")
    parser.add_argument("--seed", type=int, default=1, help="of the flipped bits")
    asyncio.run(main(parser.parse_args()))
