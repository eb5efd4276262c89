"""Creating and changing records in the name of a caller: what the routes and the batch have in common."""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from crm_contracts.types import Entity, Input
from fastapi import Request
from pydantic import JsonValue
from starlette.responses import Response

from crm_kit.db.models import EntityRow
from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict
from crm_kit.http.principal import Principal
from crm_kit.resources import access
from crm_kit.resources.resource import Resource
from crm_kit.resources.responses import check_if_match, entity_response
from crm_kit.rights import Action

RowT = TypeVar("RowT", bound=EntityRow)
WriteT = TypeVar("WriteT", bound=Input)
EntityT = TypeVar("EntityT", bound=Entity)


async def create(
    session: WriteSession, resource: Resource[RowT, WriteT, EntityT], data: WriteT, caller: Principal
) -> EntityT:
    """Raises Forbidden where the caller may not have such a record or write one of its members."""
    assert resource.create is not None
    try:
        entity = await resource.create(session, _owned(session, resource, data), caller)
    except Conflict as conflict:
        raise await access.discreet(session, resource, conflict) from conflict
    await admit(session, resource, str(entity.id), data)  # type: ignore[attr-defined]  # every entity type has its own id type
    return entity


async def admit(
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    entity_id: str,
    sent: Input | None = None,
    action: Action = "create",
) -> None:
    """For a record that was just created of what was sent: whether the caller may have made it.

    Raises Forbidden, which undoes it.
    """
    rights = await access.check_created(session, resource, entity_id, action)
    members = {name: getattr(sent, name) for name in sent.model_fields_set} if sent is not None else {}
    access.check_written(session, resource, rights, action, members)


def _owned(session: WriteSession, resource: Resource[RowT, WriteT, EntityT], data: WriteT) -> WriteT:
    """What a user makes without saying whose it is, is theirs."""
    user_id = session.sights.rights.user_id if session.sights is not None else None
    owner = resource.ownership.owner
    if user_id is None or not resource.ownership.falls_to_creator or owner is None:
        return data
    name, unowned = str(owner.key), resource.ownership.unowned_by
    is_given = getattr(data, name) or (unowned is not None and getattr(data, str(unowned.key)) is not None)
    return data if is_given else data.model_copy(update={name: user_id})


class Changed(NamedTuple, Generic[EntityT]):
    """`is_stale`: the change came too late, and the record is as it was `before`."""

    before: EntityT
    is_stale: bool = False


async def change(
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    row: RowT,
    patch: Mapping[str, JsonValue],
    caller: Principal,
) -> Changed[EntityT]:
    """Applies an RFC 7396 patch to a row that was locked for it. Raises Forbidden.

    Of what a source says in whatever order, the state that it says last by its own clock is left: a patch that says an
    earlier `sender_time` than the row has changes nothing.
    """
    assert resource.update is not None
    before = resource.events.snapshot(row)
    data = resource.patched(before, patch)
    if session.sights is None:
        if _is_stale(resource, before, patch, data):
            return Changed(before, is_stale=True)
        await resource.update(session, row, data, caller)
        return Changed(before)
    rights = session.sights.changing(row.id)
    assert rights is not None, "locking has looked at it"
    access.check_written(session, resource, rights, "update", patch)
    if _is_stale(resource, before, patch, data):
        return Changed(before, is_stale=True)
    given = [
        name for name in resource.ownership.assigned_by & patch.keys() if getattr(data, name) != getattr(before, name)
    ]
    # Asked before the change: it may take the record out of the caller's reach.
    may_assign = session.sights.rights.may(resource.permission, "assign")
    assigns = may_assign and row.id in await access.look_at(session, resource, [row.id], "assign")
    if given and not assigns:
        raise access.forbidden(f"{resource.permission}:assign")
    decided = {name: getattr(row, name) for name in resource.ownership.decided_by}
    try:
        await resource.update(session, row, data, caller)
    except Conflict as conflict:
        raise await access.discreet(session, resource, conflict) from conflict
    conditioned = session.sights.rights.on(resource.permission).conditioned
    # Also what was not sent may have moved, by a rule of the tenant's: that is no way round the right to give away.
    if not assigns and (conditioned or any(getattr(row, name) != value for name, value in decided.items())):
        await session.flush()
        if not await access.look_at(session, resource, [row.id], "update"):
            raise access.forbidden(f"{resource.permission}:update")
    return Changed(before)


async def changed_response(
    request: Request,
    session: WriteSession,
    resource: Resource[RowT, WriteT, EntityT],
    row: RowT,
    patch: Mapping[str, JsonValue],
    caller: Principal,
) -> Response:
    """What a PATCH of the row is answered. Raises PreconditionFailed, Forbidden."""
    check_if_match(request, row.version)
    changed = await change(session, resource, row, patch, caller)
    headers = {"Relata-Stale": "true"} if changed.is_stale else {}
    return entity_response(request, resource.events.snapshot(row), headers=headers)


def _is_stale(
    resource: Resource[RowT, WriteT, EntityT], before: EntityT, patch: Mapping[str, JsonValue], data: WriteT
) -> bool:
    name = resource.sender_time
    if name is None or patch.get(name) is None:
        return False
    known = getattr(before, name)
    return known is not None and getattr(data, name) < known
