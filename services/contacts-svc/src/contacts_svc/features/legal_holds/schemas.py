"""What clients may write of a legal hold."""

from typing import Annotated

from crm_contracts.ids import ContactId
from crm_contracts.types import Input, Name, Timestamp
from pydantic import Field


class LegalHoldWrite(Input):
    contact_id: Annotated[ContactId, Field(description="It cannot be changed; place another hold")]
    reason: Annotated[
        Name, Field(description="Such as the file number of a lawsuit", examples=["(2026)浙0106民初117号"])
    ]
    until: Annotated[Timestamp | None, Field(description="By default until it is released")] = None
