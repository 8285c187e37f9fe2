"""Pretext tasks that learn from one batch of views, one task a file; ``OBJECTIVES`` lists them.

A new task is a file here with an ``Objective`` and its settings, and a line in ``OBJECTIVES``.
May import: what ``pretext`` may.
"""

from rspnet_core.pretext.tasks.avid import InstanceDiscrimination
from rspnet_core.pretext.tasks.objective import Objective
from rspnet_core.pretext.tasks.order import SpeedOrder
from rspnet_core.pretext.tasks.programs import LookContrast, ProgramContrast
from rspnet_core.pretext.tasks.rsp import SpeedTriplet
from rspnet_core.pretext.tasks.statistics import MotionStatistics
from rspnet_core.pretext.tasks.still import StillContrast

OBJECTIVES: dict[str, type[Objective]] = {
    "rsp": SpeedTriplet,
    "order": SpeedOrder,
    "statistics": MotionStatistics,
    "still": StillContrast,
    "avid": InstanceDiscrimination,
    "programs": ProgramContrast,
    "looks": LookContrast,
}
"""Name in a recipe's ``[objectives.NAME]`` -> task."""
