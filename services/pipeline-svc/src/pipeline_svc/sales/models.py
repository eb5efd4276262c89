"""The columns and indexes that the tables of orders, invoices and payments have in common."""

from datetime import datetime
from typing import Any

from crm_kit.conditions import Field as ConditionField
from crm_kit.conditions import FieldType
from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column, text_list_column
from crm_kit.resources import base_fields
from crm_kit.rights import shares_column
from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field

from pipeline_svc.sales.schemas import SoldWrite


class SoldRow(EntityRow):
    """Records without source are of one source."""

    source: str | None = Field(default=None, sa_type=CodePointText)
    external_id: str | None = Field(default=None, sa_type=CodePointText)
    contact_id: str | None = Field(default=None, sa_type=CodePointText)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    tags: list[str] = text_list_column()
    custom: dict[str, Any] = json_column(dict)
    owner_id: str | None = Field(default=None, sa_type=CodePointText)
    team_id: str | None = Field(default=None, sa_type=CodePointText)
    shares: list[dict[str, Any]] = shares_column()
    source_updated_at: datetime | None = Field(default=None, sa_type=Moment)

    def write(self, data: SoldWrite) -> None:
        """References may be ahead of what they refer to."""
        self.tags = list(dict.fromkeys(data.tags))
        self.custom = dict(data.custom)
        self.shares = [share.model_dump(mode="json") for share in data.shares]
        for name in (
            "source",
            "external_id",
            "contact_id",
            "account_id",
            "owner_id",
            "team_id",
            "source_updated_at",
        ):
            setattr(self, name, getattr(data, name))


class CounterRow(TenantRow):
    """The last number that this service gave to a record of the tenant."""

    last: int = Field(sa_type=BigInteger, nullable=False)


def sold_indexes(name: str, time: str) -> tuple[Index, ...]:
    """`time`: by which a customer's newest are read."""
    return (
        Index(f"{name}_created", "tenant_id", "created_at", "id"),
        Index(f"{name}_updated", "tenant_id", "updated_at", "id"),
        Index(f"{name}_owner", "tenant_id", "owner_id", "id"),
        Index(f"{name}_team", "tenant_id", "team_id", "id"),
        Index(f"{name}_contact", "tenant_id", "contact_id", time, "id"),
        Index(f"{name}_account", "tenant_id", "account_id", time, "id"),
        external_id_index(name),
        Index(f"{name}_tags", "tags", postgresql_using="gin"),
    )


def external_id_index(name: str) -> Index:
    return Index(
        f"{name}_external_id",
        "tenant_id",
        "external_id",
        "source",
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=text("external_id is not null"),
    )


def number_index(name: str) -> Index:
    return Index(f"{name}_number", "tenant_id", "number", "source", unique=True, postgresql_nulls_not_distinct=True)


def sold_fields(row: type[SoldRow], c: Any) -> list[ConditionField]:
    """What all of them can be filtered and sorted by."""
    return [
        *base_fields(row),
        ConditionField("source", FieldType.TEXT, c.source),
        ConditionField("external_id", FieldType.TEXT, c.external_id),
        ConditionField("contact_id", FieldType.ID, c.contact_id),
        ConditionField("account_id", FieldType.ID, c.account_id),
        ConditionField("owner_id", FieldType.ID, c.owner_id),
        ConditionField("team_id", FieldType.ID, c.team_id),
        ConditionField("tag", FieldType.TEXT_LIST, c.tags, value="tags"),
        ConditionField("source_updated_at", FieldType.DATETIME, c.source_updated_at),
    ]
