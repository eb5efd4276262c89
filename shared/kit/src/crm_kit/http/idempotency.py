"""Idempotency-Key: the first answer is kept in the transaction of its effect, so a retry can never double it."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request
from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    func,
    select,
    text,
)
from sqlalchemy import (
    Text as SqlText,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from starlette.responses import Response

from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict, FieldError, IdempotencyKeyReused, MalformedRequest, RequestInProgress, Text
from crm_kit.http.sealing import Sealer, Unsealable
from crm_kit.http.structured_fields import InvalidIdempotencyKey, parse_idempotency_key

RETENTION = timedelta(hours=24)
_KEPT_HEADERS = ("etag", "location", "consistency-token", "content-type", "content-language")

IDEMPOTENCY = Table(
    "idempotency",
    MetaData(),
    Column("tenant_id", SqlText(collation="C"), primary_key=True),
    Column("key", SqlText(collation="C"), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to be the first with a key, until the transaction ends."""

    key: str
    fingerprint: bytes


def requested_key(request: Request) -> str | None:
    """Raises MalformedRequest for a value that is no key."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    try:
        return parse_idempotency_key(given[0] if len(given) == 1 else "")
    except InvalidIdempotencyKey as error:
        detail = Text("Must be 1 to 255 visible ASCII characters, bare or quoted", "必须是 1 至 255 个可见 ASCII 字符")
        raise MalformedRequest(detail, errors=[FieldError("/header/idempotency-key", "format", detail)]) from error


async def claim(
    session: WriteSession, request: Request, key: str, body: bytes, sealer: Sealer | None = None
) -> Claim | Response:
    """The right to run the request, or the answer it had the first time; `sealer` opens what `keep` sealed.

    Raises RequestInProgress while another transaction holds the key, IdempotencyKeyReused for another request.
    """
    fingerprint = hashlib.sha256(
        b"\0".join((request.method.encode(), request.url.path.encode(), request.url.query.encode(), body))
    ).digest()
    lock = int.from_bytes(hashlib.sha256(f"{session.tenant_id}\0{key}".encode()).digest()[:8], signed=True)
    if not await session.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": lock}):
        raise RequestInProgress(
            Text("Wait for the first request to end, then retry.", "请等待首个请求结束后重试。"),
            headers={"Retry-After": "1"},
        )
    found = (
        await session.execute(
            select(IDEMPOTENCY).where(
                IDEMPOTENCY.c.tenant_id == session.tenant_id,
                IDEMPOTENCY.c.key == key,
                IDEMPOTENCY.c.created_at > func.now() - RETENTION,
            )
        )
    ).one_or_none()
    if found is None:
        return Claim(key, fingerprint)
    if found.fingerprint != fingerprint:
        raise IdempotencyKeyReused(Text("Use a new key for a new request.", "新的请求请使用新的键。"))
    return Response(
        _opened(sealer, found.body, f"{session.tenant_id}/{key}"),
        found.status,
        {**found.headers, "Idempotent-Replayed": "true"},
    )


def _opened(sealer: Sealer | None, kept: bytes, place: str) -> bytes:
    if sealer is None:
        return kept
    try:
        return sealer.unseal(kept, place)
    except Unsealable as error:
        raise Conflict(
            Text(
                "It was done, but its answer can no longer be read; use a new key for a new one.",
                "该请求已完成，但其结果无法再次读取；如需新建请使用新的键。",
            )
        ) from error


async def keep(session: WriteSession, claim: Claim, response: Response, sealer: Sealer | None = None) -> None:
    """Stores the answer for RETENTION; with a `sealer`, so that the database never holds its text."""
    body = bytes(response.body)
    values = {
        "tenant_id": session.tenant_id,
        "key": claim.key,
        "fingerprint": claim.fingerprint,
        "status": response.status_code,
        "headers": {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
        "body": body if sealer is None else sealer.seal(body, f"{session.tenant_id}/{claim.key}"),
        "created_at": func.now(),
    }
    statement = insert(IDEMPOTENCY).values(values)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[IDEMPOTENCY.c.tenant_id, IDEMPOTENCY.c.key],
            set_={
                name: statement.excluded[name] for name in ("fingerprint", "status", "headers", "body", "created_at")
            },
        )
    )
