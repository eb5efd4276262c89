"""What clients write and read of privacy requests."""

from typing import Annotated, Self

from crm_contracts.contacts import Channel, ConsentStatus, LegalBasis
from crm_contracts.ids import ContactId, PrivacyRequestId
from crm_contracts.privacy import PrivacyRequestKind
from crm_contracts.types import Contract, Input, Text, Timestamp
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contacts_svc.features.contacts.schemas import EmailAddress, PhoneNumber


class PrivacyRequestWrite(Input):
    kind: PrivacyRequestKind
    contact_id: ContactId
    reason: Annotated[
        Text | None,
        StringConstraints(max_length=500),
        Field(
            description="Such as the number of the letter that asked for it. It stays: name nobody",
            examples=["DSR-2026-118"],
        ),
    ] = None


class ErasedQuery(Input):
    """An address or a number of whoever may have been erased."""

    email: EmailAddress | None = None
    phone: PhoneNumber | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.email is None) == (self.phone is None):
            raise PydanticCustomError("one_of", "Give an email or a phone", {"zh": "请提供 email 或 phone 其中之一"})
        return self


class KeptConsent(Contract):
    """What had been decided of a channel and purpose when the person was erased."""

    channel: Channel
    purpose: str
    status: ConsentStatus
    legal_basis: LegalBasis
    at: Timestamp


class Erasure(Contract):
    request_id: PrivacyRequestId
    at: Timestamp
    consents: list[KeptConsent]


class Erasures(Contract):
    """The newest first; empty where nobody with this address or number was erased."""

    data: list[Erasure]
