"""A record counts as near as it lies, whatever conditions hold for it."""

from itertools import chain, combinations
from typing import get_args

from crm_kit.rights.grants import LEVELS, Access, Grant, Level, ResourceRights
from hypothesis import example, given
from hypothesis import strategies as st

_ACTIONS = st.sets(st.sampled_from(["read", "update", "assign"]), min_size=1).map(frozenset)
_FIELDS = st.dictionaries(st.sampled_from(["open", "personal"]), st.sampled_from(get_args(Access)))
_WHERE = st.sampled_from([None, {"field": "source", "op": "eq", "value": "web"}])
_GRANTS = st.lists(
    st.builds(Grant, st.just(frozenset({"notes"})), _ACTIONS, st.sampled_from(get_args(Level)), _FIELDS, _WHERE),
    min_size=1,
    max_size=4,
)


def _grant(actions: set[str], level: Level, personal: Access, where: dict[str, str] | None) -> Grant:
    return Grant(frozenset({"notes"}), frozenset(actions), level, {"personal": personal}, where)  # type: ignore[arg-type]  # they are actions


@example(
    [  # what the second gives on what is one's own, the first gives on everything, of another condition
        _grant({"read", "update"}, "all", "write", {"source": "web"}),
        _grant({"read", "update"}, "own", "write", {"source": "fair"}),
        _grant({"read"}, "team", "masked", None),
    ]
)
@given(_GRANTS)
def test_the_levels_that_are_told_apart_lose_no_right(grants: list[Grant]) -> None:
    rights = ResourceRights(grants)
    places = range(len(rights.conditioned))
    for distance in LEVELS:
        beyond = LEVELS[LEVELS.index(distance) :]
        counted = next((level for level in beyond if level in rights.levels), None)
        for holding in map(frozenset, chain.from_iterable(combinations(places, n) for n in range(len(places) + 1))):
            mine = rights.at(distance, holding)
            if counted is None:
                assert not mine.actions
            else:
                assert rights.at(counted, holding) == mine
