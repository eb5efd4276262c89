"""The checker by itself: a history that is explained is clean, and one changed thing is found, by its name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from crm_contracts.envelope import Event
from crm_testkit.chaos.checker import EndState, check
from crm_testkit.chaos.history import MARKED, History

_TENANT = "tenant_01jd3zq8w9e2vbx7k5m4n6p8qr"
_MARK = f"{_TENANT[-8:]}-one"
_NOTE = f"{_TENANT[-8:]}-two"
_CONTACT = "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"
_ORDER = "order_01jd3zq8w9e2vbx7k5m4n6p8qr"


def _history() -> History:
    history = History(_TENANT)
    history.note("create", "contacts", _MARK, (_CONTACT, 1))
    history.note("update", "contacts", _NOTE, (_CONTACT, 2))
    history.note("create", "orders", f"{_MARK}-order", (_ORDER, 1))
    history.note("create", "deals", f"{_MARK}-deal", None)
    return history


def _contact(version: int) -> dict[str, Any]:
    return {
        "id": _CONTACT,
        "version": version,
        "full_name": _MARK,
        "title": _NOTE if version > 1 else None,
    }


_PLACED = {"id": _ORDER, "version": 1, "number": f"{_MARK}-order", "contact_id": _CONTACT}


def _event(entity: dict[str, Any], kind: str) -> Event:
    service = "contacts" if kind == "contact" else "pipeline"
    return Event(
        id="event_01jd3zq8w9e2vbx7k5m4n6p8qr",
        source="/relata/contacts",
        type=f"crm.{service}.{kind}.updated.v1",
        subject=entity["id"],
        time=datetime(2026, 10, 1, tzinfo=UTC),
        tenant_id=_TENANT,
        sequence=entity["version"],
        entity=entity,
    )


def _view() -> dict[str, Any]:
    return {
        "profile": _contact(2),
        "sales": {"open_deals": [], "orders": {"count": 1, "recent": [_PLACED]}},
        "support": {"open_tickets": [], "counts": {}},
        "timeline": [],
    }


def _state(**changed: Any) -> EndState:
    entities: dict[str, Any] = {resource: {} for resource in MARKED}
    entities |= {"contacts": {_CONTACT: _contact(2)}, "orders": {_ORDER: _PLACED}}
    events = [_event(_contact(1), "contact"), _event(_contact(2), "contact"), _event(_PLACED, "order")]
    state = EndState(entities, events, {_CONTACT: _view()}, {_CONTACT: (2, False)})
    return replace(state, **changed)


def test_what_the_history_explains_is_clean() -> None:
    assert check(_history(), _state()) == []


def test_an_event_that_comes_again_is_no_anomaly() -> None:
    state = _state()
    assert check(_history(), replace(state, events=[*state.events, *state.events])) == []


def _without(resource: str) -> dict[str, Any]:
    return {**_state().entities, resource: {}}


def _with_order(order_id: str, number: str) -> dict[str, Any]:
    order = {**_PLACED, "id": order_id, "number": number}
    return {**_state().entities, "orders": {_ORDER: _PLACED, order_id: order}}


_OTHER_ORDER = "order_01jd3zq8w9e2vbx7k5m4n6p8qs"
_EVENTS = list(_state().events)

_CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a contact is gone": ({"entities": _without("contacts")}, "lost", "the services"),
    "an order is gone": ({"entities": _without("orders")}, "lost", "the services"),
    "one write made two orders": ({"entities": _with_order(_OTHER_ORDER, _PLACED["number"])}, "duplicated", "services"),
    "an order that nobody wrote": (
        {"entities": _with_order(_OTHER_ORDER, f"{_TENANT[-8:]}-x")}, "invented", "the services",
    ),
    "another tenant's order": ({"entities": _with_order(_OTHER_ORDER, "deadbeef-x")}, "cross-tenant", "the services"),
    "an update is undone": (
        {"entities": {**_state().entities, "contacts": {_CONTACT: _contact(1)}}}, "lost", "the services",
    ),
    "an event is missing": ({"events": _EVENTS[1:]}, "lost", "the log"),
    "the newest event is missing": ({"events": [_EVENTS[0], _EVENTS[2]]}, "lost", "the log"),
    "events in the wrong order": ({"events": [_EVENTS[1], _EVENTS[0], _EVENTS[2]]}, "reordered", "the log"),
    "an event of what never was": (
        {"events": [*_EVENTS, _event({**_PLACED, "id": _OTHER_ORDER}, "order")]}, "invented", "the log",
    ),
    "an event that says something else": (
        {"events": [_EVENTS[0], _event({**_contact(2), "title": "x"}, "contact"), _EVENTS[2]]}, "lost", "the log",
    ),
    "no view": ({"views": {_CONTACT: None}}, "lost", "the view"),
    "an old view": ({"views": {_CONTACT: {**_view(), "profile": _contact(1)}}}, "lost", "the view"),
    "a view that counts twice": (
        {"views": {_CONTACT: {**_view(), "sales": {"open_deals": [], "orders": {"count": 2, "recent": []}}}}},
        "duplicated", "the view",
    ),
    "an old copy": ({"copies": {_CONTACT: (1, False)}}, "lost", "a local copy"),
    "no copy": ({"copies": {}}, "lost", "a local copy"),
}  # fmt: skip


@pytest.mark.parametrize("change", _CHANGES)
def test_one_changed_thing_is_found(change: str) -> None:
    changed, verdict, where = _CHANGES[change]
    found = check(_history(), _state(**changed))
    assert (verdict, True) in {(anomaly.verdict, where in anomaly.where) for anomaly in found}, found


def test_what_was_not_answered_may_be_there_or_not_but_once() -> None:
    deal = {"id": "deal_01jd3zq8w9e2vbx7k5m4n6p8qr", "version": 1, "name": f"{_MARK}-deal", "contact_id": None}
    other = {**deal, "id": "deal_01jd3zq8w9e2vbx7k5m4n6p8qs"}
    state = _state()
    there = {**state.entities, "deals": {deal["id"]: deal}}
    events = [*state.events, _event(deal, "deal")]
    assert check(_history(), replace(state, entities=there, events=events)) == []
    twice = {**state.entities, "deals": {deal["id"]: deal, other["id"]: other}}
    found = check(_history(), replace(state, entities=twice, events=[*events, _event(other, "deal")]))
    assert [anomaly.verdict for anomaly in found] == ["duplicated"]
