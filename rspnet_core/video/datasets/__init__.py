"""Folders of videos: their files, classes, official lists and splits, whatever the data set's layout.

May import: ``video.reading`` (is this file a video?).
"""

from rspnet_core.video.datasets.dataset import Dataset, scan
from rspnet_core.video.datasets.listed import listed_videos
from rspnet_core.video.datasets.video_file import VideoFile

__all__ = ["Dataset", "VideoFile", "listed_videos", "scan"]
