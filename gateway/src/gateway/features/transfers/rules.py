"""What a transfer does next. Pure.

Its work is a stack of tasks: to find the next page of records, and to change a page that was found. A page is written down
before it is changed, so that whoever goes on after a crash changes the same one under the same idempotency key.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter

MAX_IDS: Final = 1000
PAGE: Final = 100
_MAX_VALUES: Final = 200
"""In one list of a condition."""

MAX_FAULTS: Final = 100

RUN_TRANSFER: Final = "run_transfer"

OVER: Final = frozenset({"succeeded", "failed", "cancelled"})

Condition = dict[str, Any]

_CUSTOMERS_LAST: Final = ("tickets", "deals", "contacts", "accounts")

_REFERENCE: Final[Mapping[str, str]] = {"contacts": "contact_id", "accounts": "account_id"}
"""By which member other records belong to a customer."""


class Find(BaseModel):
    """The records of a resource of which the condition holds, page by page."""

    kind: Literal["find"] = "find"
    resource: str
    where: Condition
    cursor: str | None = None


class Change(BaseModel):
    """A page of records, each with its owner before."""

    kind: Literal["change"] = "change"
    resource: str
    records: list[tuple[str, str | None]]


Task = Find | Change
TASKS: Final[TypeAdapter[list[Task]]] = TypeAdapter(list[Task])


def owner_of(resource: str) -> str:
    """The member that names a record's owner."""
    return "assignee_id" if resource == "tickets" else "owner_id"


def first_tasks(
    resources: Sequence[str], from_user_id: str | None, where: Condition | None, ids: Sequence[str]
) -> list[Task]:
    """The whole selection. Customers go last: who asks for it may reach the others through them alone."""
    tasks: list[Task] = []
    for resource in sorted(resources, key=_CUSTOMERS_LAST.index, reverse=True):
        parts = [where] if where is not None else []
        if from_user_id is not None:
            parts.append(_equals(owner_of(resource), from_user_id))
        for some in _in_lists(ids) if ids else [None]:
            of = [*parts, _one_of("id", some)] if some is not None else parts
            tasks.append(Find(resource=resource, where=_archived_too(resource, of)))
    return tasks


def following(change: Change, moved: Iterable[str], follow: Sequence[str]) -> list[Task]:
    """What goes along with the moved customers of a page: what was of the same owner."""
    reference = _REFERENCE.get(change.resource)
    if reference is None:
        return []
    gone = set(moved)
    by_owner: dict[str, list[str]] = {}
    for record_id, owner in change.records:
        if owner is not None and record_id in gone:
            by_owner.setdefault(owner, []).append(record_id)
    return [
        Find(
            resource=resource,
            where=_archived_too(resource, [_one_of(reference, ids), _equals(owner_of(resource), owner)]),
        )
        for resource in follow
        if resource != change.resource
        for owner, ids in sorted(by_owner.items())
    ]


def _archived_too(resource: str, parts: Sequence[Condition]) -> Condition:
    """All of the parts; a search leaves out what is archived, and whoever leaves hands that over too."""
    named = [{"field": "archived", "op": "exists", "value": True}] if resource in _REFERENCE else []
    return {"all": [*parts, *named]}


def _equals(field: str, value: str) -> Condition:
    return {"field": field, "op": "eq", "value": value}


def _one_of(field: str, values: Sequence[str]) -> Condition:
    return {"field": field, "op": "in", "value": list(values)}


def _in_lists(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _MAX_VALUES] for start in range(0, len(ids), _MAX_VALUES)]
