"""The weights that come with the package: ``rspnet:NAME`` is NAME.safetensors of this folder, CARD.md says of what.

May import: what ``weights`` may.
"""

from importlib import resources
from pathlib import Path

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import WeightsNotFound
from rspnet_core.models import EncoderModel
from rspnet_core.weights.checkpoint import load_checkpoint
from rspnet_core.weights.files import SUFFIX

SHIPPED = "rspnet:"
DEFAULT = "rspnet:small"
"""What a library is built with where nothing is said."""
FOLDER = Path(str(resources.files(__name__)))


def load_shipped(name: str) -> tuple[EncoderModel, EncoderSpec]:
    """The encoder ``rspnet:NAME`` in eval mode and its spec. Raises WeightsNotFound for another name."""
    have = sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))
    wanted = name.removeprefix(SHIPPED)
    if wanted not in have:
        names = ", ".join(SHIPPED + each for each in have)
        raise WeightsNotFound(f"no weights {name!r} come with rspnet; have {names}")
    return load_checkpoint(FOLDER / f"{wanted}{SUFFIX}")
