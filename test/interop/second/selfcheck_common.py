"""What every check of selfcheck.py uses."""

from crypto import CryptoError
from wire import Malformed


def same(one, other, what):
    if one != other:
        raise AssertionError(f"{what} differs: {one!r:.200} is not {other!r:.200}")


def refused(function, *values):
    try:
        function(*values)
    except (Malformed, CryptoError):
        return
    raise AssertionError(f"{values!r:.80} was not refused")
