"""Facts from the gateway's own copies of the entities: a fixed number of statements for many customers at once.

The rules are those of crm_contracts.facts, by which the services answer too, but for the timeline: the entities that
make it are left out, since their entries have been made already. Each statement takes the newest of each type through
an index, customer by customer, so that its cost does not grow with a customer's history; only the sums over deals,
orders, invoices and tickets read all of those.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from crm_contracts.facts import MAX_CONTACTS, UNCOUNTED_ORDERS
from crm_contracts.types import format_timestamp
from crm_kit.db.session import ReadSession

from gateway.features.customers.compose import Facts
from gateway.features.customers.entities import Json
from gateway.features.customers.fact_statements import FACTS, PROFILES
from gateway.features.customers.timeline import entries_of
from gateway.upstream import SERVICES


class _Sum(NamedTuple):
    """A customer's deals, orders, invoices or tickets of one status and currency."""

    type: str
    status: str
    currency: str | None
    number: int
    overdue: int
    amount: Decimal | None
    last_at: datetime | None


@dataclass(slots=True)
class _Customer:
    """What is gathered of one customer. Its scope is `contact_ids` and, of an account, `account_id`.

    `alone`: a person of whom nobody has told anything but who it is.
    """

    id: str
    alone: bool = False
    profile: Json | None = None
    account: Json | None = None
    account_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    contacts: list[Json] = field(default_factory=list)
    recent: dict[str, list[Json]] = field(default_factory=dict)
    open: dict[str, list[Json]] = field(default_factory=dict)
    due: list[Json] = field(default_factory=list)
    entries: list[Json] = field(default_factory=list)
    consents: list[Json] = field(default_factory=list)
    memberships: list[Json] = field(default_factory=list)
    relationships: list[Json] = field(default_factory=list)
    sums: list[_Sum] = field(default_factory=list)
    as_of: dict[str, datetime] = field(default_factory=dict)

    @property
    def is_account(self) -> bool:
        return self.id.startswith("account_")


@dataclass(frozen=True, slots=True)
class Stored:
    """A customer's facts as of the newest events applied, by service. `known`: contacts-svc has told of it."""

    known: bool
    contact_ids: tuple[str, ...]
    facts: Facts
    as_of: Mapping[str, datetime]


async def load(
    session: ReadSession,
    customer_ids: Sequence[str],
    *,
    contact_ids: Sequence[str] | None = None,
    sources: Sequence[str] = SERVICES,
) -> list[Stored]:
    """The facts of these customers, in the order given; two statements, one where each of them is alone.

    `contact_ids`: for a single account, whose contacts another source knows better. `sources`: whose timeline entries
    are wanted.
    """
    customers = {customer_id: _Customer(customer_id) for customer_id in customer_ids}
    await _load_profiles(session, customers)
    if contact_ids is not None:
        for customer in customers.values():
            customer.contact_ids = tuple(contact_ids)
    others = [customer for customer in customers.values() if not customer.alone]
    if others:
        for row in await session.fetch(FACTS, {**_scope(others), "sources": list(sources)}):
            _gather(customers[row["customer"]], row)
    for customer in customers.values():
        if customer.alone and customer.profile is not None:
            own = entries_of("contact", customer.profile)
            customer.entries = [entry.json() for entry in own if entry.source in sources]
    return [_stored(customer) for customer in customers.values()]


def _gather(customer: _Customer, row: Any) -> None:
    match row["part"]:
        case "recent":
            customer.recent[row["name"]] = _list(row["data"])
        case "open":
            customer.open[row["name"]] = _list(row["data"])
        case "due":
            customer.due = _list(row["data"])
        case "entries":
            customer.entries = _list(row["data"])
        case "consents":
            customer.consents = _list(row["data"])
        case "memberships":
            customer.memberships = _list(row["data"])
        case "relationships":
            customer.relationships = _list(row["data"])
        case "sum":
            customer.sums.append(_Sum(row["name"], *(row[name] for name in _SUMMED)))
        case "as_of":
            customer.as_of[row["name"]] = max(row["at"], customer.as_of.get(row["name"], row["at"]))


