"""What people call the parts by which two videos are alike."""

from collections.abc import Mapping

from rspnet_core.models.energy import Energy
from rspnet_core.models.registry import ENERGY

TITLES = {"motion": "Motion (RSP)", "appearance": "Appearance (A-VID)", "backbone": "Backbone"}
"""By the heads of the paper."""


def titles_of(backbone: str) -> Mapping[str, str]:
    """The same of an encoder, by the name of its backbone: not every one is trained as in the paper."""
    return TITLES | Energy.titles if backbone == ENERGY else TITLES
