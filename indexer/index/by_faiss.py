"""What FAISS does: exact searches of many queries, or on a GPU, and the files of its other indexes.

Imported where it is used: it takes 150 MB and half a second to load, in its build for GPUs.
"""

import os
from io import BufferedReader
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Sink
from rspnet_core.errors import DeviceUnavailable, LibraryDamaged

faiss: Any = untyped_faiss  # its type stubs leave out what its Python layer adds

MOST_ON_GPU = 2048
"""FAISS's limit of neighbours on a GPU."""
_MOST_SCRATCH_BYTES = 1536 << 20
"""That FAISS sets aside on a GPU for intermediate results, which it allocates one by one where they do not fit."""
_IO_BYTES = 1 << 20
"""Written at once."""

Found = tuple[NDArray[np.float32], NDArray[np.intp]]
"""Scores and rows, (n, count) each, best first."""


def nearest(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], count: int, chosen: NDArray[np.bool_] | None = None
) -> Found:
    """The ``count`` vectors of highest inner product with each query (n, D), of those marked in ``chosen`` (rows,)."""
    scores, rows = np.empty((len(queries), count), np.float32), np.empty((len(queries), count), np.int64)
    selector = None if chosen is None else faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
    arrays = [faiss.swig_ptr(array) for array in (queries, vectors, scores, rows)]
    faiss.knn_inner_product(*arrays[:2], vectors.shape[1], len(queries), len(vectors), count, *arrays[2:], selector)
    return scores, rows


class GpuVectors:
    """A copy of vectors on a GPU."""

    def __init__(self, vectors: NDArray[np.float32], number: int) -> None:
        self._resources = faiss.StandardGpuResources()
        # It would take 1.5 GB for each segment, however small.
        self._resources.setTempMemory(min(_MOST_SCRATCH_BYTES, vectors.nbytes))
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        self._index = faiss.index_cpu_to_gpu(self._resources, number, flat)

    def nearest(self, queries: NDArray[np.float32], count: int) -> Found:
        """As the function of this name, of all vectors, at most ``MOST_ON_GPU``."""
        scores, rows = self._index.search(queries, count)
        return scores, rows


def gpu_number(device: str) -> int | None:
    """Of the GPU meant by ``auto``, ``cuda`` or ``cuda:N``; None for ``cpu``, and ``auto`` where FAISS sees none.

    Raises DeviceUnavailable when FAISS does not see that device.
    """
    count: int = faiss.get_num_gpus()
    allowed = {"auto": 0 if count else None, "cpu": None, "cuda": 0} | {
        f"cuda:{number}": number for number in range(count)
    }
    number = allowed.get(device, count)
    if number is not None and number >= count:
        choices = "use cpu" if count == 0 else f"use cpu or cuda:0 to cuda:{count - 1}"
        raise DeviceUnavailable(f"FAISS cannot search on {device!r}: it sees {count} GPUs; {choices}")
    return number


def write_faiss(index: Any, sink: Sink) -> None:
    """Write a FAISS index piece by piece. Raises what ``sink`` raises."""
    faiss.write_index(index, faiss.PyCallbackIOWriter(sink.write, _IO_BYTES))


def read_mapped(file: BufferedReader) -> Any:
    """A FAISS index whose codes stay in the file, which memory maps. Raises LibraryDamaged.

    Only of verified bytes: FAISS trusts what it reads.
    """
    try:
        return faiss.read_index(f"/dev/fd/{file.fileno()}", faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise LibraryDamaged("a file of the index cannot be read by FAISS; run `rspnet-index repair`") from error


def _set_threads() -> None:
    """FAISS counts the machine's cores, also those that this process may not use."""
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))


_set_threads()
