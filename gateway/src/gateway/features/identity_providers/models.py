"""The tables of identity providers, of the audiences that are taken, and of the people who have signed in."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, json_column, text_list_column, utc_now
from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field

from gateway.base import Base


class IdentityProviderRow(EntityRow, Base, table=True):
    __tablename__ = "identity_provider"
    __table_args__ = (Index("identity_provider_created", "tenant_id", "created_at", "id"),)

    name: str = Field(sa_type=CodePointText, nullable=False)
    status: str = Field(default="active", sa_type=Text, nullable=False)
    issuer: str = Field(sa_type=CodePointText, nullable=False)
    audiences: list[str] = text_list_column()
    algorithms: list[str] = text_list_column()
    token_types: list[str] = text_list_column()
    leeway_seconds: int = Field(nullable=False)
    required_claims: dict[str, Any] = json_column(dict)
    claims: dict[str, Any] = json_column(dict)
    teams: list[dict[str, Any]] = json_column(list)
    roles: list[dict[str, Any]] = json_column(list)
    provision: bool = Field(nullable=False)
    default_roles: list[str] = text_list_column()
    trust_email: bool = Field(nullable=False)
    domains: list[str] = text_list_column()


class ProviderAudienceRow(TenantRow, Base, table=True):
    """One issuer and audience, which one provider of the whole installation has."""

    __tablename__ = "identity_provider_audience"
    __table_args__ = (Index("identity_provider_audience_once", "issuer", "audience", unique=True),)

    provider_id: str = Field(primary_key=True, sa_type=CodePointText)
    audience: str = Field(primary_key=True, sa_type=CodePointText)
    issuer: str = Field(sa_type=CodePointText, nullable=False)
    taken_at: datetime = Field(sa_type=Moment, nullable=False)


class SignInLinkRow(TenantRow, Base, table=True):
    """Which user somebody is whom a provider knows as `subject`.

    `claims_digest` and `claims_at` tell what was applied last, and how old the
    token was that said so.
    """

    __tablename__ = "sign_in_link"
    __table_args__ = (Index("sign_in_link_user", "tenant_id", "user_id"),)

    provider_id: str = Field(primary_key=True, sa_type=CodePointText)
    subject: str = Field(primary_key=True, sa_type=CodePointText)
    user_id: str = Field(sa_type=CodePointText, nullable=False)
    claims_digest: bytes = Field(sa_type=LargeBinary, nullable=False)
    claims_at: datetime = Field(sa_type=Moment, nullable=False)
    created_at: datetime = Field(default_factory=utc_now, sa_type=Moment, nullable=False)
