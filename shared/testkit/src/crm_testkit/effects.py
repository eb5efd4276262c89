"""A projection that counts, and the checker of exactly-once effect."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest_asyncio
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId
from crm_kit.bus import EventLog, Record
from crm_kit.db.session import WriteSession
from sqlalchemy import text

from crm_testkit.toy_service import NOTE
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import until

_TABLE = """
    create table effect (
      tenant_id text not null, key text not null, version int not null, applied int not null,
      primary key (tenant_id, key)
    );
    alter table effect enable row level security;
    alter table effect force row level security;
    create policy tenant on effect using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')));
"""
_GUARDED = text(
    """
    insert into effect as e values (:tenant_id, :key, :version, 1)
    on conflict (tenant_id, key) do update set version = excluded.version, applied = e.applied + 1
     where e.version < excluded.version
    """
)
_UNGUARDED = text(
    """
    insert into effect as e values (:tenant_id, :key, :version, 1)
    on conflict (tenant_id, key) do update set version = excluded.version, applied = e.applied + 1
    """
)


async def count_events(session: WriteSession, events: Sequence[Event]) -> None:
    """What a good consumer does: an event counts once, and none that is not newer."""
    for event in events:
        await session.execute(_GUARDED, _values(event))


async def count_blindly(session: WriteSession, events: Sequence[Event]) -> None:
    """Without a look at the version: what comes twice counts twice."""
    for event in events:
        await session.execute(_UNGUARDED, _values(event))


def _values(event: Event) -> dict[str, object]:
    return {"tenant_id": event.tenant_id, "key": event.subject, "version": event.sequence}


def event_of(tenant_id: str, key: str, version: int, *, tombstone: bool = False) -> Event:
    """A note's event at a version."""
    return Event(
        id=EventId.new(),
        source="/relata/toy",
        type=NOTE.event_type("deleted" if tombstone else "created" if version == 1 else "updated"),
        subject=key,
        time=datetime.now(UTC),
        tenant_id=tenant_id,
        sequence=version,
        entity=None if tombstone else {"id": key, "version": version},
    )


def record_of(event: Event) -> Record:
    return Record(NOTE.name, event.subject, event.value(), event.headers())


async def publish(log: EventLog, *events: Event) -> None:
    await log.publish([record_of(event) for event in events])


@dataclass(frozen=True)
class Effects:
    """The effects in the database."""

    parts: Parts

    async def of(self, tenant_id: str) -> dict[str, tuple[int, int]]:
        """By key: the version reached, and how many events counted."""
        rows = await self.parts.fetch_as(tenant_id, "select key, version, applied from effect")
        return {row["key"]: (row["version"], row["applied"]) for row in rows}

    async def wait(self, tenant_id: str, expected: Mapping[str, int]) -> None:
        """Until every key has reached its version."""

        async def reached() -> bool:
            found = await self.of(tenant_id)
            return all(found.get(key, (0, 0))[0] >= version for key, version in expected.items())

        await until(reached)

    async def faults(self, tenant_id: str, expected: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """The keys whose events 1 to n did not each count exactly once, and what became of them."""
        found = await self.of(tenant_id)
        return {
            key: found.get(key, (0, 0)) for key, version in expected.items() if found.get(key) != (version, version)
        }

    async def parked(self, tenant_id: str, consumer: str) -> list[tuple[str, str]]:
        """Key and reason of the parked events, in their order."""
        rows = await self.parts.fetch_as(
            tenant_id, "select key, error from parked_event where consumer = $1 order by id", consumer
        )
        return [(row["key"], row["error"]) for row in rows]


@pytest_asyncio.fixture(scope="module")
async def effects(parts: Parts) -> AsyncIterator[Effects]:
    await parts.run_as_owner(_TABLE)
    yield Effects(parts)
    await parts.run_as_owner("drop table effect")
