"""Reports as one HTML file that needs no network, no script and no other file."""

from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from rspnet_core.atomic import replace_text
from rspnet_core.errors import RspnetError
from rspnet_core.text import printable


def environment(package: str) -> Environment:
    """Templates of ``package`` and the shared ones of rspnet_core (``page.html.j2``, ``macros.html.j2``).

    Texts are escaped and a name that is not given is an error. Filters: ``percent`` (0.123 -> 12.3), ``printable``,
    ``words`` (a_key -> a key).
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("rspnet_core.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}"
    environment.filters["printable"] = printable
    environment.filters["words"] = lambda key: key.replace("_", " ")
    return environment


def write_page(folder: Path, html: str) -> Path:
    """Write ``report.html`` into ``folder`` (made when missing), whole or not at all. Raises RspnetError."""
    target = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(target, html)
    except OSError as error:
        raise RspnetError(f"report: cannot write {str(target)!r} ({error.strerror}); choose another folder") from error
    return target
