"""What is told of contacts that are tagged by rules, and how it is looked whether they are."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_contracts.envelope import Event
from crm_contracts.ids import EventId, PipelineId, StageId, new_id
from crm_contracts.pipeline import Deal, Order
from crm_contracts.registry import DEAL, ORDER, TICKET, Topic
from crm_contracts.tickets import Ticket
from crm_contracts.types import Entity

from crm_testkit.service import ServiceUnderTest, Tenant

Json = dict[str, Any]

_NOTHING = dict.fromkeys(("source", "external_id", "account_id", "owner_id", "team_id"))
_MODELS: dict[Topic, type[Entity]] = {ORDER: Order, DEAL: Deal, TICKET: Ticket}
_USUAL: dict[Topic, Json] = {
    ORDER: {**_NOTHING, "number": "1", "status": "paid", "lines": [], "tags": [], "custom": {}},
    DEAL: {
        **dict.fromkeys(
            ("amount", "expected_close", "account_id", "owner_id", "next_step", "closed_at", "lost_reason")
        ),
        "name": "x",
        "pipeline_id": PipelineId.new(),
        "stage_id": StageId.new(),
        "status": "open",
        "lines": [],
        "stage_history": [],
        "tags": [],
        "custom": {},
    },
    TICKET: {
        **dict.fromkeys(("account_id", "queue_id", "assignee_id", "kind", "sentiment", "last_message_at")),
        **dict.fromkeys(("first_responded_at", "solved_at")),
        "number": 1,
        "subject": "x",
        "channel": "email",
        "status": "open",
        "priority": "normal",
        "tags": [],
        "sla": {"first_response_due_at": None, "resolution_due_at": None, "breached": False},
        "message_count": 0,
        "reopened_count": 0,
        "custom": {},
    },
}


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat().replace("+00:00", "Z")


def cny(amount: str) -> Json:
    return {"amount": amount, "currency": "CNY"}


def event(tenant: Tenant, topic: Topic, id_: str, version: int, contact_id: str | None, members: Json) -> Event:
    """`deleted` among the members: a tombstone."""
    now = datetime.now(UTC)
    deleted = members.pop("deleted", False)
    stamps = {"id": id_, "version": version, "created_at": now.isoformat(), "updated_at": now.isoformat()}
    placed = {"placed_at": now.isoformat(), "total": cny("100.00")} if topic is ORDER else {}
    entity = {**_USUAL[topic], **placed, **stamps, "contact_id": contact_id, **members}
    return Event(
        id=EventId.new(),
        source=f"/relata/{topic.service}",
        type=topic.event_type("deleted" if deleted else "updated"),
        subject=id_,
        time=now,
        tenant_id=tenant.id,
        sequence=version,
        entity=None if deleted else _MODELS[topic].model_validate(entity).model_dump(mode="json"),
    )


async def tell(
    service: ServiceUnderTest,
    tenant: Tenant,
    topic: Topic,
    contact_id: str | None,
    *,
    known_id: str | None = None,
    version: int = 1,
    **members: Any,
) -> str:
    """Puts an order, a deal or a ticket of a contact onto the log; answers its id."""
    known = known_id or new_id(topic.entity)
    await service.publish((topic.name, event(tenant, topic, known, version, contact_id, members)))
    return known


async def made(tenant: Tenant, tag: str, where: Json, **members: Any) -> Json:
    return await tenant.create("/v1/tag-rules", name=f"Rule of {tag}", tag=tag, where=where, **members)


async def person(tenant: Tenant, **members: Any) -> str:
    return str((await tenant.create("/v1/contacts", **{"full_name": "王伟", **members}))["id"])


async def patched(tenant: Tenant, contact_id: str, **members: Any) -> Json:
    answer = await tenant.client.patch(f"/v1/contacts/{contact_id}", json=members)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def until_tagged(tenant: Tenant, contact_id: str, *tags: str) -> Json:
    """The contact, once it has these tags and no others."""
    try:
        async with asyncio.timeout(20):
            while set((contact := await tenant.read(f"/v1/contacts/{contact_id}"))["tags"]) != set(tags):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{contact['tags']} and not {tags}") from None
    return contact


async def evaluated(tenant: Tenant) -> None:
    async with asyncio.timeout(60):
        while (await tenant.read("/v1/tag-rules/evaluation"))["pending"]:
            await asyncio.sleep(0.05)


async def reasons_of(tenant: Tenant, contact_id: str) -> list[Json]:
    found: list[Json] = (await tenant.read(f"/v1/contacts/{contact_id}/tags"))["data"]
    return found
