"""With whom a record is shared, besides its owner and their team."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from crm_contracts.ids import TeamId, UserId
from crm_contracts.types import Contract, Input, Timestamp

ShareAccess = Literal["read", "write"]


class Share(Contract):
    """With a user or a team: it counts as one of their own, until a time, for reading, or for changing and adding to it too."""

    user_id: UserId | None
    team_id: TeamId | None
    access: ShareAccess
    until: Timestamp | None


class ShareWrite(Input):
    user_id: UserId | None = None
    team_id: TeamId | None = None
    access: ShareAccess = "read"
    until: Annotated[Timestamp | None, Field(description="For ever if left out")] = None

    @model_validator(mode="after")
    def _with_one(self) -> Self:
        if (self.user_id is None) == (self.team_id is None):
            raise PydanticCustomError(
                "one_grantee", "Share with a user or with a team", {"zh": "请指定一个用户或一个团队"}
            )
        return self


def _once_each(shares: list[ShareWrite]) -> list[ShareWrite]:
    grantees = [share.user_id or share.team_id for share in shares]
    if len(set(grantees)) < len(grantees):
        raise PydanticCustomError("shared_twice", "Each user and team once", {"zh": "每个用户或团队只能出现一次"})
    return shares


SharesWrite = Annotated[
    list[ShareWrite],
    Field(max_length=50, description="With whom it is shared besides its owner and their team"),
    AfterValidator(_once_each),
]
