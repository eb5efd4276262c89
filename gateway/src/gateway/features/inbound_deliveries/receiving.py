"""`/in/{source_id}`: where sources post to. A plain route: the tenant is told by our address alone, and nobody has a key.

Verified, stored, answered; everything else is done later. Nothing that is answered tells a stranger more than that it was
not taken.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from crm_contracts.ids import InboundDeliveryId, InboundSourceId, prefix_of
from crm_contracts.inbound import SourceKind
from crm_kit import context
from crm_kit.errors import BodyTooLarge, NotFound, Text, TooManyRequests
from crm_kit.http.middleware import TENANT
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.access.rate_limit import RateLimiter
from gateway.features.inbound_deliveries.accepting import Accepted, Acceptor, Sent
from gateway.features.inbound_deliveries.errors import SignatureRefused
from gateway.features.inbound_deliveries.known_sources import KnownSource, KnownSources
from gateway.features.inbound_sources.schemas import CALLBACKS
from gateway.inbound import signatures
from gateway.inbound.callbacks import CallbackKey, InvalidCallback
from gateway.inbound.expressions import EvaluationFailed, compiled
from gateway.inbound.functions import timestamp
from gateway.inbound.payloads import UnreadablePayload, read_payload, read_xml
from gateway.inbound.topics import NO_TOPIC, identity_of, in_window, topic_of

_MAX_HEADERS: Final = 60
_MAX_HEADER: Final = 500
_SECRET_HEADERS: Final = frozenset(
    {"authorization", "cookie", "proxy-authorization", "x-shopify-hmac-sha256", "shopify-hmac-sha256",
     "x-wc-webhook-signature", "webhook-signature", "svix-signature", "x-forwarded-for", "x-real-ip", "forwarded"}
)  # fmt: skip
_TELLING: Final = ("signature", "token", "secret", "api-key", "apikey")
_WOOCOMMERCE_PING: Final = b"webhook_id="
_CHALLENGE: Final = {"WWW-Authenticate": 'Signature realm="inbound"'}


class Receiver:
    """Of one process. `wake`: tells the worker that there is something to do."""

    def __init__(
        self, sources: KnownSources, acceptor: Acceptor, limiter: RateLimiter, wake: Callable[[], None]
    ) -> None:
        self._sources = sources
        self._acceptor = acceptor
        self._limiter = limiter
        self._wake = wake

    async def receive(self, request: Request) -> Response:
        """Raises NotFound, SignatureRefused, BodyTooLarge, TooManyRequests, Unavailable."""
        known = await self._known(request.path_params["source_id"])
        if known is None:
            signatures.spend_as_if(await _body(request, 65_536))
            raise NotFound
        request.scope[TENANT] = known.tenant_id
        if request.method == "GET":
            return self._echo(request, known)
        body = await _body(request, known.source.max_body_bytes)
        headers = dict(request.headers)
        if known.source.kind in CALLBACKS:
            return await self._callback(request, known, body, headers)
        if known.source.kind == "woocommerce" and _is_ping(body, headers):
            return PlainTextResponse("ok")  # it signs none, and gives up where that is not 200
        if not _is_authentic(known, headers, body):
            known = await self._sources.get(known.source.id, anew=True)  # its secret may have been replaced just now
            if known is None or not known.source.is_active or not _is_authentic(known, headers, body):
                raise SignatureRefused(headers=_CHALLENGE)
        self._take(known)
        accepted = await self._store(known, body, headers, headers.get("content-type", "")[:200])
        return JSONResponse({"delivery_id": accepted.id, "duplicate": not accepted.is_new})

    async def _known(self, source_id: str) -> KnownSource | None:
        """One that takes deliveries."""
        if prefix_of(source_id) != InboundSourceId.prefix:
            return None
        known = await self._sources.get(source_id)
        if known is None or not known.source.is_active:
            known = await self._sources.get(source_id, anew=True)
        return known if known is not None and known.source.is_active else None

    def _take(self, known: KnownSource) -> None:
        """One that sends too much holds up nobody else."""
        verdict = self._limiter.take(known.source.id)
        if not verdict.allowed:
            raise TooManyRequests(headers=verdict.headers)

    async def _store(
        self, known: KnownSource, body: bytes, headers: Mapping[str, str], content_type: str, topic: str | None = None
    ) -> Accepted:
        source, now = known.source, time.time()
        topic = topic or topic_of(source, headers)
        identity_found: object = None
        if source.dedupe_expression is not None or (topic is None and source.topic_expression is not None):
            topic, identity_found = await asyncio.to_thread(_looked_into, known, headers, body, content_type, topic)
        identity = identity_of(source, headers, body, identity_found)
        key, earlier = in_window(identity, now, source.dedupe_window_seconds)
        if not identity.is_lasting and not source.dedupe_window_seconds:
            key = os.urandom(32)
        at = timestamp(signatures.header_of(headers, "shopify-triggered-at")) if source.kind == "shopify" else None
        sent = Sent(
            id=InboundDeliveryId.new(),
            source_id=source.id,
            key=key,
            earlier_key=earlier,
            since=datetime.now(UTC) - timedelta(seconds=source.dedupe_window_seconds),
            topic=topic or NO_TOPIC,
            sender_id=identity.sender_id,
            sent_at=datetime.fromisoformat(at) if at is not None else None,
            content_type=content_type,
            headers=_kept(headers, source.authentication.header if source.authentication else None) | _place(),
            body=body,
        )
        accepted = await self._acceptor.accept(known.tenant_id, sent)
        if accepted.is_new:
            self._wake()
        return accepted

    def _echo(self, request: Request, known: KnownSource) -> Response:
        """What WeCom asks before it posts anything."""
        if known.source.kind not in CALLBACKS:
            raise NotFound
        _, message = _opened(request, known, request.query_params.get("echostr", ""))
        return Response(message, media_type="text/plain")

    async def _callback(
        self, request: Request, known: KnownSource, body: bytes, headers: Mapping[str, str]
    ) -> Response:
        is_xml = known.source.kind == "wecom"
        try:
            outer = read_xml(body) if is_xml else read_payload(body, "application/json")
        except UnreadablePayload as error:
            raise SignatureRefused(headers=_CHALLENGE) from error
        encrypted = outer.get("Encrypt" if is_xml else "encrypt") if isinstance(outer, dict) else None
        key, message = _opened(request, known, encrypted if isinstance(encrypted, str) else "")
        self._take(known)
        content_type = "application/xml" if is_xml else "application/json"
        topic = await asyncio.to_thread(_topic_within, known, headers, message, content_type)
        if topic != "check_url":
            await self._store(known, message, headers, content_type, topic)
        if is_xml:
            return PlainTextResponse("success")
        query = request.query_params
        return JSONResponse(key.answer("success", query.get("timestamp", ""), query.get("nonce", "")))


def _is_authentic(known: KnownSource, headers: Mapping[str, str], body: bytes) -> bool:
    secrets = [one["secret"] for one in known.valid_secrets(datetime.now(UTC))]
    kind = cast("SourceKind", known.source.kind)
    return signatures.is_authentic(
        kind, known.source.authentication, secrets, signatures.Sent(headers, body, time.time())
    )


def _opened(request: Request, known: KnownSource, encrypted: str) -> tuple[CallbackKey, bytes]:
    """By whichever of the keys fits. Raises SignatureRefused."""
    query = request.query_params
    signature = query.get("msg_signature") or query.get("signature", "")
    found: tuple[CallbackKey, bytes] | None = None
    for secret in known.valid_secrets(datetime.now(UTC)):
        key = CallbackKey(secret["token"], secret["encoding_aes_key"], known.source.receive_id)
        try:
            message = key.opened(signature, query.get("timestamp", ""), query.get("nonce", ""), encrypted, time.time())
        except InvalidCallback:
            continue
        found = found or (key, message)
    if found is None:
        raise SignatureRefused(headers=_CHALLENGE)
    return found


def _topic_within(known: KnownSource, headers: Mapping[str, str], message: bytes, content_type: str) -> str | None:
    try:
        return topic_of(known.source, headers, read_payload(message, content_type))
    except UnreadablePayload:
        return None


def _looked_into(
    known: KnownSource, headers: Mapping[str, str], body: bytes, content_type: str, topic: str | None
) -> tuple[str | None, object]:
    """Topic and identity by the source's own expressions; one that does not fit tells nothing."""
    try:
        payload = read_payload(body, content_type)
        topic = topic or topic_of(known.source, headers, payload)
        expression = known.source.dedupe_expression
        return topic, compiled(expression).apply(payload) if expression is not None else None
    except (UnreadablePayload, EvaluationFailed):
        return topic, None


