"""A topic that fills up while nobody reads it: valid events of a tenant that no service knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
from crm_contracts.ids import TenantId
from crm_kit.bus import Record

from crm_testkit.chaos.checker import Anomaly
from crm_testkit.chaos.stack import ChaosStack
from crm_testkit.customer_world import World

_CONTACTS: Final = 500
_UPDATES: Final = 5

_KEPT: Final = {
    "gateway": "select id, version from entity where tenant_id = $1",
    "campaigns": "select id, version from contact_copy where tenant_id = $1",
}
"""Where the consumers of contacts keep them, by database."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was piled up: the version that each contact has in the end."""

    tenant_id: str
    versions: Mapping[str, int]


async def pile_up(stack: ChaosStack) -> Backlog:
    """3,000 events at once. Raises EventLogError; part of them may then be there."""
    world = World(TenantId.new())
    ids = [str(world.create("contact")["id"]) for _ in range(_CONTACTS)]
    for number in range(_UPDATES):
        for contact_id in ids:
            world.update(contact_id, title=f"Title {number}")
    log = stack.event_log()
    await log.start()
    try:
        await log.publish(
            [Record(topic, event.subject, event.value(), event.headers()) for topic, event in world.events]
        )
    finally:
        await log.close()
    return Backlog(world.tenant_id, dict.fromkeys(ids, 1 + _UPDATES))


async def check_backlog(stack: ChaosStack, backlog: Backlog) -> list[Anomaly]:
    """What of it has not come through, or not to its end."""
    found = []
    for database, statement in _KEPT.items():
        connection = await asyncpg.connect(stack.database_url(database))
        try:
            kept = {row["id"]: row["version"] for row in await connection.fetch(statement, backlog.tenant_id)}
        finally:
            await connection.close()
        short = [key for key, version in backlog.versions.items() if kept.get(key) != version]
        if short:
            found.append(Anomaly("lost", f"the {database} database", f"{len(short)} of a backlog, such as {short[0]}"))
    return found
