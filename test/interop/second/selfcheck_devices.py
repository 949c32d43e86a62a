"""Devices with a loader (selfcheck.py): the serial line's bytes, and whole jobs over it."""

import json
import random
import shutil

from nacl.signing import SigningKey

import devices
import plan as plans
import sealed
import serial_line as sl
from crypto import random as drawn, x25519_public
from selfcheck_common import refused, same
from selfcheck_programs import check_receipt, done

UID = "0102030405060708090a0b0c"


def unit_packets() -> None:
    """COBS as its authors have it, packets whole and damaged."""
    run = bytes(range(1, 255))
    for plain, coded in ((b"", "01"), (b"\0", "0101"), (b"\0\0", "010101"), (b"\x11\x22\0\x33", "0311220233"),
                         (b"\x11\0\0\0", "0211010101"), (run, "ff" + run.hex()),
                         (b"\0" + run, "01ff" + run.hex()), (run + b"\xff", "ff" + run.hex() + "02ff"),
                         (run + b"\0", "ff" + run.hex() + "0101")):
        same(sl.cobs(plain).hex(), coded, "COBS")
        same(sl.uncobs(bytes.fromhex(coded)), plain, "COBS read")
    same([sl.uncobs(b"\x03\x11"), sl.uncobs(b"\x02")], [None, None], "COBS that is none")
    chance = random.Random(5)
    body = chance.randbytes(4 + 4064)
    whole = sl.packet(sl.COMMAND, body)
    assert len(whole) <= sl.MOST_CODED + 1 and 0 not in whole[:-1]
    reader = sl.PacketReader(sl.FROM_AGENT)
    same(list(reader.take(b"\0\0" + whole[:9])) + list(reader.take(whole[9:])), [(sl.COMMAND, body)],
         "a packet in two pieces")
    for bad in (whole[:50] + bytes([whole[50] ^ 4]) + whole[51:], sl.packet(sl.COMMAND, body[:-1]),
                sl.packet(0x09), sl.packet(sl.STATUS, bytes(36)), b"\x01" * 5000 + b"\0"):
        same([one for one in reader.take(bad) if one], [], "a packet to be dropped")
    same(list(reader.take(b"\0" + sl.KNOCK + b"\0")), [sl.KNOCK], "a knock between zeros")
    same(sl.Status.read(sl.Status(0x43, accepted=7).encode()).works, True, "STATUS")
    same(sl.Ident.read(b"\x02" + bytes(111)), None, "an IDENT of another format")


def unit_loader_plan() -> None:
    image = bytes(range(256)) * 40
    good = plans.for_image(plans.FLASH, bytes(16), 0x419, 2048, plans.LOADER_IMAGE, image,
                           mode=plans.SEEDED, options=(7, 5, 3, 0))
    same(plans.parse(good.encode()).purpose, "device", "the suite of a plan")
    enrol = plans.Plan(plans.ENROLL, bytes(16), 0x419, 2048, mode=plans.LOCK_THEN_LOAD,
                       options=(7, 0, 0, 0))
    keys = plans.Plan(plans.KEYS, bytes(16), 0x419, 2048, mode=plans.SEEDED, options=(2, 0, 0, 0))
    verify = plans.for_image(plans.VERIFY, bytes(16), 0x419, 2048, plans.LOADER_IMAGE, image,
                             mode=plans.SEEDED, options=(7, 0, 0, 0))
    for plan in (keys, verify):
        same(plans.parse(plan.encode()).purpose, "device", "the suite of a plan")
    same(plans.parse(enrol.encode()).purpose, "enroll", "the suite of an enrolment")
    for plan, change in ((good, dict(mode=1)), (good, dict(mode=4)), (good, dict(lock=1)),
                         (good, dict(options=(7, 2, 3, 0))), (good, dict(options=(7, 5, 3, 1))),
                         (good, dict(erase=good.erase | 8)), (good, dict(flags=plans.LIFT)),
                         (good, dict(boot=plans.NO_BOOT)), (enrol, dict(options=(0, 0, 0, 0))),
                         (enrol, dict(options=(7, 1, 0, 0))), (enrol, dict(options=(7, 0, 1, 0))),
                         (enrol, dict(erase=16)), (enrol, dict(mode=1)), (enrol, dict(kind=10)),
                         (keys, dict(options=(0, 0, 0, 0))), (keys, dict(options=(16, 0, 0, 0))),
                         (keys, dict(options=(1, 1, 0, 0))), (keys, dict(mode=1)),
                         (verify, dict(options=(7, 1, 0, 0))), (verify, dict(options=(0, 0, 0, 0))),
                         (enrol, dict(kind=plans.INFO))):
        other = plans.parse(plan.encode())
        vars(other).update(change)
        refused(plans.parse, other.encode())


