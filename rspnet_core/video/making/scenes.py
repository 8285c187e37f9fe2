"""Small synthetic scenes: one textured object that moves in a known way over a calm background.

What moves (the motion) and what is seen (texture, shape, colours, background) are set apart from each other, so that
a vector that answers to one of them can be told from a vector that answers to the other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

WIDTH, HEIGHT = 160, 128
RADIUS = 34.0  # of the object at scale 1, in pixels

# Two colours of the object, then the background's upper and lower one.
_PALETTES = (
    ("#f4a259", "#bc4b51", "#2b3a55", "#5b8e7d"),
    ("#ffe8a3", "#2a9d8f", "#264653", "#8ab17d"),
    ("#f7f3e9", "#5e60ce", "#ffb4a2", "#e5989b"),
    ("#ffd166", "#ef476f", "#073b4c", "#118ab2"),
    ("#caf0f8", "#0077b6", "#f2cc8f", "#e07a5f"),
    ("#fefae0", "#606c38", "#dda15e", "#bc6c25"),
    ("#ffafcc", "#7209b7", "#a2d2ff", "#cdb4db"),
    ("#d8f3dc", "#40916c", "#495057", "#adb5bd"),
)


@dataclass(frozen=True)
class Look:
    """What is seen: the same for every video of a group."""

    texture: str
    shape: str
    palette: int
    seed: int

    @classmethod
    def of_group(cls, group: int, seed: int) -> "Look":
        """Give group 1, 2, ... its look; groups four apart share a texture and differ in shape and colours."""
        index = group - 1
        textures, shapes = tuple(TEXTURES), tuple(SHAPES)
        # The second round of textures takes the shapes one further, so that texture and shape do not go together.
        shape = shapes[(index + index // len(textures)) % len(shapes)]
        return cls(textures[index % len(textures)], shape, (index + seed) % len(_PALETTES), seed * 1000 + group)


@dataclass(frozen=True)
class Pose:
    """Where the object is: centre in pixels, angle in radians (clockwise on the screen), scale.

    The picture has no edges: what leaves on one side comes in on the other, so the object is always in view.
    """

    x: float
    y: float
    angle: float = 0.0
    scale: float = 1.0


def _slide_right(seconds: float, phase: float) -> Pose:
    return Pose(WIDTH * phase + 70 * seconds, HEIGHT * (0.4 + 0.2 * phase))


def _slide_left(seconds: float, phase: float) -> Pose:
    return Pose(WIDTH * phase - 70 * seconds, HEIGHT * (0.4 + 0.2 * phase))


def _rise(seconds: float, phase: float) -> Pose:
    return Pose(WIDTH * (0.3 + 0.4 * phase), HEIGHT * phase - 60 * seconds)


def _spin(seconds: float, phase: float) -> Pose:
    return Pose(WIDTH * (0.42 + 0.16 * phase), HEIGHT / 2, angle=2 * np.pi * phase + 2.2 * seconds)


def _zoom(seconds: float, phase: float) -> Pose:
    scale = 1.0 + 0.45 * float(np.sin(2 * np.pi * (0.5 * seconds + phase)))
    return Pose(WIDTH * (0.42 + 0.16 * phase), HEIGHT / 2, scale=scale)


def _bounce(seconds: float, phase: float) -> Pose:
    height = abs(float(np.sin(np.pi * (0.9 * seconds + phase))))
    return Pose(WIDTH * (0.3 + 0.4 * phase), HEIGHT - 37 - 56 * height, scale=0.75)


def _swing(seconds: float, phase: float) -> Pose:
    angle = 0.5 * float(np.sin(2 * np.pi * (0.45 * seconds + phase)))
    arm = 86.0  # from a pivot above the picture
    return Pose(WIDTH / 2 + arm * float(np.sin(angle)), -18 + arm * float(np.cos(angle)), angle=-angle, scale=0.85)


def _shake(seconds: float, phase: float) -> Pose:
    turn = 2 * np.pi * (2.6 * seconds + phase)
    return Pose(WIDTH * (0.42 + 0.16 * phase) + 9 * float(np.sin(turn)), HEIGHT / 2 + 3 * float(np.sin(2 * turn)))


MOTIONS: dict[str, Callable[[float, float], Pose]] = {
    "Bounce": _bounce,
    "Rise": _rise,
    "Shake": _shake,
    "SlideLeft": _slide_left,
    "SlideRight": _slide_right,
    "Spin": _spin,
    "Swing": _swing,
    "Zoom": _zoom,
}
"""Name -> pose of the object after so many seconds at 1x, started at a phase of 0 to 1."""


def _checker(x: Array, y: Array, rng: np.random.Generator) -> Array:
    return _soft(np.sin(x * np.pi / 12) * np.sin(y * np.pi / 12) * 4)


def _stripes(x: Array, y: Array, rng: np.random.Generator) -> Array:
    return _soft(np.sin((x + 0.5 * y) * np.pi / 8) * 2.5)


def _dots(x: Array, y: Array, rng: np.random.Generator) -> Array:
    u, v = (x + 8) % 16 - 8, (y + 8) % 16 - 8
    return _soft(4.5 - np.hypot(u, v))


def _blobs(x: Array, y: Array, rng: np.random.Generator) -> Array:
    total: Array = np.zeros_like(x)
    for angle, wave, shift in rng.uniform((0, 0.14, 0), (np.pi, 0.3, 2 * np.pi), size=(6, 3)):
        total += np.sin((x * np.cos(angle) + y * np.sin(angle)) * wave + shift).astype(np.float32)
    return _soft(total * 1.5)


TEXTURES: dict[str, Callable[[Array, Array, np.random.Generator], Array]] = {
    "checker": _checker,
    "stripes": _stripes,
    "dots": _dots,
    "blobs": _blobs,
}
"""Name -> share (0 to 1) of the object's second colour at coordinates in pixels fixed to the object."""


