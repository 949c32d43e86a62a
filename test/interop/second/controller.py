"""A controller: makes keys, tickets and an invite, and runs one job against an agent.

controller.py keys   --state FOLDER
controller.py flash  --state FOLDER --relay ws://HOST:PORT --image FILE
controller.py verify --state FOLDER --relay … --image FILE
controller.py erase  --state FOLDER --relay … --sectors 0,1,2
controller.py info | reset
controller.py enroll --state FOLDER --relay … --place bench --product N
controller.py flash  --state FOLDER --relay … --image FILE --device UID --release N
controller.py clear  --state FOLDER --relay … --device UID --clear 2,3
controller.py devices --keys FOLDER [--devices-in FILE] [--devices-out FILE]

A state folder with a job in it is gone on with. The code that was heard is typed as a line on
standard input after the event `code-asked`.
"""

import argparse
import asyncio
import os
import sys
import threading

from nacl.signing import SigningKey

import emulated_stub
import invite as invites
import plan as plans
import tunnel
from controller_job import JobRun
from controller_tunnel import TunnelEnd
from controller_work import OrderedWork
from crypto import random, x25519_public
from devices import PLACES, Devices
from link import Link, event
from store import Store


MOST_IMAGE_SESSIONS = 8


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


class Controller(TunnelEnd, JobRun, OrderedWork):
    def __init__(self, args, keys: Keys):
        self.args, self.keys = args, keys
        self.state = Store(os.path.join(args.state, "job.json"), {
            "kind": args.command, "job": random(16).hex(), "plan": None, "invite": None,
            "record": [], "uid": None, "sectors": [], "receipt": None, "finished": False,
            "device": None, "image_sessions": 0, "allowed_sessions": 0,
            "code": "waived" if args.no_code else "typed"})
        if self.state["kind"] != args.command:
            raise SystemExit("this state folder holds a job of another kind")
        self.devices = Devices(args.keys or args.state, keys.receipt)
        if args.device and self.state["device"] is None:
            self.state.put(device=self.devices.usable(args.device))
        if args.device and args.address == plans.FLASH_BASE:
            args.address = plans.LOADER_IMAGE
        # A person who starts this program goes on with the job, and allows so many sessions more.
        self.state.put(allowed_sessions=self.state["image_sessions"] + MOST_IMAGE_SESSIONS)
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
            fresh = os.open(self.args.invite_out + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fresh, "w") as file:
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


async def main(args) -> int:
    keys = Keys(args.keys or args.state)
    if args.command == "keys":
        keys.tell()
        return 0
    if args.command == "devices":
        devices = Devices(args.keys or args.state, keys.receipt)
        if args.devices_in:
            with open(args.devices_in, "rb") as file:
                event("taken-over", devices=devices.take_over(file.read(), args.by))
        if args.devices_out:
            with open(args.devices_out, "wb") as file:
                file.write(devices.export())
        return 0
    return 0 if await Controller(args, keys).run() else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["keys", "devices", *plans.KINDS])
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
    parser.add_argument("--place", choices=list(PLACES), help="for enroll: where the device is now")
    parser.add_argument("--product", type=int, help="for enroll: what its loader was made for")
    parser.add_argument("--device", metavar="UID", help="a device on record, by first digits")
    parser.add_argument("--clear", metavar="PLACES", help="for clear: keys of the config, from 1 on")
    parser.add_argument("--release", type=int, default=0, help="with --device: number of this version")
    parser.add_argument("--floor", type=int, help="with --device: the least version taken afterwards")
    parser.add_argument("--by", default="second", help="who enrols")
    parser.add_argument("--devices-in", metavar="FILE", help="another vendor's devices")
    parser.add_argument("--devices-out", metavar="FILE", help="the record as a file")
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
