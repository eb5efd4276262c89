"""What can be done with a territory, and what follows from it for existing records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from crm_contracts.contacts import Territory, TerritoryResource
from crm_contracts.ids import TerritoryId
from crm_kit.conditions import FieldSet, InvalidCondition, parse
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from crm_kit.outbox import EntityEvents
from crm_kit.resources import condition_problem
from crm_kit.timers import set_timer

from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.accounts.repository import FIELDS as ACCOUNT_FIELDS
from contacts_svc.features.assignment.models import TerritoryRow
from contacts_svc.features.assignment.repository import active_territories, assigning_fields, lock_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import FIELDS as CONTACT_FIELDS
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.territories import repository
from contacts_svc.features.territories.errors import TooManyTerritories
from contacts_svc.features.territories.events import TERRITORY_EVENTS
from contacts_svc.features.territories.rules import BATCH, EVALUATION, MAX_ACTIVE
from contacts_svc.features.territories.schemas import TerritoryWrite


@dataclass(frozen=True, slots=True)
class Assigned:
    """What territories of one resource assign."""

    row: type[ContactRow] | type[AccountRow]
    events: EntityEvents[Any, Any]
    fields: FieldSet


ASSIGNED: Final[Mapping[TerritoryResource, Assigned]] = {
    "contacts": Assigned(ContactRow, CONTACT_EVENTS, CONTACT_FIELDS),
    "accounts": Assigned(AccountRow, ACCOUNT_EVENTS, ACCOUNT_FIELDS),
}


class Step(NamedTuple):
    """How far an evaluation has come: next are the records of `resource` beyond the id `after`."""

    resource: TerritoryResource
    after: str = ""


FIRST: Final = Step("contacts")
_THEN: Final[Mapping[TerritoryResource, Step | None]] = {"contacts": Step("accounts"), "accounts": None}
_AT_ONCE, _IN_A_MOMENT = timedelta(0), timedelta(seconds=0.2)


async def create_territory(session: WriteSession, data: TerritoryWrite, _caller: Principal) -> Territory:
    row = TerritoryRow(id=TerritoryId.new(), **data.model_dump())
    await _decide_anew(session, row, data)
    return await TERRITORY_EVENTS.created(session, row)


async def update_territory(session: WriteSession, row: TerritoryRow, data: TerritoryWrite, _caller: Principal) -> None:
    """A new name alone moves no record."""
    before = TERRITORY_EVENTS.snapshot(row)
    written = data.model_dump()
    for member, value in written.items():
        setattr(row, member, value)
    if any(value != getattr(before, member) for member, value in written.items() if member != "name"):
        await _decide_anew(session, row, data)
    await TERRITORY_EVENTS.updated(session, row, before)


async def delete_territory(session: WriteSession, row: TerritoryRow, _caller: Principal) -> None:
    """Its records go to the territories that hold then, behind it."""
    await _evaluate_anew(session)
    await TERRITORY_EVENTS.deleted(session, row)


async def _decide_anew(session: WriteSession, row: TerritoryRow, data: TerritoryWrite) -> None:
    """Raises ValidationFailed and TooManyTerritories."""
    await session.standing(declared_for(data.resource))  # no field goes until the territory that names it is there
    assigned = ASSIGNED[data.resource]
    try:
        parse(data.where, await assigning_fields(session, data.resource, assigned.row, assigned.fields), "/where")
    except InvalidCondition as error:
        raise condition_problem(error) from error
    await _evaluate_anew(session)
    if row.active and await repository.count_active(session, data.resource, row.id) >= MAX_ACTIVE:
        raise TooManyTerritories(
            Text(
                f"At most {MAX_ACTIVE} territories of {data.resource} can be active.",
                f"{data.resource} 最多可启用 {MAX_ACTIVE} 个区域。",
            )
        )


async def _evaluate_anew(session: WriteSession) -> None:
    """From its beginning, once this transaction is committed; until then nothing is assigned."""
    # The timer first: a step that runs just now holds it, and while that ends records can still be written.
    now = await session.now()
    await set_timer(session, EVALUATION, "", now, {**FIRST._asdict(), "started_at": now.isoformat()})
    await lock_territories(session)


async def evaluate_some(session: WriteSession, step: Step) -> tuple[Step, timedelta] | None:
    """Assigns some records anew, each as an update of its own. Where to go on, and after what pause; None at the end.

    No territory changes meanwhile: who changes one waits for the timer that this runs in. A record that somebody else has
    locked is come back to.
    """
    assigned = ASSIGNED[step.resource]
    territories = await active_territories(session, step.resource, assigned.row, assigned.fields)
    end = await repository.end_of_window(session, assigned.row, step.after)
    now = utc_now()
    ids = await repository.ids_to_reassign(session, assigned.row, territories, (step.after, end), now)
    rows = await repository.lock_free(session, assigned.row, ids)
    for row in rows:
        before = assigned.events.snapshot(row)
        follow(row, territories, now=now)
        await assigned.events.updated(session, row, before)
    if len(rows) < len(ids):
        return step, _IN_A_MOMENT
    if len(ids) == BATCH:
        return Step(step.resource, ids[-1]), _AT_ONCE
    then = Step(step.resource, end) if end is not None else _THEN[step.resource]
    return (then, _AT_ONCE) if then is not None else None
