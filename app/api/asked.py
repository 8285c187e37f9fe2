"""The video that a program asks about: a file that it sent, or one of the library."""

import gradio as gr

from app.serving.visitors import visitor_of
from app.session.queries import QueryHandle
from app.session.services import Services
from rspnet_core.errors import QueryNotFound


def asked_video(
    services: Services,
    request: gr.Request,
    file: str | None,
    video_id: str,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> QueryHandle:
    """The query by the newest generation. Raises QueryNotFound where neither is given, and as ``Services.embed``."""
    if not (file or video_id):
        raise QueryNotFound("give a file or the id of an indexed video as video_id")
    services.reload()
    if file:
        return services.embed(visitor_of(request), file, start_seconds, end_seconds)
    return services.stored(video_id, start_seconds, end_seconds)
