"""Videos that the ``ffmpeg`` program writes, and the pictures that it shows of a file: the oracle."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rspnet_core.video.reading.pictures import centre_square

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not installed")

_SHOWN = "scale=w='if(lt(dar,1),{0},trunc({0}*dar+0.5))':h='if(lt(dar,1),trunc({0}/dar+0.5),{0})':flags=bicubic"
"""To square pixels, with this short side."""
_PPM = ("-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-")


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run the program and return what it prints; AssertionError with its words when it fails."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def write(
    path: Path, *arguments: str | Path, size: str = "96x64", frames: int = 8, picture: str = "mandelbrot"
) -> Path:
    """A video of one of ffmpeg's own moving pictures, of 25 frames a second, written with these arguments."""
    ffmpeg("-f", "lavfi", "-i", f"{picture}=s={size}:r=25", "-frames:v", str(frames), *arguments, path)
    return path


def shown(path: Path, short_side: int, *, filters: str = "") -> NDArray[np.uint8]:
    """All frames as ffmpeg shows them, cut to the centred square: uint8 (T, short_side, short_side, 3), RGB."""
    chain = filters + _SHOWN.format(short_side)
    printed = ffmpeg("-i", path, "-vf", chain, "-vsync", "passthrough", *_PPM)
    return np.stack([centre_square(picture) for picture in _pictures(printed)])


def shown_size(path: Path, *, filters: str = "") -> tuple[int, int]:
    """Width and height, in square pixels, at which ffmpeg shows a file."""
    chain = f"{filters}scale=round(iw*sar):ih"
    printed = ffmpeg("-i", path, "-vf", chain, "-frames:v", "1", *_PPM)
    height, width, _ = _pictures(printed)[0].shape
    return width, height


def mean_difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Of 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.int16) - b).mean())


def _pictures(ppm: bytes) -> list[NDArray[np.uint8]]:
    """Pictures (h, w, 3) that follow each other in the PPM format."""
    pictures = []
    start = 0
    while start < len(ppm):
        magic, width, height, _ = ppm[start : start + 40].split(maxsplit=4)[:4]
        assert magic == b"P6"
        start = ppm.index(b"255\n", start) + 4
        count = 3 * int(width) * int(height)
        pictures.append(np.frombuffer(ppm, np.uint8, count, start).reshape(int(height), int(width), 3))
        start += count
    return pictures
