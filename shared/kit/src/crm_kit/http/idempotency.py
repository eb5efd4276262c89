"""Idempotency-Key: the first answer is kept in the transaction of its effect, so a retry can never double it."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import orjson
from fastapi import Request
from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
)
from sqlalchemy import (
    Text as SqlText,
)
from sqlalchemy.dialects.postgresql import JSONB
from starlette.responses import Response

from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql
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

CLAIM_FUNCTION = """
    create function idempotency_claim(wanted_tenant text, wanted_key text, lock bigint, retention interval)
    returns table (fingerprint bytea, status smallint, headers jsonb, body bytea)
    language plpgsql as $$ begin
        if pg_try_advisory_xact_lock(lock) then
            return query select i.fingerprint, i.status, i.headers, i.body
              from (select) one left join idempotency i on i.tenant_id = wanted_tenant and i.key = wanted_key
               and i.created_at > now() - retention;
        end if;
    end $$
"""
"""No row while another transaction holds the key; a row of nulls where nobody has used it.

One round trip, and two statements in it: the second must see what the lock's last holder has committed.
"""

_CLAIM = Sql("select * from idempotency_claim(:tenant, :key, :lock, :retention)")
_KEEP = Sql(
    """
    insert into idempotency (tenant_id, key, fingerprint, status, headers, body, created_at)
    values (:tenant, :key, :fingerprint, :status, cast(:headers as text)::jsonb, :body, now())
    on conflict (tenant_id, key) do update set
        fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
        body = excluded.body, created_at = excluded.created_at
    """
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to be the first with a key, until the transaction ends."""

    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, request: Request, key: str, body: bytes) -> Self:
        """What would be claimed for a request."""
        told = (request.method.encode(), request.url.path.encode(), request.url.query.encode(), body)
        return cls(key, hashlib.sha256(b"\0".join(told)).digest())

    def lock(self, tenant_id: str) -> int:
        """Who holds this lock holds the key."""
        return int.from_bytes(hashlib.sha256(f"{tenant_id}\0{self.key}".encode()).digest()[:8], signed=True)


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
    wish = Claim.of(request, key, body)
    lock = wish.lock(session.tenant_id)
    wanted = {"tenant": session.tenant_id, "key": key, "lock": lock, "retention": RETENTION}
    rows = await session.fetch(_CLAIM, wanted)
    if not rows:
        raise RequestInProgress(
            Text("Wait for the first request to end, then retry.", "请等待首个请求结束后重试。"),
            headers={"Retry-After": "1"},
        )
    found = rows[0]
    if found["fingerprint"] is None:
        return wish
    if found["fingerprint"] != wish.fingerprint:
        raise IdempotencyKeyReused(Text("Use a new key for a new request.", "新的请求请使用新的键。"))
    return Response(
        _opened(sealer, found["body"], f"{session.tenant_id}/{key}"),
        found["status"],
        {**found["headers"], "Idempotent-Replayed": "true"},
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


def kept_headers(response: Response) -> str:
    """As JSON."""
    return orjson.dumps({name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}).decode()


async def keep(session: WriteSession, claim: Claim, response: Response, sealer: Sealer | None = None) -> None:
    """Stores the answer for RETENTION; with a `sealer`, so that the database never holds its text."""
    body = bytes(response.body)
    values = {
        "tenant": session.tenant_id,
        "key": claim.key,
        "fingerprint": claim.fingerprint,
        "status": response.status_code,
        "headers": kept_headers(response),
        "body": body if sealer is None else sealer.seal(body, f"{session.tenant_id}/{claim.key}"),
    }
    await session.fetch(_KEEP, values)
