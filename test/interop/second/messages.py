"""All tunnel messages and their JSON bodies, strictly read (section 6)."""

import json
import re

from wire import Malformed, Reader, lp, u32

ACK, HELLO, JOB, CONSENT, SEALED1, SEALED2, SEALED3, FRAME = range(8)
REPLY, CREDIT, PROGRESS, PROBLEM, RESTART, BYE, LEFT, SHEET, OPTIONS = range(8, 17)

NAMES = ["ACK", "HELLO", "JOB", "CONSENT", "SEALED1", "SEALED2", "SEALED3", "FRAME", "REPLY",
         "CREDIT", "PROGRESS", "PROBLEM", "RESTART", "BYE", "LEFT", "SHEET", "OPTIONS"]
FROM_AGENT = {ACK, HELLO, CONSENT, SEALED1, SEALED3, REPLY, CREDIT, PROGRESS, PROBLEM, LEFT, SHEET,
              OPTIONS}
FROM_CONTROLLER = {ACK, JOB, SEALED2, FRAME, RESTART, BYE}

BOARDS = ("untouched", "incomplete", "erased", "written", "waiting", "locked", "rom",
          "running",
          "unknown")
MOST_JSON = 4096
LEAST_BOX, MOST_BOX = 16, 4064


# ---- JSON: each check takes a value and raises Malformed, or lets it pass.

def text(most):
    def check(value):
        if not isinstance(value, str):
            raise Malformed("a text is not one")
        try:
            units = len(value.encode("utf-16-le")) // 2
        except UnicodeEncodeError as problem:
            raise Malformed("a text has half a surrogate pair") from problem
        if units > most:
            raise Malformed("a text is too long")
    return check


def hexa(count):
    pattern = re.compile("[0-9a-f]{%d}" % (2 * count))

    def check(value):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise Malformed("hexadecimal digits are not those")
    return check


def integer(most, least=0):
    def check(value):
        if type(value) is not int or not least <= value <= most:
            raise Malformed("a number is out of its range")
    return check


def one_of(*values):
    def check(value):
        if not any(type(value) is type(one) and value == one for one in values):
            raise Malformed("a value is none of those allowed")
    return check


def nullable(inner):
    def check(value):
        if value is not None:
            inner(value)
    return check


def array(inner, most):
    def check(value):
        if not isinstance(value, list) or len(value) > most:
            raise Malformed("a list is not one, or too long")
        for one in value:
            inner(one)
    return check


def fields(**named):
    def check(value):
        if not isinstance(value, dict) or set(value) != set(named):
            raise Malformed("fields are missing or unknown")
        for name, inner in named.items():
            inner(value[name])
    return check


def code(value):
    if not isinstance(value, str) or not re.fullmatch(r"BF-[A-Z0-9-]{1,40}", value):
        raise Malformed("a code is not one")


HELLO_SHAPE = fields(
    agent=text(64),
    stubs=array(hexa(64), 16),
    probe=fields(kind=text(64), firmware=text(64), serial=text(64),
                 millivolts=nullable(integer(100000))),
    target=fields(devId=integer(4095), revId=integer(0xFFFF), uid=hexa(12),
                  flashKiB=integer(0xFFFF), rdp=one_of(0, 1, 2), optcr=integer(0xFFFFFFFF),
                  optcr1=integer(0xFFFFFFFF)),
)
PROBLEM_SHAPE = fields(code=code, detail=text(300), board=one_of(*BOARDS))
LEFT_SHAPE = fields(board=one_of(*BOARDS))
BYE_DONE_SHAPE = fields(receipt=nullable(text(3000)), signature=nullable(hexa(64)))
BYE_FAILED_SHAPE = fields(code=code, detail=text(300))


def _pairs(pairs):
    out = {}
    for key, value in pairs:
        if key in out:
            raise Malformed("a key stands twice")
        out[key] = value
    return out


def _refuse(_):
    raise Malformed("a number is not one that is allowed")


def read_json(raw: bytes, shape):
    if len(raw) > MOST_JSON:
        raise Malformed("the JSON is too long")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_refuse,
                           parse_float=_refuse)
    except (UnicodeDecodeError, ValueError, RecursionError) as problem:
        raise Malformed("the JSON is not JSON") from problem
    shape(value)
    return value


