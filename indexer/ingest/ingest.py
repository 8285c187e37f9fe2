"""Build a library: scan -> plan -> decode -> encode -> commit -> publish. Stopped anywhere, the next build goes on.

What was reported done is in the catalogue, up to 64 videos a transaction (``committer.py``). The FAISS index is
published at the end, also after Ctrl-C, and holds what the catalogue holds at that moment.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from indexer.catalogue.catalogue import Outcome, VideoEntry, VideoVectors
from indexer.catalogue.chunks import chunks
from indexer.catalogue.commits import VIDEOS_PER_COMMIT
from indexer.catalogue.vectors import vector_problem
from indexer.ingest.committer import Committer
from indexer.ingest.encoder import ClipEncoder, Encoded
from indexer.ingest.encoding import encoded
from indexer.ingest.engines import DecodeEngine
from indexer.ingest.plan import Plan, plan_build
from indexer.ingest.report import BuildReport, Failure
from indexer.ingest.roots import adopt_root, ids_of_gone, let_moved_go
from indexer.ingest.writer import LibraryWriter
from rspnet_core.video.datasets.dataset import Dataset
from rspnet_core.video.reading.probe import VideoInfo
from rspnet_core.video.reading.sandbox import DecodeRequest, DecodeResult

Progress = Callable[[BuildReport], None]
"""Called when more videos are committed, perhaps in another thread than the build's own, never in two at once."""


class Ingest:
    """Brings a library up to date with a folder of videos; the caller has the library open for writing."""

    def __init__(
        self,
        library: LibraryWriter,
        encoder: ClipEncoder,
        engine: DecodeEngine,
        progress: Progress = lambda report: None,
    ) -> None:
        self._library = library
        self._catalogue = library.catalogue
        self._encoder = encoder
        self._engine = engine
        self._progress = progress

    def run(self, dataset: Dataset, root: Path) -> BuildReport:
        """Index the videos of ``dataset`` below ``root``, and publish; of a part of a folder, nothing else is touched.

        KeyboardInterrupt ends the work after the video in hand; all that is committed is published and the report says
        ``interrupted``. Raises DatasetError as ``plan_build``, LibraryError when nothing can be written any more.
        """
        started = time.perf_counter()
        root_id, moved = adopt_root(self._catalogue, self._library.place, dataset, root)
        gone_roots = ids_of_gone(self._catalogue, self._library.place, but=root_id)
        plan = plan_build(dataset, root, root_id, self._catalogue, gone_roots=gone_roots)
        self._report = BuildReport(
            layout=dataset.layout, notes=list(dataset.notes), total=len(dataset.files), moved=moved
        )
        self._report.skipped = plan.unchanged
        build_id = self._catalogue.begin_build(dataset.layout)
        try:
            self._apply_known(plan)
            self._progress(self._report)
            if plan.embed:
                self._embed({str(root / entry.path): entry for entry in plan.embed}, plan.targets)
        except KeyboardInterrupt:
            self._report.interrupted = True
        else:
            if dataset.only is None:
                self._report.moved += let_moved_go(self._catalogue, self._library.place, root_id)
        self._library.publish()
        self._report.seconds = time.perf_counter() - started
        self._catalogue.finish_build(build_id, self._report.counts())
        return self._report

    def _apply_known(self, plan: Plan) -> None:
        """All that needs no decoder; copies come before drops: a renamed file's vectors lie under its old name."""
        not_copied = self._catalogue.copy_vectors(plan.moved, keep_dates=True)
        not_copied += self._catalogue.copy_vectors(plan.copy)
        self._report.reused = len(plan.moved) + len(plan.copy) - len(not_copied)
        plan.embed += not_copied
        self._catalogue.update_entries(plan.update)
        self._report.skipped += len(plan.update)
        for refused in chunks(plan.refused, VIDEOS_PER_COMMIT):
            outcomes = [Outcome(entry=entry, reason=reason) for entry, reason in refused]
            self._catalogue.commit(outcomes)
            self._stored(outcomes)
        self._catalogue.drop(plan.gone)
        self._report.dropped = len(plan.gone)

    def _embed(self, entries: dict[str, VideoEntry], targets: Mapping[str, Path]) -> None:
        """Decode, embed and store the files, by their paths."""
        geometry = self._encoder.spec.geometry
        requests = (
            DecodeRequest(path, geometry, hash_content=True, opened=targets.get(entry.path, Path(path)))
            for path, entry in entries.items()
        )
        pairs = encoded(self._encoder, self._engine.map(requests))
        with Committer(self._catalogue, self._stored) as committer, closing(pairs):
            for result, said in pairs:
                entry = entries[str(result.request.path)]
                if result.no_video:
                    self._pass_over(entry, result.error or "no video stream")
                elif said is None:
                    committer.put(Outcome(entry=entry, reason=result.error or "no reason given"))
                else:
                    committer.put(self._outcome(entry, result, said))
        self._progress(self._report)

    def _stored(self, outcomes: Sequence[Outcome]) -> None:
        """Report what is on disk."""
        for outcome in outcomes:
            if outcome.vectors is not None:
                self._report.indexed += 1
            if outcome.reason is not None:
                told = self._report.failed if outcome.vectors is None else self._report.partial
                told.append(Failure(outcome.entry.path, outcome.reason))
        self._progress(self._report)

    def _outcome(self, entry: VideoEntry, result: DecodeResult, said: Encoded) -> Outcome:
        """Of a video that was decoded and embedded."""
        clips, histogram = result.clips, result.colour_histogram
        assert clips is not None and histogram is not None
        described = _described(entry, result, clips.info)
        if clips.info.num_tracks > 1:
            self._report.tracks.append(f"{entry.path} track {clips.info.track} of {clips.info.num_tracks}")
        stored = VideoVectors(
            video=said.video,
            clips=said.vectors,
            spans_seconds=clips.spans_seconds,
            colour_histogram=histogram,
            motion_energy=said.motion_energy,
        )
        if problem := vector_problem(stored, self._encoder.layout.dims):
            return Outcome(entry=described, reason=f"the encoder makes no usable vectors of it: {problem}")
        predicted = self._encoder.prediction(said)
        return Outcome(entry=described, vectors=stored, predicted=predicted, reason=clips.info.shortfall)

    def _pass_over(self, entry: VideoEntry, reason: str) -> None:
        if any(self._catalogue.videos(ids=[entry.id])):  # an older version took it for a video that failed
            self._catalogue.drop([entry.id])
        self._report.total -= 1  # of videos
        self._report.passed_over.append(Failure(entry.path, reason))


def _described(entry: VideoEntry, result: DecodeResult, info: VideoInfo) -> VideoEntry:
    """An entry with what decoding found out."""
    return replace(
        entry,
        content_hash=result.content_hash,
        width=info.width,
        height=info.height,
        fps=info.fps,
        num_frames=info.num_frames,
        duration_seconds=info.duration_seconds,
    )
