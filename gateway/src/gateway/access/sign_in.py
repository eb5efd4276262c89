"""From a token that somebody else signed to a person of a tenant."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from crm_kit.http.principal import Principal
from crm_kit.siblings import Siblings

from gateway.access.issuer_keys import IssuerKeys
from gateway.access.keys import digest
from gateway.access.known_keys import KnownKey
from gateway.access.memory import Clock, Memory
from gateway.access.tokens import Expected, SignatureRefused, TokenRefused, Unverified, read_unverified, verify

log = structlog.get_logger(__name__)


class Provider(Protocol):
    """An identity provider that a tenant has registered."""

    @property
    def id(self) -> str: ...

    @property
    def expected(self) -> Expected: ...


FindProvider = Callable[[str, Collection[str]], Awaitable[Provider | None]]
"""From an issuer and a token's audiences to the provider of the tenant that took one of them first."""

FindPerson = Callable[[Any, Mapping[str, Any]], Awaitable[Principal]]
"""From a provider and a verified token's claims to whom they are. Raises TokenRefused."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """`find` is what a token costs that was not seen in the last seconds: one signature, and a look at the database."""

    provider: FindProvider
    person: FindPerson
    keys: IssuerKeys
    known: Memory[bytes, Provider]

    async def find(self, token: str) -> KnownKey | None:
        """None for a token that is not believed, of which the log says why. Raises Unavailable."""
        provider: Provider | None = None
        try:
            seen = read_unverified(token)
            provider = await self._provider(seen)
            await self._verify(seen, provider.expected)
            principal = await self.person(provider, seen.claims)
        except TokenRefused as refusal:
            log.info("sign_in_refused", reason=str(refusal), provider=provider.id if provider else None)
            return None
        # What is accepted a little after its end is accepted as long here, too.
        ends = min(float(seen.claims["exp"]) + provider.expected.leeway_seconds, _LAST)
        return KnownKey(principal, datetime.fromtimestamp(ends, UTC))

    async def _verify(self, seen: Unverified, expected: Expected) -> None:
        try:
            verify(seen, await self.keys.find(seen.issuer, seen.key_id), expected)
        except SignatureRefused:
            verify(seen, await self.keys.find_again(seen.issuer, seen.key_id), expected)

    async def _provider(self, seen: Unverified) -> Provider:
        """The one that is registered for the token's issuer and one of its audiences."""
        audiences = sorted(seen.audiences)
        mark = digest("\0".join([seen.issuer, *audiences]))
        found = await self.known.get(mark, lambda: self.provider(seen.issuer, audiences))
        if found is None:
            raise TokenRefused("unknown_provider")
        return found


_LAST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def make_sign_in(
    provider: FindProvider, person: FindPerson, keys: IssuerKeys, clock: Clock, siblings: Siblings | None = None
) -> SignIn:
    return SignIn(provider, person, keys, Memory(clock, siblings, "identity providers"))
