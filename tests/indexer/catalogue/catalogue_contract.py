"""What every catalogue does, whatever database it lies in; run by test_catalogue.py and test_postgres.py.

A subclass has the fixture ``target``: the address of a new, empty database.
"""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.catalogue.catalogue import Catalogue, Counts, Outcome, id_of_key, video_key
from indexer.catalogue.models import Base
from indexer.catalogue.prediction import Prediction
from rspnet_core.errors import EncoderMismatch, LibraryError, LibraryNotFound, QueryNotFound
from tests.indexer.storage import DIMS, ENCODER, filled, make_entry, make_older, make_vectors

ANY_EXAMPLE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class CatalogueContract:
    @pytest.fixture
    def catalogue(self, target):
        with Catalogue.open(target, write=True) as catalogue:
            yield catalogue

    def test_a_video_comes_back_as_it_was_committed(self, catalogue):
        filled(catalogue, 0)
        media = {"width": 320, "height": 240, "fps": 29.97, "num_frames": 2**40, "duration_seconds": 1 / 3}
        entry = make_entry("a/b.mp4", label="Dive", group="g01", splits={1: "train", 3: "test"}, **media)
        vectors = make_vectors(7)
        catalogue.commit_indexed(entry, vectors)

        (row,) = catalogue.videos()
        for name in ("id", "path", "root_id", "size_bytes", "content_hash", "label", "group", "splits", *media):
            assert getattr(row, name) == getattr(entry, name), name
        assert (row.status, row.reason, row.num_clips) == ("indexed", None, 3)
        assert (catalogue.video_vector(entry.id) == vectors.video).all()
        clips = catalogue.clip_vectors(entry.id)
        assert (clips.vectors == vectors.clips).all()
        assert (clips.spans_seconds == vectors.spans_seconds).all()
        assert catalogue.check(deep=True) == []

    def test_ids_are_stable_and_are_the_keys_of_the_index(self, catalogue):
        first, second = filled(catalogue, 2)
        assert int(first, 16) == int(hashlib.blake2b(b"1/Class0/0.mp4", digest_size=8).hexdigest(), 16) // 2
        assert (first, second) == ("0a678da6fc29c5d3", "45cbb35b9123295f")
        assert [id_of_key(video_key(video_id)) for video_id in (first, second)] == [first, second]
        assert {video.key for video in catalogue.labels_and_splits(1)} == {video_key(first), video_key(second)}

    @ANY_EXAMPLE
    @given(
        paths=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4, unique=True),
        label=st.binary(max_size=9),
    )
    def test_names_of_any_bytes_come_back_unchanged(self, catalogue, paths, label):
        filled(catalogue, 0)
        names = [path.decode("utf-8", "surrogateescape") for path in paths]
        label = label.decode("utf-8", "surrogateescape")
        for name in names:
            catalogue.commit_failed(make_entry(name, label=label, group=name), reason=name)
        known = catalogue.known(1)
        assert all(known[name].group == known[name].reason == name and known[name].label == label for name in names)
        assert {row.path for row in catalogue.videos()} >= set(names)

    def test_the_longest_path_is_stored(self, catalogue):
        filled(catalogue, 0)
        path = "/".join(["ü" * 127] * 16)
        catalogue.commit_indexed(make_entry(path), make_vectors())
        assert path in catalogue.known(1)
        assert catalogue.root_id("/" + path) == catalogue.root_id("/" + path) == 2
        assert catalogue.roots() == {1: "/data", 2: "/" + path}

    def test_committing_a_path_again_replaces_all_of_it(self, catalogue):
        video_id, *_ = filled(catalogue, 2)
        entry = make_entry("Class0/0.mp4", content_hash="new", splits={2: "test"})
        catalogue.commit_indexed(entry, make_vectors(50, num_clips=1))
        assert catalogue.counts() == Counts(indexed=2, failed=0, clips=4)
        assert (catalogue.video_vector(video_id) == make_vectors(50).video).all()
        assert catalogue.known(1)["Class0/0.mp4"].splits == {2: "test"}

    def test_many_files_are_one_transaction_or_none(self, catalogue):
        filled(catalogue, 2)
        version = catalogue.content_version()
        good = [Outcome(entry=make_entry(f"{n}.mp4", splits={n: "test"}), vectors=make_vectors(n)) for n in range(3)]
        failed = Outcome(entry=make_entry("Class0/0.mp4"), reason="gone bad")
        bad = Outcome(
            entry=make_entry("bad.mp4"), vectors=replace(make_vectors(), clips=np.zeros((3, DIMS), np.float32))
        )
        with pytest.raises(LibraryError, match=r"'bad.mp4' got .*of length 0"):
            catalogue.commit([*good, failed, bad])
        assert (catalogue.counts().total, catalogue.content_version()) == (2, version)
        catalogue.commit([*good, failed])
        assert catalogue.counts() == Counts(indexed=4, failed=1, clips=12)
        rows = catalogue.video_vectors([outcome.entry.id for outcome in good])
        assert (rows == np.stack([outcome.vectors.video for outcome in good])).all()
        assert [catalogue.known(1)[f"{n}.mp4"].splits for n in range(3)] == [{n: "test"} for n in range(3)]
        assert catalogue.check(deep=True) == []

    def test_of_one_path_given_twice_the_latter_is_kept(self, catalogue):
        filled(catalogue, 0)
        entry = make_entry("a.mp4")
        catalogue.commit([Outcome(entry=entry, vectors=make_vectors(seed)) for seed in (1, 2)])
        assert (catalogue.video_vector(entry.id) == make_vectors(2).video).all()

    @pytest.mark.parametrize("together", [True, False])
    def test_two_paths_of_one_id_are_refused(self, catalogue, monkeypatch, together):
        filled(catalogue, 0)
        monkeypatch.setattr("indexer.catalogue.records.derive_key", lambda root_id, path: 7)
        outcomes = [Outcome(entry=make_entry(name), vectors=make_vectors()) for name in ("a.mp4", "b.mp4")]
        with pytest.raises(LibraryError, match="same id 0000000000000007; rename one"):
            for batch in [outcomes] if together else [[outcome] for outcome in outcomes]:
                catalogue.commit(batch)
        assert catalogue.counts().total == (0 if together else 1)

    def test_vectors_and_clips_of_many_videos_come_in_the_order_asked(self, catalogue):
        ids = filled(catalogue, 5)[::-1]
        assert (catalogue.video_vectors(ids) == np.stack([make_vectors(seed).video for seed in range(5)][::-1])).all()
        for video_id, clips in zip(ids, catalogue.clips_of(ids), strict=True):
            assert (clips.vectors == catalogue.clip_vectors(video_id).vectors).all()
        assert (catalogue.video_vectors([]).shape, catalogue.clips_of([])) == ((0, DIMS), [])
        for read in (catalogue.video_vectors, catalogue.clips_of):
            with pytest.raises(QueryNotFound, match="0" * 16):
                read([*ids, "0" * 16])

    def test_a_video_that_fails_now_loses_its_vectors(self, catalogue):
        video_id, other = filled(catalogue, 2)
        catalogue.commit_failed(make_entry("Class0/0.mp4"), "no video stream")
        (failed,) = catalogue.failed()
        assert (failed.id, failed.reason) == (video_id, "no video stream")
        with pytest.raises(QueryNotFound, match=video_id):
            catalogue.video_vector(video_id)
        with pytest.raises(QueryNotFound, match=video_id):
            catalogue.clip_vectors(video_id)
        assert [id_of_key(key) for key in catalogue.select_keys()] == [other]
        catalogue.commit_indexed(make_entry("Class0/0.mp4"), make_vectors())
        assert catalogue.failed() == []
        assert catalogue.check(deep=True) == []

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            ({"video": np.full(DIMS, np.nan, np.float32)}, "backbone vector with values that are not finite"),
            ({"video": np.ones(DIMS, np.float32)}, "backbone vector of length 2.8284"),
            ({"video": np.ones(DIMS + 1, np.float32)}, "video vector of shape"),
            ({"clips": np.zeros((3, DIMS), np.float32)}, "of length 0.0000"),
            ({"clips": np.empty((0, DIMS), np.float32), "spans_seconds": np.empty((0, 2))}, "no clip vectors"),
            ({"spans_seconds": np.zeros((2, 2))}, "clip spans of shape"),
            ({"spans_seconds": np.array([[1.0, 0.0]] * 3)}, "ends before it starts"),
            ({"colour_histogram": np.full(512, np.inf, np.float32)}, "colour histogram with values"),
            ({"motion_energy": np.ones(640, np.float32)}, "motion energy vector of length 25.2"),
            ({"motion_energy": np.ones(512, np.float32)}, "motion energy of shape"),
        ],
    )
    def test_unsound_vectors_are_refused_and_nothing_is_written(self, catalogue, damage, words):
        filled(catalogue, 1)
        version = catalogue.content_version()
        with pytest.raises(LibraryError, match=words):
            catalogue.commit_indexed(make_entry("Class0/0.mp4", label="other"), replace(make_vectors(), **damage))
        assert catalogue.known(1)["Class0/0.mp4"].label == "Class0"
        assert catalogue.content_version() == version

    def test_vectors_need_an_encoder(self, catalogue):
        catalogue.root_id("/data")
        with pytest.raises(LibraryError, match="no encoder"):
            catalogue.commit_indexed(make_entry("a"), make_vectors())

    def test_the_encoder_comes_back_with_its_parts_in_order(self, catalogue):
        assert catalogue.encoder() is None
        catalogue.set_encoder(ENCODER)
        assert catalogue.encoder() == ENCODER
        assert list(catalogue.encoder().parts) == list(ENCODER.parts)

    def test_vectors_of_two_encoders_never_mix(self, catalogue):
        other = replace(ENCODER, fingerprint="0" * 16)
        ids = filled(catalogue)
        catalogue.set_encoder(ENCODER)
        with pytest.raises(EncoderMismatch, match=rf"{'f' * 16}.*{'0' * 16}.*--index.*remove --all"):
            catalogue.set_encoder(other)
        catalogue.drop(ids)
        catalogue.set_encoder(other)
        assert catalogue.encoder() == other

    def test_a_copy_of_the_content_gets_its_vectors_without_being_embedded(self, catalogue):
        filled(catalogue, 3)
        original = make_entry("a.mp4", content_hash="same", width=64, num_frames=99)
        catalogue.commit_indexed(original, make_vectors(9))
        copy = make_entry("b.mp4", content_hash="same", label="New", splits={1: "val"})
        assert catalogue.find_content("same") == original.id
        assert catalogue.find_contents(["none", "same", "hash of 'Class0/0.mp4'"]) == {
            "same": original.id,
            "hash of 'Class0/0.mp4'": make_entry("Class0/0.mp4").id,
        }
        assert catalogue.copy_vectors([(original.id, copy)]) == []
        catalogue.drop([original.id])
        (row,) = catalogue.videos(ids=[copy.id])
        assert (row.label, row.splits, row.width, row.num_frames, row.num_clips) == ("New", {1: "val"}, 64, 99, 3)
        assert (catalogue.clip_vectors(copy.id).vectors == make_vectors(9).clips).all()
        assert catalogue.check(deep=True) == []

    def test_a_prediction_comes_back_and_goes_with_copies_of_the_content(self, catalogue):
        filled(catalogue, 1)
        said = Prediction("a\x00 <b>ü\n", 1 / 3)
        original, copy = (make_entry(name, content_hash="same") for name in ("a.mp4", "b.mp4"))
        catalogue.commit_indexed(original, make_vectors(9), said)
        assert catalogue.copy_vectors([(original.id, copy)]) == []
        catalogue.update_entries([replace(copy, label="New")])
        assert [row.predicted for row in catalogue.videos()] == [None, said, said]
        catalogue.commit_failed(copy, "gone bad")
        catalogue.commit_indexed(original, make_vectors(9))
        assert [row.predicted for row in catalogue.videos()] == [None, None, None]

    @pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
    def test_tables_of_the_version_before_are_read_as_they_are_and_brought_up_to_date(
        self, catalogue, target, revision
    ):
        ids = filled(catalogue, 3)
        before = list(catalogue.videos())
        with catalogue._database.writing() as connection:
            make_older(connection, revision)
        catalogue.close()
        with Catalogue.open(target, write=False) as old:
            assert list(old.videos()) == before
            assert [row.id for row in old.videos(ids=ids)] == ids
            assert old.check(deep=True) == []
            assert list(old.motion_energies()) == []
            with Catalogue.open(target, write=True) as new:
                new.commit_indexed(make_entry("new.mp4"), make_vectors(), Prediction("a", 0.5))
                assert [row.predicted for row in new.videos()] == [None, None, None, Prediction("a", 0.5)]
                assert new.check(deep=True) == []
                ((keys, rows),) = new.motion_energies()
                assert keys.tolist() == [make_entry("new.mp4").key]
                assert (rows[0] == make_vectors().motion_energy).all()
            assert old.counts().indexed == len(list(old.videos())) == 4

    def test_a_video_keeps_when_it_was_first_indexed(self, catalogue, monkeypatch):
        filled(catalogue, 0)

        def added_since(moment):
            keys = set(catalogue.select_keys(within={"added_ns": (moment, None)}).tolist())
            return "".join(row.path for row in catalogue.videos() if video_key(row.id) in keys)

        def at(moment):
            monkeypatch.setattr("indexer.catalogue.commits.time.time_ns", lambda: moment)

        at(1)
        catalogue.commit_indexed(make_entry("a"), make_vectors())
        catalogue.commit_failed(make_entry("b"), "broken")
        catalogue.commit_indexed(make_entry("c"), make_vectors())
        at(2)
        catalogue.commit_failed(make_entry("c"), "broken for a while")
        for path in "abc":
            catalogue.commit_indexed(make_entry(path, content_hash="new"), make_vectors(2))
        catalogue.update_entries([make_entry("a", content_hash="new", label="X")])
        assert (added_since(1), added_since(2)) == ("abc", "b")
        at(3)
        source = make_entry("a").id
        assert catalogue.copy_vectors([(source, make_entry("copy", content_hash="new"))]) == []
        assert catalogue.copy_vectors([(source, make_entry("moved", content_hash="new"))], keep_dates=True) == []
        assert (added_since(3), added_since(2)) == ("copy", "bcopy")
        assert catalogue.measured_extent("added_ns") == (1, 3)
        assert catalogue.check(deep=True) == []
        with catalogue._database.writing() as connection:
            connection.exec_driver_sql("UPDATE videos SET added_ns = 2 WHERE added_ns = 3")
        assert list(catalogue.damaged()) == [make_entry("copy").id]

    def test_videos_of_before_have_no_such_date_even_when_they_are_encoded_again(self, catalogue, target):
        ids = filled(catalogue, 2)
        with catalogue._database.writing() as connection:
            make_older(connection, "0005")
        catalogue.close()
        with Catalogue.open(target, write=False) as old:
            assert old.check(deep=True) == []
            assert old.select_keys(within={"added_ns": (0, None)}).tolist() == []
            assert old.measured_extent("added_ns") is None
            assert len(list(old.videos())) == 2
        with Catalogue.open(target, write=True) as new:
            new.commit_indexed(make_entry("Class0/0.mp4", content_hash="new"), make_vectors(9))
            new.commit_indexed(make_entry("new.mp4"), make_vectors(8))
            assert new.select_keys(within={"added_ns": (0, None)}).tolist() == [make_entry("new.mp4").key]
            assert {row.id for row in new.videos()} == {*ids, make_entry("new.mp4").id}
            assert new.check(deep=True) == []

    def test_vectors_are_not_copied_from_a_video_whose_content_changed_meanwhile(self, catalogue):
        source, _ = filled(catalogue, 2)
        entry = make_entry("c.mp4", content_hash="another")
        assert catalogue.copy_vectors([(source, entry), ("0" * 16, entry)]) == [entry, entry]
        assert "c.mp4" not in catalogue.known(1)

    def test_content_is_found_only_among_indexed_videos(self, catalogue):
        filled(catalogue, 0)
        catalogue.commit_failed(make_entry("a", content_hash="x"), "broken")
        assert catalogue.find_content("x") is None

    def test_videos_of_unknown_content_are_not_taken_for_copies_of_each_other(self, catalogue):
        filled(catalogue, 0)
        unknown = make_entry("a", content_hash=None)
        catalogue.commit_indexed(unknown, make_vectors())
        assert catalogue.find_content(None) is None
        other = make_entry("b", content_hash=None)
        assert catalogue.copy_vectors([(unknown.id, other)]) == [other]

    def test_labels_splits_and_times_change_and_are_something_new_to_publish(self, catalogue):
        filled(catalogue)
        version = catalogue.content_version()
        changed = make_entry("Class0/0.mp4", modified_ns=2**80, label="Z", splits={1: "test"}, width=5)
        catalogue.update_entries([changed, make_entry("Class1/1.mp4", group=None)])
        known = catalogue.known(1)
        assert (known["Class0/0.mp4"].label, known["Class0/0.mp4"].splits) == ("Z", {1: "test"})
        assert known["Class0/0.mp4"].modified_ns == 2**63 - 1
        assert known["Class1/1.mp4"].group is None
        assert catalogue.content_version() != version
        assert catalogue.check(deep=True) == []

    def test_dropping_removes_all_that_belongs_to_a_video(self, catalogue):
        ids = filled(catalogue, 5)
        catalogue.drop([*ids[:3], "0" * 16])
        assert catalogue.counts() == Counts(indexed=2, failed=0, clips=6)
        assert [row.id for row in catalogue.videos(ids=ids)] == ids[3:]
        assert catalogue.check(deep=True) == []

    def test_the_content_version_changes_with_what_readers_are_shown(self, catalogue):
        seen = [catalogue.content_version()]
        video_id, _ = filled(catalogue, 2)
        seen.append(catalogue.content_version())
        catalogue.commit_indexed(make_entry("Class0/0.mp4"), make_vectors(3))
        seen.append(catalogue.content_version())
        catalogue.commit_failed(make_entry("Class1/1.mp4"), "gone bad")
        seen.append(catalogue.content_version())
        catalogue.drop([video_id])
        seen.append(catalogue.content_version())
        catalogue.commit_failed(make_entry("Class1/1.mp4"), "worse")
        seen.append(catalogue.content_version())
        assert len(set(seen)) == len(seen)
        catalogue.commit_failed(make_entry("Class1/1.mp4"), "worse")
        catalogue.set_encoder(ENCODER)
        assert catalogue.content_version() == seen[-1]

    def test_vectors_stream_in_order_of_their_keys(self, catalogue):
        ids = filled(catalogue, 7)
        batches = list(catalogue.all_vectors(batch=3))
        assert [len(keys) for keys, _ in batches] == [3, 3, 1]
        keys = np.concatenate([keys for keys, _ in batches])
        assert keys.dtype == np.int64
        assert keys.tolist() == sorted(map(video_key, ids))
        by_key = dict(zip(keys.tolist(), np.concatenate([vectors for _, vectors in batches]), strict=True))
        for seed, video_id in enumerate(ids):
            assert (by_key[video_key(video_id)] == make_vectors(seed).video).all()
        ((histogram_keys, histograms),) = catalogue.colour_histograms()
        assert (histogram_keys == keys).all()
        assert histograms.shape == (7, 512)
        ((energy_keys, energies),) = catalogue.motion_energies()
        assert (energy_keys == keys).all()
        assert energies.shape == (7, 640)

    def test_an_empty_catalogue_streams_nothing(self, catalogue):
        assert list(catalogue.all_vectors()) == []
        assert catalogue.counts() == Counts(indexed=0, failed=0, clips=0)
        assert catalogue.select_keys().shape == (0,)

    def test_filters_select_keys(self, catalogue):
        filled(catalogue, 0)
        entries = [
            make_entry("a/1", label="X", splits={1: "train", 2: "test"}),
            make_entry("a/2", label="Y", splits={1: "test"}),
            make_entry("a-b/3", label="X"),
            make_entry("a/sub\udcff/4", label="X"),
        ]
        for entry in entries:
            catalogue.commit_indexed(entry, make_vectors())
        catalogue.commit_failed(make_entry("a/bad", label="X"), "broken")

        def selected(**filters):
            keys = catalogue.select_keys(**filters).tolist()
            assert keys == sorted(keys)
            return {number for number, entry in enumerate(entries, 1) if entry.key in keys}

        assert selected() == selected(folder="") == selected(folder=".") == {1, 2, 3, 4}
        assert selected(label="X") == {1, 3, 4}
        assert selected(folder="a") == selected(folder="a/") == {1, 2, 4}
        assert selected(folder="a/sub\udcff") == {4}
        assert selected(split="test") == {1, 2}
        assert selected(split="test", fold=1) == {2}
        assert selected(fold=2) == {1}
        assert selected(label="X", split="train", folder="a") == {1}
        assert selected(label="'; DROP TABLE videos; --") == set()

    def test_bounds_are_included_and_what_is_not_known_is_in_none(self, catalogue):
        filled(catalogue, 0)
        assert catalogue.measured_extent("duration_seconds") is None
        for path, long, size in (("a", 1.5, 2**62), ("b", 2.5, 0), ("c", None, 7)):
            entry = make_entry(path, duration_seconds=long, size_bytes=size, modified_ns=-size)
            catalogue.commit_indexed(entry, make_vectors())
        catalogue.commit_failed(make_entry("bad", size_bytes=2**62 + 1), "broken")

        def selected(**within):
            keys = set(catalogue.select_keys(within=within).tolist())
            return "".join(row.path for row in catalogue.videos() if video_key(row.id) in keys)

        assert selected() == selected(duration_seconds=(None, None)) == "abc"
        assert selected(duration_seconds=(0, None)) == selected(duration_seconds=(1.5, 2.5)) == "ab"
        assert selected(duration_seconds=(1.6, None)) == selected(size_bytes=(None, 0)) == "b"
        assert selected(size_bytes=(2**62, None)) == selected(modified_ns=(-(2**63) + 1, -(2**62))) == "a"
        assert selected(size_bytes=(1, 2**63 - 1), duration_seconds=(1, 2)) == "a"
        assert catalogue.measured_extent("duration_seconds") == (1.5, 2.5)
        assert catalogue.measured_extent("size_bytes") == (0, 2**62)

    def test_a_benchmark_sees_the_splits_of_one_fold(self, catalogue):
        filled(catalogue, 0)
        catalogue.commit_indexed(make_entry("a", label="X", group="g1", splits={1: "train", 2: "test"}), make_vectors())
        catalogue.commit_indexed(make_entry("b", splits={2: "test"}), make_vectors())
        sides = {video.path: (video.label, video.group, video.split) for video in catalogue.labels_and_splits(1)}
        assert sides == {"a": ("X", "g1", "train"), "b": (None, None, None)}

    def test_videos_come_in_the_order_asked_for(self, catalogue):
        ids = filled(catalogue, 6)
        assert [row.id for row in catalogue.videos(ids=reversed(ids))] == ids[::-1]
        assert [row.path for row in catalogue.videos()] == sorted(row.path for row in catalogue.videos())
        assert list(catalogue.videos(ids=ids, status="failed")) == []

    @pytest.mark.parametrize("text", ["", "xyz", "f" * 16, "0" * 15, "0" * 15 + "G", "../../etc/passwd"])
    def test_what_is_no_id_is_refused(self, catalogue, text):
        with pytest.raises(QueryNotFound, match="16 hex digits"):
            list(catalogue.videos(ids=[text]))

    def test_two_videos_of_one_id_are_refused(self, catalogue, monkeypatch):
        monkeypatch.setattr("indexer.catalogue.records.derive_key", lambda root_id, path: 7)
        filled(catalogue, 1)
        with pytest.raises(LibraryError, match="same id"):
            catalogue.commit_indexed(make_entry("other.mp4"), make_vectors())

    def test_builds_are_recorded(self, catalogue):
        killed, done = catalogue.begin_build("UCF101"), catalogue.begin_build("flat folder")
        catalogue.finish_build(done, {"indexed": 3, "failed": 1})
        latest, first = catalogue.builds()
        assert (latest.id, latest.counts, first.id, first.finished) == (done, {"indexed": 3, "failed": 1}, killed, None)
        assert (latest.layout, first.layout) == ("flat folder", "UCF101")
        assert latest.started <= latest.finished
        assert latest.started.tzinfo is not None

    def test_a_reader_sees_each_commit_at_once_and_cannot_write(self, catalogue, target):
        filled(catalogue, 1)
        with Catalogue.open(target, write=False) as reader:
            catalogue.commit_indexed(make_entry("later.mp4"), make_vectors())
            assert reader.counts().indexed == 2
            with pytest.raises(LibraryError, match="opened for reading"):
                reader.root_id("/other")

    def test_a_reader_does_not_wait_for_a_writer(self, catalogue, target):
        filled(catalogue, 1)
        with Catalogue.open(target, write=False) as reader, catalogue._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM videos")
            assert reader.counts().indexed == 1
            assert reader.check() == []

    def test_a_stream_sees_one_state_while_videos_are_written(self, catalogue):
        ids = filled(catalogue, 6)
        stream = catalogue.all_vectors(batch=2)
        seen = len(next(stream)[0])
        catalogue.drop(ids)
        assert seen + sum(len(keys) for keys, _ in stream) == 6
        assert catalogue.counts().total == 0

    def test_a_failing_transaction_leaves_nothing(self, catalogue):
        filled(catalogue, 1)
        with pytest.raises(RuntimeError, match="stopped"), catalogue._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM videos")
            raise RuntimeError("stopped")
        assert catalogue.counts().indexed == 1

    def test_a_writer_whose_connection_broke_goes_on_with_a_new_one(self, catalogue):
        filled(catalogue, 1)
        with pytest.raises(KeyboardInterrupt), catalogue._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM videos")
            connection.invalidate()
            raise KeyboardInterrupt
        catalogue.commit_indexed(make_entry("later.mp4"), make_vectors())
        assert catalogue.counts().indexed == 2

    def test_a_database_without_tables_is_no_library(self, target):
        if not str(target).startswith("postgresql"):
            target.touch()
        with pytest.raises(LibraryNotFound, match="rspnet-index build"):
            Catalogue.open(target, write=False)

    def test_a_catalogue_of_a_newer_version_is_left_alone(self, catalogue, target):
        with catalogue._database.writing() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        catalogue.close()
        for write in (True, False):
            with pytest.raises(LibraryError, match=r"revision 9999.*update rspnet"):
                Catalogue.open(target, write=write)

    def test_migrations_make_the_tables_that_the_models_describe(self, catalogue):
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        with catalogue._database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE videos SET num_clips = 4", "3 clips, expected 4"),
            ("DELETE FROM vectors", "its vector is missing"),
            ("UPDATE videos SET status = 'failed'", "failed, and yet it has vectors"),
            ("UPDATE clips SET end_seconds = end_seconds + 1 WHERE position = 1", "not those that were stored"),
            ("UPDATE clips SET start_seconds = 99", "ends before it starts"),
            ("UPDATE clips SET vector = substr(vector, 1, 8)", "does not have 64 bytes"),
            ("UPDATE vectors SET colour_histogram = vector", "colour histogram of 64 bytes"),
            ("UPDATE vectors SET motion_energy = vector", "motion energy of 64 bytes"),
            ("UPDATE vectors SET motion_energy = NULL", "not those that were stored"),
            ("UPDATE vectors SET vector = substr(colour_histogram, 1, 64)", "vector of length"),
            ("DELETE FROM encoder", "does not have 0 bytes"),
        ],
    )
    def test_a_check_names_the_damaged_video(self, catalogue, statement, words):
        (video_id,) = filled(catalogue, 1)
        assert catalogue.check() == catalogue.check(deep=True) == []
        with catalogue._database.writing() as connection:
            connection.exec_driver_sql(statement)
        for deep in (False, True):
            (problem,) = catalogue.check(deep=deep)
            assert video_id in problem
            assert words in problem
            assert list(catalogue.damaged(deep=deep)) == [video_id]
