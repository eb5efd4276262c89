"""Why Kafka lets nobody in: aiokafka says "unable to bootstrap" of a wrong password and of a broker that is down alike."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.conn import collect_hosts, create_conn  # type: ignore[import-untyped]  # aiokafka ships no types
from aiokafka.errors import (  # type: ignore[import-untyped]  # as above
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from crm_kit.bus.access import KafkaAccess
from crm_kit.bus.kafka.errors import translated
from crm_kit.bus.port import AccessRefused, Unavailable

_ANSWERS_WITHIN_MS = 3_000


@asynccontextmanager
async def explained(bootstrap_servers: str, access: KafkaAccess) -> AsyncIterator[None]:
    """Around the start of a client: raises AccessRefused with the reason where a broker refuses, else as `translated`."""
    try:
        with translated():
            yield
    except AccessRefused:
        raise
    except Unavailable as unavailable:
        reason = await _refusal(bootstrap_servers, access)
        if reason is None:
            raise
        raise AccessRefused(reason) from unavailable


async def _refusal(bootstrap_servers: str, access: KafkaAccess) -> str | None:
    """What the first broker that takes a connection says against it; None where it says nothing, or none is there."""
    for host, port, _family in collect_hosts(bootstrap_servers):
        try:
            connection = await create_conn(host, port, request_timeout_ms=_ANSWERS_WITHIN_MS, **access.options())
        except ssl.SSLCertVerificationError as error:
            return f"Kafka's certificate at {host}:{port} is not trusted (KAFKA_SSL_CA_FILE): {error.verify_message}"
        except ssl.SSLError as error:
            return f"Kafka at {host}:{port} refuses TLS as it is set up here: {error.reason or error}"
        except SaslAuthenticationFailed:
            return (
                f"Kafka refuses the user {access.username} or its password (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD)"
            )
        except (UnsupportedSaslMechanismError, IllegalSaslStateError):
            return f"Kafka at {host}:{port} does not offer {access.mechanism} with {access.protocol}"
        except KafkaConnectionError as error:
            return _closed(f"{host}:{port}", access, error)
        except (KafkaError, OSError, TimeoutError):
            continue
        connection.close()
        return None
    return None


def _closed(address: str, access: KafkaAccess, error: BaseException) -> str:
    """It took the connection and closed it: of TLS 1.3 the refusal of a certificate comes after the handshake."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"Kafka at {address} refuses the client's certificate (KAFKA_SSL_CERTIFICATE_FILE): {cause.reason or cause}"
        cause = cause.__cause__
    if access.encrypted and access.certificate_file is None:
        return f"Kafka at {address} closes the connection: it may want a certificate (KAFKA_SSL_CERTIFICATE_FILE)"
    return f"Kafka at {address} closes the connection: does KAFKA_SECURITY_PROTOCOL={access.protocol} fit its listener?"
