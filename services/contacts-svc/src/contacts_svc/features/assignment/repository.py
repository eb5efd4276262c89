"""The territories, for those who follow them."""

from collections.abc import Sequence
from functools import cache

from crm_contracts.contacts import TerritoryResource
from crm_kit.conditions import FieldSet
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.db.standing import Standing

from contacts_svc.features.assignment.rules import ActiveTerritory, stored_condition, territory_fields
from contacts_svc.features.declaring.repository import declared_for

_SPACE, _ALL = "territories", ("",)
_ACTIVE = Sql(
    'select id, team_id, owner_id, "where"::text as condition from territory'
    " where resource = :resource and active order by position, id"
)


async def lock_territories(session: WriteSession) -> None:
    """Waits for every record that is being assigned; until the transaction ends no other is."""
    await lock_keys(session, _SPACE, _ALL)


async def assigning_fields(
    session: ReadSession, resource: TerritoryResource, row: type[EntityRow], fields: FieldSet
) -> FieldSet:
    """What a territory's condition may name: of the resource's `fields`, and of those that the tenant has declared."""
    declared = await session.known(declared_for(resource))
    return declared.among(territory_fields(fields), columns(row).custom)


@cache
def standing_territories(
    resource: TerritoryResource, row: type[EntityRow], fields: FieldSet
) -> Standing[Sequence[ActiveTerritory]]:
    """As `active_territories`, for records that are being written: a change that did not see one yet would pass it by."""

    async def load(session: ReadSession) -> Sequence[ActiveTerritory]:
        return await active_territories(session, resource, row, fields)

    return Standing(_SPACE, resource, "territories_mark", load)


async def active_territories(
    session: ReadSession, resource: TerritoryResource, row: type[EntityRow], fields: FieldSet
) -> list[ActiveTerritory]:
    """In their order; `row` and `fields` are the resource's."""
    known = await assigning_fields(session, resource, row, fields)
    return [
        ActiveTerritory(each["id"], stored_condition(known, each["condition"]), each["team_id"], each["owner_id"])
        for each in await session.fetch(_ACTIVE, {"resource": resource})
    ]
