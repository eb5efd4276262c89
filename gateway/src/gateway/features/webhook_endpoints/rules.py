"""Which events an endpoint is told of: patterns of kinds. Secrets as texts. Pure."""

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from crm_contracts.registry import TOPICS, Topic

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # how secrets begin
_SECRET_BYTES: Final = 32
_LEAST_SECRET_BYTES: Final = 24
_MOST_SECRET_BYTES: Final = 64

KIND_PATTERN: Final = r"^(\*|[a-z*][a-z0-9_*]*(\.[a-z0-9_*]+){1,4})$"
"""`contact.created`, `deal.*`, `crm.pipeline.*`, `crm.tickets.ticket.solved.v1`, `*`."""


def new_secret() -> str:
    """As Standard Webhooks spells secrets for HMAC: `whsec_` and 32 random bytes in Base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes | None:
    """The bytes that sign; None for what is no secret of the form, or not of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith(SECRET_PREFIX) and _LEAST_SECRET_BYTES <= len(key) <= _MOST_SECRET_BYTES else None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """`*` stands for whatever there is; what does not begin with `crm.` is `<entity>.<action>`, of whatever service and version."""
    inner = re.escape(pattern).replace(r"\*", ".*")
    if pattern == "*" or pattern.startswith("crm."):
        return re.compile(inner)
    return re.compile(rf"crm\.[^.]+\.{inner}(\.v[0-9]+)?")


def is_meant(kinds: Sequence[str], event_type: str) -> bool:
    """Whether one of the patterns is of this type of event."""
    return any(_expression(pattern).fullmatch(event_type) for pattern in kinds)


def topics_meant(kinds: Sequence[str]) -> list[Topic]:
    """Those of whose events some may be meant, in one order."""
    return [topic for topic in TOPICS if any(is_meant(kinds, one) for one in topic.event_types)]


def unknown_kinds(kinds: Iterable[str]) -> list[int]:
    """The places of patterns that no event of this release is of."""
    return [place for place, pattern in enumerate(kinds) if not topics_meant([pattern])]
