"""The two statements that facts are read by, for many customers at once."""

from collections.abc import Sequence
from typing import Final

from crm_contracts.facts import MAX_CONTACTS, MAX_DUE, MAX_OPEN, MAX_RECENT, MAX_RELATIONSHIPS, MAX_TIMELINE
from crm_kit.db.sql import Sql

from gateway.upstream import SERVICES

# Each customer's rows are fetched by a lateral sub-select of their own with a bound or a fence (`offset 0`): left to
# itself the planner, which cannot know the tenant, joins by reading the whole tenant. JSON is put together by the
# database, one text a customer and type: a row each would cost more to carry than to find.

PROFILES: Final = Sql(
    f"""
    with profile as materialized (
        select e.* from unnest(cast(:ids as text[])) as wanted(id)
         cross join lateral (
               select id, type, account_id, data, time from entity where id = wanted.id and not deleted offset 0) e)
    select 'profile' as part, id as customer, cast(data as text) as data, time,
           type = 'contact'
           and not exists (select from entity e where e.contact_id = p.id and e.id <> p.id offset 0)
           and not exists (select from entity e where e.account_id = p.id offset 0) as alone
      from profile p
    union all
    select 'account', p.id, cast(e.data as text), e.time, false
      from profile p
     cross join lateral (select data, time from entity where id = p.account_id and not deleted offset 0) e
     where p.type = 'contact'
    union all
    select 'contacts', p.id, string_agg(cast(e.data as text), ',' order by e.id), null, false
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


def _first(types: Sequence[str], where: str, column: str, limit: int, direction: str = "desc") -> str:
    """Of each type so many: the newest by the column, or, `asc`, the oldest."""
    values = ", ".join(f"('{name}')" for name in types)
    found = _by_contact_and_account(
        f"""
        select type, id, {column} as sort from entity where {{owner}} = s.{{owner}} and type = w.type and {where}
         order by {column} {direction}, id {direction} limit {limit}
        """  # noqa: S608  # constants of this module
    )
    return f"""
        with wanted(type) as (values {values}), found as ({found}), ranked as (
            select *, row_number() over (partition by customer, type order by sort {direction}, id {direction}) as n
              from found)
        select r.customer, r.type as name, string_agg(cast(e.data as text), ',' order by r.n) as data
          from ranked r
         cross join lateral (select data from entity where id = r.id offset 0) e
         where r.n <= {limit}
         group by r.customer, r.type
    """  # noqa: S608  # constants of this module


_RECENT = _first(("order", "message"), "not deleted", "at", MAX_RECENT)
_OPEN = _first(("deal", "ticket"), "open and not deleted", "created_at", MAX_OPEN)
# The type is said as the partial index has it.
_DUE = _first(("invoice",), "type = 'invoice' and open and not deleted", "at", MAX_DUE, "asc")

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


FACTS: Final = Sql(
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
