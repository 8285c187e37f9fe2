"""Build a library: scan -> plan -> decode -> encode -> commit -> publish. Stopped anywhere, the next build goes on.

One transaction a video: what was reported done is in the catalogue. The FAISS index is published at the end, also
after Ctrl-C, and holds what the catalogue holds at that moment.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from indexer.catalogue.catalogue import Catalogue, VideoEntry, VideoVectors
from indexer.catalogue.publish import publish_index
from indexer.catalogue.vectors import vector_problem
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.engines import DecodeEngine
from indexer.ingest.plan import Plan, plan_build
from indexer.ingest.pooling import video_vector
from rspnet_core.video.datasets.dataset import Dataset
from rspnet_core.video.reading.sandbox import DecodeRequest, DecodeResult

VIDEOS_PER_BATCH = {"cpu": 1, "cuda": 16}
"""A CPU gains nothing from more than one video's ten clips; a GPU needs about 160 clips to be busy."""


@dataclass(frozen=True)
class Failure:
    """A file that is in the folder and cannot be indexed."""

    path: str
    """Relative to the data folder."""
    reason: str


@dataclass
class BuildReport:
    """What a build did; ``interrupted`` when it was asked to stop before the end."""

    layout: str
    notes: list[str]
    total: int
    indexed: int = 0
    reused: int = 0
    skipped: int = 0
    dropped: int = 0
    failed: list[Failure] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """The numbers that the catalogue keeps of a build."""
        names = ("total", "indexed", "reused", "skipped", "dropped")
        return {name: getattr(self, name) for name in names} | {"failed": len(self.failed)}

    @property
    def videos_per_second(self) -> float:
        """Newly embedded videos a second of the whole build."""
        return self.indexed / self.seconds if self.seconds else 0.0


Progress = Callable[[BuildReport], None]
"""Called after each video that is committed."""


def ingest(
    dataset: Dataset,
    root: Path,
    *,
    catalogue: Catalogue,
    folder: Path,
    encoder: ClipEncoder,
    engine: DecodeEngine,
    progress: Progress = lambda report: None,
) -> BuildReport:
    """Bring the library in ``folder`` up to date with the videos below ``root``.

    The caller holds the writer's lock. KeyboardInterrupt ends the work after the video in hand; all that is committed
    is published and the report says ``interrupted``.
    """
    started = time.perf_counter()
    root_id = catalogue.root_id(os.path.relpath(root, folder))
    plan = plan_build(dataset, root, root_id, catalogue)
    report = BuildReport(layout=dataset.layout, notes=list(dataset.notes), total=len(dataset.files))
    report.skipped = plan.unchanged
    build_id = catalogue.begin_build(dataset.layout)
    try:
        _apply_known(plan, catalogue, report)
        progress(report)
        entries = {str(root / entry.path): entry for entry in plan.embed}
        requests = (DecodeRequest(path=path, geometry=encoder.spec.geometry, hash_content=True) for path in entries)
        for results in _batches(engine.map(requests), VIDEOS_PER_BATCH[encoder.device.type]):
            _commit(results, entries, catalogue, encoder, report)
            progress(report)
    except KeyboardInterrupt:
        report.interrupted = True
    publish_index(catalogue, folder)
    report.seconds = time.perf_counter() - started
    catalogue.finish_build(build_id, report.counts())
    return report


def _apply_known(plan: Plan, catalogue: Catalogue, report: BuildReport) -> None:
    """All that needs no decoder; copies come before drops, because a renamed file's vectors lie under its old name."""
    for twin, entry in plan.copy:
        if catalogue.copy_vectors(twin, entry):
            report.reused += 1
        else:
            plan.embed.append(entry)
    catalogue.update_entries(plan.update)
    report.skipped += len(plan.update)
    for entry, reason in plan.refused:
        _fail(catalogue, report, entry, reason)
    catalogue.drop(plan.gone)
    report.dropped = len(plan.gone)


def _fail(catalogue: Catalogue, report: BuildReport, entry: VideoEntry, reason: str) -> None:
    catalogue.commit_failed(entry, reason)
    report.failed.append(Failure(entry.path, reason))


def _batches(results: Iterator[DecodeResult], size: int) -> Iterator[list[DecodeResult]]:
    while batch := list(islice(results, size)):
        yield batch


def _commit(
    results: list[DecodeResult],
    entries: dict[str, VideoEntry],
    catalogue: Catalogue,
    encoder: ClipEncoder,
    report: BuildReport,
) -> None:
    """Embed the videos that were decoded, in one pass; store each, decoded or failed, in its own transaction."""
    decoded = [
        (result, result.clips, result.colour_histogram)
        for result in results
        if result.clips is not None and result.colour_histogram is not None
    ]
    embedded = encoder.encode([clips.frames for _, clips, _ in decoded]) if decoded else []
    for (result, clips, histogram), encoded in zip(decoded, embedded, strict=True):
        info = clips.info
        entry = replace(
            entries[str(result.request.path)],
            content_hash=result.content_hash,
            width=info.width,
            height=info.height,
            fps=info.fps,
            num_frames=info.num_frames,
            duration_seconds=info.duration_seconds,
        )
        stored = VideoVectors(
            video=video_vector(encoded.vectors, encoder.layout),
            clips=encoded.vectors,
            spans_seconds=clips.spans_seconds,
            colour_histogram=histogram,
        )
        if problem := vector_problem(stored, encoder.layout.dims):
            _fail(catalogue, report, entry, f"the encoder makes no usable vectors of it: {problem}")
            continue
        catalogue.commit_indexed(entry, stored, encoder.prediction(encoded))
        report.indexed += 1
    for result in results:
        if result.clips is None:
            _fail(catalogue, report, entries[str(result.request.path)], result.error or "no reason given")
