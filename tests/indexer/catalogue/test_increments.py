"""What is published by and by is what would be published at once, and costs what has changed."""

import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue, id_of_key
from indexer.catalogue.publish import publish_index
from indexer.index import generations
from indexer.index.index_types import FILE_NAME as INDEX_NAME
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import repair_library, verify_library
from rspnet_core.errors import LibraryDamaged, NothingMatches
from tests.indexer.storage import answers, make_entry, make_library, make_older, make_vectors, publish_older


@pytest.fixture(scope="module")
def memory():
    """A folder where files are flushed at once."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        make_library(Path(folder) / "made", 12)
        yield Path(folder)


@pytest.fixture
def folder(memory):
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield shutil.copytree(memory / "made", Path(folder) / "index")


@pytest.fixture
def catalogue(folder):
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        yield catalogue


def numbers(folder):
    """The generations whose segments the current one has."""
    with generations.open_current(folder) as generation:
        return [segment.generation for segment in generation.segments]


def folders(folder):
    return sorted(int(path.name) for path in (folder / "generations").iterdir())


def files(folder):
    """Name -> what would change if the file were written again."""
    found = [path for path in (folder / "generations").rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def damage(folder):
    """What a deep check finds, but that these libraries have no encoder."""
    return [problem for problem in verify_library(folder, deep=True).problems if "encoder" not in problem]


def shown(folder):
    with Library.open(folder, device="cpu") as library:
        ids = [row.id for row in library.catalogue.videos(status="indexed")]
    found = answers(folder, ids)
    for name in ("generation", "segments", "folder", "data"):
        del found["info"][name]
    return found


def change(catalogue, generator, number):
    """One of all that builds and commands do."""
    place = generator.randrange(30)
    entry = make_entry(f"Class{place % 2}/{place}.mp4", label=f"Class{place % 2}", splits={1: "test"})
    there = [row.id for row in catalogue.videos(status="indexed")]
    match generator.randrange(7):
        case 0:
            catalogue.drop([generator.choice(there), "0" * 16] if len(there) > 8 else [])
        case 1:
            catalogue.commit_failed(make_entry(f"failed{place % 4}.mp4"), f"reason {number}")
        case 2:
            known = catalogue.known(1)
            path = generator.choice(sorted(known))
            splits = generator.choice([{}, {1: "test", 2: "train"}])
            catalogue.update_entries([make_entry(path, label=f"Class{number % 2}", splits=splits), make_entry("no")])
        case 3:
            source = generator.choice(there)
            (row,) = catalogue.videos(ids=[source])
            catalogue.copy_vectors([(source, replace(entry, path=f"copy{place}", content_hash=row.content_hash))])
        case 4:
            catalogue.rename_root(1, f"/data{number}")
        case _:
            catalogue.commit_indexed(entry, make_vectors(number, num_clips=1 + number % 3))


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_what_is_published_by_and_by_is_what_would_be_published_at_once(folder, catalogue, seed):
    generator = random.Random(seed)
    segments = []
    for number in range(30):
        for step in range(generator.choice([1, 1, 1, 4])):
            change(catalogue, generator, 100 * number + step)
        publish_index(catalogue, folder)
        segments.append(len(numbers(folder)))
        if number % 6 == 5:
            by_and_by = shown(folder)
            assert damage(folder) == []
            at_once = folder.with_name(f"at_once{number}")
            shutil.copytree(folder, at_once)
            with Catalogue.open(at_once / FILE_NAME, write=True) as copied:
                publish_index(copied, at_once, always=True)
            assert len(numbers(at_once)) == 1
            assert shown(at_once) == by_and_by
    assert {1, 2, 3} <= set(segments)


def test_publishing_one_more_writes_its_own_files_and_touches_no_other(folder, catalogue):
    before = files(folder)
    large = (folder / "generations/000001" / INDEX_NAME).stat().st_size
    catalogue.commit_indexed(make_entry("Class1/new.mp4", label="Class1"), make_vectors(99))
    publish_index(catalogue, folder)
    after = files(folder)
    assert before.items() <= after.items()
    added = {f"generations/000002/{name}" for name in ("index.faiss", "keys.npy", "manifest.json", "rows.sqlite")}
    assert set(after) - set(before) == added
    assert (folder / "generations/000002" / INDEX_NAME).stat().st_size < large / 4
    assert numbers(folder) == [1, 2]
    with Library.open(folder, device="cpu") as library:
        assert library.info()["segments"] == 2
        assert library.info()["up_to_date"]
        assert len(library.index) == 13


def test_small_segments_are_merged_and_only_used_generations_are_kept(folder, catalogue):
    seen = []
    for number in range(5):
        catalogue.commit_indexed(make_entry(f"Class1/new{number}.mp4"), make_vectors(50 + number))
        publish_index(catalogue, folder)
        seen.append((numbers(folder), folders(folder)))
    assert seen == [
        ([1, 2], [1, 2]),
        ([1, 3], [1, 2, 3]),
        ([1, 3, 4], [1, 3, 4]),
        ([1, 5], [1, 3, 4, 5]),
        ([1, 5, 6], [1, 5, 6]),
    ]


def test_a_reader_keeps_the_segments_that_it_opened(folder, catalogue):
    catalogue.commit_indexed(make_entry("Class1/new.mp4"), make_vectors(50))
    publish_index(catalogue, folder)
    with Library.open(folder, device="cpu") as library:
        for number in range(6):
            catalogue.commit_indexed(make_entry(f"Class1/{number}.mp4"), make_vectors(60 + number))
            publish_index(catalogue, folder)
        assert 2 not in folders(folder)
        assert len(library.index) == 13


@pytest.mark.parametrize(
    "damaging",
    [
        "DELETE FROM changes WHERE rowid = 1",
        "UPDATE changes SET stored = x'0100000000000000' WHERE rowid = 2",
        "UPDATE changes SET before = 'another' WHERE rowid = 1",
        "UPDATE changes SET seal = x'00'",
    ],
)
def test_where_what_changed_cannot_be_told_everything_is_published(folder, catalogue, damaging):
    for number in range(2):
        catalogue.commit_indexed(make_entry(f"Class1/new{number}.mp4"), make_vectors(50 + number))
    with catalogue._database.writing() as connection:
        connection.exec_driver_sql(damaging)
    publish_index(catalogue, folder)
    assert numbers(folder) == [2]
    assert len(shown(folder)["rows"]) == 14


def test_a_restored_catalogue_is_published_whole(folder, catalogue, tmp_path):
    catalogue.commit_indexed(make_entry("Class1/kept.mp4"), make_vectors(50))
    catalogue.close()
    shutil.copy(folder / FILE_NAME, tmp_path / "backup")
    for number in range(2):
        with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
            catalogue.commit_indexed(make_entry(f"Class1/lost{number}.mp4"), make_vectors(60 + number))
            publish_index(catalogue, folder)
    shutil.copy(tmp_path / "backup", folder / FILE_NAME)
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        publish_index(catalogue, folder)
    assert numbers(folder) == [4]
    assert [row.path for row in shown(folder)["rows"] if row.path[7].isalpha()] == ["Class1/kept.mp4"]


def test_a_stored_video_whose_row_is_missing_is_refused(folder, catalogue):
    entry = make_entry("Class1/new.mp4")
    catalogue.commit_indexed(entry, make_vectors(50))
    with catalogue._database.writing() as connection:
        connection.exec_driver_sql(f"DELETE FROM videos WHERE key = {entry.key}")
    with pytest.raises(LibraryDamaged, match=f"{id_of_key(entry.key)}.*missing.*repair"):
        publish_index(catalogue, folder)
    assert numbers(folder) == [1]
    catalogue.close()
    repair_library(folder)
    assert (numbers(folder), damage(folder)) == ([2], [])


def test_damage_to_a_video_that_is_published_is_refused_and_to_another_is_found_by_verify(folder, catalogue):
    catalogue.commit_indexed(make_entry("Class1/new.mp4"), make_vectors(50))

    def alter(path):
        with catalogue._database.writing() as connection:
            connection.exec_driver_sql("UPDATE videos SET label = x'00' WHERE path = ?", (path.encode(),))

    alter("Class1/new.mp4")
    with pytest.raises(LibraryDamaged, match="nothing was published"):
        publish_index(catalogue, folder)
    catalogue.commit_indexed(make_entry("Class1/new.mp4"), make_vectors(51))
    before = shown(folder)["rows"]
    alter("Class1/3.mp4")
    publish_index(catalogue, folder)
    assert [row for row in shown(folder)["rows"] if row.path != "Class1/new.mp4"] == before
    assert any("not the one that was stored" in problem for problem in damage(folder))


def test_an_older_catalogue_and_its_generation_go_on_without_being_written_again(folder, catalogue):
    with catalogue._database.writing() as connection:
        make_older(connection, "0004")
    catalogue.close()
    publish_older(folder)
    before = files(folder)
    assert damage(folder) == []
    with Library.open(folder, device="cpu") as old, pytest.raises(NothingMatches, match="adding are not known here"):
        old.search(make_entry("Class1/1.mp4").id, added_since="1999-01-01")
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        publish_index(catalogue, folder)
        assert files(folder) == before
        catalogue.commit_indexed(make_entry("Class1/new.mp4"), make_vectors(50))
        publish_index(catalogue, folder)
    assert numbers(folder) == [2, 3]
    assert damage(folder) == []
    with Library.open(folder, device="cpu") as library:
        query = make_entry("Class1/1.mp4").id
        assert [hit.path for hit in library.search(query, added_since="1999-01-01")] == ["/data/Class1/new.mp4"]
        assert len(library.search(query, top=20)) == 13


@pytest.mark.parametrize("name", ["000001/index.faiss", "000002/rows.sqlite", "000002/keys.npy", "000002/index.faiss"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_segment_is_named_and_mended(folder, catalogue, name, harm):
    catalogue.commit_indexed(make_entry("Class1/new.mp4"), make_vectors(50))
    publish_index(catalogue, folder)
    expected = shown(folder)
    path = folder / "generations" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if harm == "cut" else whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    if harm == "remove":
        path.unlink()
    assert any(name in problem and "repair" in problem for problem in damage(folder))
    with pytest.raises(LibraryDamaged, match="repair"), Library.open(folder, device="cpu") as library:
        len(library.index)
    if harm == "flip":
        catalogue.close()
        repair_library(folder)
    else:
        catalogue.rename_root(1, "/data")
        publish_index(catalogue, folder)
    assert shown(folder) == expected
    assert damage(folder) == []


def test_a_damaged_small_segment_is_not_merged_but_made_anew(folder, catalogue):
    catalogue.commit_indexed(make_entry("Class1/new.mp4"), make_vectors(50))
    publish_index(catalogue, folder)
    path = folder / "generations/000002/rows.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    catalogue.commit_indexed(make_entry("Class1/newer.mp4"), make_vectors(51))
    publish_index(catalogue, folder)
    assert numbers(folder) == [3]
    assert damage(folder) == []


def test_a_generation_that_shows_other_than_the_catalogue_is_found(folder, catalogue):
    with generations.open_current(folder) as generation:
        version = generation.manifest.content.content_version
    catalogue.commit_indexed(make_entry("Class1/3.mp4", label="Class1", splits={1: "test"}), make_vectors(77))
    with catalogue._database.writing() as connection:
        from indexer.catalogue.seals import seal_of_state

        seal = seal_of_state(version)
        connection.exec_driver_sql("UPDATE state SET content_version = ?, seal = ?", (version, seal))
    assert any("other" in problem and "repair" in problem for problem in damage(folder))
