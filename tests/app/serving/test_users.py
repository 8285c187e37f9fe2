"""The file of users, and the commands that keep it."""

import stat
from pathlib import Path

import pytest

from app.serving.users import UserFile, is_password, read_users
from rspnet_core.errors import InvalidSetting
from tests.app.conftest import rspnet_app


@pytest.mark.slow
def test_users_are_added_listed_changed_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "users"
    options = ("--auth-file", str(path))
    done = rspnet_app("users", "add", "ada", *options, "--role", "editor", "--password-stdin", stdin="correct horse\n")
    assert (done.returncode, done.stdout) == (0, f"added ada as editor in {path}\n")
    assert rspnet_app("users", "add", "bob", *options, "--password-stdin", stdin="battery staple").returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "correct" not in path.read_text()
    assert rspnet_app("users", "list", *options).stdout == "ada\teditor\nbob\tviewer\n"
    assert is_password(read_users(path)["ada"], "correct horse")
    assert not is_password(read_users(path)["ada"], "battery staple")
    done = rspnet_app("users", "add", "bob", *options, "--role", "editor", "--password-stdin", stdin="another one\n")
    assert done.stdout.startswith("changed bob")
    assert rspnet_app("users", "remove", "ada", *options).returncode == 0
    assert list(read_users(path)) == ["bob"]
    done = rspnet_app("users", "remove", "ada", *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("ada", "short", "8 to 1024"),
        ("ada", "", "8 to 1024"),
        ("a:b", "long enough", "letters, digits"),
        ("../x", "long enough", "letters, digits"),
        ("x" * 65, "long enough", "1 to 64"),
    ],
)
def test_what_is_not_allowed_is_told_and_nothing_is_written(
    tmp_path: Path, name: str, password: str, says: str
) -> None:
    path = tmp_path / "users"
    done = rspnet_app("users", "add", name, "--auth-file", str(path), "--password-stdin", stdin=password)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert says in done.stderr
    assert not path.exists()


def test_without_a_terminal_the_password_has_to_come_from_stdin(tmp_path: Path) -> None:
    done = rspnet_app("users", "add", "ada", "--auth-file", str(tmp_path / "users"))
    assert done.returncode == 2
    assert "--password-stdin" in done.stderr


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_plain_passwords_are_refused_and_converted(tmp_path: Path) -> None:
    path = write(tmp_path / "users", "ada:se:cret\n\nbob:hunter2\n")
    with pytest.raises(InvalidSetting, match=r"line 1 of .* run `rspnet-app users convert") as refused:
        UserFile(path)
    assert "cret" not in str(refused.value)
    done = rspnet_app("users", "convert", "--auth-file", str(path))
    assert (done.returncode, done.stdout) == (0, f"converted 2 users of {path}, each as viewer\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "hunter2" not in path.read_text()
    users = UserFile(path)
    assert is_password(users.find("ada"), "se:cret")
    assert is_password(users.find("bob"), "hunter2")
    done = rspnet_app("users", "convert", "--auth-file", str(path))
    assert done.returncode == 2
    assert "hashes already" in done.stderr


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InvalidSetting, match="chmod 600"):
        UserFile(write(tmp_path / "users", "", mode))


def test_what_is_no_file_of_users_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="names no user"):
        UserFile(write(tmp_path / "users", "\n"))
    with pytest.raises(InvalidSetting, match=r"absent: No such file or directory; make one with"):
        UserFile(tmp_path / "absent")
    with pytest.raises(InvalidSetting, match="is not a file"):
        UserFile(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "bytes").chmod(0o600)
    with pytest.raises(InvalidSetting, match="no UTF-8"):
        UserFile(tmp_path / "bytes")
    for line in ("ada:editor:hunter2hunter2", "ada:root:$argon2id$" + "x" * 40, "ada:editor:$argon2id$x"):
        with pytest.raises(InvalidSetting, match=r"line 1 .* is not name:role:hash") as refused:
            read_users(write(tmp_path / "users", line))
        assert "hunter2" not in str(refused.value)


def test_serving_with_plain_passwords_is_refused_in_one_line(built: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "users", "ada:hunter2\n")
    done = rspnet_app("serve", "--index", str(built), "--device", "cpu", "--port", "0", "--auth-file", str(path))
    assert done.returncode == 2
    port = rspnet_app("serve", "--index", str(built), "--device", "cpu", "--port", "18787", "--auth-file", str(path))
    assert (port.returncode, len(port.stderr.splitlines())) == (2, 1)
    assert "users convert" in port.stderr
