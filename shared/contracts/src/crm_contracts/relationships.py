"""Who has to do with whom: a contact's roles at accounts, and what contacts are to one another."""

from typing import Annotated

from pydantic import Field

from crm_contracts.ids import AccountId, ContactId, RelationshipId
from crm_contracts.sensitivity import OPEN, PERSONAL
from crm_contracts.types import Date, Entity


class Relationship(Entity):
    """Between a contact and either an account or another contact."""

    id: Annotated[RelationshipId, OPEN]
    contact_id: Annotated[ContactId, OPEN]
    account_id: Annotated[AccountId | None, OPEN]
    related_contact_id: Annotated[ContactId | None, OPEN]
    label: Annotated[str, Field(description="What the contact is to the other end", examples=["decision_maker"]), OPEN]
    inverse_label: Annotated[
        str | None, Field(description="What the related contact is to the contact; null of an account"), OPEN
    ]
    primary: Annotated[bool, Field(description="Comes before others of its label; several may"), OPEN]
    started_on: Annotated[Date | None, OPEN]
    ended_on: Annotated[Date | None, Field(description="Its last day; null while it goes on"), OPEN]
    note: Annotated[str | None, PERSONAL]
