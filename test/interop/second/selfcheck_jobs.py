"""Whole jobs of relay, agent and controller as processes (selfcheck.py)."""

import asyncio
import json
import os
import random
import shutil

import plan as plans
from chip import Chip
from relay import Relay
from selfcheck_common import same
from selfcheck_programs import check_receipt, done


async def job_flash(programs) -> None:
    """A flash job with a wrong code first and a lock at the end."""
    await programs.relay()
    image = programs.image()
    controller = await programs.controller("flash", "--image", programs.path("image"), "--lock",
                                        "--label", "selfcheck")
    agent = await programs.agent()
    await controller.until("code-asked")
    controller.type("abc")
    await controller.until("code-again")
    controller.type("000-000")
    await controller.until("code-wrong")
    await programs.read_out(agent, controller)
    await done(agent, controller)
    same(programs.flash()[: len(image)], image, "the flash")
    assert programs.flash()[len(image) :].count(0xFF) == 2048 * 1024 - len(image)
    check_receipt([one for one in controller.events if one["event"] == "receipt"][-1],
                  "lock programmed")
    same((await agent.until("end"))["optcr"] >> 8 & 0xFF, 0x55, "the lock")
    typed = (await agent.until("code"))["code"]
    text = json.dumps(controller.events) + open(programs.path("job", "job.json")).read()
    assert typed not in text and typed.replace("-", "") not in text, "the vendor's side knows the code"


async def job_other_kinds(programs) -> None:
    """Verify, erase and info on one board, after its flash was filled."""
    await programs.relay()
    image = programs.image()
    chip = Chip(programs.path("chip"))
    chip.flash[: len(image)] = image
    for command, outcome, more in (
            ("verify", "verified", ("--image", programs.path("image"))),
            ("erase", "erased", ("--sectors", "0,2")), ("info", None, ()), ("reset", None, ())):
        for name in ("job", "agent"):
            shutil.rmtree(programs.path(name), ignore_errors=True)
        controller = await programs.controller(command, "--no-code", *more)
        agent = await programs.agent()
        await done(agent, controller)
        if outcome:
            check_receipt(await controller.until("receipt"), outcome)
    same(programs.flash()[:16384], b"\xff" * 16384, "the erased sector")
    same(programs.flash()[16384:32768], image[16384:32768], "the sector that stays")


async def job_not_equal(programs) -> None:
    """A verify job of a board that has another image ends as failed."""
    await programs.relay()
    programs.image()
    controller = await programs.controller("verify", "--no-code", "--image", programs.path("image"))
    agent = await programs.agent()
    same((await agent.gone(), await controller.gone()), (1, 1), "how the programs ended")
    same((await agent.until("end"))["outcome"], "BF-NOT-EQUAL", "what the agent was told")


async def job_no(programs) -> None:
    """The customer says no."""
    await programs.relay()
    programs.image()
    controller = await programs.controller("flash", "--no-code", "--image", programs.path("image"))
    agent = await programs.agent(consent="no")
    same((await agent.gone(), await controller.gone()), (1, 1), "how the programs ended")
    assert not (await controller.until("consent"))["yes"]
    same(programs.flash().count(0xFF), 2048 * 1024, "the flash")


async def job_spent(programs) -> None:
    """The third wrong code spends the invite, and the relay refuses who comes with it."""
    await programs.relay()
    programs.image()
    controller = await programs.controller("flash", "--image", programs.path("image"))
    agent = await programs.agent()
    await controller.until("code-asked")
    right = (await agent.until("code"))["code"].replace("-", "")
    wrong = "000000" if right != "000000" else "111111"
    for n in range(3):
        controller.type(wrong)
    await controller.until("spent")
    same((await agent.gone(), await controller.gone()), (1, 1), "how the programs ended")
    again = await programs.agent()
    same(await again.gone(), 1, "the second agent")
    same((await again.until("end"))["outcome"], "link closed with 4014", "how it ended")


async def job_agent_dies(programs) -> None:
    """The agent's process dies in the middle; the next one needs no code and no second yes."""
    await programs.relay()
    image = programs.image()
    controller = await programs.controller("flash", "--image", programs.path("image"))
    agent = await programs.agent("--die-after", "9")
    await programs.read_out(agent, controller)
    same(await agent.gone(), 9, "how the first agent ended")
    agent = await programs.agent(consent="no")
    await done(agent, controller)
    same(controller.has("code-asked"), 1, "how often the code was asked for")
    same(programs.flash()[: len(image)], image, "the flash")


