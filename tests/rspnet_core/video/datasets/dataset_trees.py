"""Miniature data folders for tests; the files are stand-ins that start like an MP4."""

from pathlib import Path

MP4_HEAD = b"\0\0\0\x18ftypisom\0\0\0\0isommp42"


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MP4_HEAD)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8", errors="surrogateescape")


UCF_VIDEOS = (
    "Archery/v_Archery_g01_c01.avi",
    "Archery/v_Archery_g02_c01.avi",
    "HandstandPushups/v_HandStandPushups_g01_c01.avi",
    "HandstandPushups/v_HandStandPushups_g02_c01.avi",
)


def ucf_lists(folder: Path) -> None:
    text(folder / "classInd.txt", "1 Archery", "2 HandstandPushups")
    for fold, (train, test) in {1: ("g02", "g01"), 2: ("g01", "g02")}.items():
        text(folder / f"trainlist0{fold}.txt", *(f"{v} {1 + (v[0] == 'H')}" for v in UCF_VIDEOS if train in v))
        text(folder / f"testlist0{fold}.txt", *(v for v in UCF_VIDEOS if test in v))
    text(folder / "extra_test.txt", "Archery/v_Archery_g01_c01.avi")
    text(folder / "classFamily.csv", "class,family", "Archery,Sports", "HandstandPushups,Body")
