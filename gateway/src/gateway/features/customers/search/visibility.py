"""What of customers a caller may be shown by being found: the conditions by which every question to the index is bounded.

A text counts where it would be seen in clear. So nobody can find, nor tell by what is not found, what is hidden or masked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from crm_contracts.sensitivity import Sensitivity
from crm_kit.conditions import FieldSet
from crm_kit.custom_fields import DeclaredFields
from crm_kit.db.session import ReadSession
from crm_kit.resources import copies_reached
from sqlalchemy import ColumnElement, and_, false, or_, true

from gateway.features.customers.listing import fields_of_copies
from gateway.features.customers.search.fields import Part
from gateway.features.customers.sight import OF_KIND, Sight

_PARTS: Final[Mapping[str, Mapping[Part, Sensitivity]]] = {
    "contact": {"personal": "personal"},
    "account": {"open": "open", "personal": "personal", "commercial": "commercial"},
}
"""By kind of customer, what is kept of it and how sensitive that is."""

_NO_FIELDS: Final = FieldSet("accounts", [])


@dataclass(frozen=True, slots=True)
class Visibility:
    """`customers`: those that are seen at all; `parts`: those of which a part is seen in clear."""

    customers: ColumnElement[bool]
    parts: Mapping[Part, ColumnElement[bool]]
    is_whole: bool
    """Whether everything is seen, of the kinds that are asked for."""


def visibility(session: ReadSession, seen: Mapping[str, Sight | None], declared: DeclaredFields, s: Any) -> Visibility:
    """Of customers of these kinds, with what the caller sees of each; `s`: columns of `customer_search`. With conditions on what
    is no whole, statements read `entity` too.
    """
    is_whole = all(sight is None for sight in seen.values())
    arms: dict[Part, list[ColumnElement[bool]]] = {"personal": [], "open": [], "company": [], "commercial": []}
    reached: list[ColumnElement[bool]] = []
    for kind, sight in seen.items():
        resource = OF_KIND[kind][0]
        fields = fields_of_copies(resource, declared)
        is_kind = s.kind == kind
        reached.append(and_(is_kind, copies_reached(session, resource, s.id, fields)))
        for part, sensitivity in _PARTS[kind].items():
            arms[part].append(and_(is_kind, copies_reached(session, resource, s.id, fields, sensitivity)))
        if kind == "contact" and (sight is None or sight.may_see("accounts")):
            # A grant of accounts under a condition does not count: the contact's row does not tell of its account.
            account = copies_reached(session, "accounts", s.account_id, _NO_FIELDS, "open")
            arms["company"].append(and_(reached[-1], account))
    if is_whole and len(seen) == len(OF_KIND):
        return Visibility(true(), dict.fromkeys(arms, true()), is_whole=True)
    parts = {part: or_(*conditions) if conditions else false() for part, conditions in arms.items()}
    return Visibility(or_(*reached), parts, is_whole=is_whole)
