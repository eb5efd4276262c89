"""The gateway keeps what every service promises, for what it answers itself.

Customers have no sample: they come from events and are read alone, and their addresses do not have the form of a
resource that clients create. `customers/` tests them, and `proxy/` what is passed on.
"""

import uuid
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from crm_contracts.registry import IDENTITY_PROVIDER, INBOUND_SOURCE, ROLE, TEAM, USER, WEBHOOK_ENDPOINT
from crm_kit.app import internal_authenticator
from crm_kit.db.provision import ServiceUrls
from crm_kit.http.principal import Principal
from crm_kit.runtime import Runtime
from crm_testkit.conformance import Sample, ServiceConformance
from crm_testkit.conformance.sample import openapi
from crm_testkit.door import running_door
from crm_testkit.service import ServiceUnderTest
from fastapi import Request
from gateway.access.authenticator import GatewayAuthenticator
from gateway.composition import make_authenticator
from gateway.features.allowed_origins.events import UNPUBLISHED as ORIGINS_UNPUBLISHED
from gateway.features.api_keys.events import UNPUBLISHED
from gateway.manifest import MANIFEST


class _TokensForKeys:
    """Takes the suite's tokens where the gateway takes keys, so that principals can be of any kind.

    Its own authenticator does the rest, and is tested with keys in `access/`.
    """

    def __init__(self, runtime: Runtime) -> None:
        own: GatewayAuthenticator = make_authenticator(runtime)
        self.usage, self.revoke, self.limiters = own.usage, own.revoke, own.limiters
        self._tokens = internal_authenticator(runtime.settings.internal_jwks_file)

    async def authenticate(self, request: Request) -> Principal:
        return await self._tokens.authenticate(request)


@pytest_asyncio.fixture(scope="session")
async def service(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    folder = tmp_path_factory.mktemp("gateway")
    database = postgres_database("gateway")
    async with running_door(MANIFEST, _TokensForKeys, database, event_log_database(), folder) as door:
        yield door.service


class TestConformance(ServiceConformance):
    manifest = MANIFEST
    samples = (
        Sample(
            path="/v1/api-keys",
            topic=UNPUBLISHED.topic,
            body=lambda n, _: {"name": f"Key {n}"},
            patch={},
            text="name",
            equals=("name", "name"),
            scopes=("admin", "admin"),
            shown_once="key",
            id_prefix="key",
        ),
        Sample(
            path="/v1/allowed-origins",
            topic=ORIGINS_UNPUBLISHED.topic,
            body=lambda n, _: {"name": f"Site {n}", "origin": f"https://site-{n}.example.com"},
            patch={},
            text="name",
            equals=("origin", "origin"),
            scopes=("admin", "admin"),
        ),
        Sample(
            path="/v1/teams",
            topic=TEAM,
            body=lambda n, _: {"name": f"Team {n}"},
            patch={"name": "华东销售部"},
            text="name",
            equals=("name", "name"),
            scopes=("read", "admin"),
        ),
        Sample(
            path="/v1/roles",
            topic=ROLE,
            body=lambda n, _: {
                "name": f"Role {n}",
                "description": "华东",
                "grants": [{"resources": ["contacts"], "actions": ["read"], "records": "team"}],
            },
            patch={"admin": True},
            text="name",
            clears="description",
            equals=("name", "name"),
            scopes=("read", "admin"),
        ),
        Sample(
            path="/v1/users",
            topic=USER,
            body=lambda n, _: {"name": f"User {n}", "email": f"User.{n}@Example.com", "language": "zh-CN"},
            patch={"status": "disabled"},
            text="name",
            clears="language",
            equals=("email", "email"),
            upsert="email",
            scopes=("read", "admin"),
        ),
        Sample(
            path="/v1/identity-providers",
            topic=IDENTITY_PROVIDER,
            body=lambda n, _: {
                "name": f"Login {n}",
                "issuer": "https://login.example.com",
                "audiences": [f"client-{uuid.uuid4().hex}"],
                "algorithms": ["ES256"],
            },
            patch={"name": "企业登录"},
            text="name",
            integer="leeway_seconds",
            scopes=("admin", "admin"),
        ),
        Sample(
            path="/v1/inbound-sources",
            topic=INBOUND_SOURCE,
            body=lambda n, _: {
                "name": f"Shop {n}",
                "kind": "shopify",
                "system": f"shop-{uuid.uuid4().hex}",
                "currency": "CNY",
            },
            patch={"is_active": False},
            text="name",
            clears="currency",
            equals=("name", "name"),
            integer="dedupe_window_seconds",
            shown_once="secret",
            scopes=("read", "admin"),
        ),
        Sample(
            path="/v1/webhook-endpoints",
            topic=WEBHOOK_ENDPOINT,
            body=lambda n, _: {"url": f"https://erp-{n}.example.com/hooks", "description": "ERP"},
            patch={"kinds": ["order.*"]},
            text="description",
            clears="description",
            integer="batch_size",
            equals=("url", "url"),
            shown_once="secret",
        ),
    )
    without_sample = {
        "/v1/inbound-deliveries": "sources make them (`inbound/` tests them)",
        "/v1/sync-conflicts": "deliveries make them (`tests/e2e/test_inbound.py` tests them)",
        "/scim/v2/Groups": "the teams of `/v1/teams` in the shape of another standard (`scim/` tests it)",
        "/scim/v2/Users": "the users of `/v1/users` in the shape of another standard (`scim/` tests it)",
        "/v1/dead-letters": "events that fail make them (`dead_letters/` tests them)",
        "/v1/jobs": "what takes long makes them (`tests/e2e/test_imports.py` tests them)",
        "/v1/transfers": "what they come to changes them (`transfers/` and `tests/e2e/test_transfers.py` test them)",
        "/v1/tenants": "the installation's admin key alone makes and changes them, which is of no tenant",
    }

    @pytest.mark.parametrize("path", ["/v1", "/v1/nothing-here", "/v1/%00", "/v1//"])
    async def test_an_unknown_address_is_a_problem_too(self, service: ServiceUnderTest, path: str) -> None:
        """At `/`, where a service has nothing, the gateway has its start page (`documents/` tests it)."""
        await super().test_an_unknown_address_is_a_problem_too(service, path)

    async def test_the_document_served_is_the_document_generated(self, service: ServiceUnderTest) -> None:
        """The gateway serves one document for all services; what it answers itself is in it as generated."""
        answer = await service.anonymous().get("/openapi.json")
        own = openapi(self.manifest)["paths"]
        assert answer.status_code == 200
        assert {path: answer.json()["paths"].get(path) for path in own} == own
