"""Customers by the numbers of their orders, invoices and tickets: of those that the caller may see."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from crm_kit.resources import copy_levels
from crm_kit.rights import Level
from sqlalchemy import ARRAY, ColumnElement, Integer, literal, or_, select, union_all

from gateway.features.customers.models import EntityCopy, SearchNumberRow
from gateway.features.customers.nearness import nearest
from gateway.features.customers.search import grams
from gateway.features.customers.search.fields import FieldName, SearchedText
from gateway.features.customers.search.matching import Match, written
from gateway.features.customers.search.query import SearchQuery
from gateway.features.customers.sight import Sight

MOST: Final = 200
_RESOURCES: Final = {"order": "orders", "invoice": "invoices", "ticket": "tickets"}
_FIELDS: Final[Mapping[str, FieldName]] = {
    "order": "order_number",
    "invoice": "invoice_number",
    "ticket": "ticket_number",
}

_n, _entity = columns(SearchNumberRow), columns(EntityCopy)


class Numbered(NamedTuple):
    """By word and customer, how it is in their numbers; `is_complete`: whether all of these were looked at."""

    matches: Mapping[str, Mapping[str, Sequence[Match]]]
    is_complete: bool


async def find_numbers(session: ReadSession, query: SearchQuery, sight: Sight | None) -> Numbered:
    """`sight`: what the caller sees, None for all. One round trip where there is a digit, two more for who does not see all."""
    words = [word for word in query.alternatives[0] if word.is_number_like]
    if not words:
        return Numbered({}, True)
    # The whole number first: what is a part of more than are looked at must not hide it.
    asked = [or_(*(_is_whole(session.tenant_id, word.text) for word in words))]
    if parts := [part for word in words if (part := _has_part(session.tenant_id, word.text)) is not None]:
        asked.append(or_(*parts))
    found = await _rows(session, asked, sight)
    levels = await _levels(session, list(found.values())) if sight is not None else {}
    matches: dict[str, dict[str, list[Match]]] = {word.text: defaultdict(list) for word in words}
    for row in found.values():
        if sight is None or _is_seen(row, sight, levels):
            texts = [SearchedText(_FIELDS[row.kind], number) for number in row.numbers]
            for word in words:
                fits = sorted(written(word, texts), key=lambda match: match.rank)[:1]
                for customer_id in filter(None, (row.contact_id, row.account_id)):
                    matches[word.text][customer_id] += fits
    return Numbered(
        {word: {one: of for one, of in found_by.items() if of} for word, found_by in matches.items()}, len(found) < MOST
    )


def _is_whole(tenant_id: str, word: str) -> ColumnElement[bool]:
    return _has([grams.gram(grams.number_seeds(tenant_id).whole, word)])


def _has_part(tenant_id: str, word: str) -> ColumnElement[bool] | None:
    parts = grams.part_grams(grams.number_seeds(tenant_id), word) if len(word) > 2 else []
    return _has(parts) if parts else None


def _has(sought: list[int]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = _n.grams.bool_op("@>")(literal(sought, ARRAY(Integer())))
    return found


async def _rows(session: ReadSession, conditions: Sequence[ColumnElement[bool]], sight: Sight | None) -> dict[str, Any]:
    """By id, at most so many for each condition."""
    kinds = [kind for kind, resource in _RESOURCES.items() if sight is None or sight.may_see(resource)]
    shown = select(_n.id, _n.kind, _n.contact_id, _n.account_id, _n.numbers)
    if sight is not None:
        shown = shown.add_columns(_entity.data).join_from(SearchNumberRow, EntityCopy, _entity.id == _n.id)
    if not kinds:
        return {}
    asked = union_all(*(shown.where(_n.kind.in_(kinds), each).limit(MOST) for each in conditions))
    return {row.id: row for row in await session.execute(asked)}


async def _levels(session: ReadSession, rows: Sequence[Any]) -> dict[str, Level]:
    contacts = {row.contact_id for row in rows if row.contact_id is not None}
    accounts = {row.account_id for row in rows if row.account_id is not None}
    return {
        **await copy_levels(session, "contacts", contacts),
        **await copy_levels(session, "accounts", accounts),
    }


def _is_seen(row: Any, sight: Sight, levels: Mapping[str, Level]) -> bool:
    """As in a view: an order is as near as itself and whom it belongs to."""
    resource = _RESOURCES[row.kind]
    of = [levels[each] for each in (row.contact_id, row.account_id) if each in levels]
    rights = sight.rights(resource, sight.standing(resource, row.data, nearest([sight.level(row.data), *of])))
    return rights.is_seen and rights.reads("open")
