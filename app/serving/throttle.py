"""Failed logins make the next one wait: each doubles the wait, for the user and for the address it came from."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_KEPT = 10_000
_FORGOTTEN_SECONDS = 3600.0


@dataclass(frozen=True)
class Allowance:
    """How many failures cost nothing, and how long the wait may grow."""

    free: int
    longest_seconds: float


PER_ADDRESS = Allowance(free=5, longest_seconds=900.0)
PER_USER = Allowance(free=10, longest_seconds=60.0)
"""Short, because a stranger's guesses from many addresses must not lock the user out."""


class Throttle:
    """Counts failures by user and by address; not thread-safe, as one event loop calls it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def wait_seconds(self, user: str, address: str) -> float:
        """How long until a password is looked at again; 0 for now."""
        now = self._now()
        waits = []
        for key, allowance in _keys(user, address):
            count, failed_at = self._failures.get(key, (0, now))
            beyond = count - allowance.free
            wait = 0.0 if beyond < 0 else min(2.0 ** min(beyond, 30), allowance.longest_seconds)
            waits.append(failed_at + wait - now)
        return max(0.0, *waits)

    def failed(self, user: str, address: str) -> None:
        """A password is wrong, or not known to be right yet."""
        now = self._now()
        for key, _ in _keys(user, address):
            count, failed_at = self._failures.pop(key, (0, now))
            count = 0 if now - failed_at > _FORGOTTEN_SECONDS else count
            self._failures[key] = (count + 1, now)
        while len(self._failures) > _MOST_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The password that was counted as wrong was right: the name starts anew, the address has one failure less."""
        (user_key, _), (address_key, _) = _keys(user, address)
        self._failures.pop(user_key, None)
        count, failed_at = self._failures.get(address_key, (0, 0.0))
        if count > 0:
            self._failures[address_key] = (count - 1, failed_at)


def _keys(user: str, address: str) -> tuple[tuple[tuple[str, str], Allowance], ...]:
    return (("user", user[:64]), PER_USER), (("address", _network(address)), PER_ADDRESS)


def _network(address: str) -> str:
    """The address; of IPv6 the /64, since a household has 2**64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
