"""References that follow merges, where two merges of one person are heard of at once."""

import asyncpg
import pytest
from crm_contracts.envelope import Event
from crm_contracts.ids import ContactId, EventId, MergeId
from crm_contracts.registry import MERGE
from crm_kit.db.models import utc_now
from crm_testkit.service import ServiceUnderTest, Tenant
from crm_testkit.writers import until


def _merged(tenant: Tenant, merge_id: MergeId, from_id: ContactId, into_id: ContactId) -> tuple[str, Event]:
    now = utc_now()
    entity = MERGE.model.model_validate(
        {
            "id": merge_id,
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "into_id": into_id,
            "from_ids": [from_id],
            "status": "merged",
            "actor_id": None,
            "undone_at": None,
        }
    )
    told = Event(
        id=EventId.new(),
        source="/relata/contacts",
        type=MERGE.event_type("created"),
        subject=merge_id,
        time=now,
        tenant_id=tenant.id,
        sequence=1,
        entity=entity.model_dump(mode="json"),
    )
    return MERGE.name, told


@pytest.mark.parametrize("is_older", [True, False])
async def test_a_ticket_of_two_merges_at_once_is_placed_and_told_of_both(
    service: ServiceUnderTest, is_older: bool
) -> None:
    """Its contact is merged into another and that into a third, while somebody else has the ticket locked."""
    tenant = service.tenant()
    one, other, last = (ContactId.new() for _ in range(3))
    first, second = (one, other) if is_older else (other, one)
    ticket = await tenant.create("/v1/tickets", subject="无法登录", channel="email", contact_id=first)
    merges = MergeId.new(), MergeId.new()
    holder, looking = [await asyncpg.connect(service.urls.app) for _ in range(2)]
    try:
        async with holder.transaction():
            await holder.execute("select set_config('app.tenant_id', $1, true)", tenant.id)
            await holder.execute("select from ticket where id = $1 for update", ticket["id"])
            for number, told in enumerate(
                (_merged(tenant, merges[0], first, second), _merged(tenant, merges[1], second, last)), 1
            ):
                await service.publish(told)
                await until(lambda number=number: _wait(looking, number))  # type: ignore[misc]  # bound at once
    finally:
        await holder.close()
        await looking.close()

    async def is_placed() -> bool:
        return bool((await tenant.read(f"/v1/tickets/{ticket['id']}"))["contact_id"] == last)

    await until(is_placed)
    moved = {"id": ticket["id"], "from_id": first, "to_id": last}
    for merge_id in merges:
        assert (await tenant.read(f"/internal/merges/{merge_id}/moves"))["data"] == [moved]


async def _wait(looking: asyncpg.Connection, number: int) -> bool:
    """Whether so many wait for somebody's lock."""
    return bool(await looking.fetchval("select count(distinct pid) from pg_locks where not granted") >= number)
