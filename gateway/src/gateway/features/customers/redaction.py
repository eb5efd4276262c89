"""A customer's view without what a caller may not see. Pure.

A view shows what several resources hold, and whoever may read customers need not read all of those, nor all of their
records, nor every member of them. What nothing here names is for those alone who may read everything: so is a section
that comes later, until it is named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from crm_contracts.campaigns import Message
from crm_contracts.contacts import Account, Contact
from crm_contracts.pipeline import Deal, Invoice, Order
from crm_contracts.relationships import Relationship
from crm_contracts.sensitivity import Mask, classes_of, mask_email, mask_phone, mask_text
from crm_contracts.tickets import Ticket
from crm_contracts.types import Entity
from crm_kit.rights import Level, redacted

from gateway.features.customers.entities import Json
from gateway.features.customers.nearness import nearest
from gateway.features.customers.selection import ALWAYS
from gateway.features.customers.sight import BESIDES, ENTRIES, NOWHERE, OF_KIND, Sight, Standing

_LATER: Final[Mapping[str, str]] = {
    "sales.quotes": "quotes",
    "sales.tasks": "tasks",
    "marketing.journeys": "journeys",
    "marketing.coupons": "coupons",
    "marketing.points": "loyalty",
    "support.last_csat": "surveys",
    "support.sentiment": "tickets",
    "scores": "scores",
}
"""Members that stand empty until their resource comes, and are for who may then read all of it."""


_COUNTED: Final[Mapping[str, tuple[str, type[Entity]]]] = {
    "orders": ("orders", Order),
    "invoices_due": ("invoices", Invoice),
}
"""Members of sales that hold some records of a resource, and what all of them come to."""

_WHOSE: Final = ("contact_id", "account_id", "related_contact_id")
"""The members by which a record belongs to customers."""


_IDENTITIES: Final[Mapping[str, tuple[tuple[str, ...], Mask | None]]] = {
    "email": (("emails",), mask_email),
    "phone": (("phones", "phone"), mask_phone),
    "wechat": (("wechat",), mask_text),
    "domain": (("domain",), None),
    "external_id": (("external_ids",), None),
}
"""The members of a contact or account that identities come from, and how one of them is masked."""


def redact(sight: Sight, view: Json) -> dict[str, Any] | None:
    """`redacted` and `masked` name what is missing and what is masked. None where the customer may not be seen at all."""
    return _Redaction(sight, view).result()


def standing_of(sight: Sight, view: Json) -> Standing:
    """How the customer of a view lies to the caller."""
    above = view.get("account")
    level = nearest([sight.level(view["profile"]), sight.level(above) if above else "all"])
    return sight.standing(OF_KIND[view["kind"]][0], view["profile"], level)


@dataclass
class _Left:
    """What is left of a view, and what is told of the rest."""

    shown: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)


class _Redaction:
    """Of one view."""

    def __init__(self, sight: Sight, view: Json) -> None:
        self._sight = sight
        self._view = view
        self._left = _Left()
        self._customers = self._standings()
        self._customer = self._customers[view["id"]]

    def _standings(self) -> dict[str, Standing]:
        """How the customers lie that the view shows: an account, its contacts, a contact."""
        view, sight = self._view, self._sight
        found = {view["id"]: standing_of(sight, view)}
        if account := view.get("account"):
            found[account["id"]] = sight.standing("accounts", account, sight.level(account))
        for contact in view.get("contacts") or ():
            near = nearest([sight.level(contact), found[view["id"]].level])
            found[contact["id"]] = sight.standing("contacts", contact, near)
        return found

    def result(self) -> dict[str, Any] | None:
        view, left = self._view, self._left
        if not self._may(OF_KIND[view["kind"]][0], self._customer):
            return None
        for name, value in view.items():
            if (section := _SECTIONS.get(name)) is not None:
                section(self, name, value)
            else:
                self._later(name, value, left.shown, name)
        left.shown["redacted"] = left.missing
        if left.masked:
            left.shown["masked"] = left.masked
        return left.shown

    def _always(self, name: str, value: Any) -> None:
        self._left.shown[name] = value

    def _profile(self, name: str, value: Json) -> None:
        self._left.shown[name] = self._record(*OF_KIND[self._view["kind"]], value, self._customer, name)

    def _account(self, name: str, value: Json | None) -> None:
        at = self._customers[value["id"]] if value is not None else NOWHERE
        allowed = self._may("accounts", at)
        if value is not None and allowed:
            value = self._record("accounts", Account, value, at, name)
        self._keep(self._left.shown, name, value, name, allowed)

    def _contacts(self, name: str, value: list[Json]) -> None:
        self._list(self._left.shown, "contacts", Contact, name, value, lambda one: self._customers[one["id"]].level)

    def _relationships(self, name: str, value: list[Json]) -> None:
        self._list(self._left.shown, "relationships", Relationship, name, value, self._nearest_of)

    def _identities(self, name: str, value: list[Json]) -> None:
        shown = [{**item, "value": seen} for item in value if (seen := self._identity(item)) is not None]
        self._left.shown[name] = shown
        if len(shown) < len(value):
            self._left.missing.append(name)
        elif shown != value:
            self._left.masked.append(name)

    def _identity(self, item: Json) -> str | None:
        resource, model = OF_KIND[self._view["kind"]]
        members, mask = _IDENTITIES[item["type"]]
        classes = classes_of(model)
        declared = next(classes[name] for name in members if name in classes)
        rights = self._sight.rights(resource, self._customer)
        shown: str | None = rights.shown(item["value"], declared.sensitivity, mask)
        return shown

    def _consents(self, name: str, value: Json) -> None:
        self._keep(self._left.shown, name, value, name, self._may("consents", self._customer))

    def _sales(self, name: str, value: Json) -> None:
        inner: dict[str, Any] = {}
        for member, each in value.items():
            place = f"{name}.{member}"
            if member == "open_deals":
                self._list(inner, "deals", Deal, member, each, self._nearest_of, place)
            elif member in ("open_value", "won_value"):
                self._sum(inner, "deals", member, each, place)
            elif member in _COUNTED and isinstance(each, Mapping):  # a list stands in views that were stored before
                self._counted(inner, member, each, place)
            else:
                self._later(member, each, inner, place)
        self._keep_members(self._left.shown, name, inner, name)

    def _counted(self, inner: dict[str, Any], name: str, value: Json, place: str) -> None:
        """What is counted and summed up may be of records that are not seen: it takes rights to all of this customer's."""
        shown: dict[str, Any] = {}
        resource, model = _COUNTED[name]
        for member, each in value.items():
            if member in ("recent", "next"):
                self._list(shown, resource, model, member, each, self._nearest_of, f"{place}.{member}")
            elif member == "total":
                self._sum(shown, resource, member, each, f"{place}.{member}")
            elif self._may(resource, self._customer):
                shown[member] = each
        self._keep_members(inner, name, shown, place)

    def _support(self, name: str, value: Json) -> None:
        inner: dict[str, Any] = {}
        for member, each in value.items():
            place = f"{name}.{member}"
            if member == "open_tickets":
                self._list(inner, "tickets", Ticket, member, each, self._nearest_of, place)
            elif member == "counts":
                self._keep(inner, member, each, place, self._may("tickets", self._customer))
            else:
                self._later(member, each, inner, place)
        self._keep_members(self._left.shown, name, inner, name)

    def _marketing(self, name: str, value: Json) -> None:
        inner: dict[str, Any] = {}
        for member, each in value.items():
            place = f"{name}.{member}"
            if member == "segments":
                self._keep(inner, member, each, place, self._may("segments", NOWHERE))
            elif member == "recent_messages":
                self._list(inner, "messages", Message, member, each, self._nearest_of, place)
            else:
                self._later(member, each, inner, place)
        self._keep_members(self._left.shown, name, inner, name)

    def _timeline(self, name: str, value: list[Json]) -> None:
        entries = (self._sight.entry(entry, self._of_entry(entry)) for entry in value)
        self._left.shown[name] = [entry for entry in entries if entry is not None]
        self._left.missing += [
            f"{name}.{word}" for word, about in ENTRIES.items() if not self._may(about.resource, self._customer)
        ]

    def _of_entry(self, entry: Json) -> Standing:
        """Of a contact's or an account's its own; of others that of the customer: what they tell of says no more here."""
        return self._customers.get(entry["ref"]["id"], self._customer)

    def _nearest_of(self, record: Json) -> Level:
        """A record is as near as itself and whom it belongs to."""
        of = [self._customers.get(record.get(name) or "", NOWHERE).level for name in _WHOSE]
        return nearest([self._sight.level(record), *of])

    def _may(self, resource: str, at: Standing) -> bool:
        return self._sight.rights(resource, at).is_seen

    def _record(self, resource: str, model: type[Entity], value: Json, at: Standing, place: str) -> dict[str, Any]:
        """One record, what is missing of it told under its place in the view."""
        rights = self._sight.rights(resource, at)
        if rights.is_clear:
            return dict(value)
        shown = redacted(model, value, rights, BESIDES, self._sight.classes(resource))
        for told, names in ((self._left.missing, "redacted"), (self._left.masked, "masked")):
            told += [path for name in shown.pop(names, ()) if (path := f"{place}.{name}") not in told]
        return shown

    def _list(
        self,
        inner: dict[str, Any],
        resource: str,
        model: type[Entity],
        name: str,
        values: list[Json],
        level: Callable[[Json], Level],
        place: str = "",
    ) -> None:
        place = place or name
        if not self._sight.may_see(resource):
            self._left.missing.append(place)
            return
        standing = [(value, self._sight.standing(resource, value, level(value))) for value in values]
        seen = [(value, at) for value, at in standing if self._may(resource, at)]
        inner[name] = [self._record(resource, model, value, at, place) for value, at in seen]
        if len(seen) < len(values):
            self._left.missing.append(place)

    def _sum(self, inner: dict[str, Any], resource: str, name: str, value: Any, place: str) -> None:
        rights = self._sight.rights(resource, self._customer)
        self._keep(inner, name, value, place, rights.is_seen and rights.reads("commercial"))

    def _later(self, name: str, value: Any, inner: dict[str, Any], place: str) -> None:
        rights = self._sight.rights(_LATER.get(place, place), self._customer)
        self._keep(inner, name, value, place, rights.is_seen and rights.is_clear)

    def _keep(self, inner: dict[str, Any], name: str, value: Any, place: str, allowed: bool) -> None:
        if allowed:
            inner[name] = value
        else:
            self._left.missing.append(place)

    def _keep_members(self, inner: dict[str, Any], name: str, members: dict[str, Any], place: str) -> None:
        """That of which nothing is left is missing as a whole."""
        if members:
            inner[name] = members
        else:
            below = f"{place}."
            self._left.missing = [one for one in self._left.missing if not one.startswith(below)] + [place]


_SECTIONS: Final[Mapping[str, Callable[[_Redaction, str, Any], None]]] = {
    **dict.fromkeys((*ALWAYS, "tags", "lifecycle_stage", "sources"), _Redaction._always),
    "profile": _Redaction._profile,
    "account": _Redaction._account,
    "contacts": _Redaction._contacts,
    "relationships": _Redaction._relationships,
    "identities": _Redaction._identities,
    "consents": _Redaction._consents,
    "sales": _Redaction._sales,
    "support": _Redaction._support,
    "marketing": _Redaction._marketing,
    "timeline": _Redaction._timeline,
}
