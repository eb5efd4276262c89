"""What clients may write of a contact."""

from typing import Annotated, Self

from crm_contracts.contacts import ExternalIds
from crm_contracts.ids import AccountId, PoolId, TeamId, UserId
from crm_contracts.sharing import SharesWrite
from crm_contracts.types import CustomValues, Date, Input, LanguageTag, Name, Tag, Text
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contacts_svc.features.contacts import rules
from contacts_svc.features.tagging.rules import MAX_TAGS


def _email(value: str) -> str:
    try:
        return rules.normalise_email(value)
    except rules.InvalidEmail:
        raise PydanticCustomError("email", "Must be an e-mail address", {"zh": "必须是有效的电子邮件地址"}) from None


EmailAddress = Annotated[Text, StringConstraints(min_length=3, max_length=254), AfterValidator(_email)]
Country = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}$")]


class EmailWrite(Input):
    address: EmailAddress
    primary: Annotated[bool, Field(strict=True)] = False
    verified: Annotated[bool, Field(strict=True)] = False


PhoneNumber = Annotated[
    Text,
    StringConstraints(min_length=3, max_length=40),
    Field(description="With country code, or national in the tenant's region", examples=["+86 138 0013 8000"]),
]


class PhoneWrite(Input):
    number: PhoneNumber
    label: Text | None = None


class AddressWrite(Input):
    street: Text | None = None
    district: Text | None = None
    city: Text | None = None
    region: Text | None = None
    postal_code: Text | None = None
    country: Annotated[Country | None, Field(description="ISO 3166-1 alpha-2")] = None


LifecycleStageWrite = Annotated[
    Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None,
    Field(
        description="One of the tenant's stages (`/v1/lifecycle`); of a new record the initial one if left out",
        examples=["customer"],
    ),
]
LifecycleReasonWrite = Annotated[
    Name | None,
    Field(description="Why it comes into its stage; without another stage it mends the reason that was given"),
]


class ContactWrite(Input):
    first_name: Name | None = None
    last_name: Name | None = None
    full_name: Name | None = None
    emails: Annotated[list[EmailWrite], Field(max_length=50)] = []
    phones: Annotated[list[PhoneWrite], Field(max_length=50)] = []
    wechat: Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None = None
    title: Text | None = None
    account_id: AccountId | None = None
    address: AddressWrite | None = None
    language: LanguageTag | None = None
    birthday: Date | None = None
    source: Text | None = None
    lifecycle_stage: LifecycleStageWrite = None
    lifecycle_reason: LifecycleReasonWrite = None
    owner_id: UserId | None = None
    team_id: TeamId | None = None
    pool_id: Annotated[
        PoolId | None, Field(description="The pool that it is in while nobody owns it, and goes back to")
    ] = None
    external_ids: ExternalIds = {}
    tags: Annotated[
        list[Tag],
        Field(
            max_length=MAX_TAGS,
            description="All of them. One that a rule gave and that is left out is taken away until the rule holds anew",
        ),
    ] = []
    custom: CustomValues = {}
    shares: SharesWrite = []
    do_not_contact: Annotated[
        bool,
        Field(strict=True, description="Wants nothing from us but answers, on no channel, whatever the consents say"),
    ] = False

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        known = (
            self.first_name,
            self.last_name,
            self.full_name,
            self.emails,
            self.phones,
            self.wechat,
            self.external_ids,
        )
        if not any(known):
            raise PydanticCustomError(
                "identity_required",
                "A contact needs a name, an e-mail address, a phone number, a WeChat id or an external id",
                {"zh": "联系人至少需要姓名、电子邮件、电话、微信号或外部标识之一"},
            )
        if sum(email.primary for email in self.emails) > 1:
            raise PydanticCustomError("primary_email", "Only one e-mail can be primary", {"zh": "只能有一个主邮箱"})
        return self
