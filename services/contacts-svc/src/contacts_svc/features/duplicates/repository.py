"""Every statement about duplicates."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from crm_contracts.ids import DuplicateId, prefix_of
from crm_kit.db.models import columns, utc_now
from crm_kit.db.rows import insert_of, json_bytes, together
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, func, literal, select, true
from sqlalchemy.dialects.postgresql import insert

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.duplicates.models import DuplicatePairRow, DuplicateStatisticsRow
from contacts_svc.features.duplicates.schemas import reasons
from contacts_svc.features.matching.rules.profile import Profile
from contacts_svc.features.matching.rules.scoring import Assessment
from contacts_svc.features.matching.rules.statistics import Statistics
from contacts_svc.features.matching.rules.stored import from_json, to_json
from contacts_svc.features.matching.rules.weights import SHARED_BY_MANY

_c = columns(ContactRow)
_s = columns(DuplicateStatisticsRow)
_pair = columns(DuplicatePairRow)

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

_CLEAR_BLOCKS = Sql("delete from duplicate_block where key between :first and :last")
_MAKE_BLOCKS = Sql(
    f"""
    insert into duplicate_block (tenant_id, key, ids)
    select :tenant_id, key,
           case when count(*) > {SHARED_BY_MANY} then '{{}}' else array_agg(id order by id) end
      from contact cross join unnest(match_keys) as key
     where archived_at is null and key between :first and :last
     group by key having count(*) > 1
    """  # noqa: S608  # a number of our own
)
_BLOCKS = Sql("select key, ids from duplicate_block where key = any(cast(:keys as int[]))")

_MEMBERS = "id, first_name, last_name, full_name, emails, phones, birthday, address, account_id, wechat, external_ids"
_OF_CONTACTS = f"""
    select {", ".join(f"contact.{name.strip()}" for name in _MEMBERS.split(","))}, account.name as company
      from contact left join account on account.id = contact.account_id
"""  # noqa: S608  # names of our own
_PAGE = Sql(f"{_OF_CONTACTS} where contact.id > :after and contact.archived_at is null order by contact.id limit :most")
_BY_ID = Sql(f"{_OF_CONTACTS} where contact.id = any(cast(:ids as text[]))")
_SAMPLE = Sql(f"{_OF_CONTACTS} where mod(hashtext(contact.id), :of) = 0 limit :most")
_UNKEYED = Sql(f"{_OF_CONTACTS} where contact.match_keys is null order by contact.id limit :most")

_KEY = Sql(
    """
    update contact set match_keys = array(select jsonb_array_elements_text(new.keys)::int)
      from jsonb_to_recordset(cast(:rows as text)::jsonb) as new(id text, keys jsonb)
     where contact.id = new.id and contact.match_keys is null
    """
)
_ADD_PAIRS = Sql(
    f"{insert_of(DuplicatePairRow)} on conflict (tenant_id, newer_id, older_id) do update"
    " set score = excluded.score, why = excluded.why, contradictions = excluded.contradictions,"
    " may_merge = excluded.may_merge, updated_at = excluded.updated_at, version = duplicate_pair.version + 1"
    " where duplicate_pair.status = 'open' and duplicate_pair.score <> excluded.score"
)
_FORGET = Sql(
    "delete from duplicate_pair where newer_id > :after and newer_id <= :last and status = 'open'"
    " and older_id || newer_id <> all(cast(:found as text[]))"
)


class Compared(NamedTuple):
    """A contact, and the name of its account."""

    row: ContactRow
    company: str | None


class Pair(NamedTuple):
    """Two contacts that are probably one person."""

    older_id: str
    newer_id: str
    said: Assessment


async def holders(session: ReadSession, keys: Sequence[int]) -> Mapping[int, list[str]]:
    """The contacts that hold each key, at most one more than may share one that says something."""
    rows = await session.fetch(_HOLDERS, {"keys": list(dict.fromkeys(keys))})
    return {row["key"]: row["ids"] for row in rows}


async def clear_blocks(session: WriteSession, keys: range) -> None:
    await session.fetch(_CLEAR_BLOCKS, {"first": keys[0], "last": keys[-1]})


async def make_blocks(session: WriteSession, keys: range) -> None:
    """Of the keys in the range those that several contacts share, as these are now."""
    await clear_blocks(session, keys)
    await session.fetch(_MAKE_BLOCKS, {"tenant_id": session.tenant_id, "first": keys[0], "last": keys[-1]})


async def blocks(session: ReadSession, keys: Sequence[int]) -> Mapping[int, list[str]]:
    """Of the keys that several contacts share, these: nobody where they are more than may share one that says something."""
    rows = await session.fetch(_BLOCKS, {"keys": list(keys)})
    return {row["key"]: row["ids"] for row in rows}


async def compared(session: ReadSession, ids: Sequence[str]) -> list[Compared]:
    """In no order; what is archived is nobody's duplicate."""
    a = columns(AccountRow)
    wanted = literal(list(ids), ARRAY(Text()))
    statement = (
        select(ContactRow, a.name)
        .outerjoin(AccountRow, a.id == _c.account_id)
        .where(_c.id == any_(wanted), _c.archived_at.is_(None))
    )
    found: Sequence[Any] = (await session.execute(statement)).all()
    return [Compared(row, company) for row, company in found]


