"""What the OpenAPI document says of SCIM's bodies and answers. The standard is the RFCs'; this names its shape."""

from typing import Annotated, Any, Final, TypeVar

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.features.scim.schemas import MEDIA_TYPE

Json = dict[str, Any]
ModelT = TypeVar("ModelT", bound=BaseModel)


class _Told(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class ScimMeta(_Told):
    resourceType: str = ""  # noqa: N815 these are the standard's names
    created: str = ""
    lastModified: str = ""  # noqa: N815 as above
    location: str = ""
    version: str = ""


class ScimValue(_Told):
    value: str = ""
    display: str = ""
    type: str = ""


class ScimResource(_Told):
    """RFC 7643."""

    schemas: list[str]
    id: str = ""
    meta: ScimMeta = ScimMeta()


class ScimUser(ScimResource):
    """RFC 7643, section 4.1; what is not named here is taken and dropped."""

    userName: Annotated[str, Field(examples=["jing@example.com"])] = ""  # noqa: N815 as above
    externalId: str = ""  # noqa: N815 as above
    displayName: Annotated[str, Field(examples=["陈静"])] = ""  # noqa: N815 as above
    active: bool = True
    preferredLanguage: Annotated[str, Field(examples=["zh-CN"])] = ""  # noqa: N815 as above
    emails: list[Json] = []
    groups: list[ScimValue] = []


class ScimGroup(ScimResource):
    """RFC 7643, section 4.2."""

    displayName: Annotated[str, Field(examples=["华东"])] = ""  # noqa: N815 as above
    members: list[ScimValue] = []


class ScimResources(_Told):
    """RFC 7644, section 3.4.2."""

    schemas: list[str]
    totalResults: int  # noqa: N815 as above
    startIndex: int = 1  # noqa: N815 as above
    itemsPerPage: int = 0  # noqa: N815 as above
    Resources: list[ScimResource] = []


class ScimUsers(ScimResources):
    Resources: list[ScimUser] = []  # type: ignore[assignment]  # a list of these alone


class ScimGroups(ScimResources):
    Resources: list[ScimGroup] = []  # type: ignore[assignment]  # as above


class ScimError(_Told):
    """RFC 7644, section 3.12."""

    schemas: list[str]
    status: Annotated[str, Field(examples=["409"])]
    scimType: Annotated[str, Field(examples=["uniqueness"])] = ""  # noqa: N815 as above
    detail: str = ""


ERRORS: Final[dict[int | str, Json]] = {
    "4XX": {"model": ScimError, "description": "The request's fault"},
    "5XX": {"model": ScimError, "description": "Our fault"},
}


def _parameter(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


ATTRIBUTES: Final = [
    _parameter("attributes", "The attributes to answer, separated by commas", type="string"),
    _parameter("excludedAttributes", "The attributes to leave out", type="string"),
]
LIST: Final = [
    _parameter("filter", "RFC 7644, section 3.4.2.2", type="string", examples=['externalId eq "00u1"']),
    _parameter("startIndex", "The first to answer, counted from 1", type="integer"),
    _parameter("count", "How many to answer; at most 200", type="integer"),
    *ATTRIBUTES,
]


def _object(*required: str, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


# Null is what is not assigned (RFC 7643, section 2.5).
_TEXT: Final[Json] = {"type": ["string", "null"]}
_NAME: Final[Json] = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"[^\s\u0085]"}
_NUMBER: Final[Json] = {"type": ["integer", "null"]}
_USER: Final = _object(
    "userName",
    userName={"type": "string", "format": "email", "minLength": 3, "maxLength": 200},
    externalId={"type": ["string", "null"], "maxLength": 200},
    displayName={"type": ["string", "null"], "maxLength": 200},
    name={**_object(formatted=_TEXT, familyName=_TEXT, givenName=_TEXT), "type": ["object", "null"]},
    active={"type": ["boolean", "string", "null"]},
    preferredLanguage=_TEXT,
    locale=_TEXT,
)
_LIST_OF_MEMBERS: Final = {**_list(_object("value", value={"type": "string"})), "type": ["array", "null"]}
_GROUP: Final = _object("displayName", displayName=_NAME, members=_LIST_OF_MEMBERS)
_OPERATION: Final = _object("op", op={"type": "string", "examples": ["replace"]}, path=_TEXT, value={})
_PATCH: Final = _object("Operations", Operations={**_list(_OPERATION), "minItems": 1})
_NAMES: Final = {**_list({"type": "string"}), "type": ["array", "null"]}
_SEARCH: Final = _object(filter=_TEXT, startIndex=_NUMBER, count=_NUMBER, attributes=_NAMES, excludedAttributes=_NAMES)

UserBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_USER)]
GroupBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_GROUP)]
PatchBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_PATCH)]
SearchBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_SEARCH)]
