"""The facts for the customer view against a plain recomputation from the entities."""

import random
from collections import Counter
from typing import Any

from crm_contracts.facts import CLOSED_TICKETS, MAX_CONTACTS, MAX_OPEN, MAX_TIMELINE
from crm_contracts.ids import AccountId, ContactId
from crm_testkit.service import ServiceUnderTest, Tenant

Json = dict[str, Any]


async def _facts(tenant: Tenant, **scope: Any) -> Json:
    response = await tenant.client.post("/internal/facts", json=scope)
    assert response.status_code == 200, response.text
    facts: Json = response.json()
    return facts


async def _all(tenant: Tenant, path: str) -> list[Json]:
    found: list[Json] = []
    page: Json = await tenant.read(path, limit=200)
    found += page["data"]
    while page["next_cursor"]:
        page = await tenant.read(path, limit=200, cursor=page["next_cursor"])
        found += page["data"]
    return found


def _key(entity: Json, *times: str) -> tuple[str, str]:
    # All times have microseconds here or end in Z at once; both compare as text once padded alike.
    moments = [entity[name].removesuffix("Z").ljust(26, "0") for name in times if entity[name]]
    return max(moments), entity["id"]


def _recomputed(tickets: list[Json], messages: list[Json], account_id: str | None, contact_ids: list[str]) -> Json:
    def within(entity: Json) -> bool:
        return entity["contact_id"] in contact_ids or (account_id is not None and entity["account_id"] == account_id)

    own = [ticket for ticket in tickets if within(ticket)]
    unfinished = [ticket for ticket in own if ticket["status"] not in CLOSED_TICKETS]
    said = [message for message in messages if within(message)]
    return {
        "open_tickets": sorted(unfinished, key=lambda t: _key(t, "created_at"), reverse=True)[:MAX_OPEN],
        "counts": dict(Counter(ticket["status"] for ticket in own)),
        "tickets": sorted(own, key=lambda t: _key(t, "created_at", "solved_at"), reverse=True)[:MAX_TIMELINE],
        "messages": sorted(said, key=lambda m: _key(m, "at"), reverse=True)[:MAX_TIMELINE],
    }


async def test_facts_equal_a_recomputation_from_the_entities(service: ServiceUnderTest) -> None:
    tenant, chance = service.tenant(), random.Random(20261001)
    contacts = [ContactId.new() for _ in range(3)]
    accounts = [AccountId.new() for _ in range(2)]
    operations = [
        {
            "method": "create",
            "data": {
                "subject": f"ticket {index}",
                "contact_id": chance.choice([*contacts, None]),
                "account_id": chance.choice([*accounts, None, None]),
                "status": chance.choice(["new", "new", "open", "pending", "on_hold", "solved", "closed"]),
            },
        }
        for index in range(260)
    ]
    created = await tenant.client.post("/v1/tickets/batch", json={"operations": operations})
    ids = [result["id"] for result in created.json()["results"]]
    for ticket_id in chance.sample(ids, 70):
        path = f"/v1/tickets/{ticket_id}"
        step = chance.choice(["message", "message", "solve", "reopen", "move", "delete"])
        if step == "message":
            answer = await tenant.client.post(f"{path}/messages", json={"body": "x", "author": {"kind": "contact"}})
        elif step == "move":
            answer = await tenant.client.patch(path, json={"contact_id": chance.choice(contacts)})
        elif step == "delete":
            answer = await tenant.client.delete(path)
        else:
            answer = await tenant.client.post(f"{path}/{step}")
        assert answer.status_code in (200, 201, 204, 409), answer.text

    tickets = await _all(tenant, "/v1/tickets")
    messages = [message for ticket in tickets for message in await _all(tenant, f"/v1/tickets/{ticket['id']}/messages")]
    scopes: list[tuple[str | None, list[str]]] = [
        *((None, [contact]) for contact in contacts),
        (accounts[0], contacts[:2]),
        (accounts[1], []),
        (None, []),
    ]
    for account_id, contact_ids in scopes:
        expected = _recomputed(tickets, messages, account_id, contact_ids)
        assert await _facts(tenant, account_id=account_id, contact_ids=contact_ids) == expected
    widest = await _facts(tenant, account_id=accounts[0], contact_ids=contacts)
    assert (len(widest["open_tickets"]), len(widest["tickets"])) == (MAX_OPEN, MAX_TIMELINE)


async def test_facts_are_of_one_tenant_and_of_a_bounded_scope(service: ServiceUnderTest) -> None:
    tenant, contact_id = service.tenant(), ContactId.new()
    await tenant.create("/v1/tickets", subject="x", contact_id=contact_id, message={"body": "hello"})
    nothing = {"open_tickets": [], "counts": {}, "tickets": [], "messages": []}
    assert await _facts(service.tenant(), contact_ids=[contact_id]) == nothing
    assert (await _facts(tenant, contact_ids=[contact_id]))["counts"] == {"new": 1}
    too_many = [ContactId.new() for _ in range(MAX_CONTACTS + 1)]
    assert (await tenant.client.post("/internal/facts", json={"contact_ids": too_many})).status_code == 422
