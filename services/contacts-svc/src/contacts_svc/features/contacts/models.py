"""The contact table."""

from datetime import date, datetime
from typing import Any

from crm_kit.db.models import (
    CodePointText,
    EntityRow,
    Moment,
    TenantRow,
    columns,
    custom_index,
    flag_column,
    id_column,
    json_column,
    keys_index,
    text_list_column,
)
from crm_kit.db.text_grams import text_grams_column, text_grams_index
from crm_kit.rights import Through, owned_by, shares_column
from sqlalchemy import BigInteger, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from contacts_svc.base import Base
from contacts_svc.features.accounts.models import ACCOUNT_OWNERSHIP


class ContactRow(EntityRow, Base, table=True):
    """`email_keys`, `phone_numbers` and `external_keys` hold what equality is looked up by.

    `match_keys`: the numbers of the keys that duplicates are found by; null where none were made yet, by a release that knew none.

    `territory_team_id` and `territory_owner_id`: what the territory gave; a team or owner that differs was named by somebody.

    `rule_tags`: which tag rules hold, and which of the tags it has by them alone (`tagging/rules.py`). `rules_due_at`: when time
    alone may change that.
    """

    __tablename__ = "contact"
    __table_args__ = (
        Index("contact_created", "tenant_id", "created_at", "id"),
        Index("contact_updated", "tenant_id", "updated_at", "id"),
        Index("contact_name", "tenant_id", "full_name", "id"),
        Index("contact_first_name", "tenant_id", "first_name", "id"),
        Index("contact_last_name", "tenant_id", "last_name", "id"),
        Index("contact_birthday", "tenant_id", "birthday", "id"),
        Index("contact_wechat", "tenant_id", "wechat", postgresql_where=text("wechat is not null")),
        Index("contact_owner", "tenant_id", "owner_id", "id"),
        Index("contact_team", "tenant_id", "team_id", "id", postgresql_where=text("team_id is not null")),
        Index(
            "contact_territory", "tenant_id", "territory_id", "id", postgresql_where=text("territory_id is not null")
        ),
        Index("contact_pool", "tenant_id", "pool_id", "owner_id", "id", postgresql_where=text("pool_id is not null")),
        Index("contact_returns", "tenant_id", "returns_at", postgresql_where=text("returns_at is not null")),
        Index("contact_account", "tenant_id", "account_id", "id", postgresql_where=text("account_id is not null")),
        Index("contact_stage", "tenant_id", "lifecycle_stage", "created_at", "id"),
        Index("contact_restricted", "tenant_id", "id", postgresql_where=text("restricted")),
        Index("contact_source", "tenant_id", "source", "id", postgresql_where=text("source is not null")),
        keys_index("contact_email_keys", "email_keys"),
        keys_index("contact_phone_numbers", "phone_numbers"),
        keys_index("contact_external_keys", "external_keys"),
        keys_index("contact_tags", "tags"),
        custom_index("contact"),
        Index("contact_archived", "tenant_id", "created_at", "id", postgresql_where=text("archived_at is not null")),
        Index(
            "contact_archived_at", "tenant_id", "archived_at", "id", postgresql_where=text("archived_at is not null")
        ),
        keys_index("contact_match_keys", "match_keys"),
        Index("contact_unkeyed", "tenant_id", "id", postgresql_where=text("match_keys is null")),
        Index("contact_rules_due", "tenant_id", "rules_due_at", postgresql_where=text("rules_due_at is not null")),
        text_grams_column("name_grams", "full_name", "first_name", "last_name"),
        text_grams_index("contact_name_grams", "name_grams"),
    )
    __mapper_args__ = {"exclude_properties": ["name_grams"]}

    first_name: str | None = Field(default=None, sa_type=CodePointText)
    last_name: str | None = Field(default=None, sa_type=CodePointText)
    full_name: str | None = Field(default=None, sa_type=CodePointText)
    emails: list[dict[str, Any]] = json_column(list)
    email_keys: list[str] = text_list_column()
    phones: list[dict[str, Any]] = json_column(list)
    phone_numbers: list[str] = text_list_column()
    wechat: str | None = Field(default=None, sa_type=CodePointText)
    title: str | None = Field(default=None, sa_type=Text)
    account_id: str | None = Field(default=None, sa_type=CodePointText)
    address: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    language: str | None = Field(default=None, sa_type=Text)
    birthday: date | None = None
    source: str | None = Field(default=None, sa_type=CodePointText)
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
    pool_id: str | None = id_column()
    returns_at: datetime | None = Field(default=None, sa_type=Moment)
    pool_history: list[dict[str, Any]] = json_column(list, later=True)
    match_keys: list[int] | None = Field(default=None, sa_type=ARRAY(Integer))
    merged_from: list[str] = text_list_column(later=True)
    other_external_ids: list[dict[str, str]] = json_column(list, later=True)
    do_not_contact: bool = flag_column()
    restricted: bool = flag_column()
    archived_at: datetime | None = Field(default=None, sa_type=Moment)
    rule_tags: dict[str, Any] = json_column(dict, later=True)
    rules_due_at: datetime | None = Field(default=None, sa_type=Moment)


class MergedContactRow(TenantRow, Base, table=True):
    """A contact while it is merged into another: `content` is its whole row in JSON, with the version that it had."""

    __tablename__ = "merged_contact"
    __table_args__ = (Index("merged_contact_into", "tenant_id", "into_id", "id"),)

    id: str = Field(primary_key=True, sa_type=CodePointText)
    merge_id: str = Field(sa_type=CodePointText, nullable=False)
    into_id: str = Field(sa_type=CodePointText, nullable=False)
    version: int = Field(sa_type=BigInteger, nullable=False)
    content: dict[str, Any] = json_column(dict)


_c = columns(ContactRow)

CONTACT_OWNERSHIP = owned_by(
    _c,
    falls_to_creator=True,
    unowned_by=_c.pool_id,
    given_with=(_c.pool_id,),
    through=(Through(_c.account_id, ACCOUNT_OWNERSHIP),),
)
"""Also whoever its account belongs to."""
