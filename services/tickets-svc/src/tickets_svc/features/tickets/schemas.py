"""What clients may write of a ticket and its messages."""

import re
from typing import Annotated, Final

from crm_contracts.ids import AccountId, ContactId, QueueId, TeamId, UserId
from crm_contracts.sharing import SharesWrite
from crm_contracts.tickets import AuthorKind, TicketChannel, TicketPriority, TicketStatus, Visibility
from crm_contracts.types import MAX_INTEGER, NOT_BLANK, CustomFields, Input, LongText, Name, Tag, Text
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

_HTTPS: Final = r"^https://[^\s/?#@\\\x00-\x1f\x7f]+([/?#][^\s\x00-\x1f\x7f]*)?$"
_MEDIA_TYPE: Final = r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,63}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$"


def _https(value: str) -> str:
    if not re.fullmatch(_HTTPS, value):
        raise PydanticCustomError(
            "https_url", "Must be a URL that begins with https://", {"zh": "必须是以 https:// 开头的网址"}
        )
    return value


HttpsUrl = Annotated[
    Text,
    StringConstraints(min_length=9, max_length=500),
    AfterValidator(_https),
    WithJsonSchema({"type": "string", "pattern": _HTTPS, "minLength": 9, "maxLength": 500}),
]


class AuthorWrite(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"kind": {"const": "contact"}}},
            "then": {"properties": {"id": TypeAdapter(ContactId | None).json_schema()}},
        }
    )

    kind: AuthorKind
    id: Annotated[
        Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None,
        Field(description="Left out: the caller for a user, the ticket's contact for a contact"),
    ] = None

    @field_validator("id")
    @classmethod
    def _of_its_kind(cls, value: str | None, info: ValidationInfo) -> str | None:
        return ContactId.parse(value) if value is not None and info.data.get("kind") == "contact" else value


class AttachmentWrite(Input):
    name: Name
    url: HttpsUrl
    media_type: (
        Annotated[
            str, StringConstraints(strict=True, max_length=200, pattern=_MEDIA_TYPE), Field(examples=["image/png"])
        ]
        | None
    ) = None
    size: Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER, description="Bytes")] | None = None


class MessageWrite(Input):
    body: Annotated[LongText, StringConstraints(min_length=1)]
    visibility: Annotated[Visibility, Field(description="internal: the customer never sees it")] = "public"
    author: Annotated[AuthorWrite | None, Field(description="The caller, as a user, if left out")] = None
    attachments: Annotated[list[AttachmentWrite], Field(max_length=50)] = []


class TicketWrite(Input):
    subject: Annotated[Text, StringConstraints(strip_whitespace=True), StringConstraints(min_length=1), NOT_BLANK]
    contact_id: ContactId | None = None
    account_id: AccountId | None = None
    channel: Annotated[TicketChannel, Field(description="How it reached us")] = "other"
    status: TicketStatus = "new"
    priority: TicketPriority = "normal"
    queue_id: QueueId | None = None
    assignee_id: UserId | None = None
    kind: Annotated[Text, StringConstraints(min_length=1, max_length=64), Field(examples=["incident"])] | None = None
    tags: Annotated[list[Tag], Field(max_length=200)] = []
    custom: CustomFields = {}
    team_id: TeamId | None = None
    shares: SharesWrite = []
    message: Annotated[
        MessageWrite | None, Field(description="Added to the ticket's messages together with this write")
    ] = None


class TicketSolve(Input):
    message: Annotated[MessageWrite | None, Field(description="Added before the ticket is solved")] = None


class TicketReopen(Input):
    reason: Annotated[
        Annotated[LongText, StringConstraints(min_length=1)] | None, Field(description="Kept as an internal message")
    ] = None