async def _body(request: Request, limit: int) -> bytes:
    """Raises BodyTooLarge."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(Text(f"The body may have at most {limit} bytes.", f"请求体最多 {limit} 字节。"))


def _is_ping(body: bytes, headers: Mapping[str, str]) -> bool:
    number = body.removeprefix(_WOOCOMMERCE_PING)
    return (
        number != body
        and number.isdigit()
        and len(number) < 20
        and "x-wc-webhook-signature" not in headers
        and headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    )


def _kept(headers: Mapping[str, str], proof: str | None) -> dict[str, str]:
    """Without what proves who sent it, and without whence: bounded."""
    secret = _SECRET_HEADERS | {(proof or "").lower()}
    shown = {
        name: "".join(character for character in value if " " <= character <= "~")[:_MAX_HEADER]
        for name, value in headers.items()
        if name not in secret and not any(word in name for word in _TELLING)
    }
    return dict(list(shown.items())[:_MAX_HEADERS])


def _place() -> dict[str, str]:
    """In the trace: what is done of it later goes on from here."""
    here = context.current()
    return {"traceparent": here.trace.traceparent} if here is not None else {}


async def _receive(request: Request) -> Response:
    receiver: Receiver = request.app.state.inbound_receiver
    return await receiver.receive(request)


ROUTES: Final = (Route("/in/{source_id}", _receive, methods=["GET", "POST"], include_in_schema=False),)
