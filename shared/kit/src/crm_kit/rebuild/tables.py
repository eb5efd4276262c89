"""The new tables: made like the live ones, out of PostgreSQL's own catalogue so that they cannot drift, and swapped.

All of it runs as the owner. For the application row-level security holds in the new tables as in the live ones. The
owner, whom the live ones hide their rows from too, may read them by a policy that lasts as long as the rebuild.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text

from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.inbox import LIVE_SCHEMA
from crm_kit.rebuild.errors import RebuildFailed

SCHEMA: Final = "rebuild"
_POLICY: Final = "rebuild"

# Each would tie the live table to something that stays behind when it goes.
_OBSTACLES = text(
    """
    select wanted.name, case
        when c.oid is null then 'does not exist'
        when c.relkind <> 'r' or exists (select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent))
            then 'is no plain table'
        when exists (select from pg_constraint k where k.contype = 'f' and c.oid in (k.conrelid, k.confrelid))
            then 'has a foreign key'
        when exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) then 'has a trigger'
        when exists (select from pg_depend d where d.classid = cast('pg_rewrite' as regclass) and d.refobjid = c.oid)
            then 'is shown by a view'
        end as obstacle
      from unnest(cast(:tables as text[])) as wanted(name)
      left join pg_class c on c.relname = wanted.name and c.relnamespace = cast(:live as regnamespace)
    """
)

_LIVE = """
    from pg_class c where c.relnamespace = cast(:live as regnamespace) and c.relname = any(cast(:tables as text[]))
"""
_STRUCTURE = f"""
    select format('create table %I.%I (like %I.%I including all excluding indexes)',
                  cast(:new as text), c.relname, cast(:live as text), c.relname) {_LIVE}
"""
# LIKE would give indexes and keys other names than migrations know them by.
_KEYS = f"""
    select format('alter table %I.%I add constraint %I %s', cast(:new as text), t.relname, k.conname,
                  pg_get_constraintdef(k.oid))
      from (select c.* {_LIVE}) t
      join pg_constraint k on k.conrelid = t.oid and k.contype in ('p', 'u', 'x')
"""  # noqa: S608  # constants of this module
_INDEXES = f"""
    select overlay(d.definition placing format(' ON %I.%I ', cast(:new as text), t.relname)
                   from position(d.place in d.definition) for length(d.place))
      from (select c.* {_LIVE}) t
      join pg_index x on x.indrelid = t.oid
       and not exists (select from pg_constraint k where k.conindid = x.indexrelid and k.conrelid = t.oid)
     cross join lateral (select pg_get_indexdef(x.indexrelid) as definition,
                                format(' ON %I.%I ', cast(:live as text), t.relname) as place) d
"""  # noqa: S608  # as above
_OPTIONS = f"""
    select format('alter table %I.%I set (%s)', cast(:new as text), c.relname, array_to_string(c.reloptions, ', '))
    {_LIVE} and c.reloptions is not null
"""
_SECURITY = f"""
    select format('alter table %I.%I enable row level security', cast(:new as text), c.relname)
    {_LIVE} and c.relrowsecurity
"""
_POLICIES = f"""
    select format('create policy %I on %I.%I as %s for %s to %s', p.policyname, cast(:new as text), p.tablename,
                  p.permissive, p.cmd,
                  (select string_agg(case when r = 'public' then 'public' else quote_ident(r) end, ', ')
                     from unnest(p.roles) as r))
           || coalesce(' using (' || p.qual || ')', '') || coalesce(' with check (' || p.with_check || ')', '')
      from pg_policies p
     where p.schemaname = :live and p.tablename = any(cast(:tables as text[])) and p.policyname <> '{_POLICY}'
"""  # noqa: S608  # as above
_GRANTS = f"""
    select format('grant %s%s on %I.%I to %s%s', g.privilege_type, '(' || quote_ident(g.attname) || ')',
                  cast(:new as text), g.relname,
                  case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end,
                  case when g.is_grantable then ' with grant option' else '' end)
      from (select c.relname, null as attname, a.* from (select c.* {_LIVE}) c, aclexplode(c.relacl) a
            union all
            select c.relname, b.attname, a.* from (select c.* {_LIVE}) c
              join pg_attribute b on b.attrelid = c.oid, aclexplode(b.attacl) a) g
