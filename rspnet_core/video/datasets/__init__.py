"""Folders of videos: their files, classes, official lists and splits, whatever the data set's layout.

May import: ``video.reading`` (is this file a video?).
"""
