"""What clients say when they claim a contact, or give it back."""

from typing import Annotated

from crm_contracts.ids import PoolId, UserId
from crm_contracts.types import Input, Name
from pydantic import Field


class ClaimWrite(Input):
    user_id: Annotated[
        UserId | None, Field(description="For whom; yourself if left out. For another it takes contacts:assign")
    ] = None


class ReleaseWrite(Input):
    reason: Name
    pool_id: Annotated[PoolId | None, Field(description="Where it goes; where it came from if left out")] = None