_SUMMED = ("status", "currency", "number", "overdue", "amount", "at")


def _list(data: str) -> list[Json]:
    found: list[Json] = orjson.loads(f"[{data}]")
    return found


async def _load_profiles(session: ReadSession, customers: Mapping[str, _Customer]) -> None:
    for row in await session.fetch(PROFILES, {"ids": list(customers)}):
        customer = customers[row["customer"]]
        if row["part"] == "contacts":
            customer.contacts = _list(row["data"])
            continue
        if row["part"] == "profile":
            customer.profile, customer.alone = orjson.loads(row["data"]), row["alone"]
        else:
            customer.account = orjson.loads(row["data"])
        customer.as_of["contacts"] = max(row["time"], customer.as_of.get("contacts", row["time"]))
    for customer in customers.values():
        if customer.is_account:
            customer.account_id = customer.id
            customer.contact_ids = tuple(contact["id"] for contact in customer.contacts)
        else:
            customer.contact_ids = (customer.id,)


def _scope(customers: Iterable[_Customer]) -> dict[str, list[str | None]]:
    rows: list[tuple[str, str | None, str | None]] = []
    for customer in customers:
        rows += [(customer.id, contact_id, None) for contact_id in customer.contact_ids]
        if customer.account_id:
            rows.append((customer.id, None, customer.account_id))
    return {
        "customers": [row[0] for row in rows],
        "contacts": [row[1] for row in rows],
        "accounts": [row[2] for row in rows],
    }


def _stored(customer: _Customer) -> Stored:
    recent, is_account = customer.recent, customer.is_account
    orders = [one for one in customer.sums if one.type == "order" and one.status not in UNCOUNTED_ORDERS]
    last = max((one.last_at for one in orders if one.last_at), default=None)
    due = [one for one in customer.sums if one.type == "invoice" and one.status == "open"]
    facts = Facts(
        contacts={
            "contact": None if is_account else customer.profile,
            "account": customer.profile if is_account else customer.account,
            "contacts": customer.contacts,
            "consents": customer.consents,
            "activities": [],
            "ledger": [],
            "relationships": customer.relationships,
        },
        pipeline={
            "open_deals": customer.open.get("deal", []),
            "open_value": _money_sums(customer.sums, "deal", "open"),
            "won_value": _money_sums(customer.sums, "deal", "won"),
            "orders": {
                "count": sum(one.number for one in orders),
                "total": _money_sums(orders, "order"),
                "last_at": format_timestamp(last) if last else None,
                "recent": recent.get("order", []),
            },
            "deals": [],
            "orders_placed": [],
            "invoices_due": {
                "count": sum(one.number for one in due),
                "overdue": sum(one.overdue for one in due),
                "total": _money_sums(due, "invoice"),
                "next": customer.due,
            },
        },
        tickets={
            "open_tickets": customer.open.get("ticket", []),
            "counts": {one.status: one.number for one in customer.sums if one.type == "ticket"},
            "tickets": [],
            "messages": [],
        },
        campaigns={
            "recent_messages": recent.get("message", []),
            "memberships": sorted(customer.memberships, key=lambda one: (one["segment_id"], one["id"]))[:MAX_CONTACTS],
        },
        entries=customer.entries,
    )
    return Stored(customer.profile is not None, customer.contact_ids, facts, customer.as_of)


def _money_sums(sums: Iterable[_Sum], kind: str, status: str | None = None) -> list[dict[str, str]]:
    """One amount a currency, over the states given or all."""
    by_currency: dict[str, Decimal] = {}
    for one in sums:
        if one.type == kind and status in (None, one.status) and one.currency is not None and one.amount is not None:
            by_currency[one.currency] = by_currency.get(one.currency, Decimal(0)) + one.amount
    return [{"amount": f"{by_currency[code]:f}", "currency": code} for code in sorted(by_currency)]
