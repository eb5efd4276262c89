"""What the OpenAPI document says of SCIM's bodies and answers. The standard is the RFCs'; this names its shape."""

from typing import Annotated, Any, Final

from fastapi import Body
from pydantic import WithJsonSchema

from gateway.features.scim.errors import ERROR_SCHEMA
from gateway.features.scim.schemas import GROUP_SCHEMA, MEDIA_TYPE, USER_SCHEMA

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def _object(*required: str, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


def _exactly(schema: str) -> Json:
    return {"type": "array", "items": {"type": "string"}, "examples": [[schema]]}


_META: Final = _object(resourceType=_TEXT, created=_TEXT, lastModified=_TEXT, location=_TEXT, version=_TEXT)
_ENTRY: Final = _object(value=_TEXT, display=_TEXT, type=_TEXT)

_USER: Final = {
    "schemas": _exactly(USER_SCHEMA),
    "userName": {"type": "string", "examples": ["jing@example.com"]},
    "externalId": _TEXT,
    "displayName": {"type": "string", "examples": ["陈静"]},
    "active": {"type": "boolean"},
    "preferredLanguage": {"type": "string", "examples": ["zh-CN"]},
}
_GROUP: Final = {
    "schemas": _exactly(GROUP_SCHEMA),
    "displayName": {"type": "string", "examples": ["华东"]},
    "members": _list(_ENTRY),
}
USER: Final = _object(
    "schemas", "id", **_USER, id=_TEXT, emails=_list({"type": "object"}), groups=_list(_ENTRY), meta=_META
)
GROUP: Final = _object("schemas", "id", **_GROUP, id=_TEXT, meta=_META)
RESOURCE: Final = _object("schemas", schemas=_list(_TEXT))

_ERROR: Final = _object(
    "schemas",
    "status",
    schemas=_exactly(ERROR_SCHEMA),
    status={"type": "string", "examples": ["409"]},
    scimType={"type": "string", "examples": ["uniqueness"]},
    detail=_TEXT,
)


def list_of(resource: Json) -> Json:
    return _object(
        "schemas",
        "totalResults",
        schemas=_list(_TEXT),
        totalResults={"type": "integer"},
        startIndex={"type": "integer"},
        itemsPerPage={"type": "integer"},
        Resources=_list(resource),
    )


def responses(schema: Json | None = None, *, status: int = 200, description: str = "As it is now") -> Any:
    """The answers of an operation: one that carries `schema`, or nothing, and SCIM's errors."""
    answer: Json = {"description": description}
    if schema is not None:
        answer["content"] = {MEDIA_TYPE: {"schema": schema}}
    return {status: answer, **{wrong: _wrong(wrong) for wrong in ("4XX", "5XX")}}


def _wrong(status: str) -> Json:
    what = "The request's fault" if status == "4XX" else "Our fault"
    return {"description": f"{what} (RFC 7644, section 3.12)", "content": {MEDIA_TYPE: {"schema": _ERROR}}}


def _parameter(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


ATTRIBUTES: Final = [
    _parameter("attributes", "The attributes to answer, separated by commas", type="string"),
    _parameter("excludedAttributes", "The attributes to leave out", type="string"),
]
LIST: Final = [
    _parameter("filter", "RFC 7644, section 3.4.2.2", type="string", examples=['userName eq "jing@example.com"']),
    _parameter("startIndex", "The first to answer, counted from 1", type="integer"),
    _parameter("count", "How many to answer; at most 200", type="integer"),
    *ATTRIBUTES,
]


UserBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_object("userName", **_USER))]
GroupBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_object("displayName", **_GROUP))]

_OPERATION: Final = _object(
    "op",
    op={"type": "string", "examples": ["replace"]},
    path={"type": "string", "examples": ['members[value eq "user_…"]']},
    value={},
)
_PATCH: Final = _object("Operations", schemas=_exactly(_PATCH_SCHEMA), Operations=_list(_OPERATION))
PatchBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_PATCH)]

_SEARCH: Final = _object(
    schemas=_list(_TEXT),
    filter=_TEXT,
    startIndex={"type": "integer"},
    count={"type": "integer"},
    attributes=_list(_TEXT),
    excludedAttributes=_list(_TEXT),
)
SearchBody = Annotated[Json, Body(media_type=MEDIA_TYPE), WithJsonSchema(_SEARCH)]
