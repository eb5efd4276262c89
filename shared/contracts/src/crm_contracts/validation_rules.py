"""Validation rules: what a tenant demands of contacts and accounts beyond the types of their members."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm_contracts.custom_fields import LocalText
from crm_contracts.ids import ValidationRuleId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import CustomName, Entity, known

ValidatedResource = Literal["contacts", "accounts"]


class ValidationRule(Entity):
    """Of a record that is written `condition` must hold, where `when` does."""

    id: Annotated[ValidationRuleId, OPEN]
    resource: Annotated[str, known(ValidatedResource), OPEN]
    code: Annotated[CustomName, Field(description="What is told in `errors` of who breaks it"), OPEN]
    message: Annotated[LocalText, Field(description="As above"), OPEN]
    condition: Annotated[dict[str, Any], OPEN]
    when: Annotated[dict[str, Any] | None, Field(description="null: always"), OPEN]
    field: Annotated[str | None, Field(description="At which `errors` point; null: the first of the condition"), OPEN]
    active: Annotated[bool, OPEN]
