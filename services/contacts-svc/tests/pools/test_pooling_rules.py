"""The arithmetic of pools."""

from datetime import UTC, datetime, timedelta

import pytest
from contacts_svc.features.pooling.rules import STEP, claimable_at, claiming_team, put_off, return_time
from crm_contracts.ids import PoolId, UserId
from crm_contracts.pools import PoolMove
from hypothesis import given
from hypothesis import strategies as st

POOL, ME = PoolId.new(), UserId.new()
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001  # made so in the next call
days = st.integers(1, 400)


@given(present=moments, days=days, lasts=st.lists(moments, max_size=8))
def test_a_return_is_only_ever_put_off_and_by_less_than_a_step_too_little(
    present: datetime, days: int, lasts: list[datetime]
) -> None:
    """In whatever order activities are heard of."""
    at: datetime | None = present
    for last in lasts:
        later = put_off(at, days, last)
        assert at is not None
        assert later is not None
        assert later >= at
        at = later
    assert at is not None
    wanted = max([present, *(last + timedelta(days=days) for last in lasts)])
    assert wanted - STEP < at <= wanted


@given(last=moments, days=days)
def test_what_does_not_go_back_is_not_put_off(last: datetime, days: int) -> None:
    assert put_off(None, days, last) is None
    assert put_off(last, None, last + timedelta(days=days)) == last
    assert return_time(None, last) is None


@given(at=st.lists(moments, min_size=1, max_size=5), days=days)
def test_who_lost_it_waits_from_the_last_time_on(at: list[datetime], days: int) -> None:
    moves = [
        PoolMove(kind="released", pool_id=POOL, user_id=ME, reason=None, at=each, actor_id=None) for each in sorted(at)
    ]
    assert claimable_at(moves, POOL, ME, days) == max(at) + timedelta(days=days)
    assert claimable_at(moves, POOL, ME, 0) is None
    assert claimable_at(moves, POOL, UserId.new(), days) is None
    assert claimable_at(moves, PoolId.new(), ME, days) is None


def test_the_team_is_the_first_that_both_have() -> None:
    assert claiming_team([], ["a", "b"]) == "a"
    assert claiming_team([], []) is None
    assert claiming_team(["c", "b", "a"], ["a", "b"]) == "b"
    with pytest.raises(LookupError):
        claiming_team(["c"], ["a"])
