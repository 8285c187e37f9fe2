"""The file of users: lines of ``name:role:hash`` with Argon2 hashes alone, readable by its owner alone."""

import re
import stat
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.serving.visitors import ROLES, Role
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import InvalidSetting

SHORTEST_PASSWORD = 8
_LONGEST_PASSWORD = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"\$argon2id\$[\x21-\x39\x3b-\x7e]{20,300}")  # any printable character but a colon
_hasher = PasswordHasher()
_one_at_a_time = threading.Lock()
"""A verification takes 64 MB for a tenth of a second: many at once would take the server's memory."""


@dataclass(frozen=True)
class User:
    """One line of the file."""

    name: str
    role: Role
    password_hash: str


Users = Mapping[str, User]


def read_users(path: Path) -> Users:
    """The users of a file by name.

    Raises InvalidSetting for a file that others may read, that is none, or that holds plain passwords; it names a line,
    never what stands in it.
    """
    users = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        name, role, password_hash = [*line.split(":", 2), "", ""][:3]
        if role not in ROLES or not _HASH.fullmatch(password_hash):
            raise InvalidSetting(
                f"line {number} of {path} is not name:role:hash; "
                f"for a file of plain passwords run `rspnet-app users convert --auth-file {path}`"
            )
        users[checked_name(name)] = User(name, role, password_hash)
    return users


def write_users(path: Path, users: Iterable[User]) -> None:
    """Replace the file, whole or not at all, with mode 600. Raises InvalidSetting when it cannot be written."""
    text = "".join(f"{user.name}:{user.role}:{user.password_hash}\n" for user in users)
    try:
        with replaced_when_complete(path) as temporary:
            temporary.touch(mode=0o600, exist_ok=False)
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidSetting(f"the file of users {path} cannot be written ({error.strerror}); name another") from error


def convert(path: Path, role: Role) -> list[User]:
    """Turn a file of ``name:password`` lines into one of hashes, all with ``role``.

    Raises InvalidSetting for one that is converted already, naming a line but never what stands in it.
    """
    users: dict[str, User] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        name, colon, password = line.partition(":")
        if not (colon and password):
            raise InvalidSetting(f"line {number} of {path} is not name:password")
        if password.partition(":")[2].startswith("$argon2"):
            raise InvalidSetting(f"{path} holds hashes already; add to it with `rspnet-app users add`")
        users[checked_name(name)] = User(name, role, _hasher.hash(password))
    write_users(path, users.values())
    return list(users.values())


def new_user(name: str, role: Role, password: str) -> User:
    """A user with a hashed password. Raises InvalidSetting for a name or a password that is not allowed."""
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise InvalidSetting(
            f"got a password of {len(password)} characters, allowed are {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD}"
        )
    return User(checked_name(name), role, _hasher.hash(password))


def checked_name(name: str) -> str:
    """The name, if it is one; InvalidSetting otherwise."""
    if not _NAME.fullmatch(name):
        raise InvalidSetting(
            f"got a user's name of {len(name)} characters, allowed are 1 to 64 letters, digits, '.', '_', '@' and '-'"
        )
    return name


def is_password(user: User | None, password: str) -> bool:
    """Whether it is the user's: a tenth of a second, for no user too, so call it in a thread."""
    with _one_at_a_time:
        nobody = _nobody()
        password_hash = nobody if user is None else user.password_hash
        try:
            right = len(password) <= _LONGEST_PASSWORD and _hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            right = False
    return right and user is not None


@cache
def _nobody() -> str:
    """What an unknown user's password is held against, so that it takes as long as a known one's; made at any first."""
    return _hasher.hash("nobody has this password")


class UserFile:
    """The users as the file has them now: it is read again when it was changed, so a removed user is out at once."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidSetting as :func:`read_users`, and for a file without users."""
        self.path = path
        self._stamp = _stamp(path)
        self._users = read_users(path)
        if not self._users:
            raise InvalidSetting(f"{path} names no user; add one with `rspnet-app users add NAME --auth-file {path}`")

    def find(self, name: str) -> User | None:
        """The user of that name, None for an unknown one; nobody is known while the file is not sound."""
        stamp = _stamp(self.path)
        if stamp != self._stamp:
            try:
                self._users = read_users(self.path)
            except InvalidSetting:
                self._users = {}
            self._stamp = stamp
        return self._users.get(name)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def _lines(path: Path) -> list[str]:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InvalidSetting(f"{path} is not a file; make one with `rspnet-app users add NAME --auth-file FILE`")
        if mode & 0o077:
            raise InvalidSetting(f"{path} can be read by others than its owner; run `chmod 600 {path}`")
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise InvalidSetting(
            f"cannot read the file of users {path}: {why}; make one with `rspnet-app users add NAME --auth-file {path}`"
        ) from error
