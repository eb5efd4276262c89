"""When which dates come due. Pure."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

BIRTHDAY: Final = "birthday"

REMINDER: Final = "date_reminder"
"""The timer of a reminder: it comes due once a day."""

BATCH: Final = 200
"""Occurrences that are told, or forgotten, in one transaction."""

KEPT_DAYS: Final = 400
"""So long an occurrence is kept: the next of its kind has come by then."""

YEARS: Final = 150
"""Yearly dates are told of for so many years: each day is looked up in each of them."""

MAX_REMINDERS: Final = 100

_LEAP_DAY: Final = (2, 29)


def due_at(day: date, at: str, zone: str) -> datetime:
    """The moment of a time of day on a day in a time zone, UTC.

    Where clocks are put forward over it, as long after as they are put forward; of two that a clock shows, the first.
    """
    local = datetime.combine(day, time.fromisoformat(at), tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


def today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


def dates_due(occurs_on: date, repeats: str) -> list[date]:
    """The dates that a record may hold which occur on a day. The 29th of February occurs on the 28th in other years."""
    if repeats == "once":
        return [occurs_on]
    years = range(occurs_on.year - YEARS + 1, occurs_on.year + 1)
    days = [(occurs_on.month, occurs_on.day)]
    if days == [(2, 28)] and not calendar.isleap(occurs_on.year):
        days.append(_LEAP_DAY)
    return [
        date(year, month, day)
        for month, day in days
        for year in years
        if (month, day) != _LEAP_DAY or calendar.isleap(year)
    ]


def occurs_on(day: date, days_before: int) -> date:
    """The day that is told of on a day."""
    return day + timedelta(days=days_before)
