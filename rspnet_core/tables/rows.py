"""Which rows of which table can be run, and what each of them starts from."""

from dataclasses import dataclass

from rspnet_core.errors import InvalidSetting
from rspnet_core.tables.published import ARCHITECTURES

OBJECTIVES = {
    "w/ RSP only": ("rsp",),
    "w/ A-VID only": ("avid",),
    "SP + A-VID": ("sp", "avid"),
    "RSP + VID": ("rsp", "vid"),
    "RSP + A-VID": ("rsp", "avid"),
}
"""Table 1's pre-training settings."""
SCRATCH, SUPERVISED = "w/o pre-training", "Fully supervised"
_TORCHVISION = {"resnet18": "torchvision:r3d_18", "s3dg": "torchvision:s3d", "r2plus1d": "torchvision:r2plus1d_18"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    method: str
    """As the paper's table names it."""
    backbone: str
    objectives: tuple[str, ...] = ()
    """Of the pre-training; empty where there is none."""
    supervised_weights: str = ""
    """Weights trained on labels, where the row starts from such."""
    needs: str = ""
    """What cannot be had; such a row is not run."""

    @property
    def name(self) -> str:
        """Its folder."""
        kind = "-".join(self.objectives) or ("supervised" if self.supervised_weights else "scratch")
        return f"{kind}.{self.backbone}"


_BACKBONES = {
    1: ("tsm18", "resnet18", "c3d"),
    2: ("c3d", "resnet18", "r2plus1d", "s3dg"),
    3: ("resnet18", "c3d", "s3dg"),
    4: ("c3d", "resnet18"),
}


def rows_of(table: int, backbones: list[str]) -> list[Row]:
    """The rows of a table, for those of its backbones that are named, or for all.

    Raises InvalidSetting: no such table, or a backbone that it does not have.
    """
    if table not in _BACKBONES:
        raise InvalidSetting(f"--table {table}: the paper has the tables {', '.join(map(str, _BACKBONES))}")
    if unknown := sorted(set(backbones) - set(_BACKBONES[table])):
        raise InvalidSetting(f"table {table} has no rows of {unknown[0]}, it has {', '.join(_BACKBONES[table])}")
    chosen = [each for each in _BACKBONES[table] if each in backbones or not backbones]
    return [row for backbone in chosen for row in _rows(table, backbone)]


def _rows(table: int, backbone: str) -> list[Row]:
    scratch = Row(SCRATCH, backbone)
    if table == 1:
        return [scratch, *(Row(method, backbone, objectives) for method, objectives in OBJECTIVES.items())]
    ours = Row("Unsupervised" if table == 3 else "RSPNet", backbone, OBJECTIVES["RSP + A-VID"])
    return [ours] if table == 4 else [scratch, _supervised(backbone), ours]


def _supervised(backbone: str) -> Row:
    if backbone in _TORCHVISION:
        return Row(SUPERVISED, backbone, supervised_weights=_TORCHVISION[backbone])
    return Row(
        SUPERVISED, backbone, needs=f"weights of {ARCHITECTURES[backbone]} trained on labels: none are published"
    )
