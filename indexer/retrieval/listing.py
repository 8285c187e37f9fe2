"""A list of videos as a file: CSV, JSON, Parquet, or what FFmpeg's concat demuxer reads. Names may be hostile."""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from rspnet_core.errors import InvalidSetting
from rspnet_core.text import printable, printable_texts

Row = Mapping[str, str | int | float | None]
"""What is known of one video, by column; all rows of a list have the same columns."""

_FORMULA = re.compile("(?:^|(?<=[;\t]))(?=[\"' ]*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet would begin to compute a text, also one that takes ``;`` for the end of a cell."""
_CONCAT = "ffconcat version 1.0\n# {}ffmpeg -f concat -safe 0 -i THIS_FILE -c copy OUT\n"
_BESIDE = "beside the videos' data folder: "


def as_csv(rows: Sequence[Row]) -> bytes:
    """UTF-8 with a line of names; a text that a spreadsheet would take for a formula begins with ``'``."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], quoting=csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: str | float | None) -> str | float | None:
    return _FORMULA.sub("'", printable(value)) if isinstance(value, str) else value


def as_json(rows: Sequence[Row]) -> bytes:
    """``{"videos": [...]}``, an object a video."""
    return (json.dumps({"videos": printable_texts(rows)}, indent=2) + "\n").encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    """One table, a row a video."""
    import pyarrow as pa  # a third of a second to import, which the app's start must not take
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(printable_texts(rows)), file)
    return file.getvalue()


def as_concat(paths: Iterable[str]) -> bytes:
    """The files one after the other, by absolute paths or those in the data folder, whatever characters these have.

    Raises InvalidSetting for a name with a line end, which that format cannot express.
    """
    named = list(paths)
    lines = [_CONCAT.format("" if all(path.startswith("/") for path in named) else _BESIDE).encode()]
    for path in named:
        if re.search("[\r\n\0]", path):
            raise InvalidSetting(f"{printable(path)}: FFmpeg's lists cannot name a file with a line end; leave it out")
        # "./" keeps "http:x.mp4" a file; within quotes only the quote itself is special
        quoted = os.fsencode(path if path.startswith("/") else "./" + path).replace(b"'", rb"'\''")
        lines.append(b"file '" + quoted + b"'\n")
    return b"".join(lines)
