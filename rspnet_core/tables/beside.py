"""The paper's fine-tuned accuracies to set beside one's own: those of the same data set and network."""

from typing import Any

from rspnet_core.tables.published import ARCHITECTURES, published_table

_COLUMNS = {
    ("UCF101", 101): (2, "UCF101"),
    ("HMDB51", 51): (2, "HMDB51"),
    ("Something-Something-V2", 174): (3, "Something-V2"),
}
"""Layout and number of classes -> table and column."""


def published_beside(document: dict[str, Any]) -> list[tuple[str, float]]:
    """Name and top-1 (a fraction) of the rows of Table 2 or 3 with the document's network; empty for other data."""
    table_number, column = _COLUMNS.get((document["layout"], len(document["classes"])), (0, ""))
    if not table_number:
        return []
    table, architecture = published_table(table_number), ARCHITECTURES.get(document["encoder"]["backbone"])
    return [
        (
            f"{row.method}, {row.architecture}" + (f", pre-trained on {row.pretraining}" if row.pretraining else ""),
            table.fractions(row)[column],
        )
        for row in table.rows
        if row.architecture == architecture
    ]
