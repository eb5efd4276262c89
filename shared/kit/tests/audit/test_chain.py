"""What is hashed: the canonical form that an outsider can make too, and everything that an entry says."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import rfc8785
from crm_kit.audit.chain import canonical, changes_digest, entry_hash
from hypothesis import given
from hypothesis import strategies as st

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_MAYBE = st.none() | _TEXT
_MOMENT = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 bounds take none

ENTRIES = st.fixed_dictionaries(
    {
        "tenant_id": _TEXT,
        "id": _TEXT,
        "at": _MOMENT,
        "actor": _TEXT,
        "via": _TEXT,
        "request_id": _TEXT,
        "trace_id": _TEXT,
        "address": _MAYBE,
        "user_agent": _MAYBE,
        "resource": _TEXT,
        "entity_id": _MAYBE,
        "version": st.none() | st.integers(0, 2**53 - 1),
        "action": _TEXT,
        "changes_digest": st.none() | st.binary(min_size=32, max_size=32),
    }
)
_PLACES = st.tuples(_TEXT, st.integers(1, 2**53 - 1), st.binary(min_size=32, max_size=32))


@given(ENTRIES, _PLACES)
def test_the_bytes_are_those_of_rfc_8785(row: dict[str, Any], place: tuple[str, int, bytes]) -> None:
    service, sequence, previous = place
    digest = row["changes_digest"]
    told = {
        **row,
        "at": row["at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "changes_digest": None if digest is None else digest.hex(),
        "format": 1,
        "previous_hash": previous.hex(),
        "sequence": sequence,
        "service": service,
    }
    assert canonical(row, service, sequence, previous) == rfc8785.dumps(told)
    assert entry_hash(row, service, sequence, previous) == hashlib.sha256(rfc8785.dumps(told)).digest()


@given(ENTRIES, ENTRIES, _PLACES, _PLACES)
def test_equal_bytes_mean_equal_entries_in_equal_places(
    row: dict[str, Any], other: dict[str, Any], place: tuple[str, int, bytes], elsewhere: tuple[str, int, bytes]
) -> None:
    for name, value in row.items():
        mixed = {**row, name: other[name]}
        assert (canonical(mixed, *place) == canonical(row, *place)) is (other[name] == value), name
    for index in range(3):
        moved: Any = (*place[:index], elsewhere[index], *place[index + 1 :])
        assert (canonical(row, *moved) == canonical(row, *place)) is (moved == place)


@given(ENTRIES, _PLACES)
def test_the_zone_in_which_a_moment_is_told_does_not_matter(row: dict[str, Any], place: tuple[str, int, bytes]) -> None:
    there = {**row, "at": row["at"].astimezone(timezone(timedelta(hours=8)))}
    assert canonical(there, *place) == canonical(row, *place)


@given(_TEXT, st.binary(min_size=16, max_size=16))
def test_a_digest_of_changes_is_that_of_salt_and_text(changes: str, salt: bytes) -> None:
    assert changes_digest(salt, changes) == hashlib.sha256(salt + changes.encode()).digest()
