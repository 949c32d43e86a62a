"""Checks against the vectors (selfcheck.py): keys, boxes, messages, plans, invites."""

import invite as invites
import plan as plans
import sealed
import tunnel
from agent_job import consent_hash
from crypto import BoxChain, Keys, Schedule, expand, sha512, x25519, x25519_public
from selfcheck_common import refused, same


def check_boxes(keys: Keys, boxes) -> None:
    for direction, chain in (("i2r", keys.chain_i2r), ("r2i", keys.chain_r2i)):
        for one in (box for box in boxes if box["direction"] == direction):
            boxer = BoxChain(direction, keys.purpose, chain)
            boxer.number = one["sequence"] - 1
            key, nonce = boxer.material(one["sequence"])
            same(key.hex(), one["key"], "a box key")
            same(nonce.hex(), one["nonce"], "a nonce")
            sequence, box = boxer.seal(bytes.fromhex(one["plaintext"]))
            same((sequence, box.hex()), (one["sequence"], one["box"]), "a box")
            opener = BoxChain(direction, keys.purpose, chain)
            opener.number = one["sequence"] - 1
            same(opener.open(box).hex(), one["plaintext"], "an opened box")


def vector_tunnel(vectors) -> None:
    v, h = vectors["tunnel"], bytes.fromhex
    given = {key: h(value) for key, value in v["input"].items()}
    static, public_hash, secret = (given["static_secret"], given["invite_hash"], given["secret"])
    same(x25519_public(static).hex(), v["static_public"], "the static key")
    attempt = tunnel.Initiator(h(v["static_public"]), public_hash, secret)
    attempt.e_secret, attempt.nonce_i = given["e_i_secret"], given["nonce_i"]
    attempt.t1 = h(v["m1"])
    e_i, commit, payload1, ident = tunnel.read_t1(attempt.t1)
    same(e_i, x25519_public(attempt.e_secret), "e_i")
    same(commit, tunnel.commitment(e_i, public_hash, payload1, attempt.nonce_i), "c")
    same(ident, tunnel.secret_id(secret), "the id")
    assert tunnel.good_tag(tunnel.tag_key(secret), attempt.t1), "the tag of T1 differs"
    t3, session = attempt.answer(h(v["m2"]))
    same(t3.hex(), v["m3"], "T3")
    opened = h(v["m2"])[:80]
    schedule = Schedule("tunnel", [h(v["static_public"]), public_hash], attempt.t1, opened,
                        x25519(given["e_r_secret"], e_i), x25519(static, e_i), secret)
    same((schedule.th.hex(), schedule.prk.hex()), (v["th"], v["prk"]), "th or prk")
    same((opened + schedule.confirm_r).hex(), v["m2"], "T2")
    keys = session.keys
    same([keys.chain_i2r.hex(), keys.chain_r2i.hex(), keys.exporter.hex()],
         [v["chain_i2r"], v["chain_r2i"], v["exporter"]], "the keys")
    check_boxes(keys, v["boxes"])
    s = v["secrets"]
    same([ident.hex(), session.code, session.next_secret.hex(), session.tag.hex(),
          tunnel.spent_answer(tunnel.tag_key(secret), attempt.t1).hex()],
         [s["id"], s["code"], s["next"], s["tag"], s["spent"]], "the secrets")


