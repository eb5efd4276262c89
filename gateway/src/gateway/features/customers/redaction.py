"""What a caller's permissions leave of a customer. Pure.

A view shows what several resources hold, and whoever may read customers need not read all of those. What no permission
here stands for is for those alone who may read everything: so is a section that comes later, until it is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crm_kit.http.principal import Principal
from crm_kit.http.route import require

from gateway.features.customers.entities import Json
from gateway.features.customers.selection import ALWAYS

_CUSTOMERS: Final = "customers:read"
_EVERYTHING: Final = "read"
_OF_KIND: Final = {"contact": "contacts:read", "account": "accounts:read"}

_SECTIONS: Final[Mapping[str, str | Mapping[str, str]]] = {
    **dict.fromkeys((*ALWAYS, "profile", "tags", "lifecycle_stage", "identities", "sources"), _CUSTOMERS),
    "account": "accounts:read",
    "contacts": "contacts:read",
    "consents": "consents:read",
    "sales": {
        "open_deals": "deals:read",
        "open_value": "deals:read",
        "won_value": "deals:read",
        "orders": "orders:read",
    },
    "support": "tickets:read",
    "marketing": {"segments": "segments:read", "recent_messages": "messages:read"},
    "timeline": _CUSTOMERS,  # its entries have permissions of their own
}
_ENTRIES: Final[Mapping[str, str]] = {
    "contact": "contacts:read",
    "account": "accounts:read",
    "activity": "activities:read",
    "consent": "consents:read",
    "deal": "deals:read",
    "order": "orders:read",
    "ticket": "tickets:read",
    "message": "messages:read",
}
"""By the first word of an entry's kind."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller sees of customers who does not see everything. `entries`: first words of timeline kinds."""

    principal: Principal
    entries: frozenset[str]

    def of(self, view: Json) -> dict[str, Any]:
        """The view without what may not be seen, which `redacted` names."""
        seen: dict[str, Any] = {}
        redacted: list[str] = []
        for name, value in view.items():
            needed = _SECTIONS.get(name, _EVERYTHING)
            if isinstance(needed, str):
                if self.principal.may(needed):
                    seen[name] = value
                else:
                    redacted.append(name)
                continue
            members = {
                inner: each for inner, each in value.items() if self.principal.may(needed.get(inner, _EVERYTHING))
            }
            if members:
                seen[name] = members
                redacted += [f"{name}.{inner}" for inner in value if inner not in members]
            else:
                redacted.append(name)
        if "timeline" in seen:
            seen["timeline"] = [entry for entry in seen["timeline"] if _word(entry["kind"]) in self.entries]
            redacted += [f"timeline.{word}" for word in _ENTRIES if word not in self.entries]
        return {**seen, "redacted": redacted}

    def kinds(self, wanted: Iterable[str] | None) -> list[str]:
        """Of the timeline kinds that are wanted, all where that is None, those that may be seen."""
        return sorted(kind for kind in wanted or self.entries if _word(kind) in self.entries)


def may_see(principal: Principal, kind: str) -> bool:
    """Whether customers of a kind, contact or account, can be seen at all."""
    return principal.may(_CUSTOMERS) and principal.may(_OF_KIND[kind])


def sight_of(principal: Principal, kind: str) -> Sight | None:
    """What is seen of customers of a kind; None where everything is. Raises Forbidden where nothing is."""
    if principal.may(_EVERYTHING):
        return None
    require(principal, _CUSTOMERS)
    require(principal, _OF_KIND[kind])
    return Sight(principal, frozenset(word for word, needed in _ENTRIES.items() if principal.may(needed)))


def _word(kind: str) -> str:
    return kind.partition(".")[0]
