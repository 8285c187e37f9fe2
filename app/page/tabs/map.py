"""Map: the whole library on a plane, coloured by what is known of its videos; a point opens its video."""

from html import escape
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from app.page.components import component, content
from app.page.messages import telling
from app.page.state import SharedState, TabHandles
from app.page.tabs.exporting import exporting_row
from app.page.tabs.tagging import tagging_row
from app.session.colouring import colourings
from app.session.opened import OpenedLibrary
from app.session.projection import Method, Projection, umap_is_installed
from app.session.services import Services
from indexer.catalogue.catalogue import LabelledVideo, VideoRow, id_of_key
from indexer.heatmap.titles import titles_of
from rspnet_core.text import printable

_PROGRESS = gr.Progress()
_METHODS: dict[str, Method] = {"PCA, at once": "pca", "UMAP, takes a minute the first time": "umap"}
_SHOW_VIDEO = "() => document.querySelector('#map-video').scrollIntoView({block: 'nearest', behavior: 'smooth'})"
_NO_BOXES = "#map-boxes"
"""What is drawn has no boxes: only what is ticked is exported, never the part of it that the list below shows."""
_WAIT = "PCA for now: UMAP is being computed, which takes a minute or so, once for a library. "
_NOTHING_OPEN = (
    '<div class="empty"><strong>No video open</strong><p>Press a point of the map to see its video.</p></div>'
)


def map_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out; called inside its ``gr.Tab``."""
    pictures: WeakKeyDictionary[OpenedLibrary, dict[tuple[str, Method, int], str]] = WeakKeyDictionary()
    gr.Markdown(
        "Each point is a video; videos that the network finds alike lie close together. Press one to see it, "
        "draw around some to tick them."
    )
    with gr.Row():
        space = gr.Radio(_spaces(services), value="backbone", label="Near means alike in", elem_id="map-space")
        methods = [*_METHODS.items()][: 1 + umap_is_installed()]
        method = gr.Radio(methods, value="pca", label="Flattened by", elem_id="map-method", visible=len(methods) > 1)
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            exporting, tagging = exporting_row(_NO_BOXES), tagging_row("map")
            scatter = component("scatter", elem_id="map")
        with gr.Column(scale=1, min_width=280):
            drawn = gr.State(0)
            opened_video = gr.HTML(_NOTHING_OPEN, elem_id="map-video")

    def picture(space: str, method: Method) -> str:
        known, key = pictures.setdefault(services.opened, {}), (space, method, services.library.tags.version)
        if key not in known:
            known[key] = _scatter(services, *services.projection(space, method))
        return known[key]

    def at_once(space: str, method: Method, drawn: int) -> tuple[Any, int, bool]:
        """What can be drawn now, unless it is on the page already, and whether it is what was asked for."""
        services.reload()
        if services.is_empty:
            return None, 0, True
        is_ready = services.is_kept(space, method)
        points = picture(space, method) if is_ready else _scatter(services, *services.projection(space), wait=_WAIT)
        # The points of a large library are a megabyte.
        return (gr.skip(), drawn, is_ready) if hash(points) == drawn else (points, hash(points), is_ready)

    def later(
        space: str, method: Method, drawn: int, is_ready: bool, progress: gr.Progress = _PROGRESS
    ) -> tuple[Any, int]:
        if is_ready:
            return gr.skip(), drawn
        progress(0.2, desc="UMAP looks for neighbours")
        points = picture(space, method)
        return points, hash(points)

    def opened(event: gr.EventData) -> str:
        return _card(services.video(str(event.id)))

    ready = gr.State(True)
    asked: list[gr.Radio | gr.State] = [space, method, drawn]
    for event in (scatter.seen, space.input, method.input):
        event(telling(at_once), asked, [scatter, drawn, ready], api_visibility="private").success(
            telling(later), [*asked, ready], [scatter, drawn], show_progress="minimal", api_visibility="private"
        )
    scatter.pick(telling(opened), None, opened_video, show_progress="hidden", api_visibility="private").success(
        None, js=_SHOW_VIDEO, api_visibility="private"
    )
    exporting.connect(services)
    tagging.connect(services)
    return TabHandles(lambda: {space: gr.Radio(choices=_spaces(services))}, [space])


def _spaces(services: Services) -> list[tuple[str, str]]:
    """The parts that the library's vectors have, as Gradio's pairs of name and value."""
    titles = titles_of(services.encoder.get("backbone", ""))
    return [("Everything (backbone)" if part == "backbone" else titles[part], part) for part in services.parts]


def _scatter(services: Services, videos: list[LabelledVideo], projection: Projection, wait: str = "") -> str:
    """The value of the component ``scatter``; ``wait`` is told before what the axes are."""
    opened = services.opened
    x, y = projection.points.round(4).T.tolist()
    return content(
        x=x,
        y=y,
        ids=[id_of_key(video.key) for video in videos],
        names=[printable(name) for name in opened.library.names_of(videos)],
        labels=[None if video.label is None else printable(video.label) for video in videos],
        colourings=[
            {
                "name": each.name,
                "kinds": [printable(kind) for kind in each.kinds],
                "of": each.of,
                "ordered": each.is_ordered,
            }
            for each in colourings(opened, videos)
        ],
        axes=wait + _axes(projection),
    )


def _axes(projection: Projection) -> str:
    if projection.explained is None:
        return "UMAP keeps neighbours together; distances between groups and directions mean little."
    across, up = projection.explained
    return f"PCA: {across:.0%} of the differences run across, {up:.0%} run up; the rest cannot be seen here."


def _card(video: VideoRow) -> str:
    """The player of a video with what is known of it."""
    name, label = escape(printable(video.path)), escape(printable(video.label or "no label"))
    seconds = f"{video.duration_seconds:.1f} s" if video.duration_seconds is not None else "length unknown"
    size = f"{video.width} x {video.height} pixels" if video.width and video.height else "size unknown"
    return (
        f'<section class="card" aria-label="Opened video"><div class="screen">'
        f'<video controls muted loop playsinline preload="metadata" aria-label="{name}" '
        f'poster="media/poster/{video.id}.jpg" src="media/video/{video.id}.mp4"></video></div>'
        f'<div class="facts"><h3>{label}</h3><p>{name}</p><p class="muted">{seconds}, {size}</p>'
        f'<p><a href="?video={video.id}">Search with this video</a></p></div></section>'
    )
