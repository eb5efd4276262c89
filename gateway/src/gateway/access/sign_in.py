"""From a token that somebody else signed to a person of a tenant."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from crm_kit.http.principal import Principal

from gateway.access.issuer_keys import IssuerKeys
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


FindProviders = Callable[[str], Awaitable[Sequence[Provider]]]
"""From an issuer to the providers that name it, of all tenants."""

FindPerson = Callable[[Any, Mapping[str, Any]], Awaitable[Principal]]
"""From a provider and a verified token's claims to whom they are. Raises TokenRefused."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """`find` is what a token costs that was not seen in the last seconds: one signature, and a look at the database."""

    providers: FindProviders
    person: FindPerson
    keys: IssuerKeys
    known: Memory[str, Sequence[Provider]]

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

        async def find() -> Sequence[Provider] | None:
            return await self.providers(seen.issuer) or None

        candidates = await self.known.get(seen.issuer, find) or ()
        fitting = [each for each in candidates if each.expected.audiences & seen.audiences]
        if not fitting:
            raise TokenRefused("audience" if candidates else "issuer")
        if len(fitting) > 1:  # audiences of several tenants in one token: nobody can say whose it is
            raise TokenRefused("ambiguous_audience")
        return fitting[0]


_LAST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def make_sign_in(providers: FindProviders, person: FindPerson, keys: IssuerKeys, clock: Clock) -> SignIn:
    return SignIn(providers, person, keys, Memory(clock))
