"""How a source's shop is asked for what it has: where, with what, and how often."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from crm_contracts.inbound import InboundSource
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.keyring import Keyring
from crm_kit.timers import cancel_timers, set_timer

from gateway.connectors import RESOURCES
from gateway.features.inbound_sources.models import InboundSourceRow
from gateway.features.inbound_sources.schemas import DEFAULT_API_VERSION, InboundSourceWrite
from gateway.features.inbound_sources.sealed_secrets import seal_credentials

PULL_SOURCE: Final = "pull_source"
"""The timer that asks a shop for what has changed."""


def write_pull(row: InboundSourceRow, data: InboundSourceWrite, keyring: Keyring) -> None:
    """Credentials are shown to the host that they were given for alone: who changes where the shop is gives them anew.

    Raises ValidationFailed.
    """
    pull = data.pull
    if pull is None:
        row.pull, row.pull_sealed = None, None
        return
    if pull.credentials is not None:
        row.pull_sealed = seal_credentials(keyring, row.id, pull.credentials.given)
    elif row.pull_sealed is None or row.pull is None or _origin(row.pull["base_url"]) != _origin(pull.base_url):
        text = Text("Give the credentials for this address", "请提供该地址的凭据")
        raise ValidationFailed(text, errors=[FieldError("/pull/credentials", "required", text)])
    row.pull = {
        "base_url": pull.base_url,
        "api_version": (pull.api_version or DEFAULT_API_VERSION) if data.kind == "shopify" else None,
        "resources": [resource for resource in RESOURCES if resource in pull.resources],
        "every_seconds": pull.every_seconds,
    }


async def schedule(session: WriteSession, row: InboundSourceRow, before: InboundSource | None) -> None:
    """Sets the timer where that has changed: first now, and from then on as often as is wanted."""
    every = row.pull["every_seconds"] if row.pull is not None and row.is_active else None
    was_on = before is not None and before.is_active and before.pull is not None
    had = before.pull.every_seconds if was_on and before is not None and before.pull is not None else None
    if every == had:
        return
    if every is None:
        await cancel_timers(session, PULL_SOURCE, [row.id])
        return
    await set_timer(
        session, PULL_SOURCE, row.id, await session.now() + (timedelta(seconds=every) if had else timedelta())
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