def unit_device_m1() -> None:
    """What an M1 of a loader must be, in either suite."""
    static, d_s, d_f = (x25519_public(drawn(32)) for _ in range(3))
    facts = sealed.Facts(bytes(12), 0x419, 2048, 0x200, 0x0FFF55ED, 0, 2, 1, 2)
    e_i = x25519_public(drawn(32))
    for purpose, keys in (("device", (d_s,)), ("enroll", (d_s, d_f))):
        good = sealed.make_m1(e_i, bytes(32), facts, *keys)
        sealed.check_m1(good, purpose, static, d_s)
        other = "enroll" if purpose == "device" else "device"
        refused(sealed.check_m1, good, other, static, d_s)
        refused(sealed.check_m1, good, "sealed", static, d_s)
        refused(sealed.check_m1, sealed.make_m1(b"\xff" * 32, bytes(32), facts, *keys), purpose, static, d_s)
        for bad in (bytes(32), static, e_i, b"\xff" * 32):
            refused(sealed.check_m1, sealed.make_m1(e_i, bytes(32), facts, *keys[:-1], bad), purpose,
                    static, bad)
    refused(sealed.check_m1, sealed.make_m1(e_i, bytes(32), facts, d_s), "device", static, d_f)
    refused(sealed.check_m1, sealed.make_m1(e_i, bytes(32), facts, d_s, d_s), "enroll", static)


def unit_devices() -> None:
    """Entries, what they come to, and the file."""
    vendor = devices.Devices("", SigningKey.generate())
    vendor.store.path = None
    facts = (UID, "11" * 32, "22" * 32, 7, "33" * 64, "bench", "44" * 16, "me")
    same([vendor.enrol(*facts), vendor.enrol(*facts)], ["new", "known"], "enrolments")
    same(vendor.enrol(UID, "55" * 32, *facts[2:]), "waiting", "a second key")
    same(vendor.usable("0102")["sessionKey"], "11" * 32, "the key in use")
    refused(vendor.usable, "99")
    whole = vendor.export()
    same(len(devices.read_file(whole)), 2, "entries of the file")
    for bad in (whole[:-1], whole + b"\n", whole.replace(b'"product":7', b'"product":8'),
                whole.replace(b'"entries":2', b'"entries":3'), b"\n".join(whole.split(b"\n")[:4]) + b"\n"):
        refused(devices.read_file, bad)
    first, second = vendor.entries(UID)
    refused(devices.device_of, [second])
    refused(devices.device_of, [second, {**second, "number": 1, "kind": "state", "was": "active",
                                         "is": "retired"}])
    taken = {**first, "number": 3, "kind": "accepted", "sessionKey": "55" * 32, "place": "bench"}
    same(devices.device_of([first, second, taken])["place"], None, "a key without provenance")
    stolen = {**first, "number": 3, "kind": "state", "was": "retired", "is": "stolen"}
    same(devices.device_of([first, second, stolen])["state"], "stolen", "a theft stays")


async def job_device(programs) -> None:
    """An emulated device is enrolled, forgets a key and gets an image, over a line on which bits flip."""
    await programs.relay()
    image = programs.image(20000)
    keys = await programs.start("controller", "keys", "--state", programs.path("keys"))
    vendor = (await keys.until("keys"))["sealed"]
    loader = await programs.start(
        "loader", "--vendor-key", "sessions+keys=" + vendor, "--vendor-key", "sessions=" + "77" * 32,
        "--product", 7, "--uid", UID, "--state", programs.path("device.json"), "--flash-out", programs.path("flash"), "--flips", 40)
    address = (await loader.until("serial"))["address"]
    file = ("--image", programs.path("image"))
    for command, outcome, more in (
            ("enroll", "enrolled", ("--place", "bench", "--product", 7)),
            ("clear", "keys cleared", ("--device", UID, "--clear", "2")),
            ("flash", "written", ("--halt", "--device", UID, "--release", 4, *file)),
            ("verify", "verified", ("--halt", "--device", UID, *file)),
            ("flash", "written", ("--device", UID[:8], "--release", 5, *file))):
        for name in ("job", "agent"):
            shutil.rmtree(programs.path(name), ignore_errors=True)
        controller = await programs.controller(command, "--allow-stub", "any", *more)
        agent = await programs.agent("--serial", address)
        await programs.read_out(agent, controller)
        await done(agent, controller)
        event = await controller.until("receipt")
        check_receipt(event, outcome)
        same(json.loads(event["vendor"])["device"],
             {"enrolled": "bench", "lock": "effective", "sessions": int(outcome == "written")},
             "the device of the receipt")
    await loader.until("image-runs")
    loader.process.terminate()
    same((await loader.until("end"))["floor"], 5, "the floor")
    base = plans.LOADER_IMAGE - plans.FLASH_BASE
    same(programs.flash()[base : base + len(image)], image, "the flash")
    with open(programs.path("device.json")) as file:
        same(json.load(file)["cleared"], 2, "the keys it forgot")
