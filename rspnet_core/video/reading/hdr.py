"""High dynamic range, and the wide gamut of BT.2020, as a standard picture (BT.709) shows them.

The formulas are those of ``zscale=t=linear:npl=203`` and ``zscale=p=bt709:t=bt709``, in the same order: code values to
R'G'B' (BT.2020), R'G'B' to light by the curve of SMPTE ST 2084 (PQ), ARIB STD-B67 (HLG, display light of 1000 cd/m2,
gamma 1.2 of each channel) or BT.1886 (gamma 2.4), white at 203 cd/m2 (BT.2408), BT.2020's primaries to BT.709's, what
is brighter or out of gamut clipped, and BT.1886 again. A copy in SDR therefore looks the same as its HDR master.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

_WHITE = 203.0
"""cd/m2 of the white of SDR, and of graphics in HDR (BT.2408)."""
_GAMMA = 2.4


class _Transfer(IntEnum):
    """Numbers of ITU-T H.273, as FFmpeg has them."""

    UNKNOWN = 2
    PQ = 16
    HLG = 18


class _Gamut(IntEnum):
    UNKNOWN = 2
    BT_2020 = 9


_MATRIX_709 = 1
_MATRICES_601 = {5, 6}
_LUMA = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
"""Shares of red and blue in luma."""
_FULL_RANGE = 2
_RGB_709_OF_2020 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)


def is_hdr(frame: av.VideoFrame) -> bool:
    """Whether a frame must be mapped to be shown as a standard picture: PQ, HLG, or in BT.2020's gamut."""
    return frame.color_trc in (_Transfer.PQ, _Transfer.HLG) or frame.color_primaries == _Gamut.BT_2020


def planes_format(frame: av.VideoFrame) -> str:
    """The format of 16 bits, not subsampled, in which ``tone_mapped`` takes this frame's pixels."""
    return "rgb48le" if frame.format.is_rgb else "yuv444p16le"


def tone_mapped(pixels: NDArray[np.uint16], frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Pixels uint16 (h, w, 3) of ``planes_format`` and the colours that ``frame`` states -> uint8 (h, w, 3), RGB."""
    coded = pixels.astype(np.float32) / 65535 if frame.format.is_rgb else _rgb_of(pixels, frame)
    to_light = _TO_LIGHT.get(frame.color_trc, _light_of_sdr)
    light = to_light(np.clip(coded, 0, 1))
    if frame.color_primaries in (_Gamut.BT_2020, _Gamut.UNKNOWN):  # HDR that does not state its gamut has this one
        light = light @ _RGB_709_OF_2020.T
    shown = np.clip(light, 0, 1) ** np.float32(1 / _GAMMA)
    return (shown * 255 + 0.5).astype(np.uint8)


def _rgb_of(pixels: NDArray[np.uint16], frame: av.VideoFrame) -> Floats:
    """R'G'B' float32 (h, w, 3), 0 to 1 and a little beyond, by the matrix and the range of the frame."""
    steps = pixels.astype(np.float32) / 256
    if frame.color_range == _FULL_RANGE:
        luma, blue, red = steps[..., 0] / 255, (steps[..., 1] - 128) / 255, (steps[..., 2] - 128) / 255
    else:
        luma, blue, red = (steps[..., 0] - 16) / 219, (steps[..., 1] - 128) / 224, (steps[..., 2] - 128) / 224
    kr, kb = _LUMA[_matrix_name(frame.colorspace)]
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], axis=-1)


def _matrix_name(colorspace: int) -> str:
    if colorspace == _MATRIX_709:
        return "bt709"
    return "bt601" if colorspace in _MATRICES_601 else "bt2020"


def _light_of_pq(coded: Floats) -> Floats:
    """ST 2084 -> light, 1 at white."""
    power = coded ** np.float32(32 / 2523)
    base = np.maximum(power - np.float32(3424 / 4096), 0) / (2413 / 128 - 2392 / 128 * power)
    light: Floats = base ** np.float32(16384 / 2610) * (10_000 / _WHITE)
    return light


def _light_of_hlg(coded: Floats) -> Floats:
    """STD-B67 -> light of a display of 1000 cd/m2, 1 at white."""
    a, b = 0.17883277, 0.28466892
    c = 0.5 - a * np.log(4 * a)
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    light: Floats = scene.astype(np.float32) ** np.float32(1.2) * (1000 / _WHITE)
    return light


def _light_of_sdr(coded: Floats) -> Floats:
    light: Floats = coded ** np.float32(_GAMMA)
    return light


_TO_LIGHT: dict[int, Callable[[Floats], Floats]] = {_Transfer.PQ: _light_of_pq, _Transfer.HLG: _light_of_hlg}
