"""`POST /oauth/token`, and where to find it (RFC 8414)."""

from typing import Final, cast

from fastapi import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.access.authenticator import GatewayAuthenticator
from gateway.access.issued_tokens import LIFETIME_SECONDS
from gateway.features.api_keys.schemas import SCOPES
from gateway.features.oauth.errors import NO_STORE, TokenRefusal, invalid_client
from gateway.features.oauth.rules import granted, read_form, read_request

_MAX_BODY: Final = 8_192
_FORM: Final = "application/x-www-form-urlencoded"


async def token(request: Request) -> Response:
    """Raises TooManyRequests for who guesses."""
    authenticator = cast("GatewayAuthenticator", request.app.state.authenticator)
    try:
        asked = read_request(read_form(await _body(request)), request.headers.get("authorization"))
        key = await authenticator.client(asked.client_id, asked.client_secret)
        if key is None:
            raise invalid_client()
        scopes = granted(asked.scopes, key.principal)
    except TokenRefusal as refusal:
        return refusal.response()
    answer = {
        "access_token": authenticator.issued.issue(key.principal.credential, scopes),
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
        "scope": " ".join(scopes),
    }
    return JSONResponse(answer, headers=NO_STORE)


async def _body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise TokenRefusal("invalid_request", f"Send {_FORM}")
    body = await request.body()
    if len(body) > _MAX_BODY:
        raise TokenRefusal("invalid_request", f"The body may have at most {_MAX_BODY} bytes")
    return body


async def metadata(request: Request) -> Response:
    issuer = cast("GatewayAuthenticator", request.app.state.authenticator).issued.issuer
    document = {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": list(SCOPES),
        "service_documentation": f"{issuer}/docs",
    }
    return JSONResponse(document, headers={"Cache-Control": "public, max-age=300"})


ROUTES: Final = (
    Route("/oauth/token", token, methods=["POST"], include_in_schema=False),
    Route("/.well-known/oauth-authorization-server", metadata, include_in_schema=False),
)
