"""`python -m crm_testkit.soak.leaking serve --only api`: a gateway with a cache that nothing is ever taken out of.

A measurement of memory that does not find it proves nothing.
"""

from typing import Any

from crm_kit.cli import run
from crm_kit.http.fast_path import FastRequest
from crm_kit.http.principal import Principal
from crm_kit.runtime import Runtime
from fastapi import Request
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST


class Hoarder:
    """The gateway's authenticator, keeping each request and who sent it, as somebody's cache would."""

    def __init__(self, runtime: Runtime) -> None:
        self._inner = make_authenticator(runtime)
        self._seen: list[tuple[Request | FastRequest, Principal]] = []

    async def authenticate(self, request: Request) -> Principal:
        principal = await self._inner.authenticate(request)
        self._seen.append((request, principal))
        return principal

    def authenticate_known(self, request: FastRequest) -> Principal | None:
        principal: Principal | None = self._inner.authenticate_known(request)
        if principal is not None:
            self._seen.append((request, principal))
        return principal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


if __name__ == "__main__":
    run(MANIFEST, authenticator=Hoarder)