def write_json(value, shape) -> bytes:
    shape(value)
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if len(raw) > MOST_JSON:
        raise Malformed("the JSON is too long")
    return raw


def clean(value: str) -> str:
    """A foreign text without control characters, bidirectional controls and line separators."""
    return re.sub("[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", "",
                  value)


def cut(value: str, most: int) -> str:
    """A text cut to `most` UTF-16 units."""
    while len(value.encode("utf-16-le")) // 2 > most:
        value = value[:-1]
    return value


# ---- Bodies. Each encoder gives a body; parse() takes one apart.

def hello(value):
    return write_json(value, HELLO_SHAPE)


def job(sealed_public, receipt_public, entropy, plan):
    return sealed_public + receipt_public + entropy + lp(plan)


def consent(yes, plan_hash):
    return bytes([1 if yes else 0]) + plan_hash


def sealed1(stub_hash, m1):
    return stub_hash + m1


def boxed(sequence, box):
    """The body of FRAME and of REPLY."""
    return u32(sequence) + box


def credit(value):
    return u32(value)


def progress(accepted, words):
    return u32(accepted) + u32(words)


def problem(name, detail, board):
    return write_json({"code": name, "detail": cut(detail, 300), "board": board}, PROBLEM_SHAPE)


def left(board):
    return write_json({"board": board}, LEFT_SHAPE)


def bye_done(receipt, signature):
    return b"\x01" + lp(write_json({"receipt": receipt, "signature": signature}, BYE_DONE_SHAPE))


def bye_failed(name, detail):
    return b"\x00" + lp(write_json({"code": name, "detail": cut(detail, 300)}, BYE_FAILED_SHAPE))


def parse(kind: int, body: bytes):
    """Takes a body apart; the result is a dictionary, or None for an empty body."""
    reader = Reader(body)
    if kind == OPTIONS:
        names = ("optcrBefore", "optcr1Before", "optcr", "optcr1")
        out = {name: reader.u32() for name in names}
    elif kind in (ACK, RESTART, SHEET):
        out = None
    elif kind == HELLO:
        return read_json(body, HELLO_SHAPE)
    elif kind == PROBLEM:
        return read_json(body, PROBLEM_SHAPE)
    elif kind == LEFT:
        return read_json(body, LEFT_SHAPE)
    elif kind == JOB:
        out = {"sealed": reader.take(32), "receipt": reader.take(32), "entropy": reader.take(32),
               "plan": reader.lp(1536)}
    elif kind == CONSENT:
        answer = reader.u8()
        if answer > 1:
            raise Malformed("an answer is neither yes nor no")
        out = {"yes": answer == 1, "plan": reader.take(64)}
    elif kind == SEALED1:
        out = {"stub": reader.take(64), "m1": reader.rest()}
        if len(out["m1"]) not in (136, 168):
            raise Malformed("an M1 of this size cannot be")
    elif kind == SEALED2:
        out = {"m2": reader.take(128)}
    elif kind == SEALED3:
        out = {"m3": reader.take(32)}
    elif kind in (FRAME, REPLY):
        out = {"sequence": reader.u32(), "box": reader.rest()}
        if not LEAST_BOX <= len(out["box"]) <= MOST_BOX or out["sequence"] == 0:
            raise Malformed("a sealed box of this size cannot be")
    elif kind == CREDIT:
        out = {"credit": reader.u32()}
    elif kind == PROGRESS:
        out = {"accepted": reader.u32(), "words": reader.u32()}
    elif kind == BYE:
        outcome = reader.u8()
        raw = reader.lp(MOST_JSON)
        if outcome == 1:
            out = read_json(raw, BYE_DONE_SHAPE)
            if (out["receipt"] is None) != (out["signature"] is None):
                raise Malformed("a receipt without a signature, or the other way round")
        elif outcome == 0:
            out = read_json(raw, BYE_FAILED_SHAPE)
        else:
            raise Malformed("an outcome is neither done nor failed")
        out["done"] = outcome == 1
    else:
        raise Malformed("an unknown message")
    reader.end()
    return out
