"""Users and groups as SCIM shows them (RFC 7643), and what of them clients may write.

Shown is what Relata keeps, and no more. Written may be whatever the core schemas and their extensions know: what no field
here takes is dropped, as RFC 7644 (section 3.3) allows.
"""

from typing import Annotated, Any, Final
from unicodedata import normalize

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from scim2_models import (
    URN,
    CaseExact,
    ComplexAttribute,
    Mutability,
    Reference,
    Required,
    Resource,
    Returned,
    ScimPolicy,
    Uniqueness,
)
from scim2_models.path import AttributeBinding

MEDIA_TYPE: Final = "application/scim+json"
PREFIX: Final = "/scim/v2"

USER_SCHEMA: Final = URN("urn:ietf:params:scim:schemas:core:2.0:User")
GROUP_SCHEMA: Final = URN("urn:ietf:params:scim:schemas:core:2.0:Group")


def _comparison_key(attribute: AttributeBinding, value: str) -> str:
    """As the columns are compared (`filters`): Unicode case folding, where the attribute is not case-exact."""
    value = normalize("NFC", value)
    return value if attribute.case_exact else value.casefold()


POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    # Both are what Microsoft Entra sends.
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
    comparison_key=_comparison_key,
)

Shown = Mutability.read_only


class ShownName(ComplexAttribute):
    formatted: Annotated[str | None, Shown, Field(description="The same as displayName")] = None


class ShownEmail(ComplexAttribute):
    value: Annotated[str | None, Shown] = None
    type: Annotated[str | None, Shown] = Field(None, examples=["work"])
    primary: Annotated[bool | None, Shown] = None


class ShownGroup(ComplexAttribute):
    value: Annotated[str | None, Shown, CaseExact.true] = None
    ref: Annotated[Reference["Group"] | None, Shown] = Field(None, serialization_alias="$ref", validation_alias="$ref")
    display: Annotated[str | None, Shown] = None
    type: Annotated[str | None, Shown] = Field(None, examples=["direct"])


class User(Resource[Any]):
    """Somebody who works with the tenant's customers."""

    __schema__ = USER_SCHEMA

    user_name: Annotated[
        str | None, Required.true, Uniqueness.server, Field(description="The e-mail address that the user is known by")
    ] = None
    display_name: Annotated[str | None, Field(description="The full name; absent where none was ever given")] = None
    name: Annotated[ShownName | None, Shown] = None
    active: Annotated[bool | None, Field(description="Whether the user may work; a disabled one keeps its records")] = (
        None
    )
    preferred_language: Annotated[str | None, Field(description="BCP 47", examples=["zh-CN", "en", "de-DE"])] = None
    emails: Annotated[list[ShownEmail] | None, Shown, Field(description="The address in userName")] = None
    groups: Annotated[list[ShownGroup] | None, Shown, Field(description="Changed by the groups' members")] = None


class Member(ComplexAttribute):
    value: Annotated[str | None, Mutability.immutable, CaseExact.true, Field(description="A user's id")] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    display: Annotated[str | None, Shown, Returned.request, Field(description="The user's name")] = None


class Group(Resource[Any]):
    """A team; where it stands in the tree of teams is no affair of SCIM's."""

    __schema__ = GROUP_SCHEMA

    external_id: Annotated[str | None, Shown, Returned.never, CaseExact.true] = None
    display_name: Annotated[str | None, Required.true, Field(description="The team's name")] = None
    members: Annotated[list[Member] | None, Field(description="Users; a group is no member of another")] = None


class WrittenName(ComplexAttribute):
    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


def _truth(value: object) -> object:
    """Microsoft Entra sends `"True"` and `"False"`; nothing else stands for a truth value."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value is None or isinstance(value, bool):
        return value
    raise PydanticCustomError("truth", "must be true or false")


class UserState(Resource[Any]):
    """What clients may write of a user. `locale` is another name of `preferred_language`, as `name` is of `display_name`.

    Roles will have their place here when users have some.
    """

    __schema__ = USER_SCHEMA

    user_name: Annotated[str | None, Required.true] = None
    display_name: str | None = None
    name: WrittenName | None = None
    active: Annotated[bool | None, BeforeValidator(_truth)] = None
    preferred_language: str | None = None
    locale: str | None = None


class WrittenMember(ComplexAttribute):
    value: Annotated[str | None, CaseExact.true] = None
    type: str | None = None
    display: str | None = None


class GroupState(Resource[Any]):
    """What clients may write of a group."""

    __schema__ = GROUP_SCHEMA

    display_name: Annotated[str | None, Required.true] = None
    members: list[WrittenMember] | None = None
