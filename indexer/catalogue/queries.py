"""All that is read from the catalogue: rows of videos here, vectors by ``vector_queries.py``."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, func, null, select

from indexer.catalogue.chunks import chunks
from indexer.catalogue.models import Build, Root, Split, State, Video
from indexer.catalogue.records import (
    BuildRecord,
    Counts,
    KnownVideo,
    LabelledVideo,
    Status,
    VideoRow,
    id_of_key,
    video_key,
)
from indexer.catalogue.seals import check_state
from indexer.catalogue.selection import Measure, Span, has_one_of, measured_extent, repeated_contents, selected_keys
from indexer.catalogue.vector_queries import VectorQueries
from indexer.catalogue.video_rows import splits_of, video_rows


class CatalogueQueries(VectorQueries):
    """The reading half of a catalogue; every method sees one state of it."""

    def content_version(self) -> str:
        """16 hex digits that change with all that readers are shown; LibraryDamaged when they were altered."""
        with self._database.reading() as connection:
            version = connection.execute(select(State.content_version)).scalar_one()
            if self._database.has_seals:
                check_state(version, connection.execute(select(State.seal)).scalar_one())
        return version

    def roots(self) -> dict[int, str]:
        """Data folders by id, as they were given: absolute, or relative to the index folder."""
        with self._database.reading() as connection:
            return {row.id: row.path for row in connection.execute(select(Root.id, Root.path).order_by(Root.id))}

    def counts(self) -> Counts:
        """Videos by status, and clips."""
        statement = select(Video.status, func.count(), func.sum(Video.num_clips)).group_by(Video.status)
        with self._database.reading() as connection:
            found = {status: (videos, int(clips)) for status, videos, clips in connection.execute(statement)}
        indexed, clips = found.get("indexed", (0, 0))
        return Counts(indexed=indexed, failed=found.get("failed", (0, 0))[0], clips=clips)

    def known(self, root_id: int) -> dict[str, KnownVideo]:
        """All videos of a root by path; 100,000 take a second."""
        names = ("size_bytes", "modified_ns", "content_hash", "status", "reason", "label", "group")
        columns = [getattr(Video, name) for name in names]
        with self._database.reading() as connection:
            splits = splits_of(connection, Video.root_id == root_id)
            rows = connection.execute(select(Video.key, Video.path, *columns).where(Video.root_id == root_id))
            return {
                row[1]: KnownVideo(
                    id=id_of_key(row[0]), splits=splits.get(row[0], {}), **dict(zip(names, row[2:], strict=True))
                )
                for row in rows
            }

    def indexed_sizes(self) -> set[int]:
        """Sizes in bytes of all indexed videos: a file of another size has other content than all of them."""
        with self._database.reading() as connection:
            statement = select(Video.size_bytes).where(Video.status == "indexed").distinct()
            return set(connection.scalars(statement))

    def find_contents(self, hashes: Iterable[str]) -> dict[str, str]:
        """Content -> the id of an indexed video that has it; contents that none has are left out."""
        found: dict[str, str] = {}
        for chunk in chunks(hashes):
            wanted = (Video.content_hash.in_(chunk), Video.status == "indexed")
            statement = select(Video.content_hash, func.min(Video.key)).where(*wanted).group_by(Video.content_hash)
            with self._database.reading() as connection:
                found |= {content: id_of_key(key) for content, key in connection.execute(statement) if content}
        return found

    def find_content(self, content_hash: str | None) -> str | None:
        """The id of an indexed video with this content, None when there is none or the content is not known."""
        return None if content_hash is None else self.find_contents([content_hash]).get(content_hash)

    def of_contents(self, contents: Iterable[str]) -> list[VideoRow]:
        """Indexed videos of these contents, and of all contents that several videos have."""
        with self._database.reading() as connection:
            wanted = map(has_one_of, chunks({*contents, *repeated_contents(connection)}))
            return [row for some in wanted for row in video_rows(connection, self._predicted, some)]

    def videos(self, *, ids: Iterable[str] | None = None, status: Status | None = None) -> Iterator[VideoRow]:
        """Videos in order of root and path, or those of ``ids`` in the order given, unknown ids left out."""
        wanted: list[ColumnElement[bool]] = [] if status is None else [Video.status == status]
        if ids is None:
            with self._database.reading() as connection:
                yield from video_rows(connection, self._predicted, *wanted)
            return
        for chunk in chunks(ids):
            of_chunk = Video.key.in_([video_key(video_id) for video_id in chunk])
            with self._database.reading() as connection:
                found = {row.id: row for row in video_rows(connection, self._predicted, of_chunk, *wanted)}
            yield from (found[video_id] for video_id in chunk if video_id in found)

    @property
    def _predicted(self) -> Sequence[ColumnElement[Any]]:
        """Class and probability of a video; NULL where the tables do not have them yet."""
        known = (Video.predicted_class.expression, Video.predicted_probability.expression)
        return known if self._database.has_predictions else (null(), null())

    def failed(self) -> list[VideoRow]:
        """Videos that could not be indexed, with their reasons."""
        return list(self.videos(status="failed"))

    def partial(self) -> list[VideoRow]:
        """Indexed videos whose files were cut; ``reason`` says what they declare and what was found."""
        with self._database.reading() as connection:
            return list(video_rows(connection, self._predicted, Video.status == "indexed", Video.reason.is_not(None)))

    def labels_and_splits(self, fold: int) -> list[LabelledVideo]:
        """Indexed videos in order of their keys; ``split`` is None for those that the fold does not list."""
        side = and_(Split.video_key == Video.key, Split.fold == fold)
        statement = (
            select(Video.key, Video.path, Video.root_id, Video.label, Video.group, Split.split)
            .outerjoin(Split, side)
            .where(Video.status == "indexed")
            .order_by(Video.key)
        )
        with self._database.reading() as connection:
            return [
                LabelledVideo(key=key, path=path, root_id=root_id, label=label, group=group, split=split)
                for key, path, root_id, label, group, split in connection.execute(statement)
            ]

    def groups(self) -> frozenset[str]:
        """Of all indexed videos that have one."""
        statement = select(Video.group).where(Video.status == "indexed", Video.group.is_not(None)).distinct()
        with self._database.reading() as connection:
            return frozenset(group for group in connection.scalars(statement) if group is not None)

    def select_keys(
        self,
        *,
        label: str | None = None,
        split: str | None = None,
        fold: int | None = None,
        folder: str | None = None,
        within: Mapping[Measure, Span] | None = None,
        but_groups: Collection[str] = (),
    ) -> NDArray[np.int64]:
        """Keys, ascending, of the indexed videos that pass every filter given.

        ``split`` holds in ``fold``, or in any fold without one; ``folder`` is relative to the videos' root; a video of
        which a measure is not known is ``within`` no bounds of it; ``but_groups`` are left out, not what has no group.
        """
        named = {"label": label, "split": split, "folder": folder}
        with self._database.reading() as connection:
            return selected_keys(
                connection,
                **named,
                fold=fold,
                within=within or {},
                but_groups=but_groups,
                has_added=self._database.has_added,
            )

    def measured_extent(self, measure: Measure) -> tuple[float, float] | None:
        """The least and the most of the indexed videos; None where it is known of none."""
        with self._database.reading() as connection:
            return measured_extent(connection, measure, has_added=self._database.has_added)

    def builds(self) -> list[BuildRecord]:
        """All builds, the latest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(Build.id, Build.started, Build.finished, Build.layout, Build.counts).order_by(Build.id.desc())
            ).all()
        return [BuildRecord(**row._mapping) for row in rows]
