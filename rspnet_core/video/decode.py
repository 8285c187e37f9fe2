"""Reading video, under the name that other people's programs import."""

from rspnet_core.video.reading.decode import probe, read_clips

__all__ = ["probe", "read_clips"]
