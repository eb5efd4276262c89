"""Files that come in as a form: they go to disk as they arrive, whatever their size, up to `max_upload_bytes`."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Any, BinaryIO, Final, Self

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import HTTPConnection, Request

from crm_kit.errors import Text, UnsupportedMediaType

UPLOADS: Final = "x-relata-uploads"
"""In OpenAPI: the operation takes a file."""

_MEDIA_TYPE: Final = "multipart/form-data"
_MAX_FIELDS: Final = 30
_PIECE: Final = 1024 * 1024


def upload_paths(routers: Iterable[APIRouter | None]) -> frozenset[str]:
    """Where files are taken in."""
    routes: list[Any] = [route for router in routers if router is not None for route in router.routes]
    return frozenset(route.path for route in routes if (getattr(route, "openapi_extra", None) or {}).get(UPLOADS))


class UploadedRequest(Request):
    """A request whose form was read before FastAPI asks for it, so that no transaction is open while the file comes in."""

    @classmethod
    async def of(cls, request: HTTPConnection) -> Self:
        """Raises UnsupportedMediaType, BodyTooLarge, MalformedRequest."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != _MEDIA_TYPE:
            raise UnsupportedMediaType(Text(f"Send {_MEDIA_TYPE}.", f"请使用 {_MEDIA_TYPE}。"))
        assert isinstance(request, Request)
        form = await request.form(max_files=1, max_fields=_MAX_FIELDS)
        uploaded = cls(request.scope)
        uploaded._form = form  # what Starlette's own Request.form() caches
        return uploaded

    async def body(self) -> bytes:
        """A digest of the form, which stands for it under an Idempotency-Key: nobody else asks."""
        digest = hashlib.sha256()
        for name, value in (await self.form()).multi_items():
            digest.update(f"{name}\0".encode())
            if isinstance(value, UploadFile):
                digest.update(f"{value.filename}\0".encode())
                digest.update(await asyncio.to_thread(_digest, value.file))
            else:
                digest.update(f"{value}\0".encode())
        return digest.digest()


def _digest(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    file.seek(0)
    return digest.digest()
