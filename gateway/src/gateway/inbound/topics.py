"""What a delivery is about, and by what it is told from others. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from crm_contracts.inbound import InboundSource

from gateway.inbound.expressions import EvaluationFailed, compiled
from gateway.inbound.signatures import header_of

NO_TOPIC: Final = "-"
"""Of a delivery that names none."""

_MAX_TOPIC: Final = 200


def topic_of(source: InboundSource, headers: Mapping[str, str], payload: Any = None) -> str | None:
    """None where it is not told, or stands in a payload that is not given. Shops do not sign their headers: whoever may read a
    delivery and send it on could say that it is about something else, and no more than that.
    """
    match source.kind:
        case "shopify":
            return _word(header_of(headers, "shopify-topic"))
        case "woocommerce":
            return _word(headers.get("x-wc-webhook-topic", ""))
        case "wecom":
            return _of_members(payload, "MsgType", "Event", "ChangeType")
        case "dingtalk":
            return _of_members(payload, "EventType")
    if source.topic_header is not None and (found := _word(headers.get(source.topic_header.lower(), ""))):
        return found
    if source.topic_expression is not None and payload is not None:
        try:
            return _word(compiled(source.topic_expression).apply(payload))
        except EvaluationFailed:
            return None
    return None


def _of_members(payload: Any, *members: str) -> str | None:
    found = [payload.get(member) for member in members] if isinstance(payload, dict) else []
    return _word(".".join(one for one in found if isinstance(one, str) and one))


def _word(value: object) -> str | None:
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_TOPIC:
        return None
    return value if all("!" <= character <= "~" for character in value) else None


class Identity(NamedTuple):
    """`key`: what a second delivery of the same has too. `is_lasting`: the sender gives it to nothing else, ever; otherwise it is
    the same within a window alone. `sender_id`: what the sender calls it.
    """

    key: bytes
    is_lasting: bool
    sender_id: str | None


def identity_of(source: InboundSource, headers: Mapping[str, str], body: bytes, found: object = None) -> Identity:
    """What really tells a delivery from others. `found`: what the source's own expression came to.

    Shopify: the event, which each subscription is told of once. WooCommerce: its delivery id is a hash of the second; the body
    holds the record's id and time. Standard Webhooks: the message's id.
    """
    if found is not None and isinstance(found, str | int) and not isinstance(found, bool):
        return Identity(_key("own", str(found)), True, str(found)[:200])
    if source.kind == "shopify" and (event := header_of(headers, "shopify-event-id")):
        told = (header_of(headers, "shopify-topic"), header_of(headers, "shopify-shop-domain"))
        return Identity(_key("shopify", event, *told), True, event[:200])
    if source.kind == "woocommerce":
        parts = (headers.get("x-wc-webhook-id", ""), headers.get("x-wc-webhook-topic", ""))
        sender_id = headers.get("x-wc-webhook-delivery-id", "")[:200] or None
        return Identity(_key("woocommerce", *parts, body), False, sender_id)
    if source.authentication is not None and source.authentication.scheme == "standard_webhooks":
        message = headers.get("webhook-id") or headers.get("svix-id", "")
        return Identity(_key("standard", message), True, message[:200])
    return Identity(_key("body", headers.get((source.topic_header or "").lower(), ""), body), False, None)


def in_window(identity: Identity, now: float, seconds: int) -> tuple[bytes, bytes | None]:
    """The keys of this window and of the one before."""
    if identity.is_lasting or seconds <= 0:
        return identity.key, None
    window = int(now // seconds)
    return _key("window", identity.key, str(window)), _key("window", identity.key, str(window - 1))


def _key(*parts: str | bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "replace")
        digest.update(len(raw).to_bytes(8))
        digest.update(raw)
    return digest.digest()


def is_creation(topic: str) -> bool:
    """Whether it tells of something for the first time: shops tell of what is changed within a second as of the same moment."""
    return topic.replace("/", ".").rpartition(".")[2] in ("create", "created")
