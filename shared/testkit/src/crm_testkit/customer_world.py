"""A small world of customers for tests: its entities, the events that made them, and the facts that services would tell.

The facts are worked out here from the rules in crm_contracts.facts in the plainest way, over lists in memory: what the
gateway keeps in tables and what stand-in services answer is compared with them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crm_contracts.envelope import Event
from crm_contracts.facts import (
    CLOSED_TICKETS,
    MAX_CONTACTS,
    MAX_DUE,
    MAX_OPEN,
    MAX_RECENT,
    MAX_RELATIONSHIPS,
    MAX_TIMELINE,
    UNCOUNTED_ORDERS,
)
from crm_contracts.ids import EventId, new_id
from crm_contracts.registry import TOPICS, Topic
from crm_contracts.types import format_timestamp

BEGINNING = datetime(2026, 10, 1, 8, tzinfo=UTC)
_TOPICS = {topic.entity: topic for topic in TOPICS}

Json = dict[str, Any]


def moment(minutes: float) -> str:
    """So many minutes after the beginning of this world."""
    return format_timestamp(BEGINNING + timedelta(minutes=minutes))


def money(amount: str, currency: str = "CNY") -> Json:
    return {"amount": amount, "currency": currency}


def content(view: Json) -> Json:
    """What a customer view says of the customer: without the members that tell of its making."""
    return {name: value for name, value in view.items() if name not in ("version", "as_of", "sources")}


_EMPTY: dict[str, Json] = {
    "contact": {
        "first_name": None, "last_name": None, "full_name": "王伟", "emails": [], "phones": [], "wechat": None,
        "title": None, "account_id": None, "address": None, "language": None, "birthday": None, "source": None,
        "lifecycle_stage": "lead", "owner_id": None, "team_id": None, "external_ids": {}, "tags": [], "custom": {},
    },
    "account": {
        "name": "云帆科技", "domain": None, "industry": None, "size": None, "parent_id": None, "phone": None,
        "address": None, "lifecycle_stage": "lead", "owner_id": None, "team_id": None, "external_ids": {}, "tags": [],
        "custom": {},
    },
    "activity": {
        "kind": "call", "direction": "inbound", "channel": None, "at": moment(0), "subject": "咨询价格", "body": None,
        "contact_id": None, "account_id": None, "actor_id": None, "data": {},
    },
    "consent": {
        "number": 1, "channel": "email", "purpose": "marketing", "status": "granted", "legal_basis": "consent",
        "source": "form", "wording": None, "evidence": {}, "at": moment(0), "expires_at": None, "actor_id": None,
    },
    "deal": {
        "name": "年度框架", "pipeline_id": "pipeline_01jd3zq8w9e2vbx7k5m4n6p8qr",
        "stage_id": "stage_01jd3zq8w9e2vbx7k5m4n6p8qr", "status": "open", "amount": None, "expected_close": None,
        "contact_id": None, "account_id": None, "owner_id": None, "lines": [], "next_step": None, "closed_at": None,
        "lost_reason": None, "stage_history": [], "tags": [], "custom": {},
    },
    "order": {
        "number": "SO-1", "source": None, "external_id": None, "contact_id": None, "account_id": None, "lines": [],
        "total": money("1999.00"), "status": "paid", "placed_at": moment(0), "tags": [], "custom": {}, "refunds": [],
        "refunded_total": None,
    },
    "product": {
        "name": "滤芯", "sku": "LX-1", "source": None, "external_id": None, "description": None,
        "unit_price": money("999.50"), "category": None, "is_active": True, "tags": [], "custom": {},
    },
    "invoice": {
        "number": "INV-1", "source": None, "external_id": None, "contact_id": None, "account_id": None, "order_id": None,
        "lines": [], "total": money("1999.00"), "amount_paid": money("0.00"), "amount_due": money("1999.00"),
        "status": "open", "issued_at": moment(0), "due_at": None, "overdue": False, "tags": [], "custom": {},
        "owner_id": None, "team_id": None, "shares": [], "source_updated_at": None,
    },
    "payment": {
        "source": None, "external_id": None, "kind": "payment", "contact_id": None, "account_id": None, "order_id": None,
        "invoice_id": None, "amount": money("1999.00"), "method": "card", "status": "succeeded", "paid_at": moment(0),
        "reference": None, "tags": [], "custom": {}, "owner_id": None, "team_id": None, "shares": [],
        "source_updated_at": None,
    },
    "ticket": {
        "number": 1, "subject": "无法登录", "contact_id": None, "account_id": None, "channel": "email", "status": "new",
        "priority": "normal", "queue_id": None, "assignee_id": None, "kind": None, "tags": [],
        "sla": {"first_response_due_at": None, "resolution_due_at": None, "breached": False}, "sentiment": None,
        "message_count": 0, "last_message_at": None, "first_responded_at": None, "solved_at": None,
        "reopened_count": 0, "custom": {},
    },
    "ticket_message": {
        "ticket_id": "ticket_01jd3zq8w9e2vbx7k5m4n6p8qr", "ticket_number": 1, "contact_id": None, "account_id": None,
        "body": "登录时报 500", "visibility": "public", "author": {"kind": "user", "id": None}, "attachments": [],
        "at": moment(0),
    },
    "relationship": {
        "contact_id": None, "account_id": None, "related_contact_id": None, "label": "decision_maker",
        "inverse_label": None, "primary": False, "started_on": None, "ended_on": None, "note": None,
    },
    "segment_member": {"segment_id": "segment_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    "message": {
        "campaign_id": "campaign_01jd3zq8w9e2vbx7k5m4n6p8qr", "campaign_name": "Autumn", "channel": "email",
        "purpose": "marketing", "address": None, "subject": None, "status": "queued", "reason": None, "consent": None,
        "queued_at": moment(0), "sent_at": None, "unsubscribed_at": None,
    },
}  # fmt: skip


def stay(kind: str, at: str, name: str = "谈判") -> Json:
    """One entry of a deal's stage history."""
    return {
        "stage_id": new_id("stage"), "stage_name": name, "kind": kind, "entered_at": at, "left_at": None,
        "actor_id": None,
    }  # fmt: skip


