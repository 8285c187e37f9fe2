import faiss
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.index.flat_file import read_flat, write_flat
from indexer.index.vector_index import VectorIndex
from rspnet_core.errors import LibraryDamaged

COUNT, DIMS = 7, 12
HEAD_BYTES = 82
SHAPE_FIELDS = {"dims": (4, 4), "count": (8, 8), "inner dims": (41, 4), "inner count": (45, 8), "floats": (74, 8)}


def made(count, dims, seed=0):
    keys = np.sort(np.random.default_rng(seed).choice(2**62, size=count, replace=False)).astype(np.int64)
    return keys, np.random.default_rng(seed).standard_normal((count, dims)).astype(np.float32)


def written(path, keys, vectors):
    with path.open("wb") as file:
        write_flat(keys, vectors, file)
    return path.read_bytes()


def read(path, count=COUNT, dims=DIMS, **options):
    with path.open("rb") as file:
        return read_flat(file, count, dims, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index.faiss"


@pytest.fixture
def sound(path):
    return written(path, *made(COUNT, DIMS))


@pytest.mark.parametrize(("count", "dims"), [(0, 4), (1, 1), (COUNT, DIMS), (2500, 5), (0, 0)])
@pytest.mark.parametrize("mapped", [False, True])
def test_the_file_is_what_faiss_writes_and_reads(path, count, dims, mapped):
    keys, vectors = made(count, dims)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(dims))
    index.add_with_ids(vectors, keys)
    assert written(path, keys, vectors) == faiss.serialize_index(index).tobytes()
    again = faiss.read_index(str(path))
    assert (faiss.vector_to_array(again.id_map) == keys).all()
    for mine, own in zip(read(path, count, dims, mapped=mapped), (keys, vectors), strict=True):
        assert (mine.dtype, mine.shape) == (own.dtype, own.shape)
        assert (mine == own).all()


def test_an_index_of_a_mapped_file_is_searched_like_one_in_memory(path):
    keys, vectors = made(3000, 16)
    written(path, keys, vectors)
    in_memory, mapped = (VectorIndex(*read(path, 3000, 16, mapped=mapped)) for mapped in (False, True))
    assert not mapped.vectors.flags.aligned
    for asked in (vectors[:1], vectors[:40]):
        for allowed in (None, keys[::3], keys[::100]):
            for one, other in zip(
                in_memory.search(asked, 9, allowed_keys=allowed),
                mapped.search(asked, 9, allowed_keys=allowed),
                strict=True,
            ):
                assert (one == other).all()


def damaged(path, data, **shape):
    path.write_bytes(data)
    for mapped in (False, True):
        with pytest.raises(LibraryDamaged, match="repair"):
            read(path, mapped=mapped, **shape)


@pytest.mark.parametrize("cut", [*range(HEAD_BYTES + 2), -9, -8, -1])
def test_a_file_cut_short_is_damaged(path, sound, cut):
    damaged(path, sound[:cut])


@pytest.mark.parametrize("more", [1, 8, 4096])
def test_a_file_with_more_behind_is_damaged(path, sound, more):
    damaged(path, sound + bytes(more))


@pytest.mark.parametrize("field", SHAPE_FIELDS)
@pytest.mark.parametrize("value", [0, 1, -1, COUNT * DIMS + 1, 2**31 - 1, -(2**31), 2**62, -(2**63), 2**63 - 1])
def test_a_shape_that_is_not_that_of_the_manifest_is_damaged_and_takes_no_memory(path, sound, field, value):
    place, size = SHAPE_FIELDS[field]
    number = (value % 2 ** (8 * size)).to_bytes(size, "little")
    damaged(path, sound[:place] + number + sound[place + size :])


@pytest.mark.parametrize("number", [0, COUNT - 1, COUNT + 1, 2**64 - 1])
def test_another_number_of_keys_is_damaged(path, sound, number):
    place = len(sound) - 8 * COUNT - 8
    damaged(path, sound[:place] + number.to_bytes(8, "little") + sound[place + 8 :])


