"""Pure rules of webhooks: patterns, waits, signatures, what stays in order."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_contracts.registry import TOPICS
from crm_kit.context import BEGINNING
from crm_kit.http.standard_webhooks import key_of, new_secret, signed_headers
from gateway.features.webhook_deliveries.attempts import Attempt
from gateway.features.webhook_deliveries.rules import WAITS, is_given_up, rest, retry_after, wait
from gateway.features.webhook_deliveries.window import Item, Window
from gateway.features.webhook_endpoints.rules import is_meant, topics_meant, unknown_kinds
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

TYPES = st.sampled_from([event_type for topic in TOPICS for event_type in topic.event_types])
CHANCE = st.floats(0, 1)


@given(TYPES)
def test_every_event_is_meant_by_its_own_patterns_and_by_no_other_entity_s(event_type: str) -> None:
    _, service, entity, action, version = event_type.split(".")
    for pattern in (
        "*", event_type, f"{entity}.{action}", f"{entity}.*", f"*.{action}", f"crm.{service}.*", f"crm.{service}.{entity}.*",
        f"crm.*.{entity}.{action}.{version}", f"{entity}.{action}.{version}",
    ):  # fmt: skip
        assert is_meant([pattern], event_type), pattern
        assert not unknown_kinds([pattern])
    assert not is_meant([f"{entity}x.*", f"x{entity}.*", f"crm.{service}x.*", f"{entity}.{action}x"], event_type)
    assert any(topic.entity == entity for topic in topics_meant([f"{entity}.*"]))


def test_ten_attempts_take_more_than_27_hours() -> None:
    assert len(WAITS) + 1 >= 8
    least = sum((wait(attempts, 0.0) for attempts in range(1, len(WAITS) + 1)), timedelta())
    assert least > timedelta(hours=27)


@given(st.integers(1, 30), CHANCE, st.none() | st.integers(0, 10**6), st.booleans())
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_a_day_and_a_fifth(
    attempts: int, chance: float, asked: int | None, throttled: bool
) -> None:
    seconds = wait(attempts, chance, retry_after=asked, throttled=throttled).total_seconds()
    assert 4 <= seconds <= 24 * 3600 * 1.2
    assert seconds >= min(asked or 0, 24 * 3600)
    if throttled and asked is None:
        assert seconds >= 60
    assert not is_given_up(attempts, others_arrived=False)


@given(st.integers(0, 2000), CHANCE)
def test_an_endpoint_rests_for_longer_and_never_for_more_than_twelve_minutes(failures: int, chance: float) -> None:
    pause = rest(failures, chance)
    assert (pause is None) == (failures < 5)
    if pause is not None:
        assert timedelta(seconds=4) <= pause <= timedelta(minutes=12)


@given(st.text(max_size=50))
def test_whatever_retry_after_says_is_seconds_or_nothing(value: str) -> None:
    found = retry_after(value, datetime.now(UTC))
    assert found is None or found >= 0


def test_retry_after_in_both_its_forms() -> None:
    now = datetime(2026, 10, 21, 7, 27, 0, tzinfo=UTC)
    assert retry_after("120", now) == 120
    assert retry_after("Wed, 21 Oct 2026 07:28:00 GMT", now) == 60
    assert retry_after("Wed, 21 Oct 2020 07:28:00 GMT", now) == 0


@given(st.binary(max_size=300), st.lists(st.builds(new_secret), min_size=1, max_size=3))
def test_each_secret_verifies_and_no_other(body: bytes, secrets: list[str]) -> None:
    now = datetime.now(UTC)
    keys = [key for secret in secrets if (key := key_of(secret)) is not None]
    assert len(keys) == len(secrets)
    headers = signed_headers("event_1", now, body, keys)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    for secret in secrets:
        signed = Webhook(secret).sign("event_1", now, text)
        assert signed in headers["webhook-signature"].split(" ")
    assert Webhook(new_secret()).sign("event_1", now, text) not in headers["webhook-signature"].split(" ")


@given(st.text(max_size=120))
def test_what_is_no_secret_is_none(text: str) -> None:
    assert key_of(text) is None or text.startswith("whsec_")


SUBJECTS = st.sampled_from("abc")


@given(st.lists(SUBJECTS, max_size=40), st.data())
def test_a_window_keeps_each_subject_in_order_and_never_passes_what_is_not_dealt_with(
    subjects: list[str], data: st.DataObject
) -> None:
    window, now = Window(), datetime.now(UTC)
    window.is_ordered = True
    for position, subject in enumerate(subjects, 1):
        window.add_new(
            Item(event_id=str(position), type="t", subject=subject, position=position, body=b"", chain=BEGINNING)
        )
    flying: list[Item] = []
    done: dict[str, list[int]] = defaultdict(list)
    failed: set[str] = set()
    while window.ready or flying:
        if window.ready and (not flying or data.draw(st.booleans())):
            taken = window.take(data.draw(st.integers(1, 3)))
            assert len({item.subject for item in [*flying, *taken]}) == len(flying) + len(taken)
            flying += taken
            continue
        item = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        assert item.position is not None
        if data.draw(st.booleans()):
            assert item.subject not in failed
            done[item.subject].append(item.position)
            window.settle(item, "delivered", Attempt(now, 0.0, 204))
        else:
            failed.add(item.subject)
            window.settle(item, "waiting", Attempt(now, 0.0, 500), due_at=now)
        settled = {one.position for one in window.settled}
        behind = window.behind(len(subjects))
        assert all(position in settled for position in range(1, behind + 1))
    assert {one.position for one in window.settled} == set(range(1, len(subjects) + 1))
    assert all(positions == sorted(positions) for positions in done.values())
    waiting: dict[str, list[Any]] = defaultdict(list)
    for one in window.settled:
        if one.status == "waiting":
            waiting[one.subject].append(one)
    for subject, deliveries in waiting.items():
        first, *others = sorted(deliveries, key=lambda one: one.position)
        assert not first.held
        assert all(one.held for one in others)
        assert max(done[subject], default=0) < first.position
