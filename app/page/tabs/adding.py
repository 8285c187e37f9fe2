"""The Library tab's panel that adds videos, from the server or by upload, with progress and a way to stop."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from app.page.messages import message_of, notice, telling
from app.serving.uploads import check_upload, keep_upload
from app.serving.visitors import Visitor, visitor_of
from app.session.builds import BuildStatus
from app.session.services import Services
from app.session.upkeep import take_out, try_again
from rspnet_core.errors import LibraryNotFound, RspnetError
from rspnet_core.text import counted, printable
from rspnet_core.video.datasets.dataset import UPLOADS

_POLL_SECONDS = 0.5
_FAILURES_SHOWN = 10
_FOR_VIEWERS = notice("Only editors add videos to this library.", kind="info")


@dataclass(frozen=True)
class AddingPanel:
    """What the tab needs of the panel: ``ended`` changes when the library may be another one.

    The list of folders is all that the tab refreshes. What became of a click stays until the next one.
    """

    folder: gr.Dropdown
    folders: Callable[[], gr.Dropdown]
    ended: gr.State


def adding_panel(services: Services, app: gr.Blocks, failed: gr.HTML) -> AddingPanel:
    """Lay the panel out and connect it, and the buttons in the list of what ``failed``."""
    gr.HTML('<h3 class="examples-title">Add videos</h3>')
    for_viewers = gr.HTML(_FOR_VIEWERS, visible=False)
    with gr.Column(visible=False) as for_editors:
        files = gr.File(
            label="Upload videos", file_count="multiple", file_types=["video"], elem_id="add-files", height=140
        )
        upload = gr.Button("Add the uploaded videos", size="sm", elem_id="add-uploads")
        folder = gr.Dropdown(
            label="Or a folder on the server",
            info="new and changed videos in it are indexed",
            choices=_folders(services),
            value=None,
            allow_custom_value=True,
            elem_id="add-folder",
        )
        index = gr.Button("Index this folder", size="sm", elem_id="index-folder")
    status = gr.HTML(elem_id="build-status")
    stop = gr.Button("Stop", variant="stop", size="sm", interactive=False, elem_id="stop-build", visible=False)
    timer = gr.Timer(_POLL_SECONDS, active=False)
    watching, ended = gr.State(False), gr.State(0)
    watched: list[Component] = [status, upload, index, stop, timer, watching]

    def arrive(request: gr.Request) -> tuple[Any, ...]:
        is_editor = visitor_of(request).role == "editor"
        hidden_stop = gr.Button(visible=is_editor)
        return gr.HTML(visible=not is_editor), gr.Column(visible=is_editor), hidden_stop

    def watch(was_running: bool, count: int) -> tuple[Any, ...]:
        """Look at the build; ``count`` grows when it has ended since the last look."""
        build = services.builder.status
        return *_shown(build), count + (was_running and not build.is_running)

    def add_uploads(paths: list[str] | None, request: gr.Request) -> tuple[Any, ...]:
        visitor = visitor_of(request)
        return _started(services, lambda: _add(services, visitor, paths or []))

    def add_folder(name: str | None, request: gr.Request) -> tuple[Any, ...]:
        visitor = visitor_of(request)
        return _started(services, lambda: _index(services, visitor, name))

    @telling
    def mend_failed(count: int, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """Try a file that failed again, or all of them, or take one off the list; ``count`` grows when it is off."""
        visitor = visitor_of(request)
        visitor.must_be_editor()
        ids = [str(event.id)] if event.id else None
        if event.action == "retry":
            return *_started(services, lambda: try_again(services, visitor, ids)), count
        try:
            take_out(services, visitor, ids or [])
        except Exception as error:
            return notice(message_of(error)), *_shown(services.builder.status)[1:], count
        return *_shown(services.builder.status), count + 1

    @telling
    def end(request: gr.Request) -> None:
        services.builder.stop(visitor_of(request))

    common: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    upload.click(add_uploads, files, watched, **common)
    index.click(add_folder, folder, watched, **common)
    failed.select(mend_failed, ended, [*watched, ended], **common)
    app.load(arrive, None, [for_viewers, for_editors, stop], **common)
    app.load(lambda: _shown(services.builder.status), None, watched, **common)
    timer.tick(watch, [watching, ended], [*watched, ended], **common)
    stop.click(end, None, None, **common)
    return AddingPanel(folder=folder, folders=lambda: gr.Dropdown(choices=_folders(services)), ended=ended)


def _started(services: Services, start: Callable[[], None]) -> tuple[Any, ...]:
    """Start a build; the values of what watches it, or the refusal in place of the progress."""
    try:
        start()
    except Exception as error:
        return notice(message_of(error)), *_shown(services.builder.status)[1:]
    shown = _shown(services.builder.status)
    return *shown[:-2], gr.Timer(active=True), True  # it may have ended already: the first tick says so


def _add(services: Services, visitor: Visitor, paths: list[str]) -> None:
    """Keep uploads below the first data folder that can be written, and index them alone.

    Where one is no video, none is kept.
    """
    visitor.must_be_editor()
    if not paths:
        raise RspnetError("Choose video files first.")
    if services.builder.status.is_running:
        raise RspnetError("Videos are being added already; wait for it to finish or stop it.")
    roots = services.roots()
    if not roots:
        raise LibraryNotFound("this library has no data folder yet; name a folder on the server first")
    for path in paths:
        check_upload(Path(path))
    root = next((root for root in roots if os.access(root, os.W_OK)), roots[0])
    kept = [keep_upload(visitor, Path(path), root) for path in paths]
    services.builder.start(visitor, root, [path.relative_to(root).as_posix() for path in kept])


def _index(services: Services, visitor: Visitor, folder: str | None) -> None:
    """Index a folder on the server that a visitor chose."""
    visitor.must_be_editor()
    if not folder:
        raise RspnetError("Choose a folder first.")
    services.builder.start(visitor, services.builder.data_folder(visitor, folder))


def _folders(services: Services) -> list[str]:
    return [str(path) for path in services.builder.allowed_folders]


def _shown(status: BuildStatus) -> tuple[Any, ...]:
    """Values of the status line, the three buttons, the timer and whether a build runs."""
    running = status.is_running
    buttons = gr.Button(interactive=not running), gr.Button(interactive=not running)
    return (
        _progress(status),
        *buttons,
        gr.Button(interactive=status.phase == "running"),
        gr.Timer(active=running),
        running,
    )


def _progress(status: BuildStatus) -> str:
    """Where the latest build is, as a bar while it runs and a sentence afterwards."""
    if status.phase == "idle":
        return f'<p class="muted">Uploads are kept in the folder “{UPLOADS}” of the library’s videos.</p>'
    if status.phase == "failed":
        return notice(status.message)
    if status.is_running:
        text = "Stopping after the video in hand" if status.phase == "stopping" else "Indexing"
        where = f"{status.done:,} of {status.total:,} videos" if status.total else "looking through the folder"
        return (
            f'<label class="progress">{text}: {where}'
            f'<progress max="{status.total or 1}" value="{status.done}"></progress></label>'
        )
    ended = "Stopped; what is done is searchable" if status.phase == "stopped" else "Done"
    failed = "".join(
        f"<li>{escape(printable(failure.path))}: {escape(printable(failure.reason))}</li>"
        for failure in status.failed[:_FAILURES_SHOWN]
    )
    return notice(f"{ended}: {counted(status.indexed, 'video')} added, {len(status.failed):,} failed.", kind="info") + (
        f'<ul class="failures">{failed}</ul>' if failed else ""
    )
