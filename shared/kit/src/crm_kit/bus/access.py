"""How a client and Kafka's brokers prove themselves to each other: TLS, mutual TLS, SASL/SCRAM."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crm_kit.environment import read_secret

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Files are read anew for each client that is made, and clients are made anew when `stamp` differs: so they are rotated.

    `password_file`: where `password` came from; what it holds now goes first.
    """

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    @property
    def encrypted(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def by_password(self) -> bool:
        return self.protocol.startswith("SASL_")

    def faults(self) -> Iterator[str]:
        """What is missing or unreadable, by the names of the settings."""
        if self.by_password:
            if not self.username:
                yield f"KAFKA_SASL_USERNAME: is needed with KAFKA_SECURITY_PROTOCOL={self.protocol}"
            if not self.password:
                yield f"KAFKA_SASL_PASSWORD: is needed with KAFKA_SECURITY_PROTOCOL={self.protocol}; or KAFKA_SASL_PASSWORD_FILE"
        elif self.username or self.password:
            yield "KAFKA_SECURITY_PROTOCOL: must be SASL_SSL, or SASL_PLAINTEXT, where a user or password is given"
        if not self.encrypted:
            if self.ca_file or self.certificate_file:
                yield "KAFKA_SECURITY_PROTOCOL: must be SSL or SASL_SSL where certificates are given"
            return
        if bool(self.certificate_file) != bool(self.key_file):
            yield "KAFKA_SSL_CERTIFICATE_FILE: needs KAFKA_SSL_KEY_FILE, and that the certificate"
            return
        try:
            self._trust()
        except (OSError, ValueError) as error:
            yield f"KAFKA_SSL_CA_FILE: {self.ca_file} cannot be read: {_said(error)}"
            return
        try:
            self._tls()
        except (OSError, ValueError) as error:
            yield (
                f"KAFKA_SSL_CERTIFICATE_FILE: {self.certificate_file} with KAFKA_SSL_KEY_FILE {self.key_file}"
                f" cannot be read: {_said(error)}"
            )

    def options(self) -> dict[str, Any]:
        """aiokafka's, for every kind of client. Raises OSError where a file cannot be read."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.encrypted:
            options["ssl_context"] = self._tls()
        if self.by_password:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._password(),
            }
        return options

    def stamp(self) -> tuple[object, ...]:
        """Differs once a file has been written anew or replaced: clients made before then hold what is void, or soon will be."""
        files = (self.password_file, self.ca_file, self.certificate_file, self.key_file)
        return tuple(_state(Path(file)) for file in files if file is not None)

    def _password(self) -> str | None:
        if self.password_file is None:
            return self.password
        try:
            return read_secret(self.password_file)
        except ValueError as error:
            raise OSError(f"{self.password_file} {error}") from None

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def _tls(self) -> ssl.SSLContext:
        context = self._trust()
        if self.certificate_file is not None:
            # Without a password OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(self.certificate_file, self.key_file, password="")
        return context


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _said(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
