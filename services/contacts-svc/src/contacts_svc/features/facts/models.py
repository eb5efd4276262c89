"""Copies of what other services own, and what they come to. A deleted thing leaves its id and version, so that no older event
revives it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from crm_kit.db.models import CodePointText, Moment, TenantRow, flag_column, id_column, json_column
from sqlalchemy import Index, Numeric, Text, text
from sqlmodel import Field

from contacts_svc.base import Base


class FactCopyRow(TenantRow, Base, table=True):
    """What counts of an order, a deal or a ticket; `version` is the newest that was seen of it.

    `at`: when the order was placed, the deal was closed, the ticket was made.
    """

    __tablename__ = "fact_copy"
    __table_args__ = (
        Index("fact_copy_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id is not null")),
    )

    id: str = Field(primary_key=True, sa_type=CodePointText)
    version: int = Field(nullable=False)
    deleted: bool = Field(default=False, nullable=False)
    kind: str | None = Field(default=None, sa_type=Text)
    contact_id: str | None = id_column()
    status: str | None = Field(default=None, sa_type=Text)
    urgent: bool = flag_column()
    amount: Decimal | None = Field(default=None, sa_type=Numeric)
    currency: str | None = Field(default=None, sa_type=Text)
    at: datetime | None = Field(default=None, sa_type=Moment)


class ContactFactsRow(TenantRow, Base, table=True):
    """`facts`: as `rules.facts_of` adds them up. A contact of which there is nothing has none."""

    __tablename__ = "contact_facts"

    contact_id: str = Field(primary_key=True, sa_type=CodePointText)
    facts: dict[str, Any] = json_column(dict)
