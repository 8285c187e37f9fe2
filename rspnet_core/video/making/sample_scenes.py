"""What sample data show: eight motions that have names, or motion programs drawn from a seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rspnet_core.video.making.scenes import MOTIONS, Look, render

if TYPE_CHECKING:
    from rspnet_core.video.making.programs import Programs

Frame = NDArray[np.uint8]
"""RGB (H, W, 3)."""
_SIZE = 128
"""Of the square videos of programs, in pixels."""
_FAMILIES = {
    "Bounce": "Oscillation",
    "Rise": "Translation",
    "Shake": "Oscillation",
    "SlideLeft": "Translation",
    "SlideRight": "Translation",
    "Spin": "Deformation",
    "Swing": "Oscillation",
    "Zoom": "Deformation",
}


class SampleScenes(Protocol):
    """Motions, each of which can be shown in the look of any group."""

    @property
    def families(self) -> Mapping[str, str]:
        """Motion -> the family that it belongs to, in the order of their names."""
        ...

    def look(self, motion: str, group: int) -> tuple[str, str]:
        """Texture and shape, in words; groups count from 1."""
        ...

    def frames(self, motion: str, group: int, playback_speed: float, num_frames: int, fps: float) -> Iterator[Frame]:
        """One after another; nothing but the speed depends on ``playback_speed``."""
        ...


@dataclass(frozen=True)
class NamedMotions:
    """Of one textured object."""

    seed: int

    @property
    def families(self) -> Mapping[str, str]:
        """As ``SampleScenes``."""
        return _FAMILIES

    def look(self, motion: str, group: int) -> tuple[str, str]:
        """As ``SampleScenes``."""
        look = Look.of_group(group, self.seed)
        return look.texture, look.shape

    def frames(self, motion: str, group: int, playback_speed: float, num_frames: int, fps: float) -> Iterator[Frame]:
        """As ``SampleScenes``."""
        phase = float(np.random.default_rng([self.seed, group, sorted(MOTIONS).index(motion)]).random())
        look = Look.of_group(group, self.seed)
        return render(motion, look, playback_speed=playback_speed, phase=phase, num_frames=num_frames, fps=fps)


@dataclass(frozen=True)
class ProgramScenes:
    """Programs as encoders learn from (``programs``), but the camera stands still and no body leaves the picture."""

    seed: int
    num: int

    @property
    def families(self) -> Mapping[str, str]:
        """Jointed figures, and loose parts."""
        shapes = ("figure" if figure else "parts" for figure in self._programs.is_figure.tolist())
        return {f"Program{number:02d}": shape for number, shape in enumerate(shapes, start=1)}

    def look(self, motion: str, group: int) -> tuple[str, str]:
        """As ``SampleScenes``."""
        return f"waves {group}", self.families[motion]

    def frames(self, motion: str, group: int, playback_speed: float, num_frames: int, fps: float) -> Iterator[Frame]:
        """As ``SampleScenes``."""
        import torch

        from rspnet_core.video.making.programs import Programs, draw_chance, draw_looks
        from rspnet_core.video.making.rendering import render as render_programs
        from rspnet_core.video.making.rendering import smooth_pictures

        place = list(self.families).index(motion)
        rng = torch.Generator().manual_seed((self.seed << 8) + group)
        pictures = smooth_pictures(2, _SIZE, rng, torch.device("cpu"))
        looks = draw_looks(1, 1, rng)._replace(background=torch.ones(1, dtype=torch.int64))
        chance = draw_chance(1, rng, 0.0)
        clip = render_programs(
            Programs(*(part[place : place + 1] for part in self._programs)),
            looks,
            chance._replace(speed=chance.speed * playback_speed),
            torch.arange(num_frames) / fps,
            pictures,
            _SIZE,
        )
        return iter((clip[0].permute(1, 2, 3, 0) * 255).round().byte().numpy())

    @cached_property
    def _programs(self) -> "Programs":
        import torch  # only where it is asked for: it takes seconds to import

        from rspnet_core.video.making.programs import draw_programs

        drawn = draw_programs(self.num, torch.Generator().manual_seed(self.seed))
        return drawn._replace(drift=torch.zeros_like(drawn.drift))
