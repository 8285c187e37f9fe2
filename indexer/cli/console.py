"""What ``rspnet-index`` shows on a terminal: progress, tables and closing lines."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from indexer.catalogue.catalogue import VideoRow
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.report import BuildReport
from indexer.retrieval.search import SearchResult
from rspnet_core.text import printable
from rspnet_core.video.datasets.dataset import Dataset
from rspnet_core.weights.shipped import DEFAULT

UNTRAINED = (
    "the encoder is untrained (random weights of a fixed seed): take its answers as a baseline; "
    "give --weights rspnet:small, official:resnet18, or a file of your own"
)
_OTHERS = "other weights: --weights official:resnet18 (the published ones), or a file of your own"
FAILURES_SHOWN = 20


class BuildProgress:
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self, log: Console) -> None:
        self._log = log
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} failed"),
            TimeRemainingColumn(),
            console=log,
            disable=not log.is_terminal,
        )
        self._task = self._bar.add_task("indexing", total=None, failed=0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, dataset: Dataset, encoder: ClipEncoder) -> None:
        """Say what was recognised and what will embed it."""
        classes = f", {len(dataset.classes)} classes" if dataset.classes else ""
        lines = [f"{len(dataset.files)} video files, layout {dataset.layout}{classes}"]
        lines += [f"note: {note}" for note in dataset.notes]
        precision = str(encoder.precision).removeprefix("torch.")
        lines.append(f"encoder {encoder.spec.backbone}, {encoder.spec.source}, on {encoder.device} in {precision}")
        if encoder.spec.trained is False:
            lines.append(f"note: {UNTRAINED}")
        elif encoder.spec.source.startswith(DEFAULT):
            lines.append(f"note: {_OTHERS}")
        for line in lines:
            self._log.print(printable(line), markup=False, soft_wrap=True)

    def advance(self, report: BuildReport) -> None:
        """Show how far the build is."""
        done = report.indexed + report.reused + report.skipped + len(report.failed)
        self._bar.update(self._task, completed=done, total=report.total, failed=len(report.failed))


def build_lines(report: BuildReport, index: Path) -> list[str]:
    """The closing lines of a build: failures with their reasons, then one line that sums up."""
    lines = [f"failed: {printable(failure.path)}: {failure.reason}" for failure in report.failed[:FAILURES_SHOWN]]
    if len(report.failed) > FAILURES_SHOWN:
        lines.append(
            f"... and {len(report.failed) - FAILURES_SHOWN} more; `rspnet-index info --index {index}` lists all"
        )
    counts = {
        "indexed": report.indexed,
        "same content under another name": report.reused,
        "unchanged": report.skipped,
        "gone": report.dropped,
        "failed": len(report.failed),
    }
    done = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "indexed")
    lines.append(f"{done}, in {report.seconds:.1f} s ({report.videos_per_second:.2f} videos/s); library: {index}")
    if report.interrupted:
        lines.append("stopped early: what is indexed is kept and published; the same command goes on")
    return lines


def hits_table(result: SearchResult) -> Table:
    """Hits with the score of each part, best first."""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in result.query["weights"].items() if share)
    asked = result.query.get("id") or Path(result.query["path"]).name
    title = f"Most like {printable(asked)} by {shares}"
    table = _table(f"{title}\nquery: predicted {result.predicted}" if result.predicted else title)
    for name in ("", "id", "video", "label", "split", "score", *result.parts):
        table.add_column(name, justify="right" if name in {"", "score", *result.parts} else "left")
    if result.has_classes:
        table.add_column("predicted")
    if any(hit.start_seconds is not None for hit in result.hits):
        table.add_column("moment")
    for place, hit in enumerate(result.hits, 1):
        cells = [str(place), hit.id, printable(Path(hit.path).name), printable(hit.label or ""), hit.split or ""]
        cells += [f"{hit.score:.3f}", *(f"{hit.scores[part]:.3f}" for part in result.parts)]
        if result.has_classes:
            cells.append(str(hit.predicted or ""))
        if hit.start_seconds is not None:
            cells.append(f"{hit.start_seconds:.1f}-{hit.end_seconds:.1f} s")
        table.add_row(*map(Text, cells))
    return table


def info_table(document: Mapping[str, Any], failed: list[VideoRow]) -> Table:
    """What ``info`` shows: a line a fact, then the failed files with their reasons."""
    encoder = document["encoder"]
    facts = {
        "videos": "{indexed} indexed, {failed} failed".format(**document["videos"]),
        "clips": document["clips"],
        "encoder": f"{encoder['backbone']}, {encoder['weights']}, pooling {encoder['pooling']}"
        + (f", predicts {encoder['classes']} classes" if "classes" in encoder else ""),
        "fingerprint": encoder["fingerprint"],
        "index": f"{document['index_type']}, generation {document['generation']}"
        + ("" if document["up_to_date"] else ", older than the catalogue: run the build again"),
        "data": ", ".join(document["data"]),
        "folder": document["folder"],
    }
    table = _table(None)
    table.show_header = False
    for name, value in facts.items():
        table.add_row(Text(name, "bold"), Text(printable(str(value))))
    for video in failed:
        table.add_row(Text("failed", "bold"), Text(f"{printable(video.path)}: {video.reason}"))
    return table


def _table(title: str | None) -> Table:
    return Table(
        title=title and Text(title, "bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
