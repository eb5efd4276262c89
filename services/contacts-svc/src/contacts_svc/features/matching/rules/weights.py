"""What agreement says: how often each level comes about among contacts that are one person, among relatives and colleagues,
and among any two. Pure.

After Fellegi and Sunter (1969). The second group is ours: relatives and colleagues share surname, address, telephone and
company, so that taking these as independent would join a family into one person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple


class Level(NamedTuple):
    """Probabilities of a level: `match` of one person's two contacts, `related` of relatives' and colleagues'."""

    match: float
    related: float


Levels = Mapping[str, Mapping[str, Level]]
"""By field and level."""

LEVELS: Final[Levels] = {
    "name": {
        "same": Level(0.59, 0.002),
        "same_sound": Level(0.04, 0.004),
        "alike": Level(0.20, 0.010),
        "contained": Level(0.09, 0.05),
        "clashing": Level(0.03, 0.05),
        "family": Level(0.03, 0.55),
        "different": Level(0.02, 0.334),
    },
    "email": {
        "same": Level(0.60, 0.03),
        "alike": Level(0.08, 0.004),
        "same_name": Level(0.08, 0.004),
        "different": Level(0.24, 0.962),
    },
    "phone": {"same": Level(0.62, 0.40), "alike": Level(0.10, 0.07), "different": Level(0.28, 0.53)},
    "birthday": {"same": Level(0.84, 0.0005), "alike": Level(0.10, 0.02), "different": Level(0.06, 0.9795)},
    "street": {
        "same": Level(0.60, 0.55),
        "alike": Level(0.22, 0.20),
        "same_street": Level(0.03, 0.03),
        "different": Level(0.15, 0.22),
    },
    "place": {"same": Level(0.85, 0.84), "different": Level(0.15, 0.16)},
    "company": {"same": Level(0.60, 0.50), "alike": Level(0.20, 0.17), "different": Level(0.20, 0.33)},
    "wechat": {"same": Level(0.80, 0.01), "different": Level(0.20, 0.99)},
    "external_ids": {"same": Level(0.90, 0.001), "different": Level(0.10, 0.999)},
}

SETTLED: Final[Levels] = {
    "email": {"of_name": Level(0.3, 0.02), "contradicted": Level(0.05, 0.99), "shared_by_many": Level(1.0, 1.0)},
    "phone": {"shared_by_many": Level(1.0, 1.0)},
    "street": {"shared_by_many": Level(1.0, 1.0)},
}
"""Levels that are beside the others of their field, and are not learned. `of_name`: the local part is the name that both
have. `contradicted`: both are verified.
"""

LEAST_CHANCE: Final[Mapping[str, Mapping[str, float]]] = {
    "name": {
        "same": 2e-6,
        "same_sound": 1e-5,
        "alike": 1e-5,
        "contained": 1e-4,
        "clashing": 1e-3,
        "family": 1e-3,
        "different": 0.99,
    },
    "email": {
        "same": 1e-6,
        "alike": 5e-6,
        "same_name": 1e-4,
        "different": 1.0,
        "of_name": 0.15,
        "contradicted": 1.0,
        "shared_by_many": 1.0,
    },
    "phone": {"same": 2e-6, "alike": 1e-4, "different": 1.0, "shared_by_many": 1.0},
    "birthday": {"same": 1 / 20_000, "alike": 0.008, "different": 0.99},
    "street": {"same": 1e-5, "alike": 1e-4, "same_street": 0.002, "different": 0.99, "shared_by_many": 1.0},
    "place": {"same": 1e-3, "different": 0.9},
    "company": {"same": 5e-4, "alike": 0.003, "different": 0.99},
    "wechat": {"same": 1e-6, "different": 1.0},
    "external_ids": {"same": 1e-7, "different": 1.0},
}
"""Probability of a level in any two contacts, before it is known how usual the value is."""

SHARED_BY_MANY: Final = 20
"""Contacts: what more than these have is an office's, a default or a slip, and says nothing."""


@dataclass(frozen=True, slots=True)
class Weights:
    """`matches` and `related`: how many a contact has, before anything is compared."""

    levels: Levels
    matches: float
    related: float

    def of(self, field: str, level: str) -> Level:
        return self.levels[field].get(level) or SETTLED[field][level]


DEFAULTS: Final = Weights(LEVELS, matches=0.3, related=1.0)
"""Before anything is learned of a tenant's own contacts."""
