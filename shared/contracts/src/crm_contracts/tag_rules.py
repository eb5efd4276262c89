"""Tag rules: which contacts have a tag by themselves, and as long as a condition holds."""

from typing import Annotated, Any

from pydantic import Field

from crm_contracts.ids import TagRuleId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Entity, Tag


class TagRule(Entity):
    """A contact has `tag` while `where` holds of it, and of what its orders, deals and tickets come to."""

    id: Annotated[TagRuleId, OPEN]
    name: Annotated[str, OPEN]
    description: Annotated[str | None, OPEN]
    tag: Annotated[Tag, OPEN]
    where: Annotated[dict[str, Any], Field(description="The condition"), OPEN]
    time_zone: Annotated[str, Field(description="IANA name: what day it is", examples=["Asia/Shanghai"]), OPEN]
    active: Annotated[bool, OPEN]
