"""Random histories of a world of customers, and random ways in which their events may arrive."""

import random
from decimal import Decimal
from typing import Any

from crm_contracts.envelope import Event
from crm_contracts.ids import TenantId

from crm_testkit.customer_world import World, moment, money, stay

KINDS = (
    "contact",
    "account",
    "activity",
    "consent",
    "deal",
    "order",
    "invoice",
    "payment",
    "ticket",
    "ticket_message",
    "segment_member",
    "message",
    "relationship",
)
CURRENCIES = ("CNY", "JPY", "EUR")


def members(kind: str, dice: random.Random, contacts: list[str], accounts: list[str]) -> dict[str, Any]:
    """Some state of an entity of this type, over few customers so that they share much."""
    contact_id, account_id = dice.choice([*contacts, None]), dice.choice([*accounts, None])
    at, later = moment(dice.randrange(50)), moment(50 + dice.randrange(50) + dice.choice((0, 0.0001)))
    amount = money(dice.choice(("100.00", "0.5", "12", "99.125")), dice.choice(CURRENCIES))
    whose = {"contact_id": contact_id, "account_id": account_id}
    status = dice.choice(("open", "won", "lost"))
    states: dict[str, dict[str, Any]] = {
        "contact": {"account_id": account_id, "full_name": dice.choice(("欧阳晓梅", "Ann Lee", None)), "tags": ["vip"]},
        "account": {"name": dice.choice(("云帆", "Acme")), "phone": dice.choice((None, "+8657188887777"))},
        "activity": {**whose, "at": at, "kind": dice.choice(("call", "note"))},
        "consent": {
            "contact_id": contact_id or contacts[0],
            "at": at,
            "number": dice.randrange(1, 9),
            "channel": dice.choice(("email", "sms")),
            "status": dice.choice(("granted", "withdrawn")),
        },
        "deal": {**whose, "status": status, "amount": dice.choice((amount, None)), "stage_history": [
            stay("open", at), *([stay(status, later)] if status != "open" else [])]},
        "order": {
            **whose,
            "total": amount,
            "placed_at": at,
            "status": dice.choice(("paid", "draft", "refunded")),
            **_refunds(dice, amount, later),
        },
        "invoice": {
            **whose,
            "total": amount,
            "amount_due": amount,
            "status": dice.choice(("open", "open", "paid", "void")),
            "issued_at": dice.choice((None, at)),
            "due_at": dice.choice((None, "2026-10-05", "2026-11-05")),
            "overdue": dice.choice((True, False)),
        },
        "payment": {
            **whose,
            "amount": amount,
            "kind": dice.choice(("payment", "refund")),
            "status": dice.choice(("succeeded", "pending")),
            "paid_at": dice.choice((None, at)),
        },
        "ticket": {**whose, "status": dice.choice(("new", "open", "solved")), "solved_at": dice.choice((None, later))},
        "ticket_message": {**whose, "at": at},
        "segment_member": {"contact_id": contact_id or contacts[0], "segment_id": dice.choice(SEGMENTS)},
        "relationship": {
            "contact_id": dice.choice([contacts[0], *contacts[2:]]),
            "account_id": account_id,
            "related_contact_id": contacts[1] if account_id is None else None,
            "label": dice.choice(("decision_maker", "billing")),
        },
        "message": {
            "contact_id": contact_id or contacts[0],
            "queued_at": at,
            "sent_at": dice.choice((None, later)),
            "status": dice.choice(("queued", "sent", "skipped")),
        },
    }  # fmt: skip
    return states[kind]


def _refunds(dice: random.Random, total: dict[str, str], at: str) -> dict[str, Any]:
    """None, some, or all of it given back."""
    amounts = dice.choice(([], ["0.25"], ["0.5", "11.50"], [total["amount"]]))
    given = [
        {
            "external_id": dice.choice((None, f"r{place}")),
            "amount": money(each, total["currency"]),
            "reason": None,
            "at": at,
        }
        for place, each in enumerate(amounts)
    ]
    back = str(sum(map(Decimal, amounts), Decimal(0)))
    return {"refunds": given, "refunded_total": money(back, total["currency"]) if given else None}


SEGMENTS = ["segment_01jd3zq8w9e2vbx7k5m4n6p8qr", "segment_01jd3zq8w9e2vbx7k5m4n6p8qs"]


def random_world(dice: random.Random, steps: int) -> World:
    """A world after so many creations, changes, moves between customers and deletions."""
    world = World(TenantId.new())
    contacts = [world.create("contact")["id"] for _ in range(3)]
    accounts = [world.create("account")["id"] for _ in range(2)]
    for _ in range(steps):
        action = dice.random()
        if action < 0.55 or not world.entities:
            kind = dice.choice(KINDS)
            world.create(kind, **members(kind, dice, contacts, accounts))
        else:
            entity_id = dice.choice(sorted(world.entities))
            kind, _ = world.entities[entity_id]
            if action < 0.85:
                world.update(entity_id, **members(kind, dice, contacts, accounts))
            else:
                world.delete(entity_id)
    return world


def batches(events: list[Event], dice: random.Random) -> list[list[Event]]:
    """The events with some repeated, in any order, cut at random."""
    mixed = [*events, *dice.choices(events, k=len(events) // 4)]
    dice.shuffle(mixed)
    cuts = sorted(dice.randrange(len(mixed) + 1) for _ in range(dice.randrange(6)))
    return [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True) if a < b]