"""  # noqa: S608  # as above
_IN_THIS_ORDER: Final = (_STRUCTURE, _KEYS, _INDEXES, _OPTIONS, _SECURITY, _POLICIES, _GRANTS)

_FORCED = text(f"select c.relname {_LIVE} and c.relforcerowsecurity order by 1")
_HELD_POLICIES = text("select tablename from pg_policies where schemaname = :live and policyname = :policy")


def _named(tables: Sequence[str]) -> dict[str, Any]:
    return {"live": LIVE_SCHEMA, "new": SCHEMA, "tables": list(tables)}


async def run(session: WriteSession, statement: str) -> None:
    """A statement without parameters, as it is."""
    await (await session.connection()).exec_driver_sql(statement)


async def require_movable(session: ReadSession, tables: Sequence[str]) -> None:
    """Raises RebuildFailed for a table that cannot be swapped for another."""
    for row in await session.execute(_OBSTACLES, {"tables": list(tables), "live": LIVE_SCHEMA}):
        if row.obstacle is not None:
            raise RebuildFailed(f"the table {row.name} {row.obstacle}, so that no rebuilt one can take its place")


async def create_beside(session: WriteSession, tables: Sequence[str], application: str) -> None:
    """Makes the new tables, empty; `application` is the role that fills them."""
    # What is qualified in a definition does not depend on where it is read.
    await run(session, "set local search_path = pg_catalog")
    await run(session, f"create schema {SCHEMA}")
    await run(session, f'grant usage on schema {SCHEMA} to "{application}"')
    for query in _IN_THIS_ORDER:
        for statement in (await session.scalars(text(query), _named(tables))).all():
            await run(session, statement)


async def open_to_owner(session: WriteSession, tables: Sequence[str]) -> None:
    """Lets the owner read the live tables. Takes a short exclusive lock on each."""
    for table in (await session.scalars(_FORCED, _named(tables))).all():
        await run(
            session, f'create policy {_POLICY} on {LIVE_SCHEMA}."{table}" for select to current_user using (true)'
        )


async def remove_leftovers(session: WriteSession) -> None:
    """Drops the new tables and the owner's policies, of whichever rebuild they are."""
    await run(session, f"drop schema if exists {SCHEMA} cascade")
    for table in (await session.scalars(_HELD_POLICIES, {"live": LIVE_SCHEMA, "policy": _POLICY})).all():
        await run(session, f'drop policy {_POLICY} on {LIVE_SCHEMA}."{table}"')


async def revision(session: ReadSession) -> str | None:
    """The migration that the live tables are as."""
    if not await session.scalar(text(f"select to_regclass('{LIVE_SCHEMA}.alembic_version') is not null")):
        return None
    found: str | None = await session.scalar(text(f"select version_num from {LIVE_SCHEMA}.alembic_version"))  # noqa: S608  # a constant
    return found


async def analyze(session: WriteSession, tables: Sequence[str]) -> None:
    """Without this the plans would be those for empty tables."""
    for table in tables:
        await run(session, f'analyze {SCHEMA}."{table}"')


async def swap(session: WriteSession, tables: Sequence[str], made_at: str | None) -> None:
    """The new tables take the place of the live ones, which are dropped.

    Raises RebuildFailed where the live ones have been migrated since `made_at`.
    """
    live = ", ".join(f'{LIVE_SCHEMA}."{table}"' for table in sorted(tables))
    await run(session, f"lock table {live} in access exclusive mode")
    if await revision(session) != made_at:
        raise RebuildFailed("the database has been migrated meanwhile: start the rebuild again")
    for table in (await session.scalars(_FORCED, _named(tables))).all():
        await run(session, f'alter table {SCHEMA}."{table}" force row level security')
    for table in tables:
        await run(session, f'drop table {LIVE_SCHEMA}."{table}"')
        await run(session, f'alter table {SCHEMA}."{table}" set schema {LIVE_SCHEMA}')
    await run(session, f"drop schema {SCHEMA}")