def vector_sealed(vectors) -> None:
    v, h = vectors["sealed"], bytes.fromhex
    given = v["input"]
    m1, m2 = h(v["m1"]), h(v["m2"])
    e_i, facts, d_public = sealed.read_m1(m1)
    same(d_public, x25519_public(h(given["d_secret"])), "D")
    same(facts.encode().hex(), given["facts"], "the facts")
    same(sealed.make_m1(e_i, h(given["nonce_i"]), facts, d_public), m1, "M1")
    f = vectors["sealed_facts"]
    same([facts.uid.hex(), facts.idcode, facts.flash_kib, facts.version, facts.optcr, facts.optcr1,
          facts.handshake, sealed.WIDTHS[facts.widest]],
         [f["uid"], f["idcode"], f["flash_kib"], f["stub_version"], f["optcr"], f["optcr1"],
          f["handshake"], f["widest"]], "the facts, one by one")
    chip = sealed.SealedInitiator(h(v["static_public"]), h(given["contexts"][0]),
                                  h(given["contexts"][1]), facts, d_public)
    chip.e_secret, chip.m1 = h(given["e_i_secret"]), m1
    m3, keys = chip.answer(m2, h(given["d_secret"]))
    same(m3.hex(), v["m3"], "M3")
    same(sealed.read_m2(m2)[1].hex(), v["session_id"], "the session id in M2")
    same(expand(h(vectors["tunnel"]["exporter"]), b"blindflash/2 session" + sha512(m1), 16).hex(),
         v["session_id"], "the session id")
    schedule = Schedule("sealed", [h(v["static_public"]), *map(h, given["contexts"])], m1, m2[:96],
                        x25519(h(given["e_r_secret"]), e_i), x25519(h(given["static_secret"]), e_i))
    schedule.mix_device(x25519(h(given["e_r_secret"]), d_public))
    same([schedule.th.hex(), schedule.prk.hex(), schedule.confirm_i().hex()],
         [v["th"], v["prk"], v["m3"]], "the responder's end")
    same((m2[:96] + schedule.confirm_r), m2, "M2")
    same([keys.chain_i2r.hex(), keys.chain_r2i.hex(), keys.exporter.hex()],
         [v["chain_i2r"], v["chain_r2i"], v["exporter"]], "the keys")
    check_boxes(keys, v["boxes"])


def loader_vector(vectors, purpose: str) -> None:
    """`device` and `enroll`: both ends from the inputs, M1 field by field."""
    v, h = vectors[purpose], bytes.fromhex
    given = v["input"]
    m1, m2 = h(v["m1"]), h(v["m2"])
    static, contexts = h(v["static_public"]), [h(one) for one in given["contexts"]]
    e_i, facts, d_s, d_f = sealed.read_any_m1(m1)
    secrets = [h(given[name]) for name in ("d_secret", "d_f_secret") if name in given]
    keys = [one for one in (d_s, d_f) if one is not None]
    same(keys, [x25519_public(one) for one in secrets], "the chip's keys")
    same(sealed.make_m1(e_i, h(given["nonce_i"]), facts, *keys), m1, "M1")
    f = vectors["device_facts"]
    boot = (f["reset_flags"].to_bytes(4, "little") + f["debug"].to_bytes(2, "little")
            + f["watchers"].to_bytes(2, "little"))
    same([facts.uid.hex(), facts.idcode, facts.flash_kib, facts.version, facts.optcr, facts.optcr1,
          facts.key_kind, facts.handshake, sealed.WIDTHS[facts.widest], facts.boot],
         [f["uid"], f["idcode"], f["flash_kib"], f["loader_version"], f["optcr"], f["optcr1"],
          2, f["handshake"], f["widest"], boot], "the facts, one by one")
    if purpose == "device":
        same(contexts[2], d_s, "the device on record")
    e_r, session_id, confirm_r = sealed.read_m2(m2)
    e_secret, r_secret = h(given["e_i_secret"]), h(given["e_r_secret"])
    chip = Schedule(purpose, [static, *contexts], m1, m2[:96], x25519(e_secret, e_r),
                    x25519(e_secret, static))
    same(chip.confirm_r, confirm_r, "confirm_r at the chip")
    chip.mix_device(*(x25519(one, e_r) for one in secrets))
    vendor = Schedule(purpose, [static, *contexts], m1, m2[:96], x25519(r_secret, e_i),
                      x25519(h(given["static_secret"]), e_i))
    vendor.mix_device(*(x25519(r_secret, one) for one in keys))
    for end in (chip, vendor):
        same([end.th.hex(), end.prk.hex(), end.confirm_i().hex()], [v["th"], v["prk"], v["m3"]],
             "an end")
    made = chip.keys()
    same([made.chain_i2r.hex(), made.chain_r2i.hex(), made.exporter.hex()],
         [v["chain_i2r"], v["chain_r2i"], v["exporter"]], "the keys")
    same(session_id.hex(), v["session_id"], "the session id in M2")
    check_boxes(Keys(purpose, made.chain_i2r, made.chain_r2i, made.exporter), v["boxes"])