def _disc(x: Array, y: Array) -> Array:
    return np.hypot(x, y) - RADIUS


def _square(x: Array, y: Array) -> Array:
    corner, side = 8.0, RADIUS * 0.86 - 8.0
    u, v = np.abs(x) - side, np.abs(y) - side
    outside = np.hypot(np.maximum(u, 0), np.maximum(v, 0))
    return np.asarray(outside + np.minimum(np.maximum(u, v), 0) - corner, dtype=np.float32)


def _star(x: Array, y: Array) -> Array:
    edge = RADIUS * (0.86 + 0.17 * np.cos(5 * np.arctan2(x, -y)))
    return np.asarray(np.hypot(x, y) - edge, dtype=np.float32)


SHAPES: dict[str, Callable[[Array, Array], Array]] = {"disc": _disc, "square": _square, "star": _star}
"""Name -> signed distance in pixels to the object's edge, negative inside."""


def render(
    motion: str, look: Look, *, playback_speed: float, phase: float, num_frames: int, fps: float
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield uint8 (HEIGHT, WIDTH, 3) RGB frames; ``playback_speed`` 2.0 shows the same motion twice as fast."""
    y, x = (side.astype(np.float32) + 0.5 for side in np.ogrid[0:HEIGHT, 0:WIDTH])
    light, dark, top, bottom = (_rgb(colour) for colour in _PALETTES[look.palette])
    background = _background(x, y, top, bottom, np.random.default_rng(look.seed))
    for index in range(num_frames):
        pose = MOTIONS[motion](index / fps * playback_speed, phase)
        shadow = _soft((6 - _distance(look, *_object_coordinates(x - 3, y - 5, pose), pose)) / 5)
        u, v = _object_coordinates(x, y, pose)
        distance = _distance(look, u, v, pose)
        share = TEXTURES[look.texture](u, v, np.random.default_rng(look.seed))
        surface = _mix(light, dark, share) * (1 - 0.35 * _soft(distance + 2.5))[..., None]  # a darker rim
        frame = _mix(background * (1 - 0.3 * shadow)[..., None], surface, _soft(-distance))
        yield np.clip(frame, 0, 255).round().astype(np.uint8)


def _distance(look: Look, u: Array, v: Array, pose: Pose) -> Array:
    return SHAPES[look.shape](u, v) * pose.scale


def _object_coordinates(x: Array, y: Array, pose: Pose) -> tuple[Array, Array]:
    dx = (x - pose.x + WIDTH / 2) % WIDTH - WIDTH / 2
    dy = (y - pose.y + HEIGHT / 2) % HEIGHT - HEIGHT / 2
    cos, sin = np.cos(pose.angle) / pose.scale, np.sin(pose.angle) / pose.scale
    return (dx * cos + dy * sin).astype(np.float32), (dy * cos - dx * sin).astype(np.float32)


def _background(x: Array, y: Array, top: Array, bottom: Array, rng: np.random.Generator) -> Array:
    """A gradient with wide soft waves: calm, yet textured enough for motion over it to be seen."""
    share = np.repeat(0.15 + 0.5 * y / HEIGHT, WIDTH, axis=1)
    for angle, wave, shift in rng.uniform((0, 0.04, 0), (np.pi, 0.09, 2 * np.pi), size=(4, 3)):
        share += 0.09 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * wave + shift).astype(np.float32)
    return _mix(top, bottom, np.clip(share, 0, 1))


def _mix(first: Array, second: Array, share: Array) -> Array:
    """Colours (3,) or (H, W, 3) mixed by the share (H, W) of the second."""
    return np.asarray(first * (1 - share[..., None]) + second * share[..., None], dtype=np.float32)


def _soft(values: Array) -> Array:
    return np.asarray(np.clip(values + 0.5, 0, 1), dtype=np.float32)


def _rgb(colour: str) -> Array:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32)