@pytest.mark.parametrize(
    "shape", [(COUNT + 1, DIMS), (COUNT, DIMS + 1), (2**61, 8), (8, 2**61), (2**80, 1), (0, 2**70)]
)
def test_a_manifest_that_asks_for_another_shape_finds_damage(path, sound, shape):
    count, dims = shape
    damaged(path, sound, count=count, dims=dims)


def test_shapes_whose_bytes_are_as_many_are_told_apart(path):
    # 12 vectors of 7 numbers and 7 keys fewer: by size alone it could be one of 7 x 12.
    keys, vectors = made(12, 5)
    data = written(path, keys, vectors)
    assert len(data) == HEAD_BYTES + 12 * 5 * 4 + 8 + 12 * 8
    damaged(path, data, count=14, dims=4)
    damaged(path, data, count=6, dims=12)


@pytest.mark.parametrize("other", ["IndexFlatL2", "IndexFlat without keys", "IndexIDMap", "inverted file"])
def test_another_index_of_faiss_is_damaged(path, other):
    keys, vectors = made(COUNT, DIMS)
    if other == "inverted file":
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIMS), DIMS, 2, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add_with_ids(vectors, keys)
    elif other == "IndexFlat without keys":
        index = faiss.IndexFlatIP(DIMS)
        index.add(vectors)
    else:
        inner = faiss.IndexFlatL2(DIMS) if other == "IndexFlatL2" else faiss.IndexFlatIP(DIMS)
        index = (faiss.IndexIDMap if other == "IndexIDMap" else faiss.IndexIDMap2)(inner)
        index.add_with_ids(vectors, keys)
    damaged(path, faiss.serialize_index(index).tobytes())


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, HEAD_BYTES - 1), bit=st.integers(0, 7))
@example(place=0, bit=0)
def test_no_bit_of_the_head_may_be_another(tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("head") / "index.faiss"
    data = bytearray(written(path, *made(COUNT, DIMS)))
    data[place] ^= 1 << bit
    damaged(path, bytes(data))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=700), count=st.integers(0, 40), dims=st.integers(0, 40))
def test_any_bytes_are_damaged_or_what_was_written(tmp_path_factory, data, count, dims):
    damaged(tmp_path_factory.mktemp("any") / "index.faiss", data, count=count, dims=dims)


def test_what_is_left_of_an_index_is_that_of_its_own_vectors():
    keys, vectors = made(5000, 6)
    for gone in (keys[:1], keys[-1:], keys[::2], keys[10:4900], keys, np.array([5]), keys[:0]):
        kept = ~np.isin(keys, gone)
        left = VectorIndex(keys.copy(), vectors.copy()).without(gone)
        assert (left.keys == keys[kept]).all()
        assert (left.vectors == vectors[kept]).all()


def test_one_video_is_searched_among_few_and_among_most_alike():
    keys, vectors = made(4000, 6)
    vectors = np.round(vectors)  # many equal scores
    index = VectorIndex(keys, vectors)
    for allowed in (keys[::2], keys[::8], keys[::400], keys[5:]):
        together = index.search(vectors[:25], 7, allowed_keys=allowed)  # so many go by FAISS
        for row in range(25):
            alone = index.search(vectors[row : row + 1], 7, allowed_keys=allowed)
            assert all((one[0] == both[row]).all() for one, both in zip(alone, together, strict=True))


def test_a_copy_is_published_of_what_was_read(path, sound):
    index = VectorIndex(*read(path, mapped=True))
    with path.with_suffix(".again").open("wb") as file:
        index.writers()["index.faiss"](file)
    assert path.with_suffix(".again").read_bytes() == sound


def test_vectors_of_one_part_alone_are_kept_as_they_are(path):
    keys, vectors = made(20, 24)
    written(path, keys, vectors[:, :8])  # not contiguous
    assert (read(path, 20, 8)[1] == vectors[:, :8]).all()
