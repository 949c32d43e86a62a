"""The programs as processes, for the whole jobs of selfcheck.py."""

import asyncio
import json
import os
import random
import sys
import time

import receipt as receipts
from selfcheck_common import same

HERE = os.path.dirname(os.path.abspath(__file__))


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


class Programs:
    """A folder, keys, a relay, and whatever was started beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    async def start(self, name, *arguments):
        program = await Program.start(name, *arguments)
        self.started.append(program)
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
        for one in self.started:
            await one.kill()


def check_receipt(event, outcome):
    for which in ("vendor", "customer"):
        facts = receipts.read(event[which])
        same(facts["outcome"], outcome, "the outcome")
        assert receipts.genuine(bytes.fromhex(facts["vendorKey"]), event[which],
                                event[which + "Signature"]), "the signature is wrong"


async def done(agent, controller, seconds=60):
    ends = (await agent.gone(seconds), await controller.gone(seconds))
    same(ends, (0, 0), "how the programs ended")
