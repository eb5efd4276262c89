"""What clients may write of a user."""

from typing import Annotated

from crm_contracts.ids import TeamId
from crm_contracts.tenancy import UserStatus
from crm_contracts.types import ExternalKey, Input, LanguageTag, Name, Text
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from gateway.features.roles.schemas import RolesWrite


def _email(value: str) -> str:
    try:
        return validate_email(value.strip(), check_deliverability=False, allow_smtputf8=True).normalized
    except EmailNotValidError:
        raise PydanticCustomError("email", "Must be an e-mail address", {"zh": "必须是有效的电子邮件地址"}) from None


class MembershipWrite(Input):
    team_id: TeamId
    manager: Annotated[bool, Field(strict=True)] = False


class UserWrite(Input):
    name: Name
    email: Annotated[Text, StringConstraints(min_length=3, max_length=254), AfterValidator(_email)]
    language: LanguageTag | None = None
    status: UserStatus = "active"
    teams: Annotated[list[MembershipWrite], Field(max_length=50)] = []
    roles: RolesWrite = []
    external_id: ExternalKey | None = None
