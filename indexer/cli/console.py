"""What ``rspnet-index build`` shows on a terminal: progress and closing lines."""

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from indexer.cli.output import UNTRAINED
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.report import BuildReport
from rspnet_core.text import counted, printable
from rspnet_core.video.datasets.dataset import Dataset
from rspnet_core.weights.shipped import DEFAULT

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

    def calibrating(self, done: int, total: int) -> None:
        """Show how far INT8 is calibrated and measured, before the build starts."""
        if not done:
            self._log.print(f"calibrating INT8 and measuring what it costs, on clips of {total} videos")
        self._bar.update(self._task, description="calibrating", completed=done, total=total)

    def started(self, dataset: Dataset, encoder: ClipEncoder) -> None:
        """Say what was recognised and what will embed it."""
        classes = f", {counted(len(dataset.classes), 'class', 'classes')}" if dataset.classes else ""
        lines = [f"{counted(len(dataset.files), 'video file')}, layout {dataset.layout}{classes}"]
        lines += [f"note: {note}" for note in dataset.notes]
        lines.append(f"encoder {encoder.spec.backbone}, {encoder.spec.source}, {_place(encoder)}")
        if encoder.spec.trained is False:
            lines.append(f"note: {UNTRAINED}")
        elif encoder.spec.source.startswith(DEFAULT):
            lines.append(f"note: {_OTHERS}")
        for line in lines:
            self._log.print(printable(line), markup=False, soft_wrap=True)

    def advance(self, report: BuildReport) -> None:
        """Show how far the build is."""
        done, failed = report.indexed + report.reused + report.skipped + len(report.failed), len(report.failed)
        self._bar.update(self._task, description="indexing", completed=done, total=report.total, failed=failed)


def _place(encoder: ClipEncoder) -> str:
    by = "" if encoder.backend == "torch" else f" by {encoder.backend}"
    return f"on {encoder.device} in {str(encoder.precision).removeprefix('torch.')}{by}"


def build_lines(report: BuildReport, index: Path) -> list[str]:
    """The closing lines of a build: failures with their reasons, then one line that sums up."""
    lines = [f"failed: {printable(failure.path)}: {failure.reason}" for failure in report.failed[:FAILURES_SHOWN]]
    if len(report.failed) > FAILURES_SHOWN:
        lines.append(
            f"... and {len(report.failed) - FAILURES_SHOWN} more; `rspnet-index info --index {index}` lists all"
        )
    lines += [f"{printable(video.path)}: {video.reason}" for video in report.partial[:FAILURES_SHOWN]]
    counts = {
        "indexed": report.indexed,
        "of them partial": len(report.partial),
        "same content under another name": report.reused,
        "unchanged": report.skipped,
        "gone": report.dropped,
        "without video passed over": len(report.passed_over),
        "failed": len(report.failed),
    }
    done = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "indexed")
    lines.append(f"{done}, in {report.seconds:.1f} s ({report.videos_per_second:.2f} videos/s); library: {index}")
    lines += [f"note: {note}" for note in report.last_notes]
    if report.interrupted:
        lines.append("stopped early: what is indexed is kept and published; the same command goes on")
    return lines
