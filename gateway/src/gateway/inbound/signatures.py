"""Whether a delivery is the sender's own: the schemes of shops, of Standard Webhooks, and what others make of HMAC. Pure.

Everything is compared in constant time, and all secrets are tried, whichever fits.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crm_contracts.inbound import Authentication, SourceKind
from crm_kit.http.standard_webhooks import SECRET_PREFIX, signature

STANDARD_TOLERANCE_SECONDS: Final = 300
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}")
_WEBHOOK_ID: Final = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}")
"""Any visible character but the dot, which separates id, time and body."""

# `wp_specialchars_decode($secret, ENT_QUOTES)`, which WooCommerce applies to the secret before it signs.
_WORDPRESS_ENTITIES: Final = (
    *((entity, '"') for entity in ("&quot;", "&#034;", "&#x22;")),
    *((entity, "'") for entity in ("&#039;", "&#39;", "&#x27;", "&apos;")),
    *((entity, "<") for entity in ("&lt;", "&#060;", "&#x3C;")),
    *((entity, ">") for entity in ("&gt;", "&#062;", "&#x3E;")),
    *((entity, "&") for entity in ("&amp;", "&#038;", "&#x26;")),
)
_HASHES: Final[Mapping[str, Callable[..., "hashlib._Hash"]]] = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "sha1": hashlib.sha1,
}


class InvalidSecret(ValueError):
    """No secret of this scheme."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery as it came. Header names are in lower case. `now`: seconds since 1970."""

    headers: Mapping[str, str]
    body: bytes
    now: float


def is_authentic(kind: SourceKind, authentication: Authentication | None, secrets: Sequence[str], sent: Sent) -> bool:
    """Whether one of the secrets has signed it, within the time that the scheme allows."""
    if kind == "shopify":
        return _is_base64_hmac(sent, header_of(sent.headers, "shopify-hmac-sha256"), [one.encode() for one in secrets])
    if kind == "woocommerce":
        keys = [key.encode() for one in secrets for key in (one, _wordpress_decoded(one))]
        return _is_base64_hmac(sent, sent.headers.get("x-wc-webhook-signature", ""), keys)
    if authentication is None:
        return False
    match authentication.scheme:
        case "standard_webhooks":
            return _is_standard(secrets, sent)
        case "bearer":
            return _is_one_of(sent.headers.get("authorization", ""), [f"Bearer {one}" for one in secrets])
        case "basic":
            pairs = [f"{authentication.username or ''}:{one}".encode() for one in secrets]
            return _is_one_of(
                sent.headers.get("authorization", ""), [f"Basic {base64.b64encode(pair).decode()}" for pair in pairs]
            )
        case _:
            return _is_hmac(authentication, secrets, sent)


def header_of(headers: Mapping[str, str], name: str) -> str:
    """Of a shop's header, which newer releases send without `X-`."""
    return headers.get(f"x-{name}") or headers.get(name, "")


def sign_as(key: bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key, content, _HASHES[algorithm]).digest()


def standard_key(secret: str) -> bytes:
    """The key behind `whsec_…`; of senders who take more or fewer bytes than we do, too. Raises InvalidSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("must be whsec_ and base64") from error
    if not 16 <= len(key) <= 128:
        raise InvalidSecret("must stand for 16 to 128 bytes")
    return key


def spend_as_if(body: bytes) -> None:
    """As long as a wrong signature takes: for a source that is not there."""
    hmac.compare_digest(sign_as(b"nobody", body), bytes(32))


def _is_base64_hmac(sent: Sent, given: str, keys: Sequence[bytes]) -> bool:
    return _is_one_of(given, [base64.b64encode(sign_as(key, sent.body)).decode() for key in keys])


def _is_standard(secrets: Sequence[str], sent: Sent) -> bool:
    """https://www.standardwebhooks.com: any signature of the list, by any of the secrets."""
    headers = sent.headers
    id_, timestamp, signatures = (
        headers.get(f"webhook-{name}") or headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not _WEBHOOK_ID.fullmatch(id_) or not _is_recent(timestamp, sent.now, STANDARD_TOLERANCE_SECONDS):
        return False
    wanted = [signature(id_, timestamp, sent.body, standard_key(one)) for one in secrets]
    return any([_is_one_of(given, wanted) for given in signatures.split(" ")[:20]])  # noqa: C419  # all are looked at


def _is_hmac(authentication: Authentication, secrets: Sequence[str], sent: Sent) -> bool:
    given = sent.headers.get((authentication.header or "").lower(), "")
    timestamp = sent.headers.get((authentication.timestamp_header or "").lower(), "")
    if authentication.timestamp_header is not None and not _is_recent(
        timestamp, sent.now, authentication.tolerance_seconds
    ):
        return False
    before = {"timestamp.body": f"{timestamp}.", "timestamp_then_body": timestamp}.get(authentication.content, "")
    content = before.encode("latin-1", "replace") + sent.body
    wanted = []
    for secret in secrets:
        digest = sign_as(secret.encode(), content, authentication.algorithm)
        text = digest.hex() if authentication.encoding == "hex" else base64.b64encode(digest).decode()
        wanted.append(authentication.prefix + text)
    if authentication.encoding == "hex":
        return _is_one_of(given.lower(), [one.lower() for one in wanted])
    return _is_one_of(given, wanted)


def _is_recent(timestamp: str, now: float, tolerance: int) -> bool:
    return bool(_TIMESTAMP.fullmatch(timestamp)) and abs(now - int(timestamp)) <= tolerance


def _is_one_of(given: str, wanted: Sequence[str]) -> bool:
    raw = given.encode("latin-1", "replace")
    return any([hmac.compare_digest(raw, one.encode("latin-1", "replace")) for one in wanted])  # noqa: C419  # all are compared


def _wordpress_decoded(secret: str) -> str:
    for entity, character in _WORDPRESS_ENTITIES:
        secret = secret.replace(entity, character)
    return secret
