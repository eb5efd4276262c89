"""What is kept of an order, a deal or a ticket, and what those of a contact come to. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from crm_contracts.envelope import Event
from crm_contracts.facts import CLOSED_TICKETS, UNCOUNTED_ORDERS, counts_as
from crm_contracts.pipeline import Deal, Order
from crm_contracts.registry import DEAL, ORDER, TICKET
from crm_contracts.tickets import Ticket

Facts = Mapping[str, Any]
"""As conditions read them, beside the members of the contact: `orders.count`."""

KINDS: Final = ("orders", "deals", "tickets")


def copy_of(event: Event) -> dict[str, Any]:
    """Of what is deleted nothing is kept but its id and version."""
    told: dict[str, Any] = {"id": event.subject, "version": event.sequence, "deleted": event.deleted, "urgent": False}
    if event.deleted:
        return told
    match event.entity_type:
        case ORDER.entity:
            order = Order.model_validate(event.entity)
            status, amount, currency = counts_as(
                order.model_dump(mode="json", include={"total", "refunded_total", "status"})
            )
            said = {"contact_id": order.contact_id, "status": status, "kind": "orders"}
            return {**told, **said, "amount": amount, "currency": currency, "at": order.placed_at}
        case DEAL.entity:
            deal = Deal.model_validate(event.entity)
            said = {"contact_id": deal.contact_id, "status": deal.status, "kind": "deals"}
            priced = {"amount": deal.amount.amount, "currency": deal.amount.currency} if deal.amount else {}
            return {**told, **said, **priced, "at": deal.closed_at}
        case TICKET.entity:
            ticket = Ticket.model_validate(event.entity)
            said = {"contact_id": ticket.contact_id, "status": ticket.status, "kind": "tickets"}
            return {**told, **said, "urgent": ticket.priority == "urgent", "at": ticket.created_at}
        case other:
            raise AssertionError(other)


class Group(NamedTuple):
    """Some of a contact's, alike in all that decides whether they count: how many, their amount, the first and the last time."""

    kind: str
    status: str
    urgent: bool
    currency: str | None
    number: int
    amount: Decimal | None
    first_at: datetime | None
    last_at: datetime | None


def facts_of(groups: Iterable[Group]) -> dict[str, Any]:
    """In JSON: amounts and times are text."""
    by_kind: dict[str, list[Group]] = {kind: [] for kind in KINDS}
    for group in groups:
        by_kind[group.kind].append(group)
    orders = [each for each in by_kind["orders"] if each.status not in UNCOUNTED_ORDERS]
    deals = {status: [each for each in by_kind["deals"] if each.status == status] for status in ("open", "won", "lost")}
    open_tickets = [each for each in by_kind["tickets"] if each.status not in CLOSED_TICKETS]
    return {
        "orders": {
            "count": _count(orders),
            "total": _totals(orders),
            "first_at": _spelled(min((each.first_at for each in orders if each.first_at), default=None)),
            "last_at": _last(orders),
        },
        "deals": {
            "count": _count(by_kind["deals"]),
            "open_count": _count(deals["open"]),
            "open_amount": _totals(deals["open"]),
            "won_count": _count(deals["won"]),
            "won_amount": _totals(deals["won"]),
            "last_won_at": _last(deals["won"]),
            "lost_count": _count(deals["lost"]),
        },
        "tickets": {
            "count": _count(by_kind["tickets"]),
            "open_count": _count(open_tickets),
            "urgent_open_count": _count(each for each in open_tickets if each.urgent),
            "last_at": _last(by_kind["tickets"]),
        },
    }


def _count(groups: Iterable[Group]) -> int:
    return sum(each.number for each in groups)


def _totals(groups: Iterable[Group]) -> dict[str, str]:
    totals: dict[str, Decimal] = {}
    for each in groups:
        if each.currency is not None and each.amount is not None:
            totals[each.currency] = totals.get(each.currency, Decimal(0)) + each.amount
    return {currency: f"{total:f}" for currency, total in sorted(totals.items())}


def _last(groups: Iterable[Group]) -> str | None:
    return _spelled(max((each.last_at for each in groups if each.last_at), default=None))


def _spelled(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


NO_FACTS: Final[Facts] = facts_of(())
