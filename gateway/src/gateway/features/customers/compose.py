"""compose: from the facts of the four services to the content of a customer view. Pure.

The one place that knows the document's shape. Whether the facts came from the services or from the gateway's own
copies makes no difference to what it answers; lists are put in order here, so that neither need agree on one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from crm_contracts.facts import MAX_CONTACTS, MAX_DUE, MAX_OPEN, MAX_RECENT, MAX_RELATIONSHIPS

from gateway.features.customers.entities import Json, moment, sort_time
from gateway.features.customers.timeline import contact_name, entries_of, newest

Content = dict[str, Any]

_MINOR_DIGITS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}
"""Digits after the point (ISO 4217) where they are not two."""

_IN_A_LIST: Final = (
    "id first_name last_name full_name title emails phones wechat lifecycle_stage owner_id team_id tags created_at"
    " updated_at"
).split()
"""What an account's view says of each of its contacts; the rest is in the contact's own view."""

_NOT_IN_A_LIST: Final = frozenset({"lines", "stage_history"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What each service says of one customer, as JSON of the models in crm_contracts.facts.

    `entries`: timeline entries that were made before, in place of the entities that they tell of.
    """

    contacts: Json
    pipeline: Json
    tickets: Json
    campaigns: Json
    entries: Sequence[Json] = ()


_ASKED_ABOUT: Final = ("email", "sms", "wechat")
"""Channels whose marketing consent a view always states."""


def compose(facts: Facts) -> Content:
    """The view without `version`, `as_of` and `sources`, which are not of the customer but of the view."""
    contact, account = facts.contacts["contact"], facts.contacts["account"]
    profile = contact or account
    return {
        "id": profile["id"],
        "kind": "contact" if contact else "account",
        "profile": profile,
        "account": account if contact else None,
        "contacts": [] if contact else _contacts(facts.contacts["contacts"]),
        "relationships": _newest(facts.contacts.get("relationships", ()), "created_at", MAX_RELATIONSHIPS),
        "tags": profile["tags"],
        "lifecycle_stage": profile["lifecycle_stage"],
        "identities": identities(profile),
        "consents": _consents(facts.contacts["consents"]) if contact else {},
        "scores": {"rfm": None, "tier": None, "churn": None, "lifetime_value": None, "lead": None},
        "sales": _sales(facts.pipeline),
        "support": _support(facts.tickets),
        "marketing": _marketing(facts.campaigns),
        "timeline": _timeline(facts),
    }


def customer_name(profile: Json) -> str | None:
    return str(profile["name"]) if "name" in profile else contact_name(profile)


def identities(profile: Json) -> list[dict[str, Any]]:
    """By what a customer is known: typed items, in the profile's own order."""
    found: list[dict[str, Any]] = [
        {"type": "email", "value": email["address"], "primary": email["primary"], "verified": email["verified"]}
        for email in profile.get("emails", ())
    ]
    found += [
        {"type": "phone", "value": phone["number"], "label": phone["label"]} for phone in profile.get("phones", ())
    ]
    for kind in ("phone", "wechat", "domain"):
        if profile.get(kind):
            found.append({"type": kind, "value": profile[kind]})
    given = {*profile["external_ids"].items(), *((e["system"], e["id"]) for e in profile.get("other_external_ids", ()))}
    found += [{"type": "external_id", "system": system, "value": value} for system, value in sorted(given)]
    return found


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """With as many digits as the currency has, more only where they are not zero."""
    digits = _MINOR_DIGITS.get(currency, 2)
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "amounts are finite"
    return {"amount": f"{amount:.{max(digits, -exponent)}f}", "currency": currency}


def money_total(sums: Iterable[Json]) -> dict[str, Any] | None:
    """The largest sum, with all of them under `by_currency`: different currencies cannot be added up."""
    ordered = sorted(sums, key=lambda one: one["currency"])
    if not ordered:
        return None
    by_currency = [money(Decimal(one["amount"]), one["currency"]) for one in ordered]
    largest = max(by_currency, key=lambda one: Decimal(one["amount"]))  # of equals the first: by code
    return {**largest, "by_currency": by_currency}


