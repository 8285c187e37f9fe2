"""The figures that the paper publishes, as typed tables read from ``published.toml``.

They are quoted beside measured figures in reports, always marked as published; none was measured here.
"""

import tomllib
from functools import cache
from importlib import resources

from pydantic import Field, model_validator

from rspnet_core.config import Settings
from rspnet_core.errors import InvalidSetting

ARCHITECTURES = {"tsm18": "TSM-18", "resnet18": "ResNet-18", "c3d": "C3D", "r2plus1d": "R(2+1)D", "s3dg": "S3D-G"}
"""Backbone -> its name in the paper's tables."""


class PublishedRow(Settings):
    """One network of a table."""

    method: str
    architecture: str
    pretraining: str | None = None
    """Data set of the pre-training, where the paper names one."""
    ours: bool = False
    """True for the paper's own method."""
    note: str | None = None
    figures: tuple[float, ...]
    """Percent, one for each of the table's columns."""


class PublishedTable(Settings):
    """One table of the paper."""

    number: int = Field(ge=1)
    title: str
    measure: str
    columns: tuple[str, ...]
    """What each figure of a row belongs to: data sets, or the k of top-k."""
    rows: tuple[PublishedRow, ...]

    @model_validator(mode="after")
    def _one_figure_a_column(self) -> "PublishedTable":
        for row in self.rows:
            if len(row.figures) != len(self.columns):
                raise ValueError(f"table {self.number}, {row.method}: {len(row.figures)} figures, {self.columns}")
        return self

    def fractions(self, row: PublishedRow) -> dict[str, float]:
        """A row's figures by column, as fractions (0 to 1) rather than percent."""
        return {column: round(figure / 100, 6) for column, figure in zip(self.columns, row.figures, strict=True)}


class Published(Settings):
    """All tables of the paper."""

    source: str
    url: str
    tables: tuple[PublishedTable, ...]


@cache
def published() -> Published:
    """Read and check ``published.toml`` (once a process)."""
    text = resources.files(__package__).joinpath("published.toml").read_text(encoding="utf-8")
    return Published.model_validate(tomllib.loads(text))


def published_table(number: int) -> PublishedTable:
    """Table ``number`` of the paper; raises InvalidSetting when the paper has no such table."""
    tables = {table.number: table for table in published().tables}
    if number not in tables:
        raise InvalidSetting(f"published table: got {number}, have {sorted(tables)}; choose one of these")
    return tables[number]
