"""What clients may write of a pool."""

from typing import Annotated

from crm_contracts.ids import TeamId
from crm_contracts.types import Input, Name
from pydantic import Field

Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Days = Annotated[int, Field(strict=True, ge=1, le=3650)]


class PoolWrite(Input):
    name: Name
    team_ids: Annotated[
        list[TeamId], Field(max_length=100, description="Whose members claim from it; everybody does where empty")
    ] = []
    claim_limit_per_day: Annotated[
        Count | None, Field(description="What a user claims from it in 24 hours at most")
    ] = None
    hold_limit: Annotated[
        Count | None, Field(description="With how many of it in their hands a user claims no more")
    ] = None
    return_after_days: Annotated[
        Days | None, Field(description="After so many days without activity a contact goes back by itself")
    ] = None
    reclaim_after_days: Annotated[
        int,
        Field(strict=True, ge=0, le=3650, description="Who gave a contact back, or lost it, waits so long"),
    ] = 0
