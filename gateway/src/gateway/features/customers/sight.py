"""What a caller sees of customers: which records, how much of each. Pure. A whole view is redacted in `redaction.py`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from crm_contracts.campaigns import Message
from crm_contracts.contacts import Account, Activity, Consent, Contact
from crm_contracts.pipeline import Deal, Invoice, Order, Payment
from crm_contracts.sensitivity import COMMERCIAL, OPEN, Classified, Sensitivity, mask_text
from crm_contracts.tickets import Ticket, TicketMessage
from crm_contracts.types import Entity
from crm_kit.conditions import RELATIVE, CheckedCondition, Field, InvalidCondition, comparisons_in, evaluate, parse
from crm_kit.custom_fields import DeclaredFields, declared_of
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.rights import EVERYTHING, NOTHING, Classes, Level, RecordRights, redacted
from crm_kit.rights.grants import UNCONDITIONED, Holding

from gateway.documents.fields import fields_of
from gateway.features.customers.entities import Json
from gateway.features.customers.nearness import Nearness

_CUSTOMERS: Final = "customers:read"
OF_KIND: Final[Mapping[str, tuple[str, type[Entity]]]] = {
    "contact": ("contacts", Contact),
    "account": ("accounts", Account),
}
"""The resource that customers of a kind are of, and their entity."""

BESIDES: Final[Mapping[str, Classified]] = {"pool_reason": COMMERCIAL, "refund": COMMERCIAL} | dict.fromkeys(
    ("stage_name", "from_stage_name", "from_stage", "ticket_id", "ticket_number", "visibility", "author"), OPEN
)
"""What entries and summaries say besides the members of their entity."""


_TIMED: Final = timedelta(minutes=1)
"""How long what depends on the time of day is good for."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What entries of the timeline tell of: a resource, an entity of it, and how sensitive its title is."""

    resource: str
    model: type[Entity]
    title: Sensitivity


ENTRIES: Final[Mapping[str, Telling]] = {
    "contact": Telling("contacts", Contact, "personal"),
    "account": Telling("accounts", Account, "open"),
    "activity": Telling("activities", Activity, "commercial"),
    "consent": Telling("consents", Consent, "open"),
    "deal": Telling("deals", Deal, "open"),
    "order": Telling("orders", Order, "commercial"),
    "invoice": Telling("invoices", Invoice, "commercial"),
    "payment": Telling("payments", Payment, "commercial"),
    "ticket": Telling("tickets", Ticket, "commercial"),
    "message": Telling("messages", Message, "commercial"),
}
"""By the first word of an entry's kind."""


class Standing(NamedTuple):
    """How a record lies to a caller: how near, and which conditions of their grants of its resource hold for it."""

    level: Level
    resource: str = ""
    holding: Holding = UNCONDITIONED


NOWHERE: Final = Standing("all")
"""As near as any record is."""


