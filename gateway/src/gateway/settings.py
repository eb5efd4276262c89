"""Settings that only the gateway has."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from crm_kit.environment import spelled_list
from crm_kit.http.outbound import Outbound
from crm_kit.http.principal import TokenMint
from crm_kit.keyring import Keyring
from crm_kit.settings import Secret, ServiceSettings, SettingsError, is_example
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import Field, field_validator

_LEAST_ADMIN_KEY: Final = 24
_PUBLIC: Final = ("kty", "crv", "x", "kid")
"""Members of a public Ed25519 key (RFC 8037)."""


class GatewaySettings(ServiceSettings):
    """Where the services are, who may administer, how long to wait, how much is allowed."""

    signing_key_file: str = Field(description="The private Ed25519 key (JWK) that signs internal tokens")
    admin_key: Annotated[str, Secret()] = Field(
        min_length=_LEAST_ADMIN_KEY, description="The key that creates tenants; at least 24 random characters"
    )
    admin_key_fallbacks: Annotated[str, Secret()] = Field(
        "", description="Other values of ADMIN_KEY, separated by commas, that count too while it is rotated"
    )

    web_concurrency: int = Field(
        1,
        ge=1,
        le=16,
        description="Processes that answer at the port, one for each core that it may have; each opens connections of its own",
    )

    contacts_url: str = Field(description="Where contacts-svc is: an origin such as http://contacts:8000")
    pipeline_url: str = Field(description="Where pipeline-svc is")
    tickets_url: str = Field(description="Where tickets-svc is")
    campaigns_url: str = Field(description="Where campaigns-svc is")

    trusted_proxy_hops: int = Field(
        0, ge=0, le=10, description="Proxies of ours before the gateway that each append to X-Forwarded-For"
    )

    upstream_connect_seconds: float = Field(1.0, gt=0, le=60, description="How long a service may take to be reached")
    upstream_read_seconds: float = Field(20.0, gt=0, le=600, description="How long a service may be silent")
    upstream_connections: int = Field(100, ge=1, le=10_000, description="Open connections to the services, at most")

    live_deadline_seconds: float = Field(2.0, gt=0, le=60, description="How long a live view waits for the services")
    consistency_wait_seconds: float = Field(
        2.0, ge=0, le=60, description="How long a view waits for a write that Consistency-Token names"
    )

    reconcile_interval_seconds: float = Field(
        300.0, ge=0, le=86_400, description="How often views are compared with the services; 0: never"
    )
    reconcile_sample_size: int = Field(5, ge=1, le=1000, description="Customers of each tenant that are compared then")
    reconcile_max_repairs: int = Field(
        100, ge=0, description="Entities and views that are then repaired at most; 0: drift is only told"
    )
    reconcile_wait_seconds: float = Field(
        10.0, gt=0, le=600, description="How long the consumer may take to catch up before nothing can be judged"
    )

    rate_limit_quota: int = Field(6_000, ge=1, description="Requests that one key or user may send in a window")
    rate_limit_window_seconds: int = Field(60, ge=1, le=86_400, description="Length of that window")
    rate_limit_tenant_quota: int = Field(
        60_000, ge=1, description="Requests that all of a tenant's keys and users may send together in a window"
    )
    failed_attempts_quota: int = Field(
        60, ge=1, description="Failed authentications from one address in a minute; more wait"
    )

    inbound_quota: int = Field(
        60_000, ge=1, description="Deliveries that one inbound source may send in a minute; more are answered 429"
    )
    inbound_retention_days: int = Field(
        30, ge=1, le=3_650, description="How long what inbound sources have sent is kept"
    )

    public_url: str | None = Field(
        None, description="Where clients reach the gateway; it stands in the tokens that it issues"
    )
    issuer_keys_pause_seconds: float = Field(
        60.0, gt=0, le=3_600, description="Between two readings of an issuer's keys, at least"
    )
    outbound_trusted_hosts: str = Field(
        "", description="Hosts, separated by commas, that may be asked although they are in a private network"
    )
    webhook_timeout_seconds: float = Field(15.0, gt=0, le=60, description="How long a receiver may take to answer")
    webhook_connect_seconds: float = Field(5.0, gt=0, le=60, description="How long a receiver may take to be reached")
    webhook_pause_hours: float = Field(
        120.0, gt=0, le=2400, description="An endpoint of which nothing has been taken for so long is paused"
    )
    webhook_retention_days: int = Field(
        30,
        ge=7,
        le=365,
        description="How long events and deliveries are kept for replays, cursors and endpoints that are paused",
    )
    development_issuer: bool = Field(
        False, description="An issuer that signs whatever it is asked for: development only"
    )

    @field_validator("contacts_url", "pipeline_url", "tickets_url", "campaigns_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        parts = urlsplit(value.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.username:
            raise ValueError("must be an origin such as http://127.0.0.1:8081")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _public_origin(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            raise ValueError("must be an address such as https://crm.example.com")
        return value.rstrip("/") if value is not None else None

    @property
    def processes(self) -> int:
        return self.web_concurrency

    @property
    def issuer(self) -> str:
        """Of the access tokens that the gateway gives to machine clients."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def admin_keys(self) -> Keyring:
        """The admin key and its fallbacks."""
        return Keyring(self.admin_key, tuple(spelled_list(self.admin_key_fallbacks)))

    def outbound(self) -> Outbound:
        """What fetches from addresses that a tenant gave."""
        return Outbound(spelled_list(self.outbound_trusted_hosts), allow_http=self.environment == "development")

    def webhook_outbound(self) -> Outbound:
        """What sends webhooks. Hosts that are trusted may be asked without TLS: receivers in the same cluster are."""
        return Outbound(spelled_list(self.outbound_trusted_hosts), allow_http=True)

    def signing_key(self) -> OKPKey:
        """Raises SettingsError."""
        try:
            return OKPKey.import_key(json.loads(Path(self.signing_key_file).read_text()))
        except (OSError, ValueError, JoseError) as error:
            raise SettingsError(f"SIGNING_KEY_FILE: cannot be read: {error}") from error

    def verification_keys(self) -> list[OKPKey]:
        """By which access tokens of ours are verified: the signing key, and those beside it in INTERNAL_JWKS_FILE while it is
        rotated. Raises SettingsError.
        """
        own = self.signing_key()
        if self.internal_jwks_file is None:
            return [own]
        try:
            published = json.loads(Path(self.internal_jwks_file).read_text())["keys"]
            others = [OKPKey.import_key({name: key[name] for name in _PUBLIC if name in key}) for key in published]
        except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
            raise SettingsError(f"INTERNAL_JWKS_FILE: cannot be read: {error}") from error
        return [own, *(key for key in others if key.kid and key.kid != own.kid)]

    def mint(self) -> TokenMint:
        """Raises SettingsError."""
        return TokenMint(self.signing_key())

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        try:
            self.verification_keys()
        except SettingsError as error:
            yield str(error)
        if any(len(key) < _LEAST_ADMIN_KEY or is_example(key) for key in self.admin_keys.fallbacks):
            yield "ADMIN_KEY_FALLBACKS: hold what was never an ADMIN_KEY: each has at least 24 random characters"
        if self.environment != "development":
            if self.development_issuer:
                yield "DEVELOPMENT_ISSUER: signs in anybody as anybody; it is for development alone"
            if self.public_url is None:
                yield "PUBLIC_URL: is needed; it is the address at which clients reach the gateway"
            if is_example(self.admin_key):
                yield "ADMIN_KEY: is an example value; set at least 24 random characters"
