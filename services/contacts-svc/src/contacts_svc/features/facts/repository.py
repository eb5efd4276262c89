"""Every statement about the copies and what they come to, and the fields that conditions can name of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

import orjson
from crm_contracts.currencies import CURRENCIES
from crm_kit.conditions import Document, Field, FieldType
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.rows import store_newer
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import BigInteger, ColumnElement, DateTime, Numeric, exists, literal_column, select
from sqlalchemy.types import TypeEngine

from contacts_svc.features.facts.models import FactCopyRow
from contacts_svc.features.facts.rules import NO_FACTS, Facts, Group, facts_of

_copy = columns(FactCopyRow)

_CONTACTS: Final = Sql("select distinct contact_id from fact_copy where id = any(cast(:ids as text[]))")
_GROUPS: Final = Sql(
    "select contact_id, kind, status, urgent, currency, count(*) as number, sum(amount) as amount,"
    " min(at) as first_at, max(at) as last_at from fact_copy"
    " where contact_id = any(cast(:contact_ids as text[])) and not deleted"
    " group by contact_id, kind, status, urgent, currency order by contact_id"
)
_KEEP: Final = Sql(
    "insert into contact_facts (tenant_id, contact_id, facts)"
    " select current_setting('app.tenant_id'), given.contact_id, cast(given.facts as jsonb)"
    " from unnest(cast(:contact_ids as text[]), cast(:facts as text[])) as given(contact_id, facts)"
    " on conflict (tenant_id, contact_id) do update set facts = excluded.facts"
    " where contact_facts.facts <> excluded.facts returning contact_id"
)
_DROP: Final = Sql(
    "delete from contact_facts where contact_id = any(cast(:contact_ids as text[])) returning contact_id"
)
_IS_LIVE: Final = Sql("select current_schema() = :live as live")
_OF: Final = Sql(
    "select contact_id, facts::text as facts from contact_facts where contact_id = any(cast(:contact_ids as text[]))"
)


async def lock_contacts_of(session: WriteSession, ids: Sequence[str], contact_ids: Iterable[str]) -> set[str]:
    """The contacts of which these copies told, and those of which they will: nobody else adds anything up for one of them
    before this transaction ends, or one of two that do at once would not see what the other has written.
    """
    await lock_keys(session, "fact_copy", ids)  # nobody moves one from contact to contact meanwhile
    before = {row["contact_id"] for row in await session.fetch(_CONTACTS, {"ids": list(ids)})}
    concerned = {contact_id for contact_id in (*before, *contact_ids) if contact_id is not None}
    await lock_keys(session, "contact_facts", concerned)
    return concerned


async def store(session: WriteSession, copies: Sequence[Mapping[str, Any]]) -> bool:
    """Writes copies, each of another id; whether one of them was newer than what is stored."""
    return bool(await store_newer(session, FactCopyRow.__table__, copies))  # type: ignore[attr-defined]  # SQLAlchemy adds it


async def add_up(session: WriteSession, contact_ids: Iterable[str]) -> set[str]:
    """Anew from all copies of these contacts; those of which it comes to something else than before."""
    wanted = sorted(contact_ids)
    rows = await session.fetch(_GROUPS, {"contact_ids": wanted})
    found = {
        contact_id: orjson.dumps(facts_of(_group(row) for row in some)).decode()
        for contact_id, some in groupby(rows, lambda row: row["contact_id"])
    }
    changed: list[Any] = []
    if found:
        changed += await session.fetch(_KEEP, {"contact_ids": list(found), "facts": list(found.values())})
    if gone := [each for each in wanted if each not in found]:
        changed += await session.fetch(_DROP, {"contact_ids": gone})
    return {row["contact_id"] for row in changed}


def _group(row: Mapping[str, Any]) -> Group:
    return Group(*(row[name] for name in Group._fields))


async def is_live(session: ReadSession, live: str) -> bool:
    """Whether what is written are the tables by which contacts are judged, and no new ones beside them."""
    return bool((await session.fetch(_IS_LIVE, {"live": live}))[0]["live"])


async def facts_by_contact(session: ReadSession, contact_ids: Iterable[str]) -> Mapping[str, Facts]:
    """Of each of them."""
    wanted = list(contact_ids)
    rows = await session.fetch(_OF, {"contact_ids": wanted}) if wanted else ()
    known = {row["contact_id"]: orjson.loads(row["facts"]) for row in rows}
    return {contact_id: known.get(contact_id, NO_FACTS) for contact_id in wanted}


async def tells_of(session: ReadSession, contact_ids: Sequence[str]) -> bool:
    """Whether a copy still says something of these persons."""
    return bool(await session.scalar(select(exists().where(_copy.contact_id.in_(contact_ids), ~_copy.deleted))))


def fact_fields() -> list[Field]:
    """Of contacts: their columns look up what it comes to, in a statement that reads the table `contact`."""
    counted = partial(_field, kind=FieldType.INTEGER)
    timed = partial(_field, kind=FieldType.DATETIME)
    return [
        counted("orders.count"),
        *_sums("orders.total"),
        timed("orders.first_at"),
        timed("orders.last_at"),
        counted("deals.count"),
        counted("deals.open_count"),
        *_sums("deals.open_amount"),
        counted("deals.won_count"),
        *_sums("deals.won_amount"),
        timed("deals.last_won_at"),
        counted("deals.lost_count"),
        counted("tickets.count"),
        counted("tickets.open_count"),
        counted("tickets.urgent_open_count"),
        timed("tickets.last_at"),
    ]


def _field(name: str, kind: FieldType) -> Field:
    is_count = kind is FieldType.INTEGER
    return Field(name, kind, _stored(name, kind, or_nothing=is_count), nullable=not is_count, sensitivity="open")


def _sums(family: str) -> list[Field]:
    kind, member = family.split(".")
    return [
        Field(
            f"{family}.{currency}",
            FieldType.NUMBER,
            _stored(f"{family}.{currency}", FieldType.NUMBER, or_nothing=True),
            value=_sum_of(kind, member, currency),
            nullable=False,
            sensitivity="commercial",
            family=family,
        )
        for currency in sorted(CURRENCIES)
    ]


def _stored(name: str, kind: FieldType, *, or_nothing: bool) -> ColumnElement[Any]:
    """In PostgreSQL's words: there are hundreds, and `json_column` takes a millisecond for one."""
    spelled, sql_type = _TYPES[kind]
    path = name.replace(".", ",")
    found = f"(select (f.facts #>> '{{{path}}}')::{spelled} from contact_facts f where f.contact_id = contact.id)"  # noqa: S608  # names of our own
    return literal_column(f"coalesce({found}, 0)" if or_nothing else found, sql_type)


_TYPES: Final[Mapping[FieldType, tuple[str, TypeEngine[Any]]]] = {
    FieldType.INTEGER: ("bigint", BigInteger()),
    FieldType.NUMBER: ("numeric", Numeric()),
    FieldType.DATETIME: ("timestamptz", DateTime(timezone=True)),
}


def _sum_of(kind: str, member: str, currency: str) -> Callable[[Document], object]:
    """What is in no order comes to nothing, and not to no amount."""

    def read(document: Document) -> object:
        facts: Any = document.get(kind)
        return facts[member].get(currency, "0") if facts else "0"

    return read