class Sight:
    """What one caller sees of customers, at one moment."""

    def __init__(self, principal: Principal, now: datetime) -> None:
        self.now = now
        self._principal = principal
        self._near = Nearness(principal.rights, now) if principal.rights is not None else None
        self._rights: dict[tuple[str, Level, Holding], RecordRights] = {}
        self._conditions: dict[str, list[CheckedCondition | None]] = {}
        self._timed = False
        self.declared: DeclaredFields = {}
        """What the tenant has declared of custom fields: by it these are shown, and tested by conditions."""

    def rights(self, resource: str, at: Standing) -> RecordRights:
        """To records of a resource that lie so, as far as the caller's scopes go too.

        Conditions count for the resource alone whose record it was that they hold for.
        """
        holding = at.holding if at.resource == resource else UNCONDITIONED
        key = (resource, at.level, holding)
        found = self._rights.get(key)
        if found is None:
            found = self._rights[key] = self._rights_to(*key)
        return found

    def _rights_to(self, resource: str, level: Level, holding: Holding) -> RecordRights:
        if not self.may_see(resource):
            return NOTHING
        rights = self._principal.rights
        return EVERYTHING if rights is None else rights.on(resource).at(level, holding)

    def may_see(self, resource: str) -> bool:
        """Whether any record of a resource may be seen."""
        return self._principal.may(f"{resource}:read")

    @property
    def changes_at(self) -> datetime | None:
        """From when on it may be another, though nothing was changed; None where time alone changes nothing."""
        ends = [self._near.changes_at] if self._near is not None and self._near.changes_at is not None else []
        return min([*ends, self.now + _TIMED] if self._timed else ends, default=None)

    def level(self, record: Json) -> Level:
        return self._near.of(record) if self._near is not None else "own"

    def standing(self, resource: str, record: Json, level: Level) -> Standing:
        """Of a record that is so near, by itself or by what it belongs to."""
        conditions = self._conditions.get(resource)
        if conditions is None:
            conditions = self._conditions[resource] = self._conditions_on(resource)
        if not conditions:
            return Standing(level)
        return Standing(level, resource, frozenset(n for n, one in enumerate(conditions) if self._holds(one, record)))

    def _conditions_on(self, resource: str) -> list[CheckedCondition | None]:
        """None for one that speaks of what this release does not know."""
        rights = self._principal.rights
        found: list[CheckedCondition | None] = []
        for grant in rights.on(resource).conditioned if rights is not None else ():
            try:
                found.append(parse(grant.where, fields_of(resource, self.declared)))
            except InvalidCondition:
                found.append(None)
        return found

    def _holds(self, condition: CheckedCondition | None, record: Json) -> bool:
        """Of what a record leaves out nothing is known, so that no condition on it holds."""
        tests = list(comparisons_in(condition))
        if condition is None or any(_member(test.field) not in record for test in tests):
            return False
        self._timed = self._timed or any(test.op in RELATIVE for test in tests)
        return evaluate(condition, record, now=self.now)

    def profile(self, kind: str, profile: Json, at: Standing) -> dict[str, Any]:
        """A contact or account by itself."""
        resource, model = OF_KIND[kind]
        return redacted(model, profile, self.rights(resource, at), declared=self.classes(resource))

    def classes(self, resource: str) -> Classes:
        """Of the custom fields of a resource."""
        return declared_of(self.declared, resource).classes

    def name(self, kind: str, name: str | None, at: Standing) -> str | None:
        """What a customer is called, which may be an address of theirs."""
        rights = self.rights(OF_KIND[kind][0], at)
        shown: str | None = rights.shown(name, "personal" if kind == "contact" else "open", mask_text) if name else name
        return shown

    def kinds(self, wanted: Iterable[str] | None, at: Standing) -> list[str]:
        """Of the timeline kinds that are wanted, all where that is None, those that may be seen of a customer."""
        seen = [word for word, about in ENTRIES.items() if self.rights(about.resource, at).is_seen]
        return sorted(kind for kind in wanted or seen if _word(kind) in seen)

    def entry(self, entry: Json, at: Standing) -> dict[str, Any] | None:
        """A timeline entry without what may not be seen of it; None where nothing may."""
        about = ENTRIES.get(_word(entry["kind"]))
        if about is None:
            return None
        rights = self.rights(about.resource, at)
        if not rights.is_seen:
            return None
        if rights.is_clear:
            return dict(entry)
        model = TicketMessage if entry["kind"] == "ticket.message" else about.model
        data = redacted(model, entry["data"], rights, BESIDES)
        title = entry["title"] if rights.reads(about.title) else entry["kind"]
        return {**entry, "title": title, "data": {name: data[name] for name in entry["data"] if name in data}}


def may_see(principal: Principal, kind: str) -> bool:
    """Whether customers of a kind, contact or account, can be seen at all."""
    return principal.may(_CUSTOMERS) and principal.may(f"{OF_KIND[kind][0]}:read")


def sight_of(principal: Principal, kind: str, now: datetime) -> Sight | None:
    """What is seen of customers of a kind; None where everything is. Raises Forbidden where nothing is."""
    if (principal.rights is None or principal.rights.is_unlimited) and principal.may("read"):
        return None
    require(principal, _CUSTOMERS)
    require(principal, f"{OF_KIND[kind][0]}:read")
    return Sight(principal, now)


def _member(field: Field) -> str:
    path = field.value if isinstance(field.value, str) else field.name
    return path.partition(".")[0]


def _word(kind: str) -> str:
    return kind.partition(".")[0]
