import numpy as np
import pytest
from PIL import Image

from rspnet_core.explain.drawing import colour_bar, colours, draw_boxes, fitted, font, overlay
from rspnet_core.explain.regions import Box


def luminance(colour: np.ndarray) -> np.ndarray:
    linear = (colour / 255) ** 2.2
    return linear @ [0.2126, 0.7152, 0.0722]


def test_colours_grow_lighter_from_0_to_1() -> None:
    light = luminance(colours().astype(float))
    assert (np.diff(light) > -1e-4).all()
    assert light[0] < 0.001
    assert light[-1] > 0.9


def test_overlay_mixes_the_frame_with_the_colour_of_the_map() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    strength = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    shown = overlay(frame, strength)
    for y, x in np.ndindex(4, 5):
        colour = colours()[round(float(strength[y, x]) * 255)]
        np.testing.assert_allclose(shown[y, x], 0.4 * frame[y, x] + 0.6 * colour, atol=0.51)


def test_colour_bar_goes_from_the_lowest_colour_to_the_highest() -> None:
    bar = np.asarray(colour_bar(300, 4))
    assert bar.shape == (4, 300, 3)
    assert (bar[:, 0] == colours()[0]).all()
    assert (bar[:, -1] == colours()[-1]).all()


@pytest.mark.parametrize("box", [Box(0, 0, 20, 20), Box(5, 5, 6, 6), Box(3, 4, 17, 9)])
def test_boxes_are_drawn_on_their_own_pixels_only(box: Box) -> None:
    picture = Image.new("RGB", (40, 40), "#123456")
    draw_boxes(picture, [box], 2)
    changed = (np.asarray(picture) != [0x12, 0x34, 0x56]).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (columns.min(), rows.min()) == (2 * box.left, 2 * box.top)
    assert (columns.max() + 1, rows.max() + 1) == (2 * box.right, 2 * box.bottom)


def test_long_names_are_shortened_in_their_middle_to_fit() -> None:
    typeface = font(14)
    text = fitted("v_" + "x" * 300 + ".mp4", typeface, 200)
    assert typeface.getlength(text) <= 200
    assert text.startswith("v_")
    assert text.endswith(".mp4")
    assert fitted("short.mp4", typeface, 200) == "short.mp4"


def test_names_with_control_characters_are_shown_escaped() -> None:
    assert fitted("a\nb\u202ec", font(14), 500) == "a\\nb\\u202ec"
