"""Copies of contacts and consents: right whatever the order in which events come, and however often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from crm_contracts.envelope import Event
from crm_contracts.ids import ConsentId, ContactId
from crm_contracts.registry import CONSENT, CONTACT
from crm_kit.inbox import newest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


def _emails(address: str) -> list[dict[str, Any]]:
    return [
        {"address": f"second.{address}", "primary": False, "verified": True},
        {"address": address, "primary": True, "verified": False},
    ]


async def _shown(shop: Shop, contact_id: str) -> str | None:
    """How a template shows the contact; None where there is none."""
    template = await shop.template(subject="{{ contact.full_name }} {{ contact.email }}")
    answer = await shop.client.post(f"/v1/templates/{template['id']}/preview", json={"contact_id": contact_id})
    return answer.json()["subject"] if answer.status_code == 200 else None


async def test_an_older_event_never_undoes_a_newer_one(shop: Shop) -> None:
    contact_id = ContactId.new()
    third = shop.contact(contact_id, 3, "updated", full_name="Third", emails=_emails("third@example.com"))
    second = shop.contact(contact_id, 2, "updated", full_name="Second")
    await shop.publish(third)
    await shop.publish(second, third, second)
    assert await _shown(shop, contact_id) == "Third third@example.com"


@pytest.mark.parametrize("with_tombstone", [True, False])
async def test_a_deleted_contact_is_not_revived_by_a_late_event(shop: Shop, with_tombstone: bool) -> None:
    contact_id = ContactId.new()
    created = shop.contact(contact_id, 1, full_name="Eve", emails=_emails("eve@example.com"))
    deleted = shop.contact(contact_id, 2, "deleted", full_name="Eve")
    tombstone = (CONTACT.name, shop.event(CONTACT, "deleted", contact_id, 2, None))
    await shop.publish(created, *([tombstone] if with_tombstone else [deleted]))
    await shop.publish(created, deleted, tombstone, created)
    assert await _shown(shop, contact_id) is None


async def test_a_tombstone_alone_is_a_deletion(shop: Shop) -> None:
    contact_id = ContactId.new()
    await shop.publish((CONTACT.name, shop.event(CONTACT, "deleted", contact_id, 5, None)), shop.consent(contact_id))
    await shop.publish(shop.contact(contact_id, 4, "updated", full_name="Late", emails=_emails("late2@example.com")))
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert message["reason"] == "contact_deleted"


async def test_nothing_of_a_person_stays_in_the_copy_of_a_deleted_contact(shop: Shop) -> None:
    contact_id = ContactId.new()
    await shop.publish(shop.contact(contact_id, 1, full_name="Eve", emails=_emails("eve@example.com"), language="en"))
    await shop.publish((CONTACT.name, shop.event(CONTACT, "deleted", contact_id, 2, None)))
    async with shop.service.runtime.database.read(shop.tenant.id) as session:
        copy = await session.execute(text("select * from contact_copy where id = :id"), {"id": contact_id})
        kept = {name: value for name, value in copy.one()._asdict().items() if value not in (None, {}, False)}
    assert kept == {"tenant_id": shop.tenant.id, "id": contact_id, "version": 2, "deleted": True}


async def test_the_ledger_is_read_by_time_not_by_arrival(shop: Shop) -> None:
    now = datetime.now(UTC)
    [(late, _), (tied, _)] = await shop.people(2, consent=None)
    await shop.publish(
        shop.consent(late, "withdrawn", 1, at=now - timedelta(days=1)),
        shop.consent(late, "granted", 2, at=now - timedelta(days=9)),  # an old paper form, typed in late
        shop.consent(tied, "withdrawn", 2, at=now),
        shop.consent(tied, "granted", 1, at=now),
    )
    messages = await shop.run(await shop.campaign(late, tied))
    assert {message["reason"] for message in messages.values()} == {"withdrawn"}


async def test_when_the_deciding_entry_is_deleted_the_one_before_decides(shop: Shop) -> None:
    now = datetime.now(UTC)
    [(contact_id, _)] = await shop.people(1, consent=None)
    granted, before = ConsentId.new(), ConsentId.new()
    await shop.publish(
        shop.consent(contact_id, "withdrawn", 1, at=now - timedelta(days=2), id=before),
        shop.consent(contact_id, "granted", 2, at=now - timedelta(days=1), id=granted),
        (CONSENT.name, shop.event(CONSENT, "deleted", granted, 2, None)),
    )
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert message["reason"] == "withdrawn"


async def test_events_of_one_tenant_are_nothing_to_another(shop: Shop) -> None:
    [(contact_id, address)] = await shop.people(1)
    stranger = type(shop)(shop.service, shop.mail)
    [message] = (await stranger.run(await stranger.campaign(contact_id))).values()
    assert message["reason"] == "contact_unknown"
    assert shop.mail.to(address) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4))))
def test_the_newest_event_of_each_entity_is_left(events: list[tuple[str, int]]) -> None:
    made = [
        Event("e", "s", "crm.contacts.contact.updated.v1", subject, datetime.now(UTC), "t", version, None)
        for subject, version in events
    ]
    left = newest(made)
    assert {event.subject: event.sequence for event in left} == {
        subject: max(v for s, v in events if s == subject) for subject, _ in events
    }
    assert len(left) == len({event.subject for event in left})
