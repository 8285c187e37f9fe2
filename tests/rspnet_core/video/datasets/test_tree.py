import os
import socket
from pathlib import Path

import pytest

from rspnet_core.errors import DatasetError
from rspnet_core.video.datasets.tree import LEADS_NOWHERE, LEADS_OUTSIDE, NOT_REGULAR, walk
from tests.rspnet_core.video.datasets.dataset_trees import MP4_HEAD


def put(path: Path, content: bytes = MP4_HEAD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_videos_are_found_by_suffix_or_by_content(tmp_path):
    put(tmp_path / "a.mp4")
    put(tmp_path / "deep/er/B.AVI", b"")  # empty, yet it says that it is a video: decoding will say what is wrong
    put(tmp_path / "no_suffix")
    put(tmp_path / "clip.dat")
    put(tmp_path / "notes.md", b"# none")
    put(tmp_path / "sound.m4a")
    put(tmp_path / "list.txt", b"a.mp4 1\n")
    tree = walk(tmp_path)
    assert tree.videos == dict.fromkeys(["a.mp4", "deep/er/B.AVI", "no_suffix", "clip.dat"])
    assert tree.texts == ["list.txt"]


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    put(tmp_path / ".rspnet/thumb.mp4")
    put(tmp_path / "._a.mp4")
    put(tmp_path / "a.mp4")
    assert list(walk(tmp_path).videos) == ["a.mp4"]


def test_links_count_only_when_they_end_inside(tmp_path):
    root, outside = tmp_path / "root", put(tmp_path / "outside.mp4")
    put(root / "a.mp4")
    put(tmp_path / "root_2/b.mp4")
    for name, target in {
        "inside.mp4": "a.mp4",
        "outside.mp4": outside,
        "sibling.mp4": "../root_2/b.mp4",
        "through.mp4": "outside.mp4",
        "dangling.mp4": "none.mp4",
        "loop.mp4": "loop.mp4",
        "no_suffix": outside,
        "folder": "../root_2",
        "folder.mp4": "../root_2",
    }.items():
        (root / name).symlink_to(target)
    tree = walk(root)
    assert tree.videos == {
        "a.mp4": None,
        "inside.mp4": None,
        "outside.mp4": LEADS_OUTSIDE,
        "sibling.mp4": LEADS_OUTSIDE,
        "through.mp4": LEADS_OUTSIDE,
        "dangling.mp4": LEADS_NOWHERE,
        "loop.mp4": LEADS_NOWHERE,
    }
    assert tree.notes == ["symbolic links to folders, not followed: 2"]


def test_links_below_folders_that_are_named_are_followed_to_the_file_that_was_checked(tmp_path):
    root = tmp_path / "snapshots" / "1"
    root.mkdir(parents=True)
    blob, secret = put(tmp_path / "blobs" / "0f3a"), put(tmp_path / "blobs_2" / "b.mp4")
    (tmp_path / "blobs" / "out").symlink_to(secret)
    (tmp_path / "blobs" / "loop").symlink_to("loop")
    for name, target in {
        "a.mp4": blob,
        "b.mp4": secret,
        "c.mp4": "../../blobs/out",
        "d.mp4": "../../blobs/loop",
    }.items():
        (root / name).symlink_to(target)
    assert walk(root).videos == dict.fromkeys(["a.mp4", "b.mp4", "c.mp4", "d.mp4"], LEADS_OUTSIDE)
    tree = walk(root, [tmp_path / "snapshots" / ".." / "blobs"])
    assert tree.videos == {"a.mp4": None, "b.mp4": LEADS_OUTSIDE, "c.mp4": LEADS_OUTSIDE, "d.mp4": LEADS_NOWHERE}
    assert tree.targets == {"a.mp4": str(blob)}
    with pytest.raises(DatasetError, match=r"--follow-links .*none: no such folder"):
        walk(root, [tmp_path / "none"])


def test_fifos_and_sockets_are_listed_but_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.mp4")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "linked.mp4").symlink_to("pipe.mp4")
    monkeypatch.chdir(tmp_path)  # the name of a socket has room for 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.avi")
        tree = walk(tmp_path)
    assert tree.videos == dict.fromkeys(["pipe.mp4", "linked.mp4", "socket.avi"], NOT_REGULAR)


@pytest.mark.parametrize(
    "name",
    [b"-rf.mp4", b"new\nline.mp4", b"\xff\xfe.mp4", b"<img src=x>.mp4", b"'; DROP TABLE.mp4", b"x" * 251 + b".mp4"],
)
def test_odd_names_stay_as_they_are(tmp_path, name):
    put(tmp_path / os.fsdecode(name))
    (path,) = walk(tmp_path).videos
    assert os.fsencode(path) == name


def test_a_folder_that_cannot_be_read_is_noted(tmp_path):
    put(tmp_path / "a.mp4")
    # Deeper than a path may be long: the system refuses to open it, whoever asks.
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=descriptor)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    tree = walk(tmp_path)
    assert list(tree.videos) == ["a.mp4"]
    assert len(tree.notes) == 1
    assert "cannot be read: File name too long" in tree.notes[0]


def test_what_is_no_folder_is_refused(tmp_path):
    for bad in (tmp_path / "none", put(tmp_path / "a.mp4")):
        with pytest.raises(DatasetError, match="cannot read the data folder"):
            walk(bad)