async def job_controller_dies(programs) -> None:
    """The controller's process dies in the middle; the next one skips what is on record."""
    await programs.relay()
    image = programs.image(400000)
    more = ("flash", "--image", programs.path("image"))
    controller = await programs.controller(*more, "--die-after", "75")
    agent = await programs.agent()
    await programs.read_out(agent, controller)
    same(await controller.gone(), 9, "how the first controller ended")
    controller = await programs.controller(*more)
    await done(agent, controller)
    same(controller.has("code-asked"), 0, "how often the code was asked for again")
    assert controller.has("skipped") > 0, "nothing was skipped"
    same(programs.flash()[: len(image)], image, "the flash")


async def job_finished(programs) -> None:
    """The controller dies after the receipt is on record; the next one only says so."""
    await programs.relay()
    programs.image(30000)
    more = ("flash", "--image", programs.path("image"))
    # ERASE, 4 or 5 IMAGE and DIGEST for each of two sectors, FINAL, END
    controller = await programs.controller(*more, "--die-after", frames_of(programs))
    agent = await programs.agent()
    await programs.read_out(agent, controller)
    same(await controller.gone(), 9, "how the first controller ended")
    controller = await programs.controller(*more)
    await done(agent, controller)
    same((controller.has("finished-before"), controller.has("sealed")), (1, 0), "what it did")


def frames_of(programs) -> int:
    """The number of the END frame of a flash job of the image."""
    with open(programs.path("image"), "rb") as file:
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


async def job_power(programs) -> None:
    """Agent and board lose their power: a new D, so the code is asked for again."""
    await programs.relay()
    image = programs.image()
    controller = await programs.controller("flash", "--image", programs.path("image"))
    agent = await programs.agent("--die-after", "9")
    await programs.read_out(agent, controller)
    await agent.gone()
    os.remove(programs.path("chip", "ram.json"))
    seen = len(controller.events)
    agent = await programs.agent(consent="no")
    await programs.read_out(agent, controller, seen)
    await done(agent, controller)
    same(controller.has("code-asked"), 2, "how often the code was asked for")
    same(programs.flash()[: len(image)], image, "the flash")


async def job_expired(programs) -> None:
    """The chip's idle limit runs out while the agent is away from its controller."""
    await programs.relay()
    image = programs.image()
    more = ("flash", "--image", programs.path("image"), "--idle-ms", "2000")
    controller = await programs.controller(*more, "--die-after", "9")
    agent = await programs.agent()
    await programs.read_out(agent, controller)
    await controller.gone()
    await asyncio.sleep(2.5)
    controller = await programs.controller(*more)
    await programs.read_out(agent, controller)
    await done(agent, controller)
    same(programs.flash()[: len(image)], image, "the flash")


async def job_lossy(programs) -> None:
    """A relay that loses three DATA in a hundred: everything travels again until it has arrived."""
    keys = await programs.start("controller", "keys", "--state", programs.path("keys"))
    tenant = (await keys.until("keys"))["tenant"]
    chance = random.Random(11)

    class Lossy(Relay):
        async def _forward(self, seat, body):
            if chance.random() >= 0.03:
                await super()._forward(seat, body)

    relay = Lossy([bytes.fromhex(tenant)], "127.0.0.1")
    programs.port = await relay.start("127.0.0.1", 0)
    image = programs.image(50000)
    controller = await programs.controller("flash", "--image", programs.path("image"))
    agent = await programs.agent()
    await programs.read_out(agent, controller)
    await done(agent, controller, 150)
    same(programs.flash()[: len(image)], image, "the flash")
    same((controller.has("tunnel"), controller.has("sealed")), (1, 1), "tunnels and sessions")
    await relay.stop()


async def job_relay_dies(programs) -> None:
    """The relay is killed in the middle and comes back: neither tunnel nor session notices."""
    relay = await programs.relay()
    image = programs.image(1500000)
    controller = await programs.controller("flash", "--image", programs.path("image"))
    agent = await programs.agent()
    await programs.read_out(agent, controller)
    await controller.until("digest")
    await relay.kill()
    await programs.relay(programs.port)
    await done(agent, controller)
    same((controller.has("tunnel"), controller.has("sealed")), (1, 1), "tunnels and sessions")
    same(programs.flash()[: len(image)], image, "the flash")
