"""What clients may write of a template, and what a preview takes and answers."""

from typing import Annotated, Self

from crm_contracts.contacts import Channel
from crm_contracts.ids import ContactId
from crm_contracts.types import Contract, CustomFields, Input, LanguageTag, LongText, Name, Text
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError


class TemplateWrite(Input):
    name: Name
    channel: Channel = "email"
    language: LanguageTag | None = None
    subject: Annotated[Text | None, Field(description="Jinja source", examples=["{{ contact.full_name }}, news"])] = (
        None
    )
    body_text: Annotated[
        LongText, StringConstraints(min_length=1), Field(description="Jinja source", examples=["Hello!"])
    ]
    body_html: Annotated[LongText | None, Field(description="Jinja source; values are escaped")] = None

    @model_validator(mode="after")
    def _fits_the_channel(self) -> Self:
        if self.channel == "email" and not (self.subject or "").strip():
            raise PydanticCustomError(
                "subject_required", "An e-mail template needs a subject", {"zh": "邮件模板需要主题"}
            )
        if self.channel != "email" and (self.subject is not None or self.body_html is not None):
            raise PydanticCustomError(
                "email_only", "Only e-mail has a subject and HTML", {"zh": "只有邮件才有主题和 HTML"}
            )
        return self


class SampleContact(Input):
    """A made-up contact to show a template with."""

    first_name: Name | None = None
    last_name: Name | None = None
    full_name: Name | None = None
    title: Text | None = None
    email: Text | None = None
    language: LanguageTag | None = None
    lifecycle_stage: Text | None = None
    custom: CustomFields = {}


class SampleAccount(Input):
    name: Name | None = None
    domain: Text | None = None
    industry: Text | None = None
    custom: CustomFields = {}


class PreviewRequest(Input):
    """Shows the template to `contact_id`, or to the samples."""

    contact_id: ContactId | None = None
    contact: SampleContact = SampleContact()
    account: SampleAccount = SampleAccount()


class Preview(Contract):
    """The message as it would be sent."""

    subject: str | None
    text: str
    html: str | None
