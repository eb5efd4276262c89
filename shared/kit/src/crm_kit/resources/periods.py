"""Periods of time, as a zone's clocks and calendar tell them apart. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

Bucket = Literal["minute", "hour", "day", "month"]

_LENGTHS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


def period_start(at: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """The start, in UTC, of the period in which `at` lies."""
    local = at.astimezone(zone)
    if bucket in _LENGTHS:
        within = timedelta(seconds=local.second, microseconds=local.microsecond)
        if bucket == "hour":
            within += timedelta(minutes=local.minute)
        return (at - within).astimezone(UTC)
    return midnight(local.date() if bucket == "day" else local.date().replace(day=1), zone)


def next_start(start: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """That of the period behind the one that starts so. A day has 23 hours, or 25, where the clocks are changed."""
    if bucket in _LENGTHS:
        following = start + _LENGTHS[bucket]
        # Where clocks are changed by half an hour the hour is a short one.
        return max(period_start(following, bucket, zone), start + timedelta(minutes=1))
    day = start.astimezone(zone).date()
    if bucket == "day":
        return midnight(day + timedelta(days=1), zone)
    return midnight((day.replace(day=1) + timedelta(days=32)).replace(day=1), zone)


def starts(begin: datetime, end: datetime, bucket: Bucket, zone: ZoneInfo) -> Iterator[datetime]:
    """Of the periods that have something of the time from `begin` until before `end`, without end where that is far off."""
    start = period_start(begin, bucket, zone)
    while start < end:
        yield start
        start = next_start(start, bucket, zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day: of two midnights the first; where clocks are put on at midnight, the hour to which they are."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
