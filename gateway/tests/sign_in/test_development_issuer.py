"""The issuer for trying things out, which is there only in development."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_kit.settings import SettingsError
from crm_testkit.door import ADMIN_KEY, Door, running_door
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST
from gateway.settings import GatewaySettings
from joserfc import jwt
from joserfc.jwk import OKPKey

PLACE = "/development/issuer"


@pytest_asyncio.fixture(scope="module")
async def developing(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("developing")
    database, log = postgres_database("gateway"), event_log_database()
    options = {"development_issuer": True, "roles": ("api",)}
    async with running_door(MANIFEST, make_authenticator, database, log, folder, **options) as running:
        yield running


async def test_a_token_for_whom_one_likes(developing: Door) -> None:
    async with httpx.AsyncClient(base_url=developing.service.url) as plain:
        document = (await plain.get(f"{PLACE}/.well-known/openid-configuration")).json()
        assert document["jwks_uri"] == document["issuer"] + "/jwks.json"
        [key] = (await plain.get(f"{PLACE}/jwks.json")).json()["keys"]
        assert "d" not in key
        form = {"audience": "tenant_x", "email": "Jing@example.com", "name": "陈静", "roles": "admin sales"}
        answer = await plain.post(f"{PLACE}/token", data=form)
        assert answer.headers["cache-control"] == "no-store"
        token = answer.json()["access_token"]
        claims = jwt.decode(token, OKPKey.import_key(key), algorithms=["Ed25519"]).claims
        assert (claims["sub"], claims["aud"], claims["roles"]) == ("jing@example.com", "tenant_x", ["admin", "sales"])
        for missing in ({"email": "x@example.com"}, {"audience": "x"}, {}):
            assert (await plain.post(f"{PLACE}/token", data=missing)).json()["error"] == "invalid_request"


async def test_where_it_is_not_asked_for_it_is_not_there(door: Door) -> None:
    for method, path in (("GET", "/.well-known/openid-configuration"), ("GET", "/jwks.json"), ("POST", "/token")):
        assert (await door.client().request(method, PLACE + path)).status_code == 404


def _environment(tmp_path: Path, **changed: str) -> dict[str, str]:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=True)))
    url = "postgresql://u@127.0.0.1/x"
    return {
        "GATEWAY_DATABASE_URL": url,
        "GATEWAY_SYSTEM_DATABASE_URL": url,
        "EVENT_LOG_URL": url,
        "SECRET": "only-for-tests-0123456789abcdefgh",
        "ADMIN_KEY": ADMIN_KEY,
        "SIGNING_KEY_FILE": str(key),
        "PUBLIC_URL": "https://crm.example.com",
        **{f"{name}_URL": "http://127.0.0.1:1" for name in ("CONTACTS", "PIPELINE", "TICKETS", "CAMPAIGNS")},
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, None),
        ({"DEVELOPMENT_ISSUER": "true"}, "DEVELOPMENT_ISSUER"),
        ({"DEVELOPMENT_ISSUER": "true", "ENVIRONMENT": "production"}, "DEVELOPMENT_ISSUER"),
        ({"DEVELOPMENT_ISSUER": "true", "ENVIRONMENT": "development"}, None),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL"),
    ],
)
def test_the_gateway_does_not_start_with_it_outside_development(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], refused: str | None
) -> None:
    for name, value in _environment(tmp_path, **changed).items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    if refused is None:
        GatewaySettings.load("gateway")
    else:
        with pytest.raises(SettingsError, match=refused):
            GatewaySettings.load("gateway")
