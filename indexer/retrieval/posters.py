"""Small pictures of videos for reports and notebooks."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

from rspnet_core.errors import VideoError
from rspnet_core.video.reading.sandbox import DecodePool

POSTER_HEIGHT = 120
"""Pixels; a report shows up to 72 posters."""


def read_poster(pool: DecodePool, path: Path) -> bytes | None:
    """The middle frame as JPEG, ``POSTER_HEIGHT`` high; None where the file cannot be read, or is there no more."""
    try:
        picture = pool.poster(str(path), POSTER_HEIGHT)
    except VideoError:
        return None
    jpeg = BytesIO()
    Image.fromarray(picture).save(jpeg, "JPEG", quality=82)
    return jpeg.getvalue()


def data_address(jpeg: bytes) -> str:
    """The picture as an address that needs no server."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
