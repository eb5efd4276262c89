"""From an entity to the entries that a timeline shows of it. Pure, and only of what its present state says."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from crm_contracts.facts import MAX_TIMELINE
from crm_contracts.registry import TOPICS

from gateway.features.customers.entities import Json, moment

_SOURCES: Final = {topic.entity: topic.service for topic in TOPICS}
_TITLE_LENGTH: Final = 120
_LINE: Final = re.compile(r"\S[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*")
"""From the first character that shows to where `str.splitlines` ends its line: the lines behind it may be many."""
_WHOLE_HISTORY: Final = 100
"""Stage entries that a deal keeps; a longer history has lost its beginning."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `id` begins with its entity's id; newest first is by (`at`, `id`) descending."""

    id: str
    at: str
    kind: str
    source: str
    title: str
    ref: Mapping[str, str]
    actor: str | None
    data: Mapping[str, Any]

    @property
    def moment(self) -> datetime:
        return moment(self.at)

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "source": self.source,
            "title": self.title,
            "ref": self.ref,
            "actor": self.actor,
            "data": self.data,
        }


def entries_of(kind: str, entity: Json) -> list[Entry]:
    """All entries of an entity of this type; most types have one, some none."""
    entries = _ENTRIES.get(kind)
    return list(entries(entity)) if entries else []


def newest(entries: Iterable[Json]) -> list[Json]:
    """What a view shows of them, each once."""
    by_id = {entry["id"]: entry for entry in entries}
    return sorted(by_id.values(), key=lambda entry: (moment(entry["at"]), entry["id"]), reverse=True)[:MAX_TIMELINE]


def one_line(text: str | None) -> str:
    """The first line that says something, shortened to what a list can show."""
    found = _LINE.search(text) if text else None
    line = " ".join(found[0].split()) if found else ""
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1] + "…"


def contact_name(contact: Json) -> str | None:
    """What a person is called; else an address of theirs."""
    if contact["full_name"]:
        return str(contact["full_name"])
    addresses = [*(email["address"] for email in contact["emails"]), *(phone["number"] for phone in contact["phones"])]
    return str(addresses[0]) if addresses else contact["wechat"]


def _entry(
    entity: Json,
    type_: str,
    suffix: str,
    at: str,
    kind: str,
    title: str | None,
    *,
    actor: str | None = None,
    **data: Any,
) -> Entry:
    ref = {"type": type_, "id": entity["id"]}
    return Entry(f"{entity['id']}.{suffix}", at, kind, _SOURCES[type_], one_line(title), ref, actor, data)


def _contact(contact: Json) -> Iterator[Entry]:
    title = contact_name(contact)
    yield _entry(contact, "contact", "created", contact["created_at"], "contact.created", title)
    yield from _lifecycle(contact, "contact", title)
    yield from _archived(contact, "contact", title)
    for move in contact.get("pool_history", ()):
        yield _entry(
            contact,
            "contact",
            f"pool-{move['at']}",
            move["at"],
            f"contact.{move['kind']}",
            title,
            actor=move["actor_id"],
            pool_id=move["pool_id"],
            owner_id=move["user_id"],
            pool_reason=move["reason"],
        )


def _account(account: Json) -> Iterator[Entry]:
    yield _entry(account, "account", "created", account["created_at"], "account.created", account["name"])
    yield from _lifecycle(account, "account", account["name"])
    yield from _archived(account, "account", account["name"])


def _archived(customer: Json, type_: str, title: str | None) -> Iterator[Entry]:
    """While it is: a customer that was restored is as if it had never been archived."""
    if at := customer.get("archived_at"):
        yield _entry(customer, type_, "archived", at, f"{type_}.archived", title or customer["id"])


def _lifecycle(customer: Json, type_: str, title: str | None) -> Iterator[Entry]:
    for change in customer.get("lifecycle_history", ()):
        yield _entry(
            customer,
            type_,
            f"lifecycle-{change['at']}",  # a place in the history changes when its beginning is lost
            change["at"],
            f"{type_}.lifecycle_changed",
            f"{title or customer['id']} → {change['stage']}",
            actor=change["actor_id"],
            lifecycle_stage=change["stage"],
            from_stage=change["from_stage"],
            lifecycle_reason=change["reason"],
        )


def _activity(activity: Json) -> Iterator[Entry]:
    yield _entry(
        activity,
        "activity",
        "at",
        activity["at"],
        f"activity.{activity['kind']}",
        one_line(activity["subject"]) or one_line(activity["body"]) or activity["kind"],
        actor=activity["actor_id"],
        direction=activity["direction"],
        channel=activity["channel"],
        contact_id=activity["contact_id"],
        account_id=activity["account_id"],
    )


def _consent(consent: Json) -> Iterator[Entry]:
    yield _entry(
        consent,
        "consent",
        "at",
        consent["at"],
        f"consent.{consent['status']}",
        f"{consent['channel']} · {consent['purpose']}",
        actor=consent["actor_id"],
        channel=consent["channel"],
        purpose=consent["purpose"],
        legal_basis=consent["legal_basis"],
        source=consent["source"],
    )