def _newest(entities: Iterable[Json], time: str, limit: int) -> list[Json]:
    return sorted(entities, key=lambda one: (moment(one[time]), one["id"]), reverse=True)[:limit]


def _contacts(contacts: Sequence[Json]) -> list[Json]:
    ordered = sorted(contacts, key=lambda contact: contact["id"])[:MAX_CONTACTS]
    return [
        {
            **{name: contact[name] for name in _IN_A_LIST},
            "shares": contact.get("shares", []),
            "archived_at": contact.get("archived_at"),
        }
        for contact in ordered
    ]


def _consents(entries: Iterable[Json]) -> dict[str, dict[str, str]]:
    """Who was never asked about marketing has `none` there, so that a reader need not tell absence apart."""
    state: dict[str, dict[str, str]] = {channel: {"marketing": "none"} for channel in _ASKED_ABOUT}
    for entry in sorted(entries, key=lambda entry: (entry["channel"], entry["purpose"])):
        state.setdefault(entry["channel"], {})[entry["purpose"]] = entry["status"]
    return state


def _deal(deal: Json) -> dict[str, Any]:
    history = deal["stage_history"]
    summary = {name: value for name, value in deal.items() if name not in _NOT_IN_A_LIST}
    return {**summary, "stage_name": history[-1]["stage_name"] if history else None}


def _sales(facts: Json) -> dict[str, Any]:
    orders = facts["orders"]
    return {
        "open_deals": [_deal(deal) for deal in _newest(facts["open_deals"], "created_at", MAX_OPEN)],
        "open_value": money_total(facts["open_value"]),
        "won_value": money_total(facts["won_value"]),
        "orders": {
            "count": orders["count"],
            "total": money_total(orders["total"]),
            "last_at": orders["last_at"],
            "recent": _newest(orders["recent"], "placed_at", MAX_RECENT),
        },
        "quotes": [],
        "invoices_due": _invoices_due(facts.get("invoices_due") or {}),
        "tasks": [],
    }


def _invoices_due(due: Json) -> dict[str, Any]:
    """Empty where pipeline-svc is of a release that knows none."""
    first = sorted(due.get("next", ()), key=lambda one: (one["due_at"] is None, one["due_at"] or "", one["id"]))
    return {
        "count": due.get("count", 0),
        "overdue": due.get("overdue", 0),
        "total": money_total(due.get("total", ())),
        "next": first[:MAX_DUE],
    }


def _support(facts: Json) -> dict[str, Any]:
    return {
        "open_tickets": _newest(facts["open_tickets"], "created_at", MAX_OPEN),
        "counts": {status: facts["counts"][status] for status in sorted(facts["counts"])},
        "last_csat": None,
        "sentiment": None,
    }


def _marketing(facts: Json) -> dict[str, Any]:
    messages = facts["recent_messages"]
    recent = sorted(messages, key=lambda one: (sort_time("message", one), one["id"]), reverse=True)[:MAX_RECENT]
    return {
        "segments": [{"id": segment_id} for segment_id in sorted({one["segment_id"] for one in facts["memberships"]})],
        "journeys": [],
        "recent_messages": recent,
        "coupons": [],
        "points": None,
    }


def _timeline(facts: Facts) -> list[Json]:
    contacts = facts.contacts
    people = [contacts["contact"]] if contacts["contact"] else contacts["contacts"]
    account = [contacts["account"]] if not contacts["contact"] else []
    entities: Mapping[str, Sequence[Json]] = {
        "contact": people,
        "account": account,
        "activity": contacts["activities"],
        "consent": contacts["ledger"],
        "deal": facts.pipeline["deals"],
        "order": [*facts.pipeline["orders_placed"], *facts.pipeline.get("orders_refunded", ())],
        "invoice": facts.pipeline.get("invoices_issued", ()),
        "payment": facts.pipeline.get("payments_made", ()),
        "ticket": facts.tickets["tickets"],
        "ticket_message": facts.tickets["messages"],
        "message": facts.campaigns["recent_messages"],
    }
    made = (entry.json() for kind, all_of in entities.items() for one in all_of for entry in entries_of(kind, one))
    return newest(chain(facts.entries, made))