async def companies(session: ReadSession, account_ids: Collection[str]) -> Mapping[str, str]:
    """The names of accounts."""
    if not account_ids:
        return {}
    a = columns(AccountRow)
    wanted = literal(sorted(account_ids), ARRAY(Text()))
    found: Sequence[Any] = (await session.execute(select(a.id, a.name).where(a.id == any_(wanted)))).all()
    return dict(found)


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


async def count_contacts(session: ReadSession) -> int:
    return int(await session.scalar(select(func.count(_c.id))))


async def page(session: ReadSession, after: str, most: int) -> dict[str, Profile]:
    """By id, in the order of ids."""
    return await _profiles(await session.fetch(_PAGE, {"after": after, "most": most}))


async def profiles(session: ReadSession, ids: Sequence[str]) -> dict[str, Profile]:
    return await _profiles(await session.fetch(_BY_ID, {"ids": list(ids)}))


async def sample(session: ReadSession, of: int, most: int) -> dict[str, Profile]:
    """About one in `of` contacts, whatever they are."""
    return await _profiles(await session.fetch(_SAMPLE, {"of": of, "most": most}))


async def unkeyed(session: ReadSession, most: int) -> dict[str, Profile]:
    """Those whose match keys were never made."""
    return await _profiles(await session.fetch(_UNKEYED, {"most": most}))


async def keep_keys(session: WriteSession, keys: Mapping[str, Sequence[int]]) -> None:
    """Where somebody has written the contact meanwhile, its keys are made already."""
    rows = [json_bytes({"id": id_, "keys": list(numbers)}) for id_, numbers in keys.items()]
    await session.fetch(_KEY, {"rows": together(rows)})


async def replace_pairs(session: WriteSession, after: str, last: str, pairs: Sequence[Pair]) -> None:
    """Those whose newer contact lies beyond `after` and up to `last`; what somebody has dismissed stays so."""
    found = [pair.older_id + pair.newer_id for pair in pairs]
    await session.fetch(_FORGET, {"after": after, "last": last, "found": found})
    if not pairs:
        return
    now = utc_now().isoformat()
    rows = [
        json_bytes(
            {
                "tenant_id": session.tenant_id,
                "id": DuplicateId.new(),
                "version": 1,
                "created_at": now,
                "updated_at": now,
                "older_id": pair.older_id,
                "newer_id": pair.newer_id,
                "score": pair.said.score,
                "why": [reason.model_dump() for reason in reasons(pair.said)],
                "contradictions": list(pair.said.contradictions),
                "may_merge": pair.said.may_merge,
                "status": "open",
            }
        )
        for pair in pairs
    ]
    await session.fetch(_ADD_PAIRS, {"rows": together(rows)})


async def _profiles(rows: Sequence[Any]) -> dict[str, Profile]:
    """Of rows that were read past SQLAlchemy, whose own would take longer than all that is done with them.

    In a thread: making thousands takes a second, in which the process answers others.
    """
    return await asyncio.to_thread(lambda: {row["id"]: _profile(row) for row in rows})


def _profile(row: Mapping[str, Any]) -> Profile:
    return Profile.of(**{name: value for name, value in row.items() if name != "id"})


async def dismissed_with(session: ReadSession, contact_id: str) -> frozenset[str]:
    """The contacts of whom somebody has said that they are not this one."""
    older = select(_pair.older_id).where(_pair.newer_id == contact_id, _pair.status == "dismissed")
    newer = select(_pair.newer_id).where(_pair.older_id == contact_id, _pair.status == "dismissed")
    return frozenset((await session.scalars(older.union_all(newer))).all())


def among(contacts: ColumnElement[bool]) -> ColumnElement[bool]:
    """Pairs of which both contacts are there, not archived, and among those of which the condition holds."""
    some = select(_c.id).where(contacts, _c.archived_at.is_(None))
    return and_(_pair.older_id.in_(some), _pair.newer_id.in_(some))


async def mergeable(session: ReadSession, after: str, limit: int) -> Sequence[DuplicatePairRow]:
    """Pairs that may be merged without asking, by id."""
    statement = (
        select(DuplicatePairRow)
        .where(_pair.id > after, _pair.status == "open", _pair.may_merge, among(true()))
        .order_by(_pair.id)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def pair(session: ReadSession, pair_id: str, told: ColumnElement[bool]) -> DuplicatePairRow | None:
    wanted = pair_id if prefix_of(pair_id) else ""
    row: DuplicatePairRow | None = await session.scalar(select(DuplicatePairRow).where(_pair.id == wanted, told))
    return row
