"""The tables of privacy requests, of what services told for them, and of the evidence that erased persons leave."""

from datetime import datetime
from typing import Any

from crm_kit.db.models import CodePointText, EntityRow, Moment, TenantRow, id_column, json_column, text_list_column
from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field

from contacts_svc.base import Base


class PrivacyRequestRow(EntityRow, Base, table=True):
    """`evidence`: the deciding entries of an erased person's consent ledger, without what tells who it was.

    `told`: how many receipts the job has counted. `pieces`: of the archive, which lies with the files of exports.
    """

    __tablename__ = "privacy_request"
    __table_args__ = (
        Index("privacy_request_created", "tenant_id", "created_at", "id"),
        Index("privacy_request_contact", "tenant_id", "contact_id", "id"),
        Index("privacy_request_open", "tenant_id", "kind", "id", postgresql_where=text("status = 'running'")),
    )

    kind: str = Field(sa_type=Text, nullable=False)
    contact_id: str = Field(sa_type=CodePointText, nullable=False)
    subject_ids: list[str] = text_list_column()
    status: str = Field(default="running", sa_type=Text, nullable=False)
    reason: str | None = Field(default=None, sa_type=Text)
    requested_by: str = Field(sa_type=CodePointText, nullable=False)
    receipts: list[dict[str, Any]] = json_column(list)
    job_id: str | None = id_column()
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    size: int | None = Field(default=None, sa_type=BigInteger)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)

    told: int = Field(default=0, sa_type=Integer, nullable=False)
    pieces: int = Field(default=0, sa_type=Integer, nullable=False)
    evidence: list[dict[str, Any]] = json_column(list)


class PrivacyPieceRow(TenantRow, Base, table=True):
    """What a service has told: compressed lines of JSON, or, with the last piece, of how many records it was."""

    __tablename__ = "privacy_piece"

    request_id: str = Field(primary_key=True, sa_type=CodePointText)
    service: str = Field(primary_key=True, sa_type=CodePointText)
    number: int = Field(primary_key=True, sa_type=Integer)
    is_last: bool = Field(sa_type=Boolean, nullable=False)
    records: dict[str, Any] = json_column(dict)
    content: bytes | None = Field(default=None, sa_type=LargeBinary)


class ErasureEvidenceRow(TenantRow, Base, table=True):
    """`digest`: of an address or a number of an erased person, salted and slow to try (`rules.digest`)."""

    __tablename__ = "erasure_evidence"

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    request_id: str = Field(primary_key=True, sa_type=CodePointText)


class PrivacySaltRow(TenantRow, Base, table=True):
    """One a tenant."""

    __tablename__ = "privacy_salt"

    salt: bytes = Field(sa_type=LargeBinary, nullable=False)
