"""Signs that a run has stopped learning: vectors that no longer differ between videos."""

from typing import Any

MIN_SPREAD = 0.05
"""Standard deviation over a batch, times the square root of 128: 1 is even on the sphere, 0 one point."""
MAX_QUEUE_SIMILARITY = 0.9
"""Mean cosine between a clip and all clips of the queue."""


def collapse_alarms(figures: dict[str, Any]) -> dict[str, str]:
    """Figure -> what is wrong with it, for those that tell of a collapse; empty when all is well."""
    alarms = {}
    for name, head in (("motion_std", "motion"), ("appearance_std", "appearance")):
        if figures.get(name, 1.0) < MIN_SPREAD:
            alarms[name] = f"the {head} head collapses: its vectors hardly differ ({name} {figures[name]:.3f})"
    if figures.get("queue_similarity", 0.0) > MAX_QUEUE_SIMILARITY:
        alarms["queue_similarity"] = (
            f"the appearance head collapses: clips resemble all of the queue ({figures['queue_similarity']:.2f})"
        )
    return {name: f"{text}; lower learning_rate, or see whether the videos differ" for name, text in alarms.items()}
