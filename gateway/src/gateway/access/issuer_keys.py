"""The keys that issuers publish (OpenID Connect Discovery 1.0, RFC 7517), in memory, each issuer's asked for rarely."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog
from crm_kit.errors import Text, Unavailable
from crm_kit.http.json_body import parse_json
from crm_kit.http.outbound import OutboundFailed, OutboundRefused
from crm_kit.siblings import Siblings
from joserfc.jwk import Key

from gateway.access.tokens import TokenRefused, import_keys

REFRESH_SECONDS: Final = 600.0
"""After that the set is read again, so that a key which its issuer withdrew goes."""
PAUSE_SECONDS: Final = 60.0
"""Between two readings at least, however many tokens name keys that nobody knows."""
_FIRST_PAUSE_SECONDS: Final = 5.0
"""The same while nothing was ever read: somebody is setting up a provider, or the issuer is starting."""
OUTAGE_SECONDS: Final = 86_400.0
"""How long keys are believed that could not be read again."""

_ISSUERS: Final = 2_000
_MAX_BYTES: Final = 256 * 1024
_SECONDS: Final = 5.0
_ELSEWHERE_SECONDS: Final = 3 * _SECONDS

Get = Callable[..., Awaitable[bytes]]
"""`crm_kit.http.outbound.Outbound.get`."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Issuer:
    keys: list[Key] = field(default_factory=list)
    read_at: float = float("-inf")
    asked_at: float = float("-inf")
    reading: "asyncio.Task[None] | None" = None
    elsewhere: asyncio.Event | None = None
    """Another process is reading them: set as it ends."""


class _Told(NamedTuple):
    """`document`: what was published, where that was read; None where it is being read, or could not be."""

    issuer: str
    at: float
    is_over: bool
    document: object = None


class IssuerKeys:
    """Asked with an issuer that a tenant has registered: nobody else can make it fetch anything. Of `siblings` one reads for all."""

    def __init__(
        self,
        get: Get,
        clock: Callable[[], float],
        pause_seconds: float = PAUSE_SECONDS,
        *,
        siblings: Siblings | None = None,
    ) -> None:
        self._siblings = siblings or Siblings()
        self._tell_siblings = self._siblings.channel("issuer-keys", self._hear, self._lose)
        self._get = get
        self._pause = pause_seconds
        self._clock = clock
        self._issuers: OrderedDict[str, _Issuer] = OrderedDict()

    async def find(self, issuer: str, key_id: str | None) -> list[Key]:
        """The keys that a token may be signed with: those of this id, or the only one where it names none.

        Raises TokenRefused where there is none, Unavailable where the issuer never answered.
        """
        known = self._of(issuer)
        now = self._clock()
        if now - known.read_at > OUTAGE_SECONDS:
            known.keys = []
        found = _of_id(known.keys, key_id)
        if not found:
            await self._read_again(issuer, known)
            found = _of_id(known.keys, key_id)
        elif now - known.read_at > REFRESH_SECONDS:
            self._start_reading(issuer, known)  # nobody waits for it: what is known stays good meanwhile
        if not known.keys:
            raise Unavailable(
                Text(
                    "The identity provider's keys cannot be read; try again.",
                    "无法读取身份提供方的密钥，请重试。",
                ),
                headers={"Retry-After": str(int(_FIRST_PAUSE_SECONDS))},
            )
        if not found:
            raise TokenRefused("unknown_key")
        return found

    async def find_again(self, issuer: str, key_id: str | None) -> list[Key]:
        """As `find`, the keys read anew where the pause is over: some issuers change a key and keep its id."""
        if (known := self._issuers.get(issuer)) is not None:
            await self._read_again(issuer, known)
        return await self.find(issuer, key_id)

    def _of(self, issuer: str) -> _Issuer:
        known = self._issuers.setdefault(issuer, _Issuer())
        self._issuers.move_to_end(issuer)
        while len(self._issuers) > _ISSUERS:
            self._issuers.popitem(last=False)
        return known

    @property
    def remembered(self) -> int:
        """Issuers remembered."""
        return len(self._issuers)

    async def _read_again(self, issuer: str, known: _Issuer) -> None:
        self._start_reading(issuer, known)
        if known.reading is not None:
            await asyncio.shield(known.reading)
        elif known.elsewhere is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(known.elsewhere.wait(), _ELSEWHERE_SECONDS)

    def _start_reading(self, issuer: str, known: _Issuer) -> None:
        pause = self._pause if known.keys else min(self._pause, _FIRST_PAUSE_SECONDS)
        if known.reading is None and self._clock() - known.asked_at >= pause:
            known.asked_at = self._clock()
            self._tell_siblings(_Told(issuer, known.asked_at, is_over=False))
            known.reading = asyncio.create_task(self._read(issuer, known), name="issuer-keys")

    async def _read(self, issuer: str, known: _Issuer) -> None:
        document: object = None
        try:
            published = await self._json(await self._place(issuer))
            known.keys = import_keys(published)
            document, known.read_at = published, self._clock()
        except (OutboundRefused, OutboundFailed, ValueError) as error:
            log.warning("issuer_keys_not_read", issuer=issuer, kind=type(error).__name__, error=str(error))
        finally:
            known.reading = None
            self._tell_siblings(_Told(issuer, self._clock(), is_over=True, document=document))
            self._siblings.wake()

    def _hear(self, told: _Told) -> None:
        known = self._of(told.issuer)
        if not told.is_over:
            known.asked_at, known.elsewhere = told.at, asyncio.Event()
            return
        if told.document is not None:
            known.keys, known.read_at = import_keys(told.document), told.at
        if known.elsewhere is not None:
            known.elsewhere.set()
            known.elsewhere = None

    def _lose(self) -> None:
        """Nobody waits for what may be over."""
        for known in self._issuers.values():
            known.elsewhere = None

    async def _place(self, issuer: str) -> str:
        """Where the keys are: OpenID Connect Discovery 1.0 §4, which also says that both must name the same issuer."""
        document = await self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise ValueError("the discovery document names another issuer")
        place = document.get("jwks_uri")
        if not isinstance(place, str):
            raise ValueError("the discovery document names no keys")
        return place

    async def _json(self, url: str) -> object:
        return parse_json(await self._get(url, max_bytes=_MAX_BYTES, seconds=_SECONDS))


def _of_id(keys: list[Key], key_id: str | None) -> list[Key]:
    if key_id is None:
        return keys if len(keys) == 1 else []
    return [key for key in keys if key.kid == key_id]
