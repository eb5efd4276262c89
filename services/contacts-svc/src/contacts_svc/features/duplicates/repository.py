"""Every statement about duplicates."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import ARRAY, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.duplicates.models import DuplicateStatisticsRow
from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.stored import from_json, to_json
from contacts_svc.features.matching.rules.weights import SHARED_BY_MANY

_c = columns(ContactRow)
_s = columns(DuplicateStatisticsRow)

_COUNTED_UP_TO: Final = 100_000
"""Contacts, where no scan has counted them: more make little difference, and counting takes time."""

# OFFSET and the second relation keep it a look-up in the index for each key, of which only so many rows are read: told of
# the limit, PostgreSQL would rather walk the table until it has met them.
_HOLDERS = Sql(
    f"""
    select sought.key, array_agg(found.id order by found.id) as ids from unnest(cast(:keys as int[])) as sought(key)
      cross join lateral (
        select held.id from (select id from contact where match_keys @> array[sought.key] offset 0) as held,
                            (values (1)) as once limit {SHARED_BY_MANY + 1}) as found
     group by sought.key
    """  # noqa: S608  # a number of our own
)


class Compared(NamedTuple):
    """A contact, and the name of its account."""

    row: ContactRow
    company: str | None


async def holders(session: ReadSession, keys: Sequence[int]) -> Mapping[int, list[str]]:
    """The contacts that hold each key, at most one more than may share one that says something."""
    rows = await session.fetch(_HOLDERS, {"keys": list(dict.fromkeys(keys))})
    return {row["key"]: row["ids"] for row in rows}


async def compared(session: ReadSession, ids: Sequence[str]) -> list[Compared]:
    """In no order."""
    a = columns(AccountRow)
    wanted = literal(list(ids), ARRAY(Text()))
    statement = select(ContactRow, a.name).outerjoin(AccountRow, a.id == _c.account_id).where(_c.id == any_(wanted))
    found: Sequence[Any] = (await session.execute(statement)).all()
    return [Compared(row, company) for row, company in found]


async def company_of(session: ReadSession, account_id: str) -> str | None:
    a = columns(AccountRow)
    name: str | None = await session.scalar(select(a.name).where(a.id == account_id))
    return name


async def statistics(session: ReadSession) -> Statistics:
    """As the last scan has left them; before the first one only how many contacts there are."""
    content = await session.scalar(select(_s.content))
    if content is not None:
        return from_json(content)
    some = select(_c.id).limit(_COUNTED_UP_TO).subquery()
    return Statistics(size=await session.scalar(select(func.count()).select_from(some)))


async def keep_statistics(session: WriteSession, made: Statistics) -> None:
    values = {"tenant_id": session.tenant_id, "content": to_json(made), "made_at": await session.now()}
    statement = insert(DuplicateStatisticsRow).values(values)
    await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))
