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
from crm_contracts.facts import (
    MAX_CONTACTS,
    MAX_DUE,
    MAX_OPEN,
    MAX_RECENT,
    MAX_RELATIONSHIPS,
    MAX_TIMELINE,
    UNCOUNTED_ORDERS,
)
from crm_contracts.types import format_timestamp
from crm_kit.db.session import ReadSession
from crm_kit.db.sql import Sql

from gateway.features.customers.compose import Facts
from gateway.features.customers.entities import Json
from gateway.upstream import SERVICES

# Each customer's rows are fetched by a lateral sub-select of their own with a bound or a fence (`offset 0`): left to
# itself the planner, which cannot know the tenant, joins by reading the whole tenant. JSON is put together by the
# database, one text a customer and type: a row each would cost more to carry than to find.

_PROFILES = Sql(
    f"""
    with profile as materialized (
        select e.* from unnest(cast(:ids as text[])) as wanted(id)
         cross join lateral (
               select id, type, account_id, data, time from entity where id = wanted.id and not deleted offset 0) e)
    select 'profile' as part, id as customer, cast(data as text) as data, time from profile
    union all
    select 'account', p.id, cast(e.data as text), e.time
      from profile p
     cross join lateral (select data, time from entity where id = p.account_id and not deleted offset 0) e
     where p.type = 'contact'
    union all
    select 'contacts', p.id, string_agg(cast(e.data as text), ',' order by e.id), null
      from profile p
     cross join lateral (
           select id, data from entity
            where account_id = p.id and type = 'contact' and not deleted
            order by id limit {MAX_CONTACTS}) e
     where p.type = 'account'
     group by p.id
    """  # noqa: S608  # a number of ours
)


def _by_contact_and_account(select: str) -> str:
    """The sub-select once for each contact and once for each account of the scope; what both find, once."""
    return f"""
        select s.customer, e.* from scope s cross join wanted w
         cross join lateral ({select.format(owner="contact_id")}) e
         where s.contact_id is not null
        union
        select s.customer, e.* from scope s cross join wanted w
         cross join lateral ({select.format(owner="account_id")}) e
         where s.account_id is not null
    """  # noqa: S608  # constants of this module


def _newest(types: Sequence[str], where: str, column: str, limit: int) -> str:
    values = ", ".join(f"('{name}')" for name in types)
    found = _by_contact_and_account(
        f"""
        select type, id, {column} as sort from entity where {{owner}} = s.{{owner}} and type = w.type and {where}
         order by {column} desc, id desc limit {limit}
        """  # noqa: S608  # constants of this module
    )
    return f"""
        with wanted(type) as (values {values}), found as ({found}), ranked as (
            select *, row_number() over (partition by customer, type order by sort desc, id desc) as n from found)
        select r.customer, r.type as name, string_agg(cast(e.data as text), ',' order by r.n) as data
          from ranked r
         cross join lateral (select data from entity where id = r.id offset 0) e
         where r.n <= {limit}
         group by r.customer, r.type
    """  # noqa: S608  # constants of this module


_RECENT = _newest(("order", "message"), "not deleted", "at", MAX_RECENT)
_OPEN = _newest(("deal", "ticket"), "open and not deleted", "created_at", MAX_OPEN)

_FOUND_DUE = _by_contact_and_account(
    f"""
    select id, at as sort from entity
     where {{owner}} = s.{{owner}} and type = 'invoice' and open and not deleted order by at, id limit {MAX_DUE}
    """  # noqa: S608  # a number of ours
)
_DUE = f"""
    with wanted as (select 1), found as ({_FOUND_DUE}), ranked as (
        select *, row_number() over (partition by customer order by sort, id) as n from found)
    select r.customer, 'invoice' as name, string_agg(cast(e.data as text), ',' order by r.n) as data
      from ranked r
     cross join lateral (select data from entity where id = r.id offset 0) e
     where r.n <= {MAX_DUE}
     group by r.customer
"""  # noqa: S608  # numbers of ours

_FOUND_ENTRIES = _by_contact_and_account(
    f"""
    select entity_id, n, at, entry_id, cast(entry as text) as entry from timeline_entry
     where {{owner}} = s.{{owner}} and source = any(:sources)
       and (s.contact_id = s.customer or kind not like 'consent.%')
     order by at desc, entry_id desc limit {MAX_TIMELINE}
    """  # noqa: S608  # a number of ours
)
_ENTRIES = f"""
    with wanted as (select 1), found as ({_FOUND_ENTRIES}), ranked as (
        select *, row_number() over (partition by customer order by at desc, entry_id desc) as place from found)
    select customer, 'entries' as name, string_agg(entry, ',' order by place) as data
      from ranked where place <= {MAX_TIMELINE} group by customer
"""  # noqa: S608  # constants of this module

