from pathlib import Path

import av
import numpy as np
import pytest

from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.video.making.encode import write_video


def moving_square(num_frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    frames = np.full((num_frames, height, width, 3), (30, 60, 120), dtype=np.uint8)
    for index, frame in enumerate(frames):
        frame[16:32, 2 * index : 2 * index + 16] = (230, 180, 40)
    return frames


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_frames_come_back_in_order_with_their_colours(tmp_path):
    frames = moving_square(20)
    write_video(tmp_path / "a.mp4", frames, crf=5)
    back = decoded(tmp_path / "a.mp4")
    assert back.shape == frames.shape
    for index in range(20):
        errors = np.abs(back[index].astype(int) - frames).mean(axis=(1, 2, 3))
        assert errors.argmin() == index
    # Away from edges, where the halved colour planes blur, colours are right to a few steps: no BT.709 mix-up.
    assert np.abs(back[:, :8].astype(int) - frames[:, :8]).max() <= 4


def test_the_file_is_h264_yuv420p_of_the_given_rate_with_its_index_in_front(tmp_path):
    write_video(tmp_path / "a.mp4", moving_square(7), fps=29.97)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == pytest.approx(29.97)
        assert stream.frames == 7
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_generator_gives_the_same_bytes_as_an_array(tmp_path):
    frames = moving_square(12)
    write_video(tmp_path / "a.mp4", frames)
    write_video(tmp_path / "b.mp4", (frame for frame in frames))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_an_odd_side_gets_its_last_row_or_column_twice(tmp_path):
    write_video(tmp_path / "a.mp4", moving_square(3, height=49, width=63), crf=0)
    back = decoded(tmp_path / "a.mp4")
    assert back.shape == (3, 50, 64, 3)
    assert np.abs(back[:, :, 63].astype(int) - back[:, :, 62]).max() <= 2


@pytest.mark.parametrize(
    ("frames", "settings"),
    [
        ([], {}),
        (np.zeros((2, 8, 8, 3), np.float32), {}),
        (np.zeros((2, 8, 8), np.uint8), {}),
        (np.zeros((2, 0, 8, 3), np.uint8), {}),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 10, 3), np.uint8)], {}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"fps": 0}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"fps": float("nan")}),
        (np.zeros((2, 8, 8, 3), np.uint8), {"crf": 52}),
    ],
)
def test_bad_frames_and_settings_leave_an_existing_file_alone(tmp_path, frames, settings):
    target = tmp_path / "a.mp4"
    target.write_bytes(b"before")
    with pytest.raises(InvalidSetting):
        write_video(target, frames, **settings)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_frames_that_fail_half_way_leave_nothing(tmp_path):
    def frames():
        yield from moving_square(3)
        raise RuntimeError("the camera fell")

    with pytest.raises(RuntimeError, match="camera"):
        write_video(tmp_path / "a.mp4", frames())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RspnetError, match=r"none/a\.mp4: No such file"):
        write_video(tmp_path / "none" / "a.mp4", moving_square(1))
