"""One request to an endpoint, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from crm_contracts.types import format_timestamp
from crm_kit.db.models import utc_now
from crm_kit.db.session import storable
from crm_kit.http.outbound import OutboundFailed, OutboundPool, OutboundRefused
from crm_kit.http.sealing import Sealer
from crm_kit.http.standard_webhooks import key_of, signed_headers

from gateway.features.webhook_deliveries.rules import retry_after
from gateway.features.webhook_endpoints.models import WebhookEndpointRow
from gateway.features.webhook_endpoints.usecases import headers_of, secrets_of

_EXCERPT_BYTES: Final = 500
_READ_BYTES: Final = 16_384
_SINGLE: Final = "application/cloudevents+json; charset=utf-8"
_BATCH: Final = "application/cloudevents-batch+json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`status`: of the answer; `error`: why there is none. `retry_after`: seconds that the receiver asks for."""

    at: datetime
    seconds: float
    status: int | None = None
    error: str | None = None
    excerpt: str = ""
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def as_json(self) -> dict[str, Any]:
        return {
            "at": format_timestamp(self.at),
            "latency_ms": round(self.seconds * 1000),
            "status": self.status,
            "error": self.error,
            "response_excerpt": self.excerpt,
        }


class Requests:
    """To one endpoint, as it is at present: its address, headers and secrets."""

    def __init__(
        self, pool: OutboundPool, row: WebhookEndpointRow, seal: Sealer, now: datetime, *, seconds: float, connect_seconds: float
    ) -> None:  # fmt: skip
        self._pool = pool
        self._url = row.url or ""
        self._seconds = seconds
        self._connect_seconds = connect_seconds
        self._headers = headers_of(row, seal)
        self._keys = [key for secret in secrets_of(row, seal, now) if (key := key_of(secret)) is not None]

    async def send(self, message_id: str, body: bytes, chain: dict[str, str], *, is_batch: bool) -> Attempt:
        """Never raises: what goes wrong is an attempt too. `chain`: headers by which the receiver says what it follows from."""
        at = utc_now()
        headers = {
            "Content-Type": _BATCH if is_batch else _SINGLE,
            **signed_headers(message_id, at, body, self._keys),
            **chain,
            **self._headers,
        }
        try:
            answer = await self._pool.post(
                self._url, body, headers, seconds=self._seconds, connect_seconds=self._connect_seconds, max_bytes=_READ_BYTES
            )  # fmt: skip
        except OutboundRefused:
            return Attempt(at, _since(at), error="address_refused")
        except OutboundFailed as error:
            return Attempt(at, _since(at), error=str(error))
        return Attempt(
            at,
            answer.seconds,
            answer.status,
            None if 200 <= answer.status < 300 else f"status_{answer.status}",
            _excerpt(answer.body),
            retry_after(answer.headers.get("Retry-After"), at),
        )


def _since(at: datetime) -> float:
    return (utc_now() - at).total_seconds()


def _excerpt(body: bytes) -> str:
    """What of an answer may stand in an attempt: text, without what cannot be stored or shown."""
    text = storable(body[:_EXCERPT_BYTES].decode(errors="replace"))
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)


def in_array(bodies: Sequence[bytes]) -> bytes:
    """A batch's body."""
    return b"[" + b",".join(bodies) + b"]"
