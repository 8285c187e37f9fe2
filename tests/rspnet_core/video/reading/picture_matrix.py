"""The matrix of docs/videos-measured.md: what ffmpeg can write, and our frames' difference to ffmpeg's own picture.

Written anew by ``python -m tests.rspnet_core.video.reading.picture_matrix``.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from rspnet_core.config import ClipGeometry
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.video.sampling import even_clip_indices
from tests.conftest import REPOSITORY
from tests.rspnet_core.video.ffmpeg_oracle import ffmpeg, mean_difference, shown

PAGE = REPOSITORY / "docs" / "videos-measured.md"
LIMIT = 4.0
"""Of 255: what any row may differ by."""
CLIPS = ClipGeometry(num_clips=1, frames_per_clip=4, size=64)
CODECS = {
    "H.264": ("libx264", ("-preset", "ultrafast")),
    "HEVC": ("libx265", ("-preset", "ultrafast", "-x265-params", "log-level=none:pools=none")),
    "VP9": ("libvpx-vp9", ("-deadline", "realtime", "-cpu-used", "8")),
    "AV1": ("libaom-av1", ("-usage", "realtime", "-cpu-used", "8")),
    "MPEG-4": ("mpeg4", ("-q:v", "2")),
    "MPEG-2": ("mpeg2video", ("-q:v", "2")),
    "VP8": ("libvpx", ("-deadline", "realtime", "-cpu-used", "8")),
    "Motion JPEG": ("mjpeg", ("-q:v", "2", "-pix_fmt", "yuvj420p")),
    "ProRes": ("prores_ks", ()),
    "FFV1": ("ffv1", ()),
}
SUFFIXES = {"H.264": ("mp4", "mkv", "ts", "avi", "flv"), "HEVC": ("mp4", "mkv", "ts"), "VP9": ("webm", "mp4"),
            "AV1": ("mp4", "mkv"), "MPEG-4": ("avi", "mp4", "nut"), "MPEG-2": ("mpg", "ts", "mxf"), "VP8": ("webm",),
            "Motion JPEG": ("avi", "mov"), "ProRes": ("mov",), "FFV1": ("mkv",)}  # fmt: skip
DEEP = {"H.264": 10, "HEVC": 12, "VP9": 12, "AV1": 10, "ProRes": 10, "FFV1": 16}
"""Codecs that hold more than 8 bits, and how many at most here."""
TURNED = {"mp4", "mov"}
TRANSFERS = {"PQ": "smpte2084", "HLG": "arib-std-b67"}
TO_SDR = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv444p,"


class Kind(NamedTuple):
    """A combination."""

    container: str
    codec: str
    bits: int = 8
    aspect: str = "1/1"
    turn: int = 0
    light: str = "SDR"
    rate: str = "25"

    def measured(self, folder: Path) -> float:
        """Write it, and compare our clip with the same frames as ffmpeg shows them."""
        path = self._write(folder / f"a.{self.container}")
        frames = shown(path, CLIPS.size, filters="" if self.light == "SDR" else TO_SDR)
        wanted = even_clip_indices(len(frames), CLIPS.num_clips, CLIPS.frames_per_clip, CLIPS.frame_step)
        return mean_difference(read_clips(path, CLIPS).frames, frames[wanted])

    def _write(self, path: Path) -> Path:
        encoder, options = CODECS[self.codec]
        source = ("-f", "lavfi", "-i", f"mandelbrot=s=96x64:r={self.rate}", "-frames:v", "6")
        chroma = "422" if self.codec == "ProRes" else "420"
        pixels = f"yuv{chroma}p" if self.bits == 8 else f"yuv{chroma}p{self.bits}le"
        filters, states = self._colours(pixels)
        pixels_of = () if "-pix_fmt" in options else ("-pix_fmt", pixels)
        ffmpeg(*source, "-vf", f"{filters}setsar={self.aspect}", "-c:v", encoder, *options, *pixels_of, *states, path)
        if not self.turn:
            return path
        turned = path.with_stem("turned")
        ffmpeg("-i", path, "-c", "copy", "-metadata:s:v:0", f"rotate={self.turn}", turned)
        return turned

    def _colours(self, pixels: str) -> tuple[str, tuple[str, ...]]:
        if self.light == "SDR":
            return "", ()
        transfer = TRANSFERS[self.light]
        sdr = "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,setparams=color_primaries=bt709:color_trc=bt709"
        hdr = f"zscale=p=bt2020:t={transfer}:m=2020_ncl:r=tv:npl=203,format={pixels},"
        states = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
        return (
            f"{sdr}:colorspace=bt709:range=tv,eq=saturation=0.4,zscale=t=linear:npl=203,format=gbrpf32le,{hdr}",
            states,
        )


def kinds() -> Iterator[Kind]:
    """All combinations that are measured; those of two special features at once where the container holds both."""
    for codec, suffixes in SUFFIXES.items():
        for suffix, aspect, rate in product(suffixes, ("1/1", "4/3"), ("25", "30000/1001")):
            has_aspect = (suffix, codec) not in {("flv", "H.264")} or aspect == "1/1"
            if has_aspect:
                yield Kind(suffix, codec, bits=10 if codec == "ProRes" else 8, aspect=aspect, rate=rate)
        for suffix, turn, aspect in product(TURNED & set(suffixes), (90, 180, 270), ("1/1", "4/3")):
            yield Kind(suffix, codec, bits=10 if codec == "ProRes" else 8, turn=turn, aspect=aspect)
        if codec in DEEP:
            for suffix, bits in product(suffixes, sorted({10, DEEP[codec]})):
                if suffix not in {"flv", "avi"} and codec != "ProRes":
                    yield Kind(suffix, codec, bits=bits)
            for suffix, light in product(set(suffixes) - {"flv", "avi"}, TRANSFERS):
                if codec != "FFV1" and (codec, suffix) != ("VP9", "mp4"):
                    yield Kind(suffix, codec, bits=10, light=light)


def measure(kind: Kind) -> tuple[Kind, float]:
    """A kind and its difference."""
    with tempfile.TemporaryDirectory() as folder:
        return kind, kind.measured(Path(folder))


def main() -> None:
    """Measure all and write the page."""
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(measure, sorted(set(kinds()))))
    worst = max(difference for _, difference in rows)
    lines = [
        "# The picture, measured",
        "",
        f"{len(rows)} kinds of files that the `ffmpeg` program writes, each with the mean difference (of 255) of our",
        f"frames to the pictures that `ffmpeg` shows, for HDR through zscale; the worst is {worst:.2f}. Measured by",
        "",
        "```sh",
        "python -m tests.rspnet_core.video.reading.picture_matrix",
        "```",
        "",
        "| container | codec | bits | pixel aspect | turn | light | frames a second | difference |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {' | '.join(map(str, kind))} | {difference:.2f} |" for kind, difference in rows]
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
