"""Settings that every service has, read from the environment."""

import os
from typing import Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from crm_kit.observability.sampling import Sampler


class SettingsError(Exception):
    """A setting is missing or wrong; the text names the variable and says what it should be."""


class ServiceSettings(BaseSettings):
    """`load` reads `<SERVICE>_DATABASE_URL` and its two siblings; everything else has the name of its field."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: str = Field(description="PostgreSQL URL of the role that serves requests")
    system_database_url: str = Field(description="PostgreSQL URL of the role of relay and timers")
    owner_database_url: str | None = Field(None, description="PostgreSQL URL of the role that runs migrations")
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections that serve requests")

    migrate_at_start: bool = Field(False, description="Run migrations before serving: for one machine, not for a fleet")

    environment: Literal["development", "production"] = "production"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    bus: Literal["embedded", "kafka"] = "embedded"
    event_log_url: str | None = Field(None, description="PostgreSQL URL of the embedded event log")
    kafka_bootstrap_servers: str | None = None
    kafka_replication_factor: int = Field(1, ge=1, le=9)

    internal_jwks_file: str | None = Field(None, description="Public keys that verify the gateway's token")
    secret: str = Field(min_length=32, description="Signs cursors and links; the same in every replica")

    audit_retention_days: int = Field(
        1095, ge=180, le=36_500, description="How long audit entries are kept: three years, at least six months"
    )

    otel_sdk_disabled: bool = Field(False, description="Spans go nowhere, whatever else is set")
    otel_traces_exporter: Literal["none", "otlp", "console"] = Field(
        "none",
        description="Where spans go: a collector by OTLP over HTTP (OTEL_EXPORTER_OTLP_ENDPOINT), or standard output",
    )
    otel_traces_sampler: Sampler = Field(
        "parentbased_always_on", description="Which traces are recorded; of strangers' requests none is by their word"
    )
    otel_traces_sampler_arg: float = Field(1.0, ge=0, le=1, description="The share, with parentbased_traceidratio")

    shutdown_delay_seconds: float | None = Field(
        None,
        ge=0,
        description="How long after SIGTERM it is unready but still answers (default 5, in development 0)",
    )
    shutdown_grace_seconds: float = Field(10.0, gt=0, description="How long what was begun may then take to finish")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Larger request bodies are answered 413")
    max_upload_bytes: int = Field(256 * 1024 * 1024, ge=1024, description="The same of files, as for an import")

    @property
    def shutdown_delay(self) -> float:
        """Seconds that load balancers get to notice; on a developer's machine there are none."""
        if self.shutdown_delay_seconds is None:
            return 0.0 if self.environment == "development" else 5.0
        return self.shutdown_delay_seconds

    @classmethod
    def load(cls, service: str) -> Self:
        """Raises SettingsError in one sentence."""
        prefix = service.upper()
        urls = {
            field: os.environ[f"{prefix}_{field.upper()}"]
            for field in ("database_url", "system_database_url", "owner_database_url")
            if os.environ.get(f"{prefix}_{field.upper()}")
        }
        try:
            settings = cls(**urls)  # type: ignore[arg-type]  # the values are validated by pydantic
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "settings"
            name = f"{prefix}_{field.upper()}" if field.endswith("database_url") else field.upper()
            raise SettingsError(f"{name}: {first['msg']}") from error
        settings.refuse_unsafe()
        return settings

    def require_owner_url(self, service: str) -> str:
        """The URL to migrate with. Raises SettingsError."""
        if self.owner_database_url is None:
            raise SettingsError(f"{service.upper()}_OWNER_DATABASE_URL: is needed to migrate")
        return self.owner_database_url

    def refuse_unsafe(self) -> None:
        """Outside development no secret may be one of those that documents and examples show."""
        if self.environment != "development" and ("change-me" in self.secret or len(set(self.secret)) < 8):
            raise SettingsError("SECRET: is an example value; set at least 32 random characters")
        if self.bus == "embedded" and not self.event_log_url:
            raise SettingsError("EVENT_LOG_URL: is needed with BUS=embedded")
        if self.bus == "kafka" and not self.kafka_bootstrap_servers:
            raise SettingsError("KAFKA_BOOTSTRAP_SERVERS: is needed with BUS=kafka")
