"""Answers that carry an entity, or a file that belongs to one, with the headers that go with it."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from crm_contracts.types import Entity
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from crm_kit.audit.reads import note_answer
from crm_kit.errors import MalformedRequest, PreconditionFailed, Text
from crm_kit.http import etag

EntityT = TypeVar("EntityT", bound=Entity)


def entity_response(
    request: Request,
    entity: Entity,
    *,
    status: int = 200,
    location: str | None = None,
    beside: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The whole representation with its ETag; after a write also the Consistency-Token; 304 where the client has it.

    `headers`: those that it has besides. `beside`: what the answer holds besides it, as JSON, of which it was asked what the
    caller may see.
    """
    version, entity_id = entity.version, str(entity.id)  # type: ignore[attr-defined]  # every entity type has its own id type
    told = {"ETag": etag.entity_tag(version), **(headers or {})}
    if request.method in ("GET", "HEAD"):
        if _has_it(request, version):
            return Response(status_code=304, headers=told)
    else:
        told["Consistency-Token"] = f"{entity_id}@{version}"
    if location is not None:
        told["Location"] = location
    return json_response(request, entity, status=status, headers=told, beside=beside)


def file_response(
    request: Request, content: AsyncIterator[bytes], *, version: int, size: int, media_type: str, filename: str
) -> Response:
    """A file to be kept, of so many bytes, streamed; 304 where the client has it. `filename` in any script (RFC 8187)."""
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\%' else "_" for char in filename)
    headers = {
        "ETag": etag.entity_tag(version),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}",
    }
    if _has_it(request, version):
        return Response(status_code=304, headers=headers)
    return StreamingResponse(content, 200, {**headers, "Content-Length": str(size)}, media_type=media_type)


def json_response(
    request: Request,
    model: BaseModel,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Response:
    """What the caller may see of it; what a read shows of persons is noted for the audit log. `beside`: as of `entity_response`."""
    sights = request.state.session.sights
    if request.state.reads:
        note_answer(request, model, sights)
    body: str | bytes
    if beside is not None:
        shown = model.model_dump(mode="json") if sights is None else sights.shown(model)
        body = orjson.dumps({**shown, **beside})
    else:
        body = model.model_dump_json() if sights is None else orjson.dumps(sights.shown(model))
    return Response(body, status, headers, media_type="application/json")


def _has_it(request: Request, version: int) -> bool:
    """Whether the client's If-None-Match names this version."""
    try:
        return not etag.if_none_match(_combined(request, "if-none-match"), version)
    except etag.InvalidEntityTags:
        return False


def _combined(request: Request, name: str) -> str | None:
    """A header that may come in several lines (RFC 9110 §5.3); an empty one is there, and no entity tag."""
    lines = request.headers.getlist(name)
    return ", ".join(lines) if lines else None


def check_if_match(request: Request, version: int) -> None:
    """Raises PreconditionFailed where the client's If-Match names another version."""
    try:
        matches = etag.if_match(_combined(request, "if-match"), version)
    except etag.InvalidEntityTags as error:
        raise MalformedRequest(Text(f"If-Match: {error}", f"If-Match 无效：{error}")) from error
    if not matches:
        raise PreconditionFailed(
            Text(f"The present version is {version}.", f"当前版本为 {version}。"),
            headers={"ETag": etag.entity_tag(version)},
            members={"current_version": version},
        )
