"""What people call the parts by which two videos are alike."""

from collections.abc import Mapping

from rspnet_core.config import ENERGY

TITLES = {"motion": "Motion (RSP)", "appearance": "Appearance (A-VID)", "backbone": "Backbone"}
"""By the heads of the paper."""


def titles_of(backbone: str) -> Mapping[str, str]:
    """The same of an encoder, by the name of its backbone: not every one is trained as in the paper."""
    if backbone != ENERGY:
        return TITLES
    from rspnet_core.models.energy import Energy  # PyTorch: two seconds of a page's start

    return TITLES | Energy.titles
