"""The consent ledger: appended to, never changed; the present state is derived."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contacts_svc.features.consents.rules import present_state
from crm_contracts.campaigns import Unsubscribe
from crm_contracts.contacts import Consent
from crm_contracts.envelope import Event
from crm_contracts.ids import ConsentId, ContactId, EventId, MessageId, UnsubscribeId
from crm_contracts.registry import UNSUBSCRIBE
from crm_contracts.types import format_timestamp
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 10, 1, 8, tzinfo=UTC)


def _entry(number: int, channel: str, purpose: str, status: str, hour: int) -> Consent:
    at = NOW + timedelta(hours=hour)
    return Consent.model_validate(
        {
            "id": ConsentId.new(),
            "version": 1,
            "created_at": at,
            "updated_at": at,
            "contact_id": ContactId.new(),
            "number": number,
            "channel": channel,
            "purpose": purpose,
            "status": status,
            "legal_basis": "consent",
            "source": "form",
            "wording": None,
            "evidence": {},
            "at": at,
            "expires_at": None,
            "actor_id": None,
        }
    )


ledgers = st.lists(
    st.tuples(
        st.sampled_from(["email", "sms"]),
        st.sampled_from(["marketing", "service"]),
        st.sampled_from(["granted", "withdrawn"]),
        st.integers(0, 3),
    ),
    max_size=8,
).map(lambda entries: [_entry(number, *entry) for number, entry in enumerate(entries, 1)])


@given(ledgers, st.randoms())
def test_the_newest_by_time_and_then_by_number_decides(ledger: list[Consent], chance: Any) -> None:
    state = {(entry.channel, entry.purpose): entry for entry in present_state(ledger)}
    for entry in ledger:
        deciding = state[entry.channel, entry.purpose]
        assert (entry.at, entry.number) <= (deciding.at, deciding.number)
    shuffled = list(ledger)
    chance.shuffle(shuffled)
    assert present_state(shuffled) == list(state.values())


async def _contact(tenant: Tenant) -> str:
    return str((await tenant.create("/v1/contacts", full_name="王伟"))["id"])


async def _record(tenant: Tenant, contact: str, status: str, **members: Any) -> dict[str, Any]:
    body = {"channel": "email", "purpose": "marketing", "source": "form", "status": status, **members}
    return await tenant.create(f"/v1/contacts/{contact}/consents", **body)


async def _state(tenant: Tenant, contact: str) -> dict[tuple[str, str], tuple[str, str]]:
    found = await tenant.read(f"/v1/contacts/{contact}/consents/state")
    return {(entry["channel"], entry["purpose"]): (entry["status"], entry["source"]) for entry in found["data"]}


async def test_a_withdrawal_without_a_time_follows_a_consent_whose_clock_was_ahead(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await _contact(tenant)
    await _record(tenant, contact, "granted", at=format_timestamp(datetime.now(UTC) + timedelta(minutes=4)))
    await _record(tenant, contact, "withdrawn")
    assert (await _state(tenant, contact))["email", "marketing"] == ("withdrawn", "form")


async def test_the_state_is_the_last_entry_of_each_channel_and_purpose(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await _contact(tenant)
    await _record(tenant, contact, "granted")
    await _record(tenant, contact, "granted", channel="sms")
    await _record(tenant, contact, "withdrawn", source="phone")
    await _record(tenant, contact, "granted", purpose="service", source="contract")
    assert await _state(tenant, contact) == {
        ("email", "marketing"): ("withdrawn", "phone"),
        ("email", "service"): ("granted", "contract"),
        ("sms", "marketing"): ("granted", "form"),
    }
    ledger = await tenant.read(f"/v1/contacts/{contact}/consents")
    assert [entry["number"] for entry in ledger["data"]] == [4, 3, 2, 1]


async def test_an_old_form_typed_in_late_does_not_undo_a_withdrawal(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await _contact(tenant)
    await _record(tenant, contact, "withdrawn")
    await _record(tenant, contact, "granted", at="2020-01-01T00:00:00Z", source="paper")
    assert await _state(tenant, contact) == {("email", "marketing"): ("withdrawn", "form")}
    same = "2026-01-01T00:00:00+08:00"
    other = await _contact(tenant)
    await _record(tenant, other, "granted", at=same, source="first")
    await _record(tenant, other, "withdrawn", at="2025-12-31T16:00:00Z", source="second")
    assert await _state(tenant, other) == {("email", "marketing"): ("withdrawn", "second")}


async def test_entries_recorded_at_once_are_numbered_without_gaps(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await _contact(tenant)
    entries = await asyncio.gather(*(_record(tenant, contact, "granted", purpose=f"p{n}") for n in range(12)))
    assert sorted(entry["number"] for entry in entries) == list(range(1, 13))


@pytest.mark.parametrize(
    "members",
    [
        {"at": format_timestamp(datetime.now(UTC) + timedelta(hours=1))},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"at": "2020-01-02T00:00:00Z", "expires_at": "2020-01-01T00:00:00Z"},
        {"at": "2020-01-02T00:00:00"},
        {"status": "maybe"},
        {"purpose": "two words"},
        {"source": ""},
    ],
)
async def test_an_entry_that_cannot_be_is_refused(service: ServiceUnderTest, members: dict[str, str]) -> None:
    tenant = service.tenant()
    contact = await _contact(tenant)
    body = {"channel": "email", "purpose": "marketing", "source": "form", "status": "granted", **members}
    assert (await tenant.client.post(f"/v1/contacts/{contact}/consents", json=body)).status_code == 422
    assert await _state(tenant, contact) == {}


async def test_a_ledger_is_its_contacts_own(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    one, two = await _contact(tenant), await _contact(tenant)
    entry = await _record(tenant, one, "granted")
    await _record(tenant, one, "withdrawn")
    assert (await tenant.client.get(f"/v1/contacts/{two}/consents/{entry['id']}")).status_code == 404
    assert (await tenant.read(f"/v1/contacts/{two}/consents"))["data"] == []
    cursor = (await tenant.read(f"/v1/contacts/{one}/consents", limit=1))["next_cursor"]
    elsewhere = await tenant.client.get(f"/v1/contacts/{two}/consents", params={"cursor": cursor})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (400, "invalid_cursor")


async def test_a_consent_for_a_time_is_withdrawn_when_the_time_is_over(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    expired, renewed = await _contact(tenant), await _contact(tenant)
    soon = format_timestamp(datetime.now(UTC) + timedelta(seconds=0.5))
    entry = await _record(tenant, expired, "granted", expires_at=soon)
    await _record(tenant, renewed, "granted", expires_at=soon)
    await _record(tenant, renewed, "granted", source="renewal")

    async def over() -> bool:
        return await _state(tenant, expired) == {("email", "marketing"): ("withdrawn", "expiry")}

    await until(over)
    [withdrawal, _] = (await tenant.read(f"/v1/contacts/{expired}/consents"))["data"]
    assert (withdrawal["at"], withdrawal["evidence"]) == (entry["expires_at"], {"consent_id": entry["id"]})
    assert (withdrawal["actor_id"], withdrawal["number"]) == ("service/contacts", 2)
    [event] = await service.events("crm.contacts.consent", key=withdrawal["id"])
    assert event.type == "crm.contacts.consent.withdrawn.v1"
    assert await _state(tenant, renewed) == {("email", "marketing"): ("granted", "renewal")}
    assert len((await tenant.read(f"/v1/contacts/{renewed}/consents"))["data"]) == 2


def _unsubscribe(tenant: Tenant, contact: str) -> tuple[str, Event]:
    now = datetime.now(UTC)
    entity = Unsubscribe.model_validate(
        {
            "id": UnsubscribeId.new(),
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "message_id": MessageId.new(),
            "contact_id": contact,
            "channel": "email",
            "purpose": "marketing",
            "at": now,
        }
    ).model_dump(mode="json")
    event = Event(
        id=EventId.new(),
        source="/relata/campaigns",
        type=UNSUBSCRIBE.event_type("created"),
        subject=entity["id"],
        time=now,
        tenant_id=tenant.id,
        sequence=1,
        entity=entity,
    )
    return UNSUBSCRIBE.name, event


async def test_an_unsubscribe_delivered_twice_is_one_withdrawal(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact, witness = await _contact(tenant), await _contact(tenant)
    await _record(tenant, contact, "granted")
    unsubscribe = _unsubscribe(tenant, contact)
    nobody = _unsubscribe(tenant, ContactId.new())
    await service.publish(unsubscribe, unsubscribe, nobody)
    await service.publish(unsubscribe, _unsubscribe(tenant, witness))

    async def withdrawn() -> bool:
        states = [await _state(tenant, one) for one in (contact, witness)]
        return states == [{("email", "marketing"): ("withdrawn", "unsubscribe_link")}] * 2

    await until(withdrawn)
    ledger = (await tenant.read(f"/v1/contacts/{contact}/consents"))["data"]
    assert [entry["status"] for entry in ledger] == ["withdrawn", "granted"]
    assert ledger[0]["evidence"] == {"message_id": unsubscribe[1].entity["message_id"]}  # type: ignore[index]  # it has one
