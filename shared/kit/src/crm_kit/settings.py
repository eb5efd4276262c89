"""Settings that every service has, read from the environment."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from crm_kit import environment as env
from crm_kit.bus.access import KafkaAccess
from crm_kit.environment import Secret, SettingsError
from crm_kit.keyring import Keyring
from crm_kit.observability.sampling import Sampler

__all__ = ["Secret", "ServiceSettings", "SettingsError", "is_example"]

_LEAST_SECRET: Final = 32


def is_example(secret: str) -> bool:
    """Whether it is one of those that documents and examples show."""
    return "change-me" in secret or len(set(secret)) < 8


class ServiceSettings(BaseModel):
    """`load` reads `<SERVICE>_DATABASE_URL` and its two siblings; everything else has the name of its field.

    What is marked as secret may come from the file that `<VARIABLE>_FILE` names.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    _files: Mapping[str, Path] = PrivateAttr(default_factory=dict)

    database_url: Annotated[str, Secret()] = Field(description="PostgreSQL URL of the role that serves requests")
    system_database_url: Annotated[str, Secret()] = Field(
        description="PostgreSQL URL of the role of relay and timers; never through a pooler that lends sessions by transaction"
    )
    owner_database_url: Annotated[str | None, Secret()] = Field(
        None, description="PostgreSQL URL of the role that runs migrations; needed to migrate and to rebuild"
    )
    database_password: Annotated[str | None, Secret()] = Field(
        None, description="Password of the first of these roles, where its URL holds none"
    )
    system_database_password: Annotated[str | None, Secret()] = Field(
        None, description="Password of the second, where its URL holds none"
    )
    owner_database_password: Annotated[str | None, Secret()] = Field(
        None, description="Password of the third, where its URL holds none"
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections that serve requests")

    database_pooler: Literal["none", "transaction"] = Field(
        "none",
        description="`transaction`: the URL of the role that serves requests leads to PgBouncer 1.21 or newer with pool_mode=transaction",
    )

    migrate_at_start: bool = Field(False, description="Run migrations before serving: for one machine, not for a fleet")

    environment: Literal["development", "production"] = Field(
        "production", description="`development` allows example secrets and plain HTTP to others"
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged, and all above")
    log_format: Literal["json", "console"] = Field("json", description="One JSON object a line, or lines for a person")

    bus: Literal["embedded", "kafka"] = Field(
        "embedded", description="Where the event log is: in PostgreSQL, for one machine, or on Apache Kafka"
    )
    event_log_url: Annotated[str | None, Secret()] = Field(
        None, description="PostgreSQL URL of the embedded event log; needed with BUS=embedded"
    )
    event_log_password: Annotated[str | None, Secret()] = Field(
        None, description="Its role's password, where the URL holds none"
    )
    kafka_bootstrap_servers: str | None = Field(
        None, description="`host:port`, separated by commas; needed with BUS=kafka"
    )
    kafka_replication_factor: int = Field(
        1, ge=1, le=9, description="Copies of each topic that is created; 3 in production"
    )
    kafka_create_topics: bool = Field(
        True, description="Create topics that are missing; false where the platform does, and services may not"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="SSL: TLS, with a client certificate mutual; SASL_: user and password"
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the password is proven, with SASL_"
    )
    kafka_sasl_username: str | None = Field(None, description="The service's user; needed with SASL_")
    kafka_sasl_password: Annotated[str | None, Secret()] = Field(
        None,
        description="Its password; needed with SASL_. A file is read anew for each connection, so that it can be rotated",
    )
    kafka_ssl_ca_file: str | None = Field(
        None, description="PEM file of the authorities that the brokers' certificates are from; without it the system's"
    )
    kafka_ssl_certificate_file: str | None = Field(
        None,
        description="PEM file of the client's certificate and its chain, for mutual TLS; read anew for each connection",
    )
    kafka_ssl_key_file: str | None = Field(None, description="PEM file of that certificate's private key")
    kafka_group_instance_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="This process's name in its groups, the same after a restart (static membership); no two at once may share it",
    )

    internal_jwks_file: str | None = Field(
        None, description="JSON file of the public keys that verify the gateway's tokens; needed by all but the gateway"
    )
    secret: Annotated[str, Secret()] = Field(
        min_length=_LEAST_SECRET,
        description="Signs cursors and links, seals what is kept secret; the same in every replica; at least 32 random characters",
    )
    secret_fallbacks: Annotated[str, Secret()] = Field(
        "",
        description="Other values of SECRET, separated by commas, that open and verify too: the next, or those before",
    )

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
    def processes(self) -> int:
        """That answer at its port."""
        return 1

    @property
    def shutdown_delay(self) -> float:
        """Seconds that load balancers get to notice; on a developer's machine there are none."""
        if self.shutdown_delay_seconds is None:
            return 0.0 if self.environment == "development" else 5.0
        return self.shutdown_delay_seconds

    @property
    def lends_by_transaction(self) -> bool:
        """Whether consecutive transactions of one connection may run in different sessions of PostgreSQL."""
        return self.database_pooler == "transaction"

    @property
    def keyring(self) -> Keyring:
        """The secret and its fallbacks."""
        return Keyring(self.secret, tuple(env.spelled_list(self.secret_fallbacks)))

    @classmethod
    def load(cls, service: str, environment: Mapping[str, str] | None = None) -> Self:
        """Raises SettingsError, in one line for all that is wrong. `environment`: this process's, if None."""
        given = env.read(cls, service, os.environ if environment is None else environment)
        try:
            settings = cls.model_validate(given.values)
        except ValidationError as error:
            raise SettingsError("; ".join(env.faults_of(error, cls, service, given))) from None
        settings._files = given.files
        env.refuse(settings.faults())
        return settings

    def require_owner_url(self, service: str) -> str:
        """The URL to migrate with. Raises SettingsError."""
        if self.owner_database_url is None:
            raise SettingsError(f"{service.upper()}_OWNER_DATABASE_URL: is needed to migrate")
        return self.owner_database_url

    def faults(self) -> Iterator[str]:
        """What does not go together. Outside development no secret may be one of those that documents and examples show."""
        if self.environment != "development" and is_example(self.secret):
            yield "SECRET: is an example value; set at least 32 random characters"
        for fallback in self.keyring.fallbacks:
            if len(fallback) < _LEAST_SECRET or (self.environment != "development" and is_example(fallback)):
                yield "SECRET_FALLBACKS: hold what was never a SECRET: each has at least 32 random characters"
                break
        if self.bus == "embedded" and not self.event_log_url:
            yield "EVENT_LOG_URL: is needed with BUS=embedded"
        if self.bus == "kafka":
            if not self.kafka_bootstrap_servers:
                yield "KAFKA_BOOTSTRAP_SERVERS: is needed with BUS=kafka"
            yield from self.kafka_access().faults()

    def kafka_access(self) -> KafkaAccess:
        """How this process proves itself to Kafka, and the brokers to it."""
        return KafkaAccess(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=self.kafka_sasl_password,
            password_file=self._files.get("kafka_sasl_password"),
            ca_file=self.kafka_ssl_ca_file,
            certificate_file=self.kafka_ssl_certificate_file,
            key_file=self.kafka_ssl_key_file,
        )

    def __repr_args__(self) -> Any:
        fields = type(self).model_fields
        return [
            (name, value) for name, value in super().__repr_args__() if name is None or not env.is_secret(fields[name])
        ]
