"""The gateway's copy of every entity, the customer views made of them, and the entries of their timelines.

The migration that makes these tables protects all of them, and makes the function `read_customer_view` (reading.py).

JSON is kept as `json`, not `jsonb`: an entity reads exactly as its service published it, members in their order.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from crm_kit.db.models import CodePointText, Moment, TenantRow, text_list_column
from sqlalchemy import JSON, BigInteger, Column, Identity, Index, Integer, LargeBinary, Numeric, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from gateway.base import Base


def grams_index(name: str) -> Index:
    """The tenant is in it (ADR 0029). With a short list of what is new, as of `text_grams_index`."""
    return Index(name, "tenant_id", "grams", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 256})


_PRESENT = text("not deleted")
_OPEN = text("open and not deleted")
_DUE = text("type = 'invoice' and open and not deleted")
_CONTACT = text("type = 'contact' and not deleted")


class EntityCopy(TenantRow, Base, table=True):
    """The newest state of one entity of any service, guarded by its version.

    A deleted entity leaves its row without data, so that an older event which comes late is still ignored. The other
    columns repeat what facts are selected, sorted and summed by; `at` is the type's place in a timeline, of an invoice the day on
    which it is due (see `entities.py`). A contact is its own `contact_id`, an account its own `account_id`; of a relationship
    between two contacts the second stands there.
    """

    __tablename__ = "entity"
    __table_args__ = (
        Index("entity_contact", "tenant_id", "contact_id", "type", "at", "id", postgresql_where=_PRESENT),
        Index("entity_account", "tenant_id", "account_id", "type", "at", "id", postgresql_where=_PRESENT),
        Index("entity_contact_open", "tenant_id", "contact_id", "type", "created_at", "id", postgresql_where=_OPEN),
        Index("entity_account_open", "tenant_id", "account_id", "type", "created_at", "id", postgresql_where=_OPEN),
        Index("entity_contact_due", "tenant_id", "contact_id", "at", "id", postgresql_where=_DUE),
        Index("entity_account_due", "tenant_id", "account_id", "at", "id", postgresql_where=_DUE),
        Index("entity_account_contacts", "tenant_id", "account_id", "id", postgresql_where=_CONTACT),
        Index("entity_contact_time", "tenant_id", "contact_id", "service", "time"),
        Index("entity_account_time", "tenant_id", "account_id", "service", "time"),
    )

    id: str = Field(primary_key=True, sa_type=CodePointText)
    type: str = Field(sa_type=CodePointText, nullable=False)
    service: str = Field(sa_type=CodePointText, nullable=False)
    version: int = Field(sa_type=BigInteger, nullable=False)
    deleted: bool = Field(nullable=False)
    time: datetime = Field(sa_type=Moment, nullable=False)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    created_at: datetime | None = Field(default=None, sa_type=Moment)
    at: datetime | None = Field(default=None, sa_type=Moment)
    status: str | None = Field(default=None, sa_type=CodePointText)
    open: bool = Field(default=False, nullable=False)
    amount: Decimal | None = Field(default=None, sa_type=Numeric)
    currency: str | None = Field(default=None, sa_type=CodePointText)
    data: Any = Field(default=None, sa_type=JSON(none_as_null=True), nullable=True)


class CustomerViewRow(TenantRow, Base, table=True):
    """One customer's view as it is sent. `digest` is of all that makes its version; `keys` are its customer_key rows."""

    __tablename__ = "customer_view"

    id: str = Field(primary_key=True, sa_type=CodePointText)
    kind: str = Field(sa_type=Text, nullable=False)
    name: str | None = Field(default=None, sa_type=CodePointText)
    version: int = Field(sa_type=BigInteger, nullable=False)
    as_of: datetime = Field(sa_type=Moment, nullable=False)
    doc: bytes = Field(sa_type=LargeBinary, nullable=False)
    digest: bytes = Field(sa_type=LargeBinary, nullable=False)
    sources: Any = Field(sa_type=JSON, nullable=False)
    keys: list[str] = text_list_column()


