"""Discovery, keys and tokens of the development issuer. Outside development every address of it is 404."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from crm_kit.errors import NotFound
from crm_kit.runtime import Runtime
from crm_kit.siblings import Siblings
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import OKPKey
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.features.oauth.errors import NO_STORE, TokenRefusal
from gateway.features.oauth.rules import read_form
from gateway.settings import GatewaySettings

_PLACE: Final = "/development/issuer"
_ALGORITHM: Final = "Ed25519"
_LIFETIME_SECONDS: Final = 3_600
_KEY_BYTES: Final = 1_024
_TEXTS: Final = ("name", "email")
_LISTS: Final = ("groups", "roles")


class DevelopmentIssuer:
    """Its key lives as long as the processes of the port: tokens of the last run are worth nothing in the next."""

    def __init__(self, address: str, siblings: Siblings) -> None:
        self.issuer = address + _PLACE
        self._key = _key_of(siblings)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._key.as_dict(private=False)]}

    def token(self, form: dict[str, str]) -> str:
        """For whom the form names; the audience is the tenant's id. Raises TokenRefusal."""
        if "audience" not in form or "email" not in form:
            raise TokenRefusal("invalid_request", "Name audience (a tenant's id) and email; and name, groups, roles")
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": form["audience"],
            "sub": form["email"].casefold(),
            "email_verified": True,
            "iat": now,
            "exp": now + _LIFETIME_SECONDS,
        }
        claims |= {name: form[name] for name in _TEXTS if name in form}
        claims |= {name: form[name].split() for name in _LISTS if name in form}
        header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])


def _key_of(siblings: Siblings) -> OKPKey:
    """Drawn by whichever process comes first."""
    kept = siblings.region("development issuer", _KEY_BYTES)
    with siblings.guard:
        if not kept[0]:
            key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": _ALGORITHM}, auto_kid=True)
            text = json.dumps(key.as_dict(private=True)).encode()
            kept[: len(text)] = text
        return OKPKey.import_key(json.loads(bytes(kept).rstrip(b"\0")))


@asynccontextmanager
async def issuer_lifespan(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
    settings = cast("GatewaySettings", runtime.settings)
    wanted = settings.development_issuer and settings.environment == "development"
    app.state.development_issuer = DevelopmentIssuer(settings.issuer, runtime.siblings) if wanted else None
    yield


def _of(request: Request) -> DevelopmentIssuer:
    issuer: DevelopmentIssuer | None = request.app.state.development_issuer
    if issuer is None:
        raise NotFound
    return issuer


async def discovery(request: Request) -> Response:
    issuer = _of(request).issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/jwks.json",
            "token_endpoint": f"{issuer}/token",
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
        }
    )


async def keys(request: Request) -> Response:
    return JSONResponse(_of(request).jwks())


async def token(request: Request) -> Response:
    issuer = _of(request)
    try:
        given = issuer.token(read_form(await request.body()))
    except TokenRefusal as refusal:
        return refusal.response()
    answer = {"access_token": given, "token_type": "Bearer", "expires_in": _LIFETIME_SECONDS}
    return JSONResponse(answer, headers=NO_STORE)


ROUTES: Final = (
    Route(f"{_PLACE}/.well-known/openid-configuration", discovery, include_in_schema=False),
    Route(f"{_PLACE}/jwks.json", keys, include_in_schema=False),
    Route(f"{_PLACE}/token", token, methods=["POST"], include_in_schema=False),
)