def _deal(deal: Json) -> Iterator[Entry]:
    amount = {"amount": deal["amount"]}
    yield _entry(deal, "deal", "created", deal["created_at"], "deal.created", deal["name"], **amount)
    history = deal["stage_history"]
    for number, stay in enumerate(history):
        kind = stay["kind"]
        if number == 0 and kind == "open" and len(history) < _WHOLE_HISTORY:
            continue  # where it began is no move
        yield _entry(
            deal,
            "deal",
            f"stage-{number:03}",
            stay["entered_at"],
            "deal.stage_moved" if kind == "open" else f"deal.{kind}",
            f"{deal['name']} → {stay['stage_name']}",
            actor=stay["actor_id"],
            stage_id=stay["stage_id"],
            stage_name=stay["stage_name"],
            from_stage_name=history[number - 1]["stage_name"] if number else None,
            **amount,
        )


def _order(order: Json) -> Iterator[Entry]:
    yield _entry(
        order,
        "order",
        "placed",
        order["placed_at"],
        "order.placed",
        f"{order['number']} · {_money(order['total'])}",
        number=order["number"],
        total=order["total"],
        status=order["status"],
    )
    for place, refund in enumerate(order.get("refunds", ())):
        yield _entry(
            order,
            "order",
            f"refund-{refund['external_id'] or place}",
            refund["at"],
            "order.refunded",
            f"{order['number']} · {_money(refund['amount'])}",
            number=order["number"],
            refund=refund,
            status=order["status"],
        )


def _money(money: Json) -> str:
    return f"{money['amount']} {money['currency']}"


def _invoice(invoice: Json) -> Iterator[Entry]:
    if invoice["issued_at"]:
        yield _entry(
            invoice,
            "invoice",
            "issued",
            invoice["issued_at"],
            "invoice.issued",
            f"{invoice['number']} · {_money(invoice['total'])}",
            number=invoice["number"],
            total=invoice["total"],
            amount_due=invoice["amount_due"],
            status=invoice["status"],
            due_at=invoice["due_at"],
            overdue=invoice["overdue"],
        )


def _payment(payment: Json) -> Iterator[Entry]:
    """Of a refund it is told that it is one: `payment.refund_succeeded`."""
    kind = payment["status"] if payment["kind"] == "payment" else f"refund_{payment['status']}"
    yield _entry(
        payment,
        "payment",
        "made",
        payment["paid_at"] or payment["created_at"],
        f"payment.{kind}",
        " · ".join(filter(None, (_money(payment["amount"]), payment["method"], payment["reference"]))),
        amount=payment["amount"],
        method=payment["method"],
        reference=payment["reference"],
        status=payment["status"],
        order_id=payment["order_id"],
        invoice_id=payment["invoice_id"],
    )


def _ticket(ticket: Json) -> Iterator[Entry]:
    title = f"#{ticket['number']} {ticket['subject']}"
    about = {"number": ticket["number"], "priority": ticket["priority"], "channel": ticket["channel"]}
    yield _entry(ticket, "ticket", "opened", ticket["created_at"], "ticket.opened", title, **about)
    if ticket["solved_at"]:
        solver = ticket["assignee_id"]
        yield _entry(ticket, "ticket", "solved", ticket["solved_at"], "ticket.solved", title, actor=solver, **about)


def _ticket_message(message: Json) -> Iterator[Entry]:
    yield _entry(
        message,
        "ticket_message",
        "at",
        message["at"],
        "ticket.message",
        one_line(message["body"]) or f"#{message['ticket_number']}",
        actor=message["author"]["id"],
        ticket_id=message["ticket_id"],
        ticket_number=message["ticket_number"],
        visibility=message["visibility"],
        author=message["author"],
    )


def _message(message: Json) -> Iterator[Entry]:
    title = one_line(message["subject"]) or message["campaign_name"]
    about = {
        "campaign_id": message["campaign_id"],
        "campaign_name": message["campaign_name"],
        "channel": message["channel"],
        "status": message["status"],
        "reason": message["reason"],
    }
    at = message["sent_at"] or message["queued_at"]
    yield _entry(message, "message", "fate", at, f"message.{message['status']}", title, **about)
    if message["unsubscribed_at"]:
        yield _entry(
            message,
            "message",
            "unsubscribed",
            message["unsubscribed_at"],
            "message.unsubscribed",
            title,
            actor=message["contact_id"],
            **about,
        )


_ENTRIES: Final[Mapping[str, Callable[[Json], Iterator[Entry]]]] = {
    "contact": _contact,
    "account": _account,
    "activity": _activity,
    "consent": _consent,
    "deal": _deal,
    "order": _order,
    "invoice": _invoice,
    "payment": _payment,
    "ticket": _ticket,
    "ticket_message": _ticket_message,
    "message": _message,
}