class World:
    """One tenant's entities as they are, by id, and every event so far in the order of writing."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.entities: dict[str, tuple[str, Json]] = {}
        self.events: list[tuple[str, Event]] = []
        self._clock = 0

    def create(self, kind: str, /, **members: Any) -> Json:
        """A new entity and its event."""
        now = self._now()
        base = {"id": members.pop("id", None) or new_id(kind), "version": 1, "created_at": now, "updated_at": now}
        return self._put(kind, base | _EMPTY[kind] | members, "created")

    def update(self, entity_id: str, /, **members: Any) -> Json:
        kind, entity = self.entities[entity_id]
        bumped = {"version": entity["version"] + 1, "updated_at": self._now()}
        return self._put(kind, {**entity, **members, **bumped}, "updated")

    def delete(self, entity_id: str) -> None:
        """A deletion with the last state, then a tombstone."""
        kind, entity = self.entities.pop(entity_id)
        last = {**entity, "version": entity["version"] + 1, "updated_at": self._now()}
        self._record(kind, entity_id, last, "deleted", last["version"])
        self._record(kind, entity_id, None, "deleted", last["version"])

    def _now(self) -> str:
        self._clock += 1
        return moment(self._clock)

    def _put(self, kind: str, entity: Json, action: str) -> Json:
        checked: Json = _TOPICS[kind].model.model_validate(entity).model_dump(mode="json")
        self.entities[checked["id"]] = (kind, checked)
        self._record(kind, checked["id"], checked, action, checked["version"])
        return checked

    def _record(self, kind: str, entity_id: str, entity: Json | None, action: str, version: int) -> None:
        topic: Topic = _TOPICS[kind]
        event = Event(
            id=EventId.new(),
            source=f"/relata/{topic.service}",
            type=f"{topic.name}.{action}.v1",
            subject=entity_id,
            time=datetime.fromisoformat(entity["updated_at"] if entity else moment(self._clock)),
            tenant_id=self.tenant_id,
            sequence=version,
            entity=entity,
        )
        self.events.append((topic.name, event))

    def all_of(self, kind: str) -> list[Json]:
        return [entity for its_kind, entity in self.entities.values() if its_kind == kind]

    def customers(self) -> list[str]:
        return [entity["id"] for kind in ("contact", "account") for entity in self.all_of(kind)]

    def facts(self, customer_id: str) -> dict[str, Json]:
        """What each service says of this customer."""
        contact = next((one for one in self.all_of("contact") if one["id"] == customer_id), None)
        if contact is not None:
            account = next((one for one in self.all_of("account") if one["id"] == contact["account_id"]), None)
            return self._facts(contact, account, [], [customer_id], None)
        account = next(one for one in self.all_of("account") if one["id"] == customer_id)
        contacts = sorted((c for c in self.all_of("contact") if c["account_id"] == customer_id), key=lambda c: c["id"])
        contacts = contacts[:MAX_CONTACTS]
        return self._facts(None, account, contacts, [one["id"] for one in contacts], customer_id)

    def _facts(
        self, contact: Json | None, account: Json | None, contacts: list[Json], ids: list[str], account_id: str | None
    ) -> dict[str, Json]:
        def mine(kind: str) -> list[Json]:
            return [
                one
                for one in self.all_of(kind)
                if one["contact_id"] in ids or (account_id is not None and one.get("account_id") == account_id)
            ]

        return {
            "contacts": {
                "contact": contact,
                "account": account,
                "contacts": contacts,
                "consents": _present(mine("consent")) if contact else [],
                "activities": _newest(mine("activity"), MAX_TIMELINE, "at"),
                "ledger": _newest(mine("consent"), MAX_TIMELINE, "at") if contact else [],
                "relationships": _newest(
                    [one for one in self.all_of("relationship") if (account_id or ids[0]) in _ends(one)],
                    MAX_RELATIONSHIPS,
                    "created_at",
                ),
            },
            "pipeline": {
                **_pipeline(mine("deal"), mine("order")),
                **_billing(mine("invoice"), mine("payment")),
            },
            "tickets": {
                "open_tickets": _newest(
                    [one for one in mine("ticket") if one["status"] not in CLOSED_TICKETS], MAX_OPEN, "created_at"
                ),
                "counts": _counts(one["status"] for one in mine("ticket")),
                "tickets": _newest(mine("ticket"), MAX_TIMELINE, "created_at", "solved_at"),
                "messages": _newest(mine("ticket_message"), MAX_TIMELINE, "at"),
            },
            "campaigns": {
                "recent_messages": _newest(mine("message"), MAX_TIMELINE, "queued_at", "sent_at", "unsubscribed_at"),
                "memberships": sorted(mine("segment_member"), key=lambda one: (one["segment_id"], one["id"]))[
                    :MAX_CONTACTS
                ],
            },
        }


def _newest(entities: Iterable[Json], limit: int, *times: str) -> list[Json]:
    def key(one: Json) -> tuple[datetime, str]:
        return max(datetime.fromisoformat(one[time]) for time in times if one[time]), one["id"]

    return sorted(entities, key=key, reverse=True)[:limit]


def _ends(relationship: Json) -> list[str | None]:
    return [relationship[name] for name in ("contact_id", "account_id", "related_contact_id")]


def _counts(statuses: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for status in statuses:
        found[status] = found.get(status, 0) + 1
    return found


def _present(entries: Iterable[Json]) -> list[Json]:
    deciding: dict[tuple[str, str], Json] = {}
    for entry in sorted(entries, key=lambda one: (datetime.fromisoformat(one["at"]), one["number"])):
        deciding[entry["channel"], entry["purpose"]] = entry
    return list(deciding.values())


def _sums(amounts: Iterable[Json | None]) -> list[Json]:
    sums: dict[str, Decimal] = {}
    for amount in amounts:
        if amount is not None:
            sums[amount["currency"]] = sums.get(amount["currency"], Decimal(0)) + Decimal(amount["amount"])
    return [money(f"{sums[code]:f}", code) for code in sorted(sums)]


def _last_stage(deal: Json) -> Json:
    history = deal["stage_history"]
    return {**deal, "_at": history[-1]["entered_at"] if history else deal["created_at"]}


def _pipeline(deals: list[Json], orders: list[Json]) -> Json:
    counted = [one for one in orders if one["status"] not in UNCOUNTED_ORDERS and not _is_given_back(one)]
    last = _newest(counted, 1, "placed_at")
    moved = _newest([_last_stage(deal) for deal in deals], MAX_TIMELINE, "_at")
    return {
        "open_deals": _newest([one for one in deals if one["status"] == "open"], MAX_OPEN, "created_at"),
        "open_value": _sums(one["amount"] for one in deals if one["status"] == "open"),
        "won_value": _sums(one["amount"] for one in deals if one["status"] == "won"),
        "orders": {
            "count": len(counted),
            "total": _sums(_less_refunds(one) for one in counted),
            "last_at": last[0]["placed_at"] if last else None,
            "recent": _newest(orders, MAX_RECENT, "placed_at"),
        },
        "deals": [{name: value for name, value in deal.items() if name != "_at"} for deal in moved],
        "orders_placed": _newest(orders, MAX_TIMELINE, "placed_at"),
        "orders_refunded": [
            next(order for order in orders if order["id"] == one["id"])
            for one in _newest(
                [{**one, "_at": max(back["at"] for back in one["refunds"])} for one in orders if one["refunds"]],
                MAX_TIMELINE,
                "_at",
            )
        ],
    }


def _refunded(order: Json) -> Decimal:
    return sum((Decimal(back["amount"]["amount"]) for back in order["refunds"]), Decimal(0))


def _is_given_back(order: Json) -> bool:
    return 0 < _refunded(order) >= Decimal(order["total"]["amount"])


def _less_refunds(order: Json) -> Json:
    if not order["refunds"]:
        return order["total"]  # type: ignore[no-any-return]  # a member of JSON
    left = max(Decimal(order["total"]["amount"]) - _refunded(order), Decimal(0))
    return money(f"{left:f}", order["total"]["currency"])


def _billing(invoices: list[Json], payments: list[Json]) -> Json:
    due = [one for one in invoices if one["status"] == "open"]
    first = sorted(due, key=lambda one: (one["due_at"] is None, one["due_at"] or "", one["id"]))
    return {
        "invoices_due": {
            "count": len(due),
            "overdue": sum(one["overdue"] for one in due),
            "total": _sums(one["amount_due"] for one in due),
            "next": first[:MAX_DUE],
        },
        "invoices_issued": _newest([one for one in invoices if one["issued_at"]], MAX_TIMELINE, "issued_at"),
        "payments_made": [
            {name: value for name, value in one.items() if name != "_at"}
            for one in _newest(
                [{**one, "_at": one["paid_at"] or one["created_at"]} for one in payments], MAX_TIMELINE, "_at"
            )
        ],
    }
