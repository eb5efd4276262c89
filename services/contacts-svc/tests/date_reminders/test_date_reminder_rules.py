"""On which days dates occur, and when a day's reminders come due."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from contacts_svc.features.date_reminders.rules import YEARS, dates_due, due_at, today
from hypothesis import given
from hypothesis import strategies as st

_DATES = st.dates(date(1900, 1, 1), date(2099, 12, 31))
_ZONES = st.sampled_from(
    ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
)
_TIMES = st.times().map(lambda at: at.strftime("%H:%M"))


def _days_of(year: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=n) for n in range(366 if calendar.isleap(year) else 365)]


@given(_DATES, st.integers(0, YEARS - 1))
def test_a_yearly_date_occurs_on_one_day_of_each_year(born: date, later: int) -> None:
    found = [day for day in _days_of(born.year + later) if born in dates_due(day, "yearly")]
    assert len(found) == 1
    assert (found[0].month, found[0].day) in {(born.month, born.day), (2, 28)}


@given(_DATES, st.integers(1, 50))
def test_a_yearly_date_occurs_in_no_year_before_itself(born: date, sooner: int) -> None:
    assert not any(born in dates_due(day, "yearly") for day in _days_of(born.year - sooner))


@given(_DATES)
def test_of_a_day_a_bounded_number_of_dates_is_looked_up(day: date) -> None:
    assert len(dates_due(day, "yearly")) <= 200
    assert dates_due(day, "once") == [day]


@pytest.mark.parametrize(("year", "day"), [(2023, (2, 28)), (2024, (2, 29)), (2100, (2, 28)), (2000, (2, 29))])
def test_the_leap_day_is_the_28th_in_other_years(year: int, day: tuple[int, int]) -> None:
    born = date(1996, 2, 29)
    assert [(one.month, one.day) for one in _days_of(year) if born in dates_due(one, "yearly")] == [day]


@given(_DATES, _TIMES, _ZONES)
def test_days_come_due_one_after_another(day: date, at: str, zone: str) -> None:
    """Also where clocks are changed, and where a day is left out."""
    this, following = due_at(day, at, zone), due_at(day + timedelta(days=1), at, zone)
    assert this < following
    assert following - this <= timedelta(hours=26)


@given(_DATES, _TIMES, _ZONES)
def test_it_is_the_time_that_a_clock_shows(day: date, at: str, zone: str) -> None:
    local = due_at(day, at, zone).astimezone(ZoneInfo(zone))
    asked = datetime.combine(day, time.fromisoformat(at))
    skipped = local.replace(tzinfo=None) - asked
    assert timedelta(0) <= skipped <= timedelta(days=1)
    if not skipped:
        assert today(due_at(day, at, zone), zone) == day


def test_clocks_that_are_changed() -> None:
    assert due_at(date(2026, 3, 29), "02:30", "Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert due_at(date(2026, 10, 25), "02:30", "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert due_at(date(2026, 7, 1), "09:00", "Asia/Shanghai") == datetime(2026, 7, 1, 1, tzinfo=UTC)
