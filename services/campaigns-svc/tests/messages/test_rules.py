"""The one decision: whether somebody is written to."""

from datetime import UTC, datetime, timedelta

from campaigns_svc.features.messages.rules import (
    Allowed,
    ConsentEntry,
    Person,
    decide,
    pause_before_retry,
    with_unsubscribe_link,
)
from hypothesis import given
from hypothesis import strategies as st

_START = datetime(2026, 1, 1, tzinfo=UTC)
# Few different times, so that equal ones are common.
TIMES = st.integers(0, 6).map(lambda days: _START + timedelta(days=days))
PEOPLE = st.none() | st.builds(
    Person,
    deleted=st.booleans(),
    address=st.sampled_from([None, "", "a@example.com"]),
    do_not_contact=st.booleans(),
    restricted=st.booleans(),
)
CONSENTS = st.none() | st.builds(
    ConsentEntry, id=st.just("consent_1"), status=st.sampled_from(["granted", "withdrawn"]), at=TIMES,
    expires_at=st.none() | TIMES,
)  # fmt: skip


@given(PEOPLE, CONSENTS, st.none() | TIMES, TIMES)
def test_only_a_present_granted_consent_of_somebody_reachable_allows(
    person: Person | None, consent: ConsentEntry | None, unsubscribed_at: datetime | None, now: datetime
) -> None:
    verdict = decide(person, consent, unsubscribed_at, now)
    allowed = (
        person is not None
        and not (person.deleted or person.do_not_contact or person.restricted)
        and bool(person.address)
        and consent is not None
        and consent.status == "granted"
        and (consent.expires_at is None or consent.expires_at > now)
        and (unsubscribed_at is None or unsubscribed_at < consent.at)
    )
    assert isinstance(verdict, Allowed) == allowed
    if isinstance(verdict, Allowed):
        assert person is not None
        assert (verdict.address, verdict.consent) == (person.address, consent)


@given(PEOPLE, CONSENTS, st.none() | TIMES, TIMES, TIMES)
def test_unsubscribing_later_never_allows_more(
    person: Person | None,
    consent: ConsentEntry | None,
    unsubscribed_at: datetime | None,
    later: datetime,
    now: datetime,
) -> None:
    after = max(later, unsubscribed_at) if unsubscribed_at else later
    if isinstance(decide(person, consent, after, now), Allowed):
        assert isinstance(decide(person, consent, unsubscribed_at, now), Allowed)


@given(PEOPLE, CONSENTS, st.none() | TIMES, TIMES, TIMES)
def test_a_refused_message_is_not_allowed_by_waiting(
    person: Person | None,
    consent: ConsentEntry | None,
    unsubscribed_at: datetime | None,
    now: datetime,
    other: datetime,
) -> None:
    first, second = sorted((now, other))
    if not isinstance(decide(person, consent, unsubscribed_at, first), Allowed):
        assert decide(person, consent, unsubscribed_at, second) == decide(person, consent, unsubscribed_at, first)


@given(st.integers(1, 1000), st.floats(0.01, 3600))
def test_pauses_grow_and_are_bounded(attempts: int, first: float) -> None:
    pauses = [pause_before_retry(attempt, timedelta(seconds=first)) for attempt in (attempts, attempts + 1)]
    assert pauses[0] <= pauses[1] <= timedelta(hours=1)
    assert pause_before_retry(1, timedelta(seconds=first)) == timedelta(seconds=first)


@given(st.text(), st.none() | st.text())
def test_both_bodies_have_the_link(text: str, html: str | None) -> None:
    url = "https://crm.example.com/v1/unsubscribe/abc.def"
    with_link, html_with_link = with_unsubscribe_link(text, html, url)
    assert url in with_link
    assert (html_with_link is None) == (html is None)
    assert html_with_link is None or url in html_with_link
    assert with_unsubscribe_link(with_link, html_with_link, url) == (with_link, html_with_link)
