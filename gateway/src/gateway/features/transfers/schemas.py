"""What clients write and read of a transfer."""

from typing import Annotated, Literal, Self

from crm_contracts.ids import ID_SUFFIX, TeamId, TransferId, UserId
from crm_contracts.sensitivity import OPEN, PRIVATE
from crm_contracts.types import Contract, Entity, Input, Timestamp
from crm_kit.conditions import Condition
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.features.transfers.rules import MAX_IDS

Owned = Literal["contacts", "accounts", "deals", "tickets"]
"""The resources whose records have an owner of their own; a ticket's is its assignee."""

Follower = Literal["contacts", "deals", "tickets"]
TransferStatus = Literal["pending", "running", "succeeded", "failed", "cancelled"]
RecordId = Annotated[str, StringConstraints(strict=True, pattern=f"^(contact|account|deal|ticket)_{ID_SUFFIX}$")]


class Receiver(Input):
    """What is left out stays; null takes it away."""

    owner_id: UserId | None = None
    team_id: TeamId | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("receiver", "Name an owner, a team or both", {"zh": "请指定负责人或团队"})
        return self


class TransferWrite(Input):
    """Which records: all that the conditions given here hold of. `from_user_id` alone stands for all that a user owns."""

    resources: Annotated[list[Owned], Field(min_length=1, max_length=4)]
    from_user_id: Annotated[UserId | None, Field(description="Who owns them now, and may have left long ago")] = None
    where: Annotated[Condition | None, Field(description="As a search of the one resource takes it")] = None
    ids: Annotated[list[RecordId], Field(max_length=MAX_IDS, description="Of the one resource")] = []
    to: Receiver
    follow: Annotated[
        list[Follower],
        Field(
            max_length=3,
            description="What belongs to a moved customer and was its former owner's goes along; of an account also contacts",
        ),
    ] = []
    dry_run: Annotated[bool, Field(strict=True, description="Counts, and changes nothing")] = False

    @model_validator(mode="after")
    def _selected(self) -> Self:
        if self.from_user_id is None and self.where is None and not self.ids:
            raise PydanticCustomError(
                "selection_required",
                "Say which: from_user_id, where or ids",
                {"zh": "请指定 from_user_id、where 或 ids"},
            )
        if (self.where is not None or self.ids) and len(self.resources) > 1:
            raise PydanticCustomError(
                "one_resource", "A condition and ids are of one resource", {"zh": "条件和 id 只能针对一种资源"}
            )
        return self


class TransferFault(Contract):
    """A record that was not moved, and the code of the problem."""

    id: str
    code: str


class Transfer(Entity):
    """Records handed over in the name of who asked for it: with their rights, as they are while it goes on."""

    id: Annotated[TransferId, OPEN]
    resources: Annotated[list[str], OPEN]
    from_user_id: Annotated[UserId | None, OPEN]
    where: Annotated[dict[str, object] | None, PRIVATE]
    ids: Annotated[list[str], OPEN]
    to: Annotated[dict[str, str | None], Field(description="`owner_id`, `team_id` or both"), OPEN]
    follow: Annotated[list[str], OPEN]
    dry_run: Annotated[bool, OPEN]
    status: Annotated[TransferStatus, OPEN]
    moved: Annotated[dict[str, int], Field(description="Records by resource; found, in a dry run"), OPEN]
    failed: Annotated[dict[str, int], OPEN]
    faults: Annotated[list[TransferFault], Field(description="Of the first hundred that failed"), OPEN]
    error: Annotated[str | None, Field(description="The code of the problem that ended it"), OPEN]
    requested_by: Annotated[str, OPEN]
    started_at: Annotated[Timestamp | None, OPEN]
    finished_at: Annotated[Timestamp | None, OPEN]
