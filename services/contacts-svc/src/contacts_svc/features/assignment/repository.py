"""The territories, for those who follow them."""

from collections.abc import Sequence
from functools import cache

from crm_contracts.contacts import TerritoryResource
from crm_kit.conditions import FieldSet
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

from contacts_svc.features.assignment.rules import ActiveTerritory, stored_condition

_SPACE, _ALL = "territories", ("",)
_ACTIVE = Sql(
    'select id, team_id, owner_id, "where"::text as condition from territory'
    " where resource = :resource and active order by position, id"
)


async def lock_territories(session: WriteSession) -> None:
    """Waits for every record that is being assigned; until the transaction ends no other is."""
    await lock_keys(session, _SPACE, _ALL)


@cache
def standing_territories(resource: TerritoryResource, fields: FieldSet) -> Standing[Sequence[ActiveTerritory]]:
    """As `active_territories`, for records that are being written: a change that did not see one yet would pass it by."""
    return Standing(_SPACE, resource, "territories_mark", lambda session: active_territories(session, resource, fields))


async def active_territories(
    session: ReadSession, resource: TerritoryResource, fields: FieldSet
) -> list[ActiveTerritory]:
    """In their order; `fields` are the resource's."""
    return [
        ActiveTerritory(row["id"], stored_condition(fields, row["condition"]), row["team_id"], row["owner_id"])
        for row in await session.fetch(_ACTIVE, {"resource": resource})
    ]