class StaleCustomerRow(TenantRow, Base, table=True):
    """A customer of whom the entities tell more than the view does; there may be several rows of one.

    `renamed`: an account whose contacts show it too.
    """

    __tablename__ = "stale_customer"
    __table_args__ = (Index("stale_customer_customer", "tenant_id", "customer_id", "id"),)

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    customer_id: str = Field(sa_type=CodePointText, nullable=False)
    renamed: bool = Field(nullable=False)
    marked_at: datetime = Field(sa_column=Column(Moment, nullable=False, server_default=func.now()))


class CustomerKeyRow(TenantRow, Base, table=True):
    """What a customer is looked up by, such as `email:mei@example.com` or `phone:+8613800138000`.

    A table, not arrays under a GIN index: under row-level security PostgreSQL uses an index only for leak-proof
    operators, and `@>` is none.
    """

    __tablename__ = "customer_key"
    __table_args__ = (Index("customer_key_customer", "tenant_id", "customer_id"),)

    key: str = Field(primary_key=True, sa_type=CodePointText)
    customer_id: str = Field(primary_key=True, sa_type=CodePointText)


class CustomerSearchRow(TenantRow, Base, table=True):
    """What a customer is found by (`search/`): texts by the right that it takes to see them, and the grams of all of them.

    `digest` is of all that is kept. A new row is written where that has changed alone: each costs its grams once more.
    """

    __tablename__ = "customer_search"
    __table_args__ = (
        grams_index("customer_search_grams"),
        Index("customer_search_created", "tenant_id", "created_at", "id"),
    )

    id: str = Field(primary_key=True, sa_type=CodePointText)
    kind: str = Field(sa_type=CodePointText, nullable=False)
    archived: bool = Field(nullable=False)
    created_at: datetime = Field(sa_type=Moment, nullable=False)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    digest: bytes = Field(sa_type=LargeBinary, nullable=False)
    personal: str | None = Field(default=None, sa_type=CodePointText)
    open: str | None = Field(default=None, sa_type=CodePointText)
    company: str | None = Field(default=None, sa_type=CodePointText)
    commercial: str | None = Field(default=None, sa_type=CodePointText)
    grams: list[int] = Field(sa_type=ARRAY(Integer), nullable=False)


class SearchNumberRow(TenantRow, Base, table=True):
    """The numbers of an order, an invoice or a ticket, folded, by which its customers are found."""

    __tablename__ = "search_number"
    __table_args__ = (
        grams_index("search_number_grams"),
        Index("search_number_contact", "tenant_id", "contact_id"),
    )

    id: str = Field(primary_key=True, sa_type=CodePointText)
    kind: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    numbers: list[str] = text_list_column()
    grams: list[int] = Field(sa_type=ARRAY(Integer), nullable=False)


class SearchFillingRow(TenantRow, Base, table=True):
    """A tenant whose customers from before are being made searchable: up to which id that is done.

    `again_at`: they have been, and are looked through once more then, for what a process of the release before has written.
    """

    __tablename__ = "search_filling"

    after_id: str = Field(default="", sa_type=CodePointText, nullable=False)
    again_at: datetime | None = Field(default=None, sa_type=Moment)


class TimelineEntryRow(TenantRow, Base, table=True):
    """One entry of a timeline; an entity has as many as its present state tells of."""

    __tablename__ = "timeline_entry"
    __table_args__ = (
        Index("timeline_entry_contact", "tenant_id", "contact_id", "at", "entry_id"),
        Index("timeline_entry_account", "tenant_id", "account_id", "at", "entry_id"),
    )

    entity_id: str = Field(primary_key=True, sa_type=CodePointText)
    n: int = Field(primary_key=True)
    entry_id: str = Field(sa_type=CodePointText, nullable=False)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    at: datetime = Field(sa_type=Moment, nullable=False)
    kind: str = Field(sa_type=CodePointText, nullable=False)
    source: str = Field(sa_type=CodePointText, nullable=False)
    entry: Any = Field(sa_type=JSON, nullable=False)
