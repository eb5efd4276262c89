"""The table of relationships, and where those are that cannot be shown for as long as a merge stands."""

from datetime import date
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, TenantRow, id_column, json_column, keys_index, text_list_column
from sqlalchemy import BigInteger, Index, Text, text
from sqlmodel import Field

from contacts_svc.base import Base


class RelationshipRow(EntityRow, Base, table=True):
    """`home_…`: the contact that an end was given as, also while that one is merged into the one that the end is now.

    `label_key` and `inverse_key`: what labels are compared by. `contact_ids`: the ends that are contacts.
    """

    __tablename__ = "relationship"
    __table_args__ = (
        Index("relationship_created", "tenant_id", "created_at", "id"),
        Index("relationship_contact", "tenant_id", "contact_id", "created_at", "id"),
        Index(
            "relationship_account",
            "tenant_id",
            "account_id",
            "created_at",
            "id",
            postgresql_where=text("account_id is not null"),
        ),
        Index(
            "relationship_related",
            "tenant_id",
            "related_contact_id",
            "created_at",
            "id",
            postgresql_where=text("related_contact_id is not null"),
        ),
        keys_index("relationship_contact_ids", "contact_ids"),
    )

    contact_id: str = Field(sa_type=CodePointText, nullable=False)
    account_id: str | None = id_column()
    related_contact_id: str | None = id_column()
    contact_ids: list[str] = text_list_column()
    home_contact_id: str = Field(sa_type=CodePointText, nullable=False)
    home_related_id: str | None = id_column()
    label: str = Field(sa_type=CodePointText, nullable=False)
    label_key: str = Field(sa_type=CodePointText, nullable=False)
    inverse_label: str | None = Field(default=None, sa_type=CodePointText)
    inverse_key: str | None = Field(default=None, sa_type=CodePointText)
    primary: bool = Field(default=False, nullable=False)
    started_on: date | None = None
    ended_on: date | None = None
    note: str | None = Field(default=None, sa_type=Text)


class RelationshipAsideRow(TenantRow, Base, table=True):
    """A relationship that is not there while a merge stands: `content` is its row in JSON, with the version that it had.

    `end_ids`: what it would be between.
    """

    __tablename__ = "relationship_aside"
    __table_args__ = (keys_index("relationship_aside_end_ids", "end_ids"),)

    id: str = Field(primary_key=True, sa_type=CodePointText)
    end_ids: list[str] = text_list_column()
    version: int = Field(sa_type=BigInteger, nullable=False)
    content: dict[str, Any] = json_column(dict)
