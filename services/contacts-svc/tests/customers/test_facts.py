"""The facts of a customer are what a naive look at all of its entities gives."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from contacts_svc.features.consents.rules import present_state
from crm_contracts.contacts import Consent
from crm_contracts.facts import MAX_RELATIONSHIPS, MAX_TIMELINE
from crm_contracts.types import format_timestamp
from crm_testkit.service import ServiceUnderTest, Tenant

_START = datetime(2026, 1, 1, tzinfo=UTC)


async def _all(tenant: Tenant, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = await tenant.read(path, limit=200)
    while True:
        rows += page["data"]
        if page["next_cursor"] is None:
            return rows
        page = await tenant.read(path, limit=200, cursor=page["next_cursor"])


def _newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["at"], row["id"]), reverse=True)[:MAX_TIMELINE]


async def _facts(tenant: Tenant, customer_id: str) -> dict[str, Any]:
    answer = await tenant.client.post("/internal/facts", json={"id": customer_id})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _world(tenant: Tenant, seed: int) -> tuple[list[str], list[str]]:
    """Accounts and contacts with activities at few moments, so that ties occur, and consents back and forth."""
    chance = random.Random(seed)
    accounts = [(await tenant.create("/v1/accounts", name=f"Company {n}"))["id"] for n in range(2)]
    operations = [
        {
            "method": "create",
            "data": {"full_name": f"P{n}", **({"account_id": chance.choice(accounts)} if n % 3 else {})},
        }
        for n in range(9)
    ]
    batch = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    contacts = [result["id"] for result in batch.json()["results"]]
    activities = []
    for _ in range(120):
        about = chance.choice([{"contact_id": chance.choice(contacts)}, {"account_id": chance.choice(accounts)}])
        at = format_timestamp(_START + timedelta(hours=chance.randrange(12)))
        activities.append({"method": "create", "data": {"kind": "note", "at": at, **about}})
    assert (await tenant.client.post("/v1/activities/batch", json={"operations": activities})).is_success
    for _ in range(30):
        await tenant.create(
            f"/v1/contacts/{chance.choice(contacts[:2])}/consents",
            channel=chance.choice(["email", "sms"]),
            purpose=chance.choice(["marketing", "Marketing", "a-b", "aB"]),
            status=chance.choice(["granted", "withdrawn"]),
            source="form",
            at=format_timestamp(_START + timedelta(hours=chance.randrange(5))),
        )
    for number in range(140):
        person, other, account = *chance.sample(contacts[:3], 2), accounts[number % 2]
        end = {"account_id": account} if number % 3 else {"related_contact_id": other, "inverse_label": "of"}
        await tenant.create("/v1/relationships", contact_id=person, label=f"role {number}", **end)
    return accounts, contacts


def _related(rows: list[dict[str, Any]], end: str) -> list[dict[str, Any]]:
    ends = ("contact_id", "account_id", "related_contact_id")
    return [row for row in rows if end in [row[name] for name in ends]][:MAX_RELATIONSHIPS]


async def test_facts_equal_a_naive_recomputation(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    accounts, contacts = await _world(tenant, seed=1)
    activities = await _all(tenant, "/v1/activities")
    relationships = await _all(tenant, "/v1/relationships")
    by_id = {row["id"]: row for path in ("/v1/contacts", "/v1/accounts") for row in await _all(tenant, path)}

    for contact in contacts:
        ledger = await _all(tenant, f"/v1/contacts/{contact}/consents")
        state = present_state([Consent.model_validate(entry) for entry in ledger])
        assert await _facts(tenant, contact) == {
            "contact": by_id[contact],
            "account": by_id.get(by_id[contact]["account_id"]),
            "contacts": [],
            "consents": [entry.model_dump(mode="json") for entry in state],
            "activities": _newest([row for row in activities if row["contact_id"] == contact]),
            "ledger": _newest(ledger),
            "relationships": _related(relationships, contact),
        }
    for account in accounts:
        members = sorted(row["id"] for row in by_id.values() if row.get("account_id") == account)
        about = [row for row in activities if row["account_id"] == account or row["contact_id"] in members]
        assert await _facts(tenant, account) == {
            "contact": None,
            "account": by_id[account],
            "contacts": [by_id[member] for member in members],
            "consents": [],
            "activities": _newest(about),
            "ledger": [],
            "relationships": _related(relationships, account),
        }


async def test_a_deleted_or_foreign_customer_has_no_facts(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    for client in (service.tenant().client, service.anonymous()):
        assert (await client.post("/internal/facts", json={"id": contact["id"]})).status_code in (401, 404)
    await tenant.client.delete(f"/v1/contacts/{contact['id']}")
    assert (await tenant.client.post("/internal/facts", json={"id": contact["id"]})).status_code == 404
    assert (await tenant.client.post("/internal/facts", json={"id": "ticket_x"})).status_code == 422
