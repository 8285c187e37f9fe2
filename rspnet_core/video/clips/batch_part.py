"""Which videos of a batch are this process's, where several train as one."""

from dataclasses import dataclass

from rspnet_core.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class BatchPart:
    """The ``rank``-th of ``world_size`` equal parts of each batch, in order."""

    rank: int = 0
    world_size: int = 1

    def rows(self, batch_size: int) -> range:
        """Places in a batch of so many videos. Raises InvalidSetting where it has no equal parts."""
        size, left = divmod(batch_size, self.world_size)
        if left:
            raise InvalidSetting(f"batch_size {batch_size} does not divide by {self.world_size} processes")
        return range(self.rank * size, (self.rank + 1) * size)
