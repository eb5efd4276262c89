"""The certificates that this service has in files: how long they are valid."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from crm_kit.doctor.findings import Finding, fault, ok, warning
from crm_kit.settings import ServiceSettings

_SOON: Final = timedelta(days=21)


async def look_at_certificates(settings: ServiceSettings) -> list[Finding]:
    return await asyncio.to_thread(lambda: [_look(name, path) for name, path in _files(settings)])


def _files(settings: ServiceSettings) -> Iterator[tuple[str, Path]]:
    for field in ("kafka_ssl_ca_file", "kafka_ssl_certificate_file"):
        if path := getattr(settings, field):
            yield field.upper(), Path(path)
    for field in ("database_url", "system_database_url", "owner_database_url", "event_log_url"):
        options = parse_qs(urlsplit(getattr(settings, field) or "").query)
        for option in ("sslrootcert", "sslcert"):
            for path in options.get(option, []):
                yield f"{option} of {field.upper()}", Path(path)


def _look(name: str, path: Path) -> Finding:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        return fault("certificates", f"{name}: {path} cannot be read ({error}); put a PEM file there.")
    end = min(each.not_valid_after_utc for each in certificates)
    left = end - datetime.now(UTC)
    if left <= timedelta(0):
        return fault("certificates", f"{name}: {path} expired on {end:%Y-%m-%d}; put a new one in its place.")
    if left < _SOON:
        return warning("certificates", f"{name}: {path} expires on {end:%Y-%m-%d}, in {left.days} days; renew it.")
    return ok("certificates", f"{name}: {path} is valid until {end:%Y-%m-%d}.")