_DECIDING_CONSENTS = """
    select customer, 'consents' as name, string_agg(cast(data as text), ',') as data from (
        select distinct on (s.customer, e.data->>'channel', e.data->>'purpose') s.customer, e.data
          from scope s
         cross join lateral (
               select at, data from entity
                where contact_id = s.contact_id and type = 'consent' and not deleted offset 0) e
         where s.contact_id = s.customer
         order by s.customer, e.data->>'channel', e.data->>'purpose', e.at desc,
                  cast(e.data->>'number' as bigint) desc
    ) as deciding group by customer
"""

_MEMBERSHIPS = """
    select s.customer, 'memberships' as name, string_agg(cast(e.data as text), ',') as data
      from scope s
     cross join lateral (
           select data from entity
            where contact_id = s.contact_id and type = 'segment_member' and not deleted offset 0) e
     group by s.customer
"""

_RELATIONSHIPS = f"""
    select customer, 'relationships' as name, string_agg(cast(data as text), ',') as data from (
        select s.customer, e.data from (select distinct customer from scope) s
         cross join lateral (
            select data from ((
               select id, at, data from entity
                where contact_id = s.customer and type = 'relationship' and not deleted
                order by at desc, id desc limit {MAX_RELATIONSHIPS}) union all (
               select id, at, data from entity
                where account_id = s.customer and type = 'relationship' and not deleted
                order by at desc, id desc limit {MAX_RELATIONSHIPS})) as found
             order by at desc, id desc limit {MAX_RELATIONSHIPS}) e
    ) as newest group by customer
"""  # noqa: S608  # numbers of ours

_COUNTED = _by_contact_and_account(
    """
    select id, type, status, currency, amount, at,
           case when type = 'invoice' and open then cast(data->>'overdue' as boolean) else false end as overdue
      from entity
     where {owner} = s.{owner} and type = w.type and not deleted offset 0
    """
)
_SUMS = f"""
    with wanted(type) as (values ('deal'), ('order'), ('ticket'), ('invoice')), mine as ({_COUNTED})
    select customer, type, status, currency, count(*) as number, count(*) filter (where overdue) as overdue,
           sum(amount) as amount, max(at) as at
      from mine group by customer, type, status, currency
"""  # noqa: S608  # constants of this module

_TIMES = _by_contact_and_account(
    """
    select service, time from entity where {owner} = s.{owner} and service = w.service order by time desc limit 1
    """
)
_AS_OF = f"""
    with wanted(service) as (values {", ".join(f"('{service}')" for service in SERVICES)}), found as ({_TIMES})
    select customer, service, max(time) as at from found group by customer, service
"""  # noqa: S608  # constants of this module


def _lists(part: str, select: str) -> str:
    return f"""
        select '{part}' as part, customer, name, data, null as status, null as currency,
               cast(null as bigint) as number, cast(null as bigint) as overdue, cast(null as numeric) as amount,
               cast(null as timestamptz) as at
          from ({select}) as {part}
    """  # noqa: S608  # constants of this module


_FACTS = Sql(
    f"""
    with scope as materialized (
        select * from unnest(cast(:customers as text[]), cast(:contacts as text[]), cast(:accounts as text[]))
                      as s(customer, contact_id, account_id))
    {_lists("recent", _RECENT)}
    union all {_lists("open", _OPEN)}
    union all {_lists("due", _DUE)}
    union all {_lists("entries", _ENTRIES)}
    union all {_lists("consents", _DECIDING_CONSENTS)}
    union all {_lists("memberships", _MEMBERSHIPS)}
    union all {_lists("relationships", _RELATIONSHIPS)}
    union all select 'sum', customer, type, null, status, currency, number, overdue, amount, at from ({_SUMS}) as sums
    union all select 'as_of', customer, service, null, null, null, null, null, null, at from ({_AS_OF}) as times
    """  # noqa: S608  # constants of this module
)


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
    """What is gathered of one customer. Its scope is `contact_ids` and, of an account, `account_id`."""

    id: str
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
    """The facts of these customers, in the order given; two statements.

    `contact_ids`: for a single account, whose contacts another source knows better. `sources`: whose timeline entries
    are wanted.
    """
    customers = {customer_id: _Customer(customer_id) for customer_id in customer_ids}
    await _load_profiles(session, customers)
    if contact_ids is not None:
        for customer in customers.values():
            customer.contact_ids = tuple(contact_ids)
    for row in await session.fetch(_FACTS, {**_scope(customers.values()), "sources": list(sources)}):
        _gather(customers[row["customer"]], row)
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
    for row in await session.fetch(_PROFILES, {"ids": list(customers)}):
        customer = customers[row["customer"]]
        if row["part"] == "contacts":
            customer.contacts = _list(row["data"])
            continue
        if row["part"] == "profile":
            customer.profile = orjson.loads(row["data"])
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
