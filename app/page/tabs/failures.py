"""The Library tab's files that could not be indexed: why, and for editors what to do about it."""

from html import escape

from app.session.services import Services
from indexer.catalogue.catalogue import VideoRow
from rspnet_core.text import printable

_SHOWN = 200
_ADVICE = (
    "A file that was replaced, repaired or still being copied can be tried again. Taken off the list it stays where it "
    "is, and is tried again when its folder is indexed."
)
_BUTTON = (
    '<button type="button" class="editors-only" data-action="{action}" data-id="{id}" '
    'aria-label="{told}">{text}</button>'
)


def failures(services: Services) -> str:
    """The files with their reasons, folded away, because most are of no interest; HTML, empty where there are none."""
    failed = [] if not services.encoder else services.library.catalogue.failed()
    if not failed:
        return ""
    rows = "".join(map(_row, failed[:_SHOWN]))
    more = f"<p>and {len(failed) - _SHOWN:,} more</p>" if len(failed) > _SHOWN else ""
    noun = "file" if len(failed) == 1 else "files"
    return (
        f'<details class="failed"><summary>{len(failed):,} {noun} could not be indexed</summary>'
        f'<p class="editors-only">{_ADVICE}</p><p class="failed-all">{_button("retry", "", "Try all again")}</p>'
        '<div class="table-scroll"><table class="videos"><thead><tr><th scope="col">File</th>'
        '<th scope="col">Reason</th>'
        f'<th scope="col" class="editors-only">Do</th></tr></thead><tbody>{rows}</tbody></table></div>{more}</details>'
    )


def _row(video: VideoRow) -> str:
    name = printable(video.path)
    buttons = _button("retry", video.id, "Try again", name) + _button("forget", video.id, "Take off the list", name)
    return (
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(printable(video.reason or ""))}</td>'
        f'<td class="editors-only failed-actions">{buttons}</td></tr>'
    )


def _button(action: str, video_id: str, text: str, name: str = "") -> str:
    return _BUTTON.format(action=action, id=video_id, text=text, told=escape(f"{text}: {name}" if name else text))
