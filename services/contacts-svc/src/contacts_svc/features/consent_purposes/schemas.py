"""What clients may write of a purpose."""

from typing import Annotated

from crm_contracts.contacts import Channel
from crm_contracts.types import Input, LongText, Slug
from pydantic import Field, StringConstraints

from contacts_svc.features.custom_fields.schemas import LocalTextWrite

MAX_PURPOSES = 100


class ConsentPurposeWrite(Input):
    purpose: Annotated[Slug, Field(examples=["newsletter"], description="It stays")]
    label: LocalTextWrite
    wording: Annotated[
        LongText,
        StringConstraints(min_length=1),
        Field(
            description="The text that is shown to whoever consents",
            examples=["我同意通过邮件接收新品资讯，可随时撤回。"],
        ),
    ]
    channels: Annotated[list[Channel], Field(min_length=1, max_length=10)]
    separate: Annotated[
        bool, Field(strict=True, description="Takes a consent of its own, given for nothing else in the same act")
    ] = False
    position: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 0
    active: Annotated[bool, Field(strict=True, description="Whether preference pages show it")] = True
