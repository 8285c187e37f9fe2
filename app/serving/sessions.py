"""Who a browser's cookie says it is: a login that the server remembers, or a browser where there are no logins."""

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders

from app.serving.users import UserFile
from app.serving.visitors import Role, Visitor

COOKIE = "rspnet-session"
IDLE_SECONDS = 24 * 3600
"""A login that nothing was asked in for so long has ended."""
_MOST_LOGINS = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass
class _Login:
    user: str
    password_hash: str
    """As it was then: another password ends the login."""
    used: float


class Sessions:
    """From a cookie's token to a visitor."""

    def __init__(
        self, users: UserFile | None, role_of_strangers: Role, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Without ``users`` every browser is a visitor of its own, with ``role_of_strangers``."""
        self.users = users
        self._role_of_strangers: Role = role_of_strangers
        self._now = now
        self._logins: OrderedDict[str, _Login] = OrderedDict()

    def visitor(self, cookies: Mapping[str, str]) -> tuple[Visitor | None, str | None]:
        """The visitor, and the token of a cookie that has to be set.

        None for a visitor who has to log in. Without logins, a browser that sends no cookie is a new visitor.
        """
        sent = cookies.get(COOKIE, "")
        if self.users is None:
            token = sent if _TOKEN.fullmatch(sent) else secrets.token_urlsafe(32)
            return Visitor(_key(token), self._role_of_strangers), None if token == sent else token
        login = self._live(sent)
        if login is None:
            return None, None
        user = self.users.find(login.user)
        if user is None or user.password_hash != login.password_hash:
            self.close(sent)
            return None, None
        return Visitor(_key(sent), user.role, user.name), None

    def open(self, user: str, password_hash: str) -> str:
        """A login begins; its token. The longest unused one ends where there are too many."""
        token = secrets.token_urlsafe(32)
        self._logins[token] = _Login(user, password_hash, self._now())
        while len(self._logins) > _MOST_LOGINS:
            self._logins.popitem(last=False)
        return token

    def close(self, token: str) -> None:
        """A login ends."""
        self._logins.pop(token, None)

    def _live(self, token: str) -> _Login | None:
        login = self._logins.get(token)
        if login is None:
            return None
        if self._now() - login.used > IDLE_SECONDS:
            self.close(token)
            return None
        login.used = self._now()
        self._logins.move_to_end(token)
        return login


def set_cookie(headers: MutableHeaders, token: str, *, secure: bool) -> None:
    """Give the browser its session; an empty token takes it away."""
    attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "") + ("" if token else "; Max-Age=0")
    headers.append("Set-Cookie", f"{COOKIE}={token}{attributes}")


def _key(token: str) -> str:
    """A name for the visitor's folder from which the cookie cannot be told."""
    return hashlib.sha256(f"rspnet visitor {token}".encode()).hexdigest()[:32]
