"""Periods hold every moment once, and are those of the zone's own clocks and calendar."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from crm_kit.resources.periods import Bucket, next_start, period_start, starts
from hypothesis import given
from hypothesis import strategies as st

# Clocks put on at midnight (Beirut, Havana), by half an hour (Lord Howe), by a day (Apia), by a quarter less (Kathmandu).
ZONES = [
    "UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Asia/Beirut", "America/Havana", "Australia/Lord_Howe",
    "Pacific/Apia", "Asia/Kathmandu", "America/Sao_Paulo",
]  # fmt: skip
zones = st.sampled_from(ZONES).map(ZoneInfo)
buckets: st.SearchStrategy[Bucket] = st.sampled_from(["minute", "hour", "day", "month"])
_FIRST, _LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
moments = st.integers(0, int((_LAST - _FIRST).total_seconds() * 10**6)).map(
    lambda n: _FIRST + timedelta(microseconds=n)
)


@given(moments, buckets, zones)
def test_a_moment_lies_in_one_period(at: datetime, bucket: Bucket, zone: ZoneInfo) -> None:
    start = period_start(at, bucket, zone)
    assert start <= at
    found = list(islice(starts(at, at + timedelta(days=400), bucket, zone), 20))
    assert found[0] == start
    assert all(one < next_ for one, next_ in pairwise(found))
    assert found[1] > at or bucket in ("minute", "hour")
    for one, next_ in pairwise(found):
        assert next_ == next_start(one, bucket, zone)
        assert next_ - one <= {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}.get(
            bucket, timedelta(days=32)
        )


@given(moments, st.sampled_from(["day", "month"]), zones)
def test_a_day_is_that_of_the_calendar(at: datetime, bucket: Bucket, zone: ZoneInfo) -> None:
    """From the moment at which the date is reached until the next is."""
    start = period_start(at, bucket, zone)
    end = next_start(start, bucket, zone)
    here, there = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    if bucket == "day":
        assert here == there == at.astimezone(zone).date()
    else:
        assert (
            (here.year, here.month)
            == (there.year, there.month)
            == (at.astimezone(zone).year, at.astimezone(zone).month)
        )
    assert (start - timedelta(microseconds=1)).astimezone(zone).date() < here


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Asia/Beirut", "2022-03-27", 23),
        ("Asia/Shanghai", "2026-03-29", 24),
        ("America/Sao_Paulo", "2018-11-04", 23),
    ],
)
def test_days_on_which_clocks_are_changed(zone: str, day: str, hours: int) -> None:
    here = ZoneInfo(zone)
    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=here)
    start = period_start(noon, "day", here)
    end = next_start(start, "day", here)
    assert end - start == timedelta(hours=hours)
    assert len(list(starts(start, end, "hour", here))) == hours
