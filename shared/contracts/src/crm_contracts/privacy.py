"""What persons may ask of whoever holds data of them (GDPR articles 15 to 20, PIPL articles 44 to 47)."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import ContactId, JobId, PrivacyReceiptId, PrivacyRequestId
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Timestamp, known

PrivacyRequestKind = Literal["export", "erasure", "restriction"]
"""`export`: everything that is held of a person, in one archive. `erasure`: of which nothing is left. `restriction`: it is
stored, and nothing else is done with it."""

PrivacyRequestStatus = Literal["running", "succeeded", "failed", "cancelled", "lifted", "expired"]
"""`lifted`: a restriction that is over. `expired`: an export whose archive is gone."""


class Receipt(Contract):
    """One service's word that it has done its part. `records`: of how many of each kind."""

    service: str
    records: dict[str, int]
    at: Timestamp


class PrivacyRequest(Entity):
    id: Annotated[PrivacyRequestId, OPEN]
    kind: Annotated[str, known(PrivacyRequestKind), OPEN]
    contact_id: Annotated[ContactId, Field(description="Whose data it is about"), OPEN]
    subject_ids: Annotated[
        list[ContactId], Field(description="The contact, and those that had been merged into it"), OPEN
    ]
    status: Annotated[str, known(PrivacyRequestStatus), OPEN]
    reason: Annotated[str | None, Field(description="Why, such as the number of the letter that asked for it"), PRIVATE]
    requested_by: Annotated[str, OPEN]
    receipts: Annotated[list[Receipt], Field(description="Of the services that have done their part"), OPEN]
    job_id: Annotated[JobId | None, Field(description="The job, whose progress /v1/jobs tells"), OPEN]
    finished_at: Annotated[Timestamp | None, OPEN]
    size: Annotated[int | None, Field(description="Bytes of the archive; null while there is none"), OPEN]
    file: Annotated[str | None, Field(description="Where to get the archive; null while there is none"), OPEN]
    expires_at: Annotated[Timestamp | None, Field(description="Until then there is an archive"), OPEN]


class PrivacyReceipt(Entity):
    """What a service tells whoever keeps the requests: of an export, data in pieces; at last that all is done.

    `content`: a piece of the lines of JSON, one an entity, compressed by zlib (RFC 1950), in Base64. They are forgotten once
    the request has ended.
    """

    id: Annotated[PrivacyReceiptId, OPEN]
    request_id: Annotated[PrivacyRequestId, OPEN]
    service: Annotated[str, OPEN]
    number: Annotated[int, Field(ge=0, description="Which piece, in their order"), OPEN]
    is_last: Annotated[bool, OPEN]
    records: Annotated[dict[str, int], Field(description="In all, by kind; with the last piece"), OPEN]
    content: Annotated[str | None, PRIVATE]
