"""Every layout with what gets into folders: the table in the manual is held cell by cell."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rspnet_core.video.datasets import Dataset, scan
from tests.conftest import REPOSITORY
from tests.rspnet_core.video.datasets.dataset_trees import put, text

CLASSES = ("cat", "dog")
Make = Callable[[Path], None]


def ucf101(root: Path) -> None:
    names = {f"{label}/v_{label}_g0{group}_c01.avi": group for label in CLASSES for group in (1, 2, 3)}
    put(root, *(f"UCF-101/{name}" for name in names))
    text(root / "ucfTrainTestlist" / "classInd.txt", "1 cat", "2 dog")
    text(root / "ucfTrainTestlist" / "trainlist01.txt", *(f"{name} 1" for name, group in names.items() if group > 1))
    text(root / "ucfTrainTestlist" / "testlist01.txt", *(name for name, group in names.items() if group == 1))


def ucf101_without_lists(root: Path) -> None:
    ucf101(root)
    shutil.rmtree(root / "ucfTrainTestlist")


def hmdb51(root: Path) -> None:
    for label in CLASSES:
        names = [f"Pippi_{label}_u_nm_np1_le_goo_{number}.avi" for number in range(3)]
        put(root, *(f"hmdb51_org/{label}/{name}" for name in names))
        text(root / "splits" / f"{label}_test_split1.txt", *(f"{name} {1 + (name[-5] == '0')}" for name in names))


def kinetics_folders(root: Path) -> None:
    put(root, *(f"{side}/{label}/{side}{label}.mp4" for side in ("train", "val", "test") for label in CLASSES))


def kinetics_csv(root: Path) -> None:
    ids = [(label, f"{label}{number}") for label in CLASSES for number in range(3)]
    put(root, *(f"videos/{name}_000001_000011.mp4" for _, name in ids))
    lines = [f"{label},{name},1,11,{'test' if name.endswith('0') else 'train'}" for label, name in ids]
    text(root / "kinetics.csv", "label,youtube_id,time_start,time_end,split", *lines)


def something(root: Path) -> None:
    put(root, *(f"20bn-something-something-v2/{number}.webm" for number in range(6)))
    for name, ids in {"train": (0, 1, 2, 3), "validation": (4, 5)}.items():
        records = [{"id": str(number), "template": CLASSES[number % 2]} for number in ids]
        (root / f"something-something-v2-{name}.json").write_text(json.dumps(records))


def class_folders(root: Path) -> None:
    put(root, *(f"{label}/{number}.mp4" for label in CLASSES for number in range(3)))


def class_folders_in_one(root: Path) -> None:
    put(root, *(f"archive/{label}/{number}.mp4" for label in CLASSES for number in range(3)))


def flat(root: Path) -> None:
    put(root, *(f"{number}.mp4" for number in range(3)))


LAYOUTS: dict[str, Make] = {
    "UCF101": ucf101,
    "UCF101 without lists": ucf101_without_lists,
    "HMDB51": hmdb51,
    "Kinetics, `train/` `val/` `test/`": kinetics_folders,
    "Kinetics, csv": kinetics_csv,
    "Something-Something-V2": something,
    "class folders": class_folders,
    "class folders in one folder": class_folders_in_one,
    "flat folder": flat,
}


def file_at_top(root: Path) -> None:
    put(root, "intro.mp4")


def file_one_level_down(root: Path) -> None:
    for folder in (path for path in sorted(root.iterdir()) if path.is_dir()):
        if any(path.suffix != ".txt" for path in folder.iterdir()):
            put(folder, "intro.mp4")


def third_folder(root: Path) -> None:
    put(root, "extras/intro.mp4")


def empty_class(root: Path) -> None:
    for folder in [path.parent for path in root.rglob("cat")] or [root]:
        (folder / "zebra").mkdir()


def hidden_and_sidecars(root: Path) -> None:
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        put(folder, ".intro.mp4", "._cat.mp4", ".cache/intro.mp4", "@eaDir/intro.mp4", "$RECYCLE.BIN/intro.mp4")
        for name in ("Thumbs.db", "desktop.ini", "intro.srt", "intro.jpg", "notes.txt", "table.csv", "intro.info.json"):
            (folder / name).write_bytes(b"\xff\xfe\x00a,b\nno list\n")


def one_class_alone(root: Path) -> None:
    for path in root.rglob("*dog*"):
        if path.suffix != ".txt":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def nested_once_more(root: Path) -> None:
    inner = root / "UCF-101" / "UCF-101"
    shutil.copytree(root, root.parent / "copy")
    shutil.rmtree(root)
    inner.parent.mkdir(parents=True)
    (root.parent / "copy").rename(inner)


def other_case(root: Path) -> None:
    for path in sorted(root.rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.upper()))


STRAYS: dict[str, Make] = {
    "a file at the top": file_at_top,
    "a file one level down": file_one_level_down,
    "a third folder": third_folder,
    "an empty class": empty_class,
    "hidden files, sidecars": hidden_and_sidecars,
    "one class alone": one_class_alone,
    "nested once more": nested_once_more,
    "other case of letters": other_case,
}
Rest = dict[str, tuple[str | None, dict[int, str]]]


def rest_of(dataset: Dataset) -> Rest:
    """Class and sides of all that is no stray, by the end of its path, in small letters."""
    return {
        "/".join(file.path.lower().split("/")[-2:]).replace("ucf-101/", ""): (file.label, dict(file.splits))
        for file in dataset.files
        if "intro" not in file.path.lower()
    }


def what_is_with_strays(dataset: Dataset) -> str:
    strays = [file for file in dataset.files if "intro" in file.path.lower()]
    if not strays:
        return ""
    (said,) = {(file.label is not None, bool(file.splits)) for file in strays}
    means = {(False, False): "", (True, False): ": of that class", (False, True): ": of that side", (True, True): "!"}
    named = any("beside the layout" in note and "intro.mp4" in note for note in dataset.notes)
    assert named == (said == (False, False) and any(file.label for file in dataset.files))
    return ", noted" if named else means[said]


def cell(make: Make, change: Make, folder: Path) -> str:
    """What a change does to a layout: ``same`` where all other videos keep class and sides."""
    plain, changed = folder / "plain" / "data", folder / "changed" / "data"
    for root in (plain, changed):
        root.mkdir(parents=True)
        make(root)
    change(changed)
    before, dataset = rest_of(scan(plain)), scan(changed)
    after = rest_of(dataset)
    assert after.keys() == before.keys() or (change is one_class_alone and after.keys() < before.keys())
    as_before = str.lower if change is other_case else str
    same = all(
        (label and as_before(label), splits) == (before[path][0], before[path][1])
        for path, (label, splits) in after.items()
    )
    return ("same" if same else "OTHER") + what_is_with_strays(dataset)


def documented() -> dict[tuple[str, str], str]:
    lines = (REPOSITORY / "docs" / "folders.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| layout | a file at the top"))
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start : start + 11]]
    return {(row[0], name): value for row in rows for name, value in zip(head[1:], row[1:], strict=True)}


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stray_changes_nothing_for_the_rest(tmp_path: Path, layout: str, stray: str) -> None:
    found = cell(LAYOUTS[layout], STRAYS[stray], tmp_path)
    assert found.startswith("same")
    assert documented()[layout, stray] == found


if __name__ == "__main__":  # prints the table
    import tempfile

    print(f"| layout | {' | '.join(STRAYS)} |\n| --- |{' --- |' * len(STRAYS)}")
    for layout, make in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            cells = [cell(make, change, Path(folder) / name) for name, change in STRAYS.items()]
        print(f"| {layout} | {' | '.join(cells)} |")
