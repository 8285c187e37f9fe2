"""One class, spelt in two ways: ``train/Cat`` and ``test/cat`` are one, ``A/`` beside ``a/`` are two."""

from collections import Counter, defaultdict
from dataclasses import replace

from rspnet_core.video.datasets.video_file import VideoFile


def one_spelling(files: list[VideoFile]) -> tuple[list[VideoFile], list[str]]:
    """The files with one spelling a class, the most frequent, and remarks; folders side by side stay apart."""
    counts = Counter(file.label for file in files if file.label is not None)
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        spellings[label.casefold()].append(label)
    apart = _side_by_side(files) if any(len(ways) > 1 for ways in spellings.values()) else set()
    chosen: dict[str, str] = {}
    notes = []
    for folded, ways in spellings.items():
        if len(ways) > 1 and folded not in apart:
            chosen |= dict.fromkeys(ways, ways[0])
            notes.append(f"taken as one class: {', '.join(ways)}; it is called {ways[0]}")
        elif len(ways) > 1:
            notes.append(f"classes that differ in the case of letters only: {', '.join(ways)}")
    if not chosen:
        return files, notes
    return [_renamed(file, chosen) for file in files], notes


def _renamed(file: VideoFile, chosen: dict[str, str]) -> VideoFile:
    if file.label is None or (label := chosen.get(file.label)) is None:
        return file
    scope, group = f"{file.label}/", file.group
    if group is not None and group.startswith(scope):
        group = f"{label}/{group.removeprefix(scope)}"
    return replace(file, label=label, group=group)


def _side_by_side(files: list[VideoFile]) -> set[str]:
    """Names, in small letters, of which one folder holds two spellings."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in files:
        above = ""
        for name in file.path.split("/")[:-1]:
            found[above, name.casefold()].add(name)
            above += f"{name}/"
    return {folded for (_, folded), names in found.items() if len(names) > 1}
