"""Putting a record away, and taking it out again."""

from collections.abc import Mapping
from typing import Any, Final

from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal
from crm_kit.resources import Resource, access

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.assignment.repository import standing_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.pooling.rules import return_time
from contacts_svc.features.pooling.usecases import held_pool, set_return
from contacts_svc.features.tagging.usecases import keep_tagged
from contacts_svc.features.territories.usecases import ASSIGNED

Row = ContactRow | AccountRow

ARCHIVED: Final[Mapping[str, Resource[Any, Any, Any]]] = {"contacts": CONTACTS, "accounts": ACCOUNTS}
"""The resources whose records can be archived."""


async def archive(session: WriteSession, resource: Resource[Any, Any, Any], row: Row, _caller: Principal) -> None:
    """Changes nothing of one that is archived already. It goes back into no pool while it is. The row must be locked.

    Raises Forbidden for who may not write it.
    """
    _check(session, resource, row)
    if row.archived_at is None:
        before = resource.events.snapshot(row)
        row.archived_at = utc_now()
        if isinstance(row, ContactRow):
            row.returns_at = None
        await _write(session, resource, row, before, "archived")


async def restore(session: WriteSession, resource: Resource[Any, Any, Any], row: Row, _caller: Principal) -> None:
    """Changes nothing of one that is not archived. Its time in its pool begins anew. The row must be locked.

    Raises Forbidden for who may not write it.
    """
    _check(session, resource, row)
    if row.archived_at is not None:
        before = resource.events.snapshot(row)
        row.archived_at = None
        if isinstance(row, ContactRow) and row.pool_id is not None and row.owner_id is not None:
            row.returns_at = return_time((await held_pool(session, row.pool_id)).return_after_days, utc_now())
            await set_return(session, row)
        await _write(session, resource, row, before, "restored")


def _check(session: WriteSession, resource: Resource[Any, Any, Any], row: Row) -> None:
    rights = session.sights.changing(row.id) if session.sights is not None else None
    access.check_written(session, resource, rights, "update", {"archived_at": None})


async def _write(session: WriteSession, resource: Resource[Any, Any, Any], row: Row, before: Any, action: str) -> None:
    """A territory may ask whether it is archived, and so may a tag rule."""
    kind: Any = resource.plural
    territories = standing_territories(kind, ASSIGNED[kind].row, ASSIGNED[kind].fields)
    assert resource.custom is not None, "contacts and accounts have custom fields"
    await session.hold(resource.custom, TAG_RULES, territories)
    if isinstance(row, ContactRow):
        await keep_tagged(session, TAG_RULES, row, before, now=utc_now())
    follow(row, await session.standing(territories), now=utc_now())
    await resource.events.updated(session, row, before, action=action)
