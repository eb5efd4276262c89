"""What clients may write into the ledger, and the state derived from it."""

from datetime import timedelta
from typing import Annotated, Self

from crm_contracts.contacts import Channel, Consent, ConsentStatus, LegalBasis
from crm_contracts.types import Contract, CustomFields, Input, LongText, Slug, Text, Timestamp
from crm_kit.db.models import utc_now
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

_CLOCK_SKEW = timedelta(minutes=5)


class ConsentWrite(Input):
    channel: Channel
    purpose: Annotated[Slug, Field(examples=["marketing"])]
    status: ConsentStatus
    legal_basis: LegalBasis = "consent"
    source: Annotated[Text, StringConstraints(min_length=1)]
    wording: Annotated[LongText | None, Field(description="The text shown, or its version")] = None
    evidence: CustomFields = {}
    at: Annotated[Timestamp | None, Field(description="When it was given or withdrawn; now if left out")] = None
    expires_at: Timestamp | None = None
    separate: Annotated[
        bool, Field(strict=True, description="Given for nothing else in the same act, as some purposes need it")
    ] = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        now = utc_now()
        if self.at is not None and self.at > now + _CLOCK_SKEW:
            raise PydanticCustomError("future", "`at` must not lie in the future", {"zh": "at 不能是将来的时间"})
        if self.expires_at is not None and self.expires_at <= (self.at or now):
            raise PydanticCustomError("expired", "`expires_at` must lie after `at`", {"zh": "expires_at 必须晚于 at"})
        return self


class ConsentState(Contract):
    """The present state: by channel and purpose, the entry that decides."""

    data: list[Consent]
