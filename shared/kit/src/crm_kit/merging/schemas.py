"""What is asked and told of moved references."""

from typing import Annotated

from crm_contracts.types import Contract
from pydantic import BaseModel, Field


class MovedReference(Contract):
    """An entity that referred to one record and refers to another because of a merge."""

    id: Annotated[str, Field(description="The entity")]
    from_id: Annotated[str, Field(description="To what it referred, and will again if the merge is undone")]
    to_id: Annotated[str, Field(description="To what it refers since")]


class MoveList(Contract):
    data: list[MovedReference]


class MoveQuery(BaseModel):
    """Newest entities first, those before `before`."""

    before: Annotated[str | None, Field(max_length=100)] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
