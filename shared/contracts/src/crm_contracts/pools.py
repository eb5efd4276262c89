"""Public pools (公海): contacts that nobody owns, from which those who work with them take."""

from typing import Annotated, Literal

from pydantic import Field

from crm_contracts.ids import PoolId, TeamId, UserId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Entity, Timestamp, known

PoolMoveKind = Literal["claimed", "assigned", "released", "returned"]
"""`assigned`: by somebody else than who has it then. `returned`: by itself, when nothing was done for too long."""


class Pool(Entity):
    id: Annotated[PoolId, OPEN]
    name: Annotated[str, OPEN]
    team_ids: Annotated[
        list[TeamId], Field(description="Whose members claim from it; everybody does where empty"), OPEN
    ]
    claim_limit_per_day: Annotated[
        int | None, Field(description="What a user claims from it in 24 hours at most"), OPEN
    ]
    hold_limit: Annotated[
        int | None, Field(description="With how many of it in their hands a user claims no more"), OPEN
    ]
    return_after_days: Annotated[
        int | None, Field(description="After so many days without activity a contact goes back by itself"), OPEN
    ]
    reclaim_after_days: Annotated[
        int, Field(description="Who gave a contact back, or lost it, waits so long to claim it again"), OPEN
    ]


class PoolMove(Contract):
    """A contact's way out of a pool, or back into it. `user_id`: who has it from then on, or had it until then."""

    kind: Annotated[str, known(PoolMoveKind)]
    pool_id: PoolId
    user_id: UserId | None
    reason: str | None
    at: Timestamp
    actor_id: str | None
