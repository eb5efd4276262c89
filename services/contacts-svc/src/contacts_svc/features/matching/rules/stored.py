"""Statistics as they are kept between a scan and whoever asks next. Pure."""

from collections.abc import Mapping
from typing import Any

from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.weights import LEVELS, Level, Weights


def to_json(statistics: Statistics) -> dict[str, Any]:
    """All but what is shared, which is counted anew each time."""
    weights = statistics.weights
    return {
        "size": statistics.size,
        "words": dict(statistics.words),
        "places": dict(statistics.places),
        "matches": weights.matches,
        "related": weights.related,
        "levels": {
            field: {name: list(level) for name, level in levels.items()} for field, levels in weights.levels.items()
        },
    }


def from_json(content: Mapping[str, Any]) -> Statistics:
    """A level that came with a later release has its default."""
    levels = {
        field: {name: Level(*content["levels"].get(field, {}).get(name, level)) for name, level in levels.items()}
        for field, levels in LEVELS.items()
    }
    weights = Weights(levels, content["matches"], content["related"])
    return Statistics(content["size"], content["words"], content["places"], weights=weights)
