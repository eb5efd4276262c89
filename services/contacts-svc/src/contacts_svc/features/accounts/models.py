"""The account table."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import (
    CodePointText,
    EntityRow,
    Moment,
    columns,
    custom_index,
    id_column,
    json_column,
    keys_index,
    text_list_column,
)
from crm_kit.db.text_grams import text_grams_column, text_grams_index
from crm_kit.rights import owned_by, shares_column
from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from contacts_svc.base import Base


class AccountRow(EntityRow, Base, table=True):
    """`territory_team_id` and `territory_owner_id`: as a contact's."""

    __tablename__ = "account"
    __table_args__ = (
        Index("account_created", "tenant_id", "created_at", "id"),
        Index("account_updated", "tenant_id", "updated_at", "id"),
        Index("account_name", "tenant_id", "name", "id"),
        Index("account_owner", "tenant_id", "owner_id", "id"),
        Index("account_team", "tenant_id", "team_id", "id"),
        Index("account_territory", "tenant_id", "territory_id", "id"),
        Index("account_stage", "tenant_id", "lifecycle_stage", "created_at", "id"),
        Index("account_domain", "tenant_id", "domain"),
        Index(
            "account_parent",
            "tenant_id",
            "parent_id",
            "created_at",
            "id",
            postgresql_where=text("parent_id is not null"),
        ),
        keys_index("account_external_keys", "external_keys"),
        keys_index("account_tags", "tags"),
        custom_index("account"),
        Index("account_archived", "tenant_id", "created_at", "id", postgresql_where=text("archived_at is not null")),
        text_grams_column("name_grams", "name"),
        text_grams_index("account_name_grams", "name_grams"),
    )
    __mapper_args__ = {"exclude_properties": ["name_grams"]}

    name: str = Field(sa_type=CodePointText, nullable=False)
    domain: str | None = Field(default=None, sa_type=CodePointText)
    industry: str | None = Field(default=None, sa_type=CodePointText)
    size: int | None = None
    parent_id: str | None = Field(default=None, sa_type=CodePointText)
    phone: str | None = Field(default=None, sa_type=CodePointText)
    address: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    lifecycle_stage: str = Field(default="lead", sa_type=Text, nullable=False)
    lifecycle_reason: str | None = Field(default=None, sa_type=Text)
    lifecycle_changed_at: datetime | None = Field(default=None, sa_type=Moment)
    lifecycle_history: list[dict[str, Any]] = json_column(list, later=True)
    owner_id: str | None = Field(default=None, sa_type=CodePointText)
    team_id: str | None = Field(default=None, sa_type=CodePointText)
    external_ids: dict[str, str] = json_column(dict)
    external_keys: list[str] = text_list_column()
    tags: list[str] = text_list_column()
    custom: dict[str, Any] = json_column(dict)
    shares: list[dict[str, Any]] = shares_column()
    territory_id: str | None = id_column()
    territory_team_id: str | None = id_column()
    territory_owner_id: str | None = id_column()
    archived_at: datetime | None = Field(default=None, sa_type=Moment)


ACCOUNT_OWNERSHIP = owned_by(columns(AccountRow), falls_to_creator=True)
