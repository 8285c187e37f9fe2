"""One call from a folder of videos to a published library."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from indexer.catalogue.catalogue import EncoderRecord
from indexer.index.index_types import IndexChoice
from indexer.index.place import FOLDER_NAME, Place
from indexer.ingest.backend_choice import choose_backend
from indexer.ingest.calibrate import Calibrating
from indexer.ingest.encoder import ClipEncoder, FramesOf, choose_device
from indexer.ingest.encoding import choose_streams
from indexer.ingest.engines import EngineName, open_engine
from indexer.ingest.ingest import Ingest, Progress
from indexer.ingest.report import BuildReport
from indexer.ingest.samples import Samples
from indexer.ingest.simulate import check_has_encoder
from indexer.ingest.writer import LibraryWriter
from rspnet_core.config import EncoderSpec, Pooling
from rspnet_core.cores import usable_cores
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference.backends import BackendName
from rspnet_core.models.two_head import EncoderModel
from rspnet_core.video.datasets.dataset import Dataset, scan
from rspnet_core.video.reading.copies import ReducedCopies
from rspnet_core.video.reading.reduced import SHORT_SIDE
from rspnet_core.weights.checkpoint import save_checkpoint
from rspnet_core.weights.sources import load_encoder

Started = Callable[[Dataset, ClipEncoder], None]
"""Called once when the folder is scanned and the encoder loaded."""


def build_library(
    data: Path,
    *,
    only: Collection[str] | None = None,
    index: Path | None = None,
    weights: str | None = None,
    backbone: str | None = None,
    pooling: Pooling | None = None,
    fps: float | None = None,
    split_lists: Path | None = None,
    fold: int | None = None,
    follow_links: Sequence[Path] = (),
    catalogue_url: str | None = None,
    engine_name: EngineName = "local",
    workers: int | None = None,
    device: str = "auto",
    backend: BackendName | None = None,
    index_type: IndexChoice | None = None,
    cache: Path | None = None,
    cache_gigabytes: float | None = None,
    trusted: str | None = None,
    started: Started = lambda dataset, encoder: None,
    progress: Progress = lambda report: None,
    calibrating: Calibrating = lambda done, total: None,
) -> BuildReport:
    """Index the videos below ``data``, or bring their library up to date; ``only`` these paths in it, where given.

    With neither ``weights`` nor ``backbone`` a library that exists keeps its own encoder; a new one gets
    ``rspnet:small``. ``backend`` encodes; without it the one that the library keeps, or the fastest by a short
    measurement, never INT8. ``index_type`` is kept with the library; without it, what is kept there. So is ``cache``, a
    folder of reduced copies that clips are cut from, which may grow to ``cache_gigabytes`` (20 where never said). Links
    are read where they end in ``data`` or below a folder of ``follow_links``. ``trusted`` names the backbone of the
    library's own encoder where that is code outside of rspnet, so that it may be imported.

    Raises RspnetError of the kind that fits: DatasetError, WeightsError, EncoderMismatch, LibraryBusy.
    """
    placed_on = choose_device(device)
    dataset = scan(data, split_lists, fold=fold, follow_links=follow_links)
    if only is not None:
        dataset = dataset.part(only)
    with LibraryWriter(Place.prepare(index or data / FOLDER_NAME, catalogue_url)) as library:
        library.choose_index(index_type)
        record = library.catalogue.encoder()
        if record is not None and weights is None and backbone is None:
            check_has_encoder(record)
            weights = str(library.place.encoder_path(record.fingerprint))
            pooling = pooling or record.description["pooling"]
        model, spec = load_encoder(weights, backbone or trusted, fps=fps)
        copies = _copies(cache or library.place.cache, cache_gigabytes, spec)
        frames: FramesOf = "original" if copies is None else "reduced"
        encoder = ClipEncoder(model, spec, pooling=pooling or "max-mean", device=placed_on, frames=frames)
        # Before the record: a build killed here must not leave a library that names weights which it does not have.
        _keep_weights(model, spec, library.place.encoder_path(encoder.fingerprint))
        library.catalogue.set_encoder(
            EncoderRecord(
                fingerprint=encoder.fingerprint, description=encoder.description, parts=dict(encoder.layout.dims)
            )
        )
        if copies is not None:
            library.place.keep_cache(copies.folder)
        with open_engine(engine_name, workers or default_workers(encoder), copies) as engine:
            samples = Samples(dataset.files, data.resolve(), engine)
            dataset.notes.extend(choose_backend(encoder, library.place, backend, samples, calibrating))
            encoder.streams = choose_streams(encoder)
            started(dataset, encoder)
            return Ingest(library, encoder, engine, progress).run(dataset, data.resolve())


def _copies(cache: Path | None, gigabytes: float | None, spec: EncoderSpec) -> ReducedCopies | None:
    if cache is None:
        if gigabytes is not None:
            raise InvalidSetting(f"got --cache-limit {gigabytes:g} and no --cache; name the folder of reduced copies")
        return None
    if spec.geometry.size > SHORT_SIDE:
        raise InvalidSetting(
            f"{spec.backbone} sees {spec.geometry.size} pixels and reduced copies have {SHORT_SIDE}; leave --cache out"
        )
    return ReducedCopies(cache.resolve(), gigabytes)


def default_workers(encoder: ClipEncoder) -> int:
    """Decoding processes: every core beside a GPU; half of them where the encoder needs the cores as well."""
    return usable_cores() if encoder.device.type == "cuda" else max(1, usable_cores() // 2)


def _keep_weights(model: EncoderModel, spec: EncoderSpec, path: Path) -> None:
    """Copy the weights into the library once: it stays searchable wherever the original goes."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        save_checkpoint(model, spec, path)
