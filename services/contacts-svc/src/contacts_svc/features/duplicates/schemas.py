"""What clients are told of duplicates."""

from typing import Annotated, Literal

from crm_contracts.contacts import Contact
from crm_contracts.ids import ContactId, DuplicateId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Entity
from pydantic import Field

from contacts_svc.features.matching.rules.scoring import Assessment

Score = Annotated[float, Field(ge=0, le=1, description="How probable it is that both are one person")]


class Reason(Contract):
    """What one field had to do with a score."""

    field: Annotated[
        str, Field(description="Such as name, email, phone; relation, where they are likely to be relatives")
    ]
    level: Annotated[str, Field(description="How far it agrees, such as same, alike, different")]
    weight: Annotated[float, Field(description="In bits: twice as probable for each; below zero it speaks against")]


def reasons(said: Assessment) -> list[Reason]:
    """What speaks loudest first."""
    told = sorted(said.why, key=lambda reason: -abs(reason.weight))
    return [Reason(field=each.field, level=each.level, weight=round(each.weight, 2)) for each in told]


class Duplicate(Contract):
    """A contact that may be the same person."""

    contact: Contact
    score: Score
    why: list[Reason]
    contradictions: Annotated[
        list[str], Field(description="Fields that say they are two persons; such are never merged without asking")
    ]
    may_merge: Annotated[bool, Field(description="Whether it is sure enough to be merged without asking")]


class Duplicates(Contract):
    """The likeliest first."""

    data: list[Duplicate]
    withheld: Annotated[
        bool, Field(description="Whether none is told because you do not read what identifies this contact's person")
    ]


PairStatus = Literal["open", "dismissed"]


class DuplicatePair(Entity):
    """Two contacts that a scan has found to be probably one person."""

    id: Annotated[DuplicateId, OPEN]
    contact_ids: Annotated[list[ContactId], Field(description="The older one first"), OPEN]
    score: Annotated[Score, OPEN]
    why: Annotated[list[Reason], OPEN]
    contradictions: Annotated[list[str], OPEN]
    may_merge: Annotated[bool, Field(description="Whether it is sure enough to be merged without asking"), OPEN]
    status: Annotated[PairStatus, Field(description="dismissed: somebody has said that they are two persons"), OPEN]


class Candidate(Contract):
    """Of `duplicate_contacts`."""

    id: str
    score: Score
    why: list[Reason]
