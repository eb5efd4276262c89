"""Credentials looked up lately: API keys and tokens, by their digest."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from crm_kit.http.principal import Principal
from crm_kit.siblings import Siblings

from gateway.access.memory import Clock, Memory

_REVOKED_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A credential that is good: for whom it acts, until when."""

    principal: Principal
    expires_at: datetime | None


FindKey = Callable[[bytes], Awaitable[KnownKey | None]]
"""From an API key's digest to the key, revoked ones excepted."""


class KnownKeys(Memory[bytes, KnownKey]):
    """Credentials by digest. A key that was revoked here is refused at once by all of `siblings`, and what was given for it."""

    def __init__(self, clock: Clock, siblings: Siblings | None = None) -> None:
        siblings = siblings or Siblings()
        super().__init__(clock, siblings, "credentials")
        self._revoked: dict[str, float] = {}
        # What is lost has been committed by then, and what was known is looked up anew.
        self._tell_revoked = siblings.channel("revoked", self._revoke, lambda: None)

    async def get(self, key: bytes, find: Callable[[], Awaitable[KnownKey | None]]) -> KnownKey | None:
        """None for what nobody has, or what was revoked."""
        return self._unless_revoked(await super().get(key, find))

    def peek(self, key: bytes) -> KnownKey | None:
        return self._unless_revoked(super().peek(key))

    def _unless_revoked(self, found: KnownKey | None) -> KnownKey | None:
        if found is None or not self._revoked:
            return found
        return None if self._revoked.get(found.principal.credential, 0.0) > self._clock() else found

    def revoke(self, key_id: str) -> None:
        """At once, also before the revoking transaction has committed."""
        self._revoke(key_id)
        self._tell_revoked(key_id)

    def _revoke(self, key_id: str) -> None:
        now = self._clock()
        self._revoked = {known: until for known, until in self._revoked.items() if until > now}
        self._revoked[key_id] = now + _REVOKED_SECONDS
