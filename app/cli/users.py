"""``rspnet-app users``: who may enter, with which role, in a file of hashed passwords."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rspnet_core.cli.command import commands
from rspnet_core.errors import InvalidSetting

if TYPE_CHECKING:
    from app.serving.users import Users

users = commands("Keep the file of users: names, roles, hashed passwords.")

AuthFile = Annotated[Path, typer.Option("--auth-file", help="The file of users; only its owner may read it.")]
RoleOption = Annotated[
    Literal["viewer", "editor"], typer.Option(help="A viewer searches; an editor also adds videos and stops a build.")
]
Name = Annotated[str, typer.Argument(help="Letters, digits, '.', '_', '@' and '-'.", metavar="NAME")]


@users.command()
def add(
    name: Name,
    auth_file: AuthFile,
    role: RoleOption = "viewer",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
) -> None:
    """Add a user, or give one another password and role; the file is made if it is not there.

    Example: [bold]rspnet-app users add ada --auth-file users --role editor[/bold]
    """
    from app.serving.users import checked_name, new_user, write_users

    checked_name(name)
    known = dict(_read(auth_file)) if auth_file.exists() else {}
    user = new_user(name, role, _password(name, from_stdin=password_stdin))
    verb = "changed" if name in known else "added"
    write_users(auth_file, (known | {name: user}).values())
    print(f"{verb} {name} as {role} in {auth_file}")


@users.command(name="list")
def list_(auth_file: AuthFile) -> None:
    """Print each user with the role.

    Example: [bold]rspnet-app users list --auth-file users[/bold]
    """
    for user in _read(auth_file).values():
        print(f"{user.name}\t{user.role}")


@users.command()
def remove(name: Name, auth_file: AuthFile) -> None:
    """Remove a user, whose login ends at once.

    Example: [bold]rspnet-app users remove ada --auth-file users[/bold]
    """
    from app.serving.users import write_users

    known = _read(auth_file)
    if name not in known:
        raise InvalidSetting(f"{auth_file} has no user of that name; it has {', '.join(known) or 'none'}")
    write_users(auth_file, [user for user in known.values() if user.name != name])
    print(f"removed {name} from {auth_file}")


@users.command()
def convert(auth_file: AuthFile, role: RoleOption = "viewer") -> None:
    """Turn a file of plain name:password lines into one of hashes; all users get the role.

    Example: [bold]rspnet-app users convert --auth-file users[/bold]
    """
    from app.serving.users import convert as convert_file

    converted = convert_file(auth_file, role)
    print(f"converted {len(converted)} users of {auth_file}, each as {role}")


def _read(path: Path) -> "Users":
    from app.serving.users import read_users

    return read_users(path)


def _password(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidSetting("there is no terminal to ask for the password; give --password-stdin")
    typed: str = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True)
    return typed
