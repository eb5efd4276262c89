"""What each service says of one customer: the parts that the customer view is composed of.

The gateway asks for them when a view is composed live, and computes the same from its own copies of the entities when
it keeps the view up to date by events. Both follow the rules stated here, so both give the same view.

A customer is a contact or an account. What belongs to it (its scope): for a contact, every entity with its
`contact_id`; for an account, every entity with its `account_id` or with the `contact_id` of one of its contacts.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from crm_contracts.campaigns import Message, SegmentMember
from crm_contracts.contacts import Account, Activity, Consent, Contact
from crm_contracts.ids import AccountId, ContactId
from crm_contracts.pipeline import Deal, Invoice, Order, Payment
from crm_contracts.relationships import Relationship
from crm_contracts.tickets import Ticket, TicketMessage
from crm_contracts.types import Contract, Input, MoneySum, Timestamp

MAX_CONTACTS = 200
"""Contacts of an account that are in its scope and its view: the first by id."""

MAX_OPEN = 50
"""Open deals and tickets in a view: the newest by (`created_at`, `id`)."""

MAX_RECENT = 10
"""Recent orders and messages in a view."""

MAX_DUE = 5
"""Open invoices in a view: those due first by (`due_at`, `id`), those without a day last."""

MAX_RELATIONSHIPS = 50
"""Relationships in a view: the newest by (`created_at`, `id`)."""

MAX_TIMELINE = 20
"""Entries of the view's timeline, and so many entities of each type are enough to find them."""

UNCOUNTED_ORDERS = ("draft", "cancelled", "refunded")
"""Orders in these states are in no count and no total, and neither are those of which all was given back."""


class OrderCounts(NamedTuple):
    """As what an order counts: `status` is `refunded` where all was given back, whatever its source calls it; `amount` is what
    is left of the total, and never less than 0: some sources take refunds out of the total by themselves.
    """

    status: str
    amount: Decimal
    currency: str


def counts_as(order: Mapping[str, Any]) -> OrderCounts:
    """Of an order's JSON."""
    total, refunded = order["total"], order.get("refunded_total")
    amount, back = Decimal(total["amount"]), Decimal(refunded["amount"]) if refunded else Decimal(0)
    status = "refunded" if 0 < back >= amount else order["status"]
    return OrderCounts(status, max(amount - back, Decimal(0)) if back else amount, total["currency"])


CLOSED_TICKETS = ("solved", "closed")


class Scope(Input):
    """Whose facts are asked for."""

    account_id: AccountId | None = None
    contact_ids: Annotated[list[ContactId], Field(max_length=MAX_CONTACTS)] = []


class CustomerId(Input):
    """Which customer contacts-svc is asked about; it alone knows who belongs to whom."""

    id: ContactId | AccountId


class ContactsFacts(Contract):
    """`contact` for a contact; `account` for an account, and for a contact that has one which exists.

    `contacts`: an account's. `consents`: the present entry of each (channel, purpose) of a contact.
    `activities`: the newest MAX_TIMELINE by (`at`, `id`). `ledger`: a contact's newest MAX_TIMELINE consent entries by
    (`at`, `id`). `relationships`: the newest MAX_RELATIONSHIPS by (`created_at`,
    `id`) that the customer itself is an end of.
    """

    contact: Contact | None
    account: Account | None
    contacts: list[Contact]
    consents: list[Consent]
    activities: list[Activity]
    ledger: list[Consent]
    relationships: list[Relationship] = []


class OrderFacts(Contract):
    """`count`, `total` (by currency, less refunds) and `last_at` (newest `placed_at`) leave UNCOUNTED_ORDERS out (`counts_as`).

    `recent`: the newest MAX_RECENT of every state by (`placed_at`, `id`).
    """

    count: int
    total: list[MoneySum]
    last_at: Timestamp | None
    recent: list[Order]


class InvoicesDueFacts(Contract):
    """Of the open invoices: how many, how many of them overdue, what is due by currency, and the first MAX_DUE of them."""

    count: int = 0
    overdue: int = 0
    total: list[MoneySum] = []
    next: list[Invoice] = []


class PipelineFacts(Contract):
    """`open_deals`: the newest MAX_OPEN. Values are sums over all deals of that kind, one per currency, by currency.

    `deals`: the newest MAX_TIMELINE by (entry of the last stage, `id`). `orders_placed`: the newest MAX_TIMELINE by
    (`placed_at`, `id`). `orders_refunded`: by (the newest refund, `id`). `invoices_issued`: by (`issued_at`, `id`).
    `payments_made`: by (`paid_at`, else `created_at`, `id`).
    """

    open_deals: list[Deal]
    open_value: list[MoneySum]
    won_value: list[MoneySum]
    orders: OrderFacts
    deals: list[Deal]
    orders_placed: list[Order]
    orders_refunded: list[Order] = []
    invoices_due: InvoicesDueFacts = InvoicesDueFacts()
    invoices_issued: list[Invoice] = []
    payments_made: list[Payment] = []


class TicketsFacts(Contract):
    """`open_tickets`: the newest MAX_OPEN that are not in CLOSED_TICKETS. `counts`: tickets by status, without zeros.

    `tickets`: the newest MAX_TIMELINE by (the later of `created_at` and `solved_at`, `id`).
    `messages`: the newest MAX_TIMELINE by (`at`, `id`).
    """

    open_tickets: list[Ticket]
    counts: dict[str, int]
    tickets: list[Ticket]
    messages: list[TicketMessage]


class CampaignsFacts(Contract):
    """`recent_messages`: the newest MAX_TIMELINE by (the latest of `queued_at`, `sent_at`, `unsubscribed_at`, `id`);
    a view shows MAX_RECENT of them. `memberships`: of static segments, by `segment_id`, at most MAX_CONTACTS.
    """

    recent_messages: list[Message]
    memberships: list[SegmentMember]
