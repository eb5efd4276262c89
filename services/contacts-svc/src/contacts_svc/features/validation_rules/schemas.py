"""What clients may write of a validation rule, and what is told of those who break one."""

from typing import Annotated

from crm_contracts.types import Contract, CustomName, Input
from crm_contracts.validation_rules import ValidatedResource
from crm_kit.conditions import ConditionSchema
from crm_kit.resources import Size
from pydantic import Field, StringConstraints

from contacts_svc.features.accounts.repository import FIELDS as ACCOUNT_FIELDS
from contacts_svc.features.contacts.repository import FIELDS as CONTACT_FIELDS
from contacts_svc.features.custom_fields.schemas import LocalTextWrite

_OfContacts = Annotated[dict[str, object], ConditionSchema(CONTACT_FIELDS)]
_OfAccounts = Annotated[dict[str, object], ConditionSchema(ACCOUNT_FIELDS)]
_Condition = _OfContacts | _OfAccounts


class BrokenByWrite(Input):
    """What is asked before there is a rule."""

    resource: ValidatedResource
    condition: Annotated[_Condition, Field(description="What must hold, over the fields of `resource`")]
    when: Annotated[_Condition | None, Field(description="Only where this holds; by default always")] = None


class ValidationRuleWrite(BrokenByWrite):
    code: Annotated[
        CustomName, Field(description="What is told in `errors` of who breaks it", examples=["owner_needed"])
    ]
    message: LocalTextWrite
    field: Annotated[
        Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)] | None,
        Field(description="At which `errors` point; by default the first of the condition"),
    ] = None
    active: Annotated[bool, Field(strict=True)] = True


class BrokenBy(Contract):
    """The records that are there and break a rule. They stay as they are."""

    found: Size
    sample: Annotated[list[str], Field(description="The ids of the first of them")]
