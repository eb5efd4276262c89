"""Reading a token request (RFC 6749 §2.3.1, §4.4.2) and what may be given for it. Pure."""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from crm_kit.http.principal import Principal

from gateway.features.oauth.errors import TokenRefusal, invalid_client


@dataclass(frozen=True, slots=True)
class TokenRequest:
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]


def read_form(body: bytes) -> dict[str, str]:
    """Each parameter once, those without a value left out (RFC 6749 §3.2). Raises TokenRefusal."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=20
        )
    except ValueError as error:
        raise TokenRefusal("invalid_request", "The body must be application/x-www-form-urlencoded") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefusal("invalid_request", "A parameter stands twice")
    return {name: value for name, value in form.items() if value}


def read_request(form: Mapping[str, str], authorization: str | None) -> TokenRequest:
    """Raises TokenRefusal."""
    if "grant_type" not in form:
        raise TokenRefusal("invalid_request", "grant_type is missing")
    if form["grant_type"] != "client_credentials":
        raise TokenRefusal("unsupported_grant_type", "grant_type must be client_credentials")
    scopes = tuple(form.get("scope", "").split())
    if authorization is None:
        if "client_id" not in form or "client_secret" not in form:
            raise invalid_client()
        return TokenRequest(form["client_id"], form["client_secret"], scopes)
    if "client_secret" in form:
        raise TokenRefusal("invalid_request", "Authenticate in one way: by Basic or in the body")
    client_id, secret = _basic(authorization)
    if form.get("client_id", client_id) != client_id:
        raise TokenRefusal("invalid_request", "client_id differs from the one that authenticates")
    return TokenRequest(client_id, secret, scopes)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_client() from error
    client_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise invalid_client()
    return unquote_plus(client_id), unquote_plus(secret)


def granted(scopes: Collection[str], principal: Principal) -> list[str]:
    """What is asked for, of what the key may; all of that where nothing is asked. Raises TokenRefusal."""
    lacking = sorted(scope for scope in scopes if not _is_scope(scope) or not principal.holds(scope))
    if lacking:
        raise TokenRefusal("invalid_scope", "The key may not do all that is asked for")
    return sorted(set(scopes) or principal.scopes)


def _is_scope(scope: str) -> bool:
    return scope.isascii() and scope.isprintable() and len(scope) <= 100
