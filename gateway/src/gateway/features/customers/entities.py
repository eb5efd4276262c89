"""From an event to the gateway's copy of its entity. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from crm_contracts.envelope import Event
from crm_contracts.facts import CLOSED_TICKETS, counts_as

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EntityState:
    """One row of the `entity` table without its tenant."""

    id: str
    type: str
    service: str
    version: int
    deleted: bool
    time: datetime
    contact_id: str | None
    account_id: str | None
    created_at: datetime | None = None
    at: datetime | None = None
    status: str | None = None
    open: bool = False
    amount: Decimal | None = None
    currency: str | None = None
    data: Json | None = None

    @property
    def entries_account_id(self) -> str | None:
        """The account in whose timeline its entries are. A contact's own reach it through the contact."""
        return None if self.type == "contact" else self.account_id

    @property
    def json(self) -> str | None:
        return orjson.dumps(self.data).decode() if self.data is not None else None


def moment(value: str) -> datetime:
    """A time as entities carry it."""
    return datetime.fromisoformat(value)


def newest_states(events: Iterable[Event]) -> list[EntityState]:
    """The state after the newest event of each entity, ordered by id. A deletion outranks what has its version."""
    newest: dict[str, Event] = {}
    for event in events:
        known = newest.get(event.subject)
        if known is None or (event.sequence, event.deleted) > (known.sequence, known.deleted):
            newest[event.subject] = event
    return [entity_state(newest[subject]) for subject in sorted(newest)]


def entity_state(event: Event) -> EntityState:
    """Raises KeyError, TypeError or ValueError where the entity lacks what its contract promises."""
    entity = event.entity or {}
    kind = event.entity_type
    contact_id = event.subject if kind == "contact" else entity.get("contact_id")
    account_id = event.subject if kind == "account" else entity.get("account_id") or entity.get("related_contact_id")
    if event.entity is None or event.deleted:
        return EntityState(event.subject, kind, event.service, event.sequence, True, event.time, contact_id, account_id)
    status, amount, currency = _counted(kind, entity)
    return EntityState(
        id=event.subject,
        type=kind,
        service=event.service,
        version=event.sequence,
        deleted=False,
        time=event.time,
        contact_id=contact_id,
        account_id=account_id,
        created_at=moment(entity["created_at"]),
        at=_due(entity) if kind == "invoice" else sort_time(kind, entity),
        status=status,
        open=_is_open(kind, status),
        amount=amount,
        currency=currency,
        data=entity,
    )


def _counted(kind: str, entity: Json) -> tuple[str | None, Decimal | None, str | None]:
    """As what it counts: the state, what it is added up by."""
    if kind == "order":
        return counts_as(entity)
    money = entity["amount_due"] if kind == "invoice" else entity.get("amount")
    amount = Decimal(money["amount"]) if money else None
    return entity.get("status"), amount, money["currency"] if money else None


def _due(invoice: Json) -> datetime | None:
    """Which is due first is asked of invoices, and never which is the newest."""
    return moment(f"{invoice['due_at']}T00:00:00Z") if invoice["due_at"] else None


def sort_time(kind: str, entity: Json) -> datetime:
    """The time by which the newest of a type are selected (crm_contracts.facts): no timeline entry of it is newer."""
    match kind:
        case "activity" | "consent" | "ticket_message" | "unsubscribe":
            times = [entity["at"]]
        case "deal":
            times = [entry["entered_at"] for entry in entity["stage_history"][-1:]]
        case "order":
            times = [entity["placed_at"]]
        case "payment":
            times = [entity["paid_at"]]
        case "ticket":
            times = [entity["created_at"], entity["solved_at"]]
        case "message":
            times = [entity["queued_at"], entity["sent_at"], entity["unsubscribed_at"]]
        case _:
            times = []
    return max((moment(time) for time in times if time), default=moment(entity["created_at"]))


def _is_open(kind: str, status: str | None) -> bool:
    if kind in ("deal", "invoice"):
        return status == "open"
    return kind == "ticket" and status not in CLOSED_TICKETS
