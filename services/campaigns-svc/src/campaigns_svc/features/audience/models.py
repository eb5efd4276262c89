"""Copies of what contacts-svc owns. A deleted thing leaves its id and version, so that no older event revives it."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, Moment, TenantRow, flag_column, json_column
from sqlalchemy import Index, Text
from sqlmodel import Field

from campaigns_svc.base import Base


class CopyRow(TenantRow):
    """`version` is the newest that was seen of the copied entity."""

    id: str = Field(primary_key=True, sa_type=CodePointText)
    version: int = Field(nullable=False)
    deleted: bool = Field(default=False, nullable=False)


class ContactCopyRow(CopyRow, Base, table=True):
    """`email` is the primary address; `profile` what templates may show."""

    __tablename__ = "contact_copy"

    email: str | None = Field(default=None, sa_type=CodePointText)
    language: str | None = Field(default=None, sa_type=Text)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    archived: bool = flag_column()
    profile: dict[str, Any] = json_column(dict)
    do_not_contact: bool = flag_column()
    restricted: bool = flag_column()


class AccountCopyRow(CopyRow, Base, table=True):
    __tablename__ = "account_copy"

    profile: dict[str, Any] = json_column(dict)


class ConsentCopyRow(CopyRow, Base, table=True):
    """An entry of the consent ledger. All entries are kept, so that the present state is right whatever is deleted."""

    __tablename__ = "consent_copy"
    __table_args__ = (Index("consent_copy_present", "tenant_id", "contact_id", "channel", "purpose", "at", "number"),)

    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    channel: str | None = Field(default=None, sa_type=Text)
    purpose: str | None = Field(default=None, sa_type=Text)
    status: str | None = Field(default=None, sa_type=Text)
    at: datetime | None = Field(default=None, sa_type=Moment)
    number: int | None = Field(default=None)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
