"""What is asked and answered about states."""

from typing import Annotated, Final

from crm_contracts.types import Contract, Input
from pydantic import Field

MAX_IDS: Final = 100
MAX_OWNERS: Final = 500
MAX_PAGE: Final = 1000

EntityIds = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MAX_IDS)]


class EntityState(Contract):
    """An entity as its service has it now. `digest` is of its published form (`crm_kit.states.digest_of`)."""

    id: str
    version: int
    digest: str


class StatePage(Contract):
    """By id. `more`: there are some behind the last one."""

    data: list[EntityState]
    more: bool


class States(Contract):
    """Of the ids that were asked for: the entities that there are, and the ids whose events are not all published."""

    data: list[EntityState]
    unpublished: list[str]


class IdList(Contract):
    data: list[str]


class StateQuery(Input):
    ids: EntityIds


class OwnedQuery(Input):
    """Entities that are one of `owners`, or refer to one by `<its type>_id`; those behind `after`, by id."""

    owners: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MAX_OWNERS)]
    after: Annotated[str, Field(max_length=100)] = ""


class IdQuery(Input):
    """Ids of one type of entity: those behind `after`, by id, or `random` ones."""

    type: Annotated[str, Field(max_length=63)]
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)]
    after: Annotated[str, Field(max_length=100)] = ""
    random: bool = False


class Restatement(Input):
    ids: EntityIds


class Restated(Contract):
    """The ids whose states were published once more; the others are of nothing that there is."""

    ids: list[str]
