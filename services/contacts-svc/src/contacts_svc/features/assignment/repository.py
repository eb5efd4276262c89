"""The territories, for those who follow them."""

from crm_contracts.contacts import TerritoryResource
from crm_kit.conditions import FieldSet
from crm_kit.db.locks import lock_keys, share_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql

from contacts_svc.features.assignment.rules import ActiveTerritory, stored_condition

_SPACE, _ALL = "territories", ("",)
_ACTIVE = Sql(
    'select id, team_id, owner_id, "where"::text as condition from territory'
    " where resource = :resource and active order by position, id"
)


async def lock_territories(session: WriteSession) -> None:
    """Waits for every record that is being assigned; until the transaction ends no other is."""
    await lock_keys(session, _SPACE, _ALL)


async def share_territories(
    session: WriteSession, resource: TerritoryResource, fields: FieldSet
) -> list[ActiveTerritory]:
    """As `active_territories`, for a record that is being written. Until the transaction ends no territory changes.

    A change that did not see the record yet would pass it by.
    """

    async def load() -> list[ActiveTerritory]:
        await share_keys(session, _SPACE, _ALL)
        return await active_territories(session, resource, fields)

    return await session.once((_SPACE, resource), load)


async def active_territories(
    session: ReadSession, resource: TerritoryResource, fields: FieldSet
) -> list[ActiveTerritory]:
    """In their order; `fields` are the resource's."""
    return [
        ActiveTerritory(row["id"], stored_condition(fields, row["condition"]), row["team_id"], row["owner_id"])
        for row in await session.fetch(_ACTIVE, {"resource": resource})
    ]
