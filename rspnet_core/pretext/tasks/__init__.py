"""Pretext tasks that learn from one batch of views, one task a file; ``OBJECTIVES`` lists them.

A new task is a file here with an ``Objective`` and its settings, and a line in ``OBJECTIVES``.
May import: what ``pretext`` may.
"""

from rspnet_core.pretext.tasks.avid import InstanceDiscrimination
from rspnet_core.pretext.tasks.clip_order import ClipOrder
from rspnet_core.pretext.tasks.cloze import Cloze
from rspnet_core.pretext.tasks.dense_prediction import DensePrediction
from rspnet_core.pretext.tasks.equivariance import TimeEquivariance
from rspnet_core.pretext.tasks.mined import MinedContrast
from rspnet_core.pretext.tasks.objective import Objective
from rspnet_core.pretext.tasks.order import SpeedOrder
from rspnet_core.pretext.tasks.pace import Pace
from rspnet_core.pretext.tasks.playback_rate import PlaybackRate
from rspnet_core.pretext.tasks.programs import LookContrast, ProgramContrast
from rspnet_core.pretext.tasks.rotation import RotationPrediction
from rspnet_core.pretext.tasks.rsp import SpeedTriplet
from rspnet_core.pretext.tasks.speediness import Speediness
from rspnet_core.pretext.tasks.statistics import MotionStatistics
from rspnet_core.pretext.tasks.still import StillContrast
from rspnet_core.pretext.tasks.temporal_contrast import TemporalContrast
from rspnet_core.pretext.tasks.transform_rank import TransformRanking

OBJECTIVES: dict[str, type[Objective]] = {
    "rsp": SpeedTriplet,
    "order": SpeedOrder,
    "statistics": MotionStatistics,
    "still": StillContrast,
    "avid": InstanceDiscrimination,
    "programs": ProgramContrast,
    "looks": LookContrast,
    "rotation": RotationPrediction,
    "clip_order": ClipOrder,
    "cloze": Cloze,
    "speediness": Speediness,
    "pace": Pace,
    "playback_rate": PlaybackRate,
    "equivariance": TimeEquivariance,
    "transform_rank": TransformRanking,
    "temporal_contrast": TemporalContrast,
    "dense_prediction": DensePrediction,
    "mined": MinedContrast,
}
"""Name in a recipe's ``[objectives.NAME]`` -> task."""
