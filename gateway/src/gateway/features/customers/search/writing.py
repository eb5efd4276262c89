"""The statements that keep what customers are found by, in the transactions that store their views and entities."""

from collections.abc import Sequence
from typing import Any, Final

from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql

from gateway.features.customers.entities import EntityState
from gateway.features.customers.search.fields import PARTS, Searched, folded, spelled
from gateway.features.customers.search.grams import grams_of, grams_of_number

_MEMBERS: Final = ("id", "kind", "archived", "created_at", "account_id", "digest")
_NUMBERED: Final = frozenset({"order", "invoice", "ticket"})

# Arrays of arrays cannot be of different lengths: each row's numbers travel as one text.
_UPSERT = Sql(
    """
    insert into customer_search (tenant_id, id, kind, archived, created_at, account_id, digest,
                                 personal, open, company, commercial, grams)
    select :tenant_id, id, kind, archived, created_at, account_id, digest, personal, open, company, commercial,
           cast(grams as int[])
      from unnest(cast(:id as text[]), cast(:kind as text[]), cast(:archived as boolean[]),
                  cast(:created_at as timestamptz[]), cast(:account_id as text[]), cast(:digest as bytea[]),
                  cast(:personal as text[]), cast(:open as text[]), cast(:company as text[]),
                  cast(:commercial as text[]), cast(:grams as text[]))
        as g(id, kind, archived, created_at, account_id, digest, personal, open, company, commercial, grams)
    on conflict (tenant_id, id) do update set
        archived = excluded.archived, created_at = excluded.created_at, account_id = excluded.account_id,
        digest = excluded.digest, personal = excluded.personal, open = excluded.open, company = excluded.company,
        commercial = excluded.commercial, grams = excluded.grams
     where customer_search.digest <> excluded.digest
    """
)
_DELETE = Sql("delete from customer_search where id = any(:ids)")

_UPSERT_NUMBERS = Sql(
    """
    insert into search_number (tenant_id, id, kind, contact_id, account_id, numbers, grams)
    select :tenant_id, id, kind, contact_id, account_id, string_to_array(numbers, chr(10)), cast(grams as int[])
      from unnest(cast(:id as text[]), cast(:kind as text[]), cast(:contact_id as text[]),
                  cast(:account_id as text[]), cast(:numbers as text[]), cast(:grams as text[]))
        as g(id, kind, contact_id, account_id, numbers, grams)
    on conflict (tenant_id, id) do update set
        contact_id = excluded.contact_id, account_id = excluded.account_id, numbers = excluded.numbers,
        grams = excluded.grams
     where (search_number.contact_id, search_number.account_id, search_number.numbers)
           is distinct from (excluded.contact_id, excluded.account_id, excluded.numbers)
    """
)
_DELETE_NUMBERS = Sql("delete from search_number where id = any(:ids)")


async def write_searched(session: WriteSession, customers: Sequence[Searched]) -> None:
    """Keeps what these are found by; one of whom the same is kept already is not written again."""
    if not customers:
        return
    values: dict[str, Any] = {name: [getattr(each, name) for each in customers] for name in _MEMBERS}
    values |= {part: [spelled(each.texts[part]) for each in customers] for part in PARTS}
    grams = [_array(grams_of(session.tenant_id, each)) for each in customers]
    await session.fetch(_UPSERT, {**values, "grams": grams, "tenant_id": session.tenant_id})


async def delete_searched(session: WriteSession, ids: Sequence[str]) -> None:
    if ids:
        await session.fetch(_DELETE, {"ids": ids})


async def write_numbers(session: WriteSession, states: Sequence[EntityState]) -> None:
    """Keeps the numbers of those that are orders, invoices and tickets, and forgets those that are nobody's any more."""
    numbered = [state for state in states if state.type in _NUMBERED]
    kept = [(state, numbers) for state in numbered if _is_somebodys(state) and (numbers := _numbers(state))]
    if kept:
        values: dict[str, Any] = {
            "tenant_id": session.tenant_id,
            "id": [state.id for state, _ in kept],
            "kind": [state.type for state, _ in kept],
            "contact_id": [state.contact_id for state, _ in kept],
            "account_id": [state.account_id for state, _ in kept],
            "numbers": ["\n".join(numbers) for _, numbers in kept],
            "grams": [_array(_grams(session.tenant_id, numbers)) for _, numbers in kept],
        }
        await session.fetch(_UPSERT_NUMBERS, values)
    if len(kept) < len(numbered):
        present = {state.id for state, _ in kept}
        await session.fetch(_DELETE_NUMBERS, {"ids": [state.id for state in numbered if state.id not in present]})


def _is_somebodys(state: EntityState) -> bool:
    return not state.deleted and (state.contact_id is not None or state.account_id is not None)


def _numbers(state: EntityState) -> list[str]:
    """Its own number, and that of another system."""
    data = state.data or {}
    given = (data.get("number"), data.get("external_id"))
    return list(dict.fromkeys(plain for each in given if each is not None and (plain := folded(str(each)))))


def _grams(tenant_id: str, numbers: Sequence[str]) -> list[int]:
    return sorted({each for number in numbers for each in grams_of_number(tenant_id, number)})


def _array(grams: Sequence[int]) -> str:
    return "{" + ",".join(map(str, grams)) + "}"
