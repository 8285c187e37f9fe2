"""Rows of videos with their splits, streamed out of the tables."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from indexer.catalogue.models import Split, Video
from indexer.catalogue.prediction import Prediction
from indexer.catalogue.records import VideoRow, id_of_key

ROWS_PER_READ = 4096
_ROW_NAMES = (
    "path",
    "root_id",
    "size_bytes",
    "content_hash",
    "status",
    "reason",
    "label",
    "group",
    "width",
    "height",
    "fps",
    "num_frames",
    "duration_seconds",
    "num_clips",
)


def splits_of(connection: Connection, *wanted: ColumnElement[bool]) -> dict[int, dict[int, str]]:
    """Key -> fold -> split of the videos that fit."""
    splits: dict[int, dict[int, str]] = defaultdict(dict)
    statement = select(Split.video_key, Split.fold, Split.split).join(Video, Video.key == Split.video_key)
    for key, fold, split in connection.execute(statement.where(*wanted).order_by(Split.video_key, Split.fold)):
        splits[key][fold] = split
    return splits


def video_rows(
    connection: Connection, predicted: Sequence[ColumnElement[Any]], *wanted: ColumnElement[bool]
) -> Iterator[VideoRow]:
    """The videos that fit in order of root and path; ``predicted``: the columns of class and probability."""
    splits = splits_of(connection, *wanted)
    columns = [getattr(Video, name) for name in _ROW_NAMES]
    statement = select(Video.key, *predicted, *columns).where(*wanted).order_by(Video.root_id, Video.path)
    for key, class_name, probability, *values in connection.execution_options(yield_per=ROWS_PER_READ).execute(
        statement
    ):
        fields: dict[str, Any] = dict(zip(_ROW_NAMES, values, strict=True))
        prediction = None if None in (class_name, probability) else Prediction(class_name, probability)
        yield VideoRow(id=id_of_key(key), splits=splits.get(key, {}), predicted=prediction, **fields)