def vector_device(vectors) -> None:
    loader_vector(vectors, "device")


def vector_enroll(vectors) -> None:
    loader_vector(vectors, "enroll")


def vector_messages(vectors) -> None:
    v, h = vectors["sealed_messages"], bytes.fromhex
    one = v["image"]
    same(sealed.image(one["address"], h(one["data"])).hex(), one["plain"], "IMAGE")
    same(sealed.erase(v["erase"]["sector"]).hex(), v["erase"]["plain"], "ERASE")
    one = v["digest"]
    same(sealed.digest(one["first"], one["count"], h(one["expected"])).hex(), one["plain"], "DIGEST")
    one = v["final"]
    same(sealed.final(h(one["root"]), h(one["boot_words"])).hex(), one["plain"], "FINAL")
    for name, kind in (("lock", sealed.LOCK), ("end", sealed.END), ("ping", sealed.PING),
                       ("abort", sealed.ABORT)):
        same(sealed.bare(kind).hex(), v[name]["plain"], name)
    same(sealed.erase(255, True).hex(), v["erase_unless_blank"]["plain"], "ERASE unless blank")
    for name in ("image", "erase", "erase_unless_blank", "digest", "final", "lock", "end", "ping", "abort"):
        sealed.read_command(h(v[name]["plain"]))
        refused(sealed.read_command, h(v[name]["plain"])[:-1] + b"\x01")
    for name, key, more in (
            ("erased", "sector", {"how": "how"}), ("digested", "equal", {"left": "left"}),
            ("written", "width", {"root": "root", "words": "words", "optcr": "optcr", "ms": "ms"}),
            ("locked", None, {"optcr": "optcr", "optcr1": "optcr1"}),
            ("ended", "words", {"ms": "ms"}), ("pong", "words", {}),
            ("stopped", "error", {"detail": "detail"})):
        one, got = v[name], sealed.read_reply(h(v[name]["plain"]))
        same(got["answers"], one["answers"], name)
        for mine, theirs in {**({key: key} if key else {}), **more}.items():
            value = got[mine].hex() if isinstance(got[mine], bytes) else got[mine]
            same(value, one[theirs], f"{name} {mine}")


def vector_rest(vectors) -> None:
    h = bytes.fromhex
    for name in ("plan", "plan_data", "plan_unlock", "plan_options"):
        raw = h(vectors[name]["bytes"])
        plan = plans.parse(raw)
        same((plan.encode(), plan.hash().hex()), (raw, vectors[name]["hash"]), name)
    v = vectors["consent"]
    same(consent_hash(h(v["plan_hash"]), h(v["vendor"]), h(v["uid"]), h(v["stub_hash"])).hex(),
         v["hash"], "the consent")
    v = vectors["root"]
    same(plans.root([(one["address"], one["length"], h(one["digest"])) for one in v["ranges"]]).hex(),
         v["root"], "the root")
    same(plans.written_root(h(v["root"]), h(v["boot_words"])).hex(), v["written"], "the root WRITTEN tells")
    v = vectors["invite"]
    one = invites.parse(v["line"])
    same([one.expires, one.tunnel_public.hex(), one.vendor.hex(), one.url, one.ticket.hex(),
          one.secret.hex(), one.public_hash.hex(), one.line()],
         [v["expires"], v["tunnel_public"], v["vendor"], v["relay_url"], v["ticket"], v["secret"],
          v["public_hash"], v["line"]], "the invite")
    same(invites.vendor_hash(h(v["sealed_key"]), h(v["receipt_key"])).hex(), v["vendor"], "V")
    same([bytes(one.holder()).hex(), bytes(one.holder().verify_key).hex()],
         [v["holder_seed"], v["holder_public"]], "the holder key")
