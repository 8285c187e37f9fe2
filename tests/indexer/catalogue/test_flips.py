"""One damaged byte of a library's files is found, with one clear line, or changes nothing; never another answer."""

import random
import shutil
from collections import Counter

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.publish import publish_index
from rspnet_core.errors import LibraryError
from tests.indexer.storage import answers, make_entry, make_library

VIDEOS = 12
CURRENT, MANIFEST, INDEX, ROWS = (
    "CURRENT",
    "generations/000001/manifest.json",
    "generations/000001/index.faiss",
    "generations/000001/rows.sqlite",
)
EVERY_PATTERN = range(1, 256)
SOME_PATTERNS = (0x01, 0x10, 0x20, 0x80, 0xFF)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A library, its videos' ids and what it answers; restore what a test damages."""
    folder = tmp_path_factory.mktemp("library")
    ids = make_library(folder, VIDEOS)
    assert not (folder / f"{FILE_NAME}-wal").exists()
    return folder, ids, answers(folder, ids)


def outcome(folder, ids, expected):
    """``found`` or ``harmless``; fails for another answer or an error that is none of ours."""
    try:
        got = answers(folder, ids)
    except LibraryError as error:
        assert "\n" not in str(error)
        return "found"
    assert got == expected
    return "harmless"


def flip_each(library, name, flips):
    """Outcomes of ``flips``: pairs of place and pattern."""
    folder, ids, expected = library
    path = folder / name
    whole = path.read_bytes()
    counts = Counter()
    try:
        for place, pattern in flips(whole):
            damaged = bytearray(whole)
            damaged[place] ^= pattern
            path.write_bytes(damaged)
            counts[outcome(folder, ids, expected)] += 1
    finally:
        path.write_bytes(whole)
    assert answers(folder, ids) == expected
    print(f"{name}: {len(whole)} bytes, {sum(counts.values())} flips: {dict(counts)}")
    return counts


def each_byte(patterns):
    return lambda whole: [(place, pattern) for place in range(len(whole)) for pattern in patterns]


def at_random(count):
    """Half of them anywhere, half where something is stored; half of them a single bit, half any byte."""

    def draw(whole):
        generator = random.Random(count)
        filled = [place for place, byte in enumerate(whole) if byte]
        for number in range(count):
            place = generator.choice(filled) if number % 2 else generator.randrange(len(whole))
            yield place, 1 << generator.randrange(8) if number % 4 < 2 else generator.randrange(1, 256)

    return draw


@pytest.mark.parametrize("patterns", [(0x01, 0x20), pytest.param(EVERY_PATTERN, marks=pytest.mark.slow)])
def test_no_byte_of_current_can_change_an_answer(library, patterns):
    counts = flip_each(library, CURRENT, each_byte(patterns))
    # Spaces that replace a leading zero or the line's end name the same generation.
    assert counts["found"] > 50 * counts["harmless"]


@pytest.mark.parametrize("patterns", [(0x01,), pytest.param(SOME_PATTERNS, marks=pytest.mark.slow)])
def test_every_damaged_byte_of_a_manifest_is_found(library, patterns):
    assert flip_each(library, MANIFEST, each_byte(patterns))["harmless"] == 0


@pytest.mark.parametrize("count", [25, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [INDEX, ROWS])
def test_every_damaged_byte_of_what_was_published_is_found(library, name, count):
    assert flip_each(library, name, at_random(count))["harmless"] == 0


@pytest.mark.parametrize("count", [25, pytest.param(2000, marks=pytest.mark.slow)])
def test_no_byte_of_the_catalogue_can_change_an_answer(library, count):
    counts = flip_each(library, FILE_NAME, at_random(count))
    assert min(counts["found"], counts["harmless"]) > count / 10


@pytest.mark.parametrize("count", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_no_byte_of_the_catalogue_gets_into_the_next_generation(library, count, tmp_path):
    whole_folder, ids, _ = library

    def publish_one_more(name, damage):
        folder = tmp_path / name
        shutil.copytree(whole_folder, folder)
        (folder / FILE_NAME).write_bytes(damage((folder / FILE_NAME).read_bytes()))
        with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
            catalogue.commit_failed(make_entry("one more"), "broken")
            publish_index(catalogue, folder)
        got = answers(folder, ids)
        assert got["info"].pop("folder") == str(folder)
        assert got["info"].pop("data")
        for search in (*got["searches"], got["filtered"]):
            del search["query"]["path"]
        return got

    expected = publish_one_more("whole", bytes)
    whole = (whole_folder / FILE_NAME).read_bytes()
    counts = Counter()
    for place, pattern in at_random(count)(whole):

        def damage(data, place=place, pattern=pattern):
            return data[:place] + bytes([data[place] ^ pattern]) + data[place + 1 :]

        try:
            assert publish_one_more("damaged", damage) == expected
            counts["harmless"] += 1
        except LibraryError as error:
            assert "\n" not in str(error)
            counts["found"] += 1
        shutil.rmtree(tmp_path / "damaged")
    print(f"{FILE_NAME}, then published: {count} flips: {dict(counts)}")
    assert min(counts["found"], counts["harmless"]) > count / 20
