"""A tenant with salespeople who claim, and a clock that is put forward by setting times back."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.passing_time import let_pass
from crm_testkit.service import ServiceUnderTest, Tenant

WRITE = dict.fromkeys(("open", "personal", "commercial", "private"), "write")
UNCLAIMED = {
    "all": [{"field": "pool_id", "op": "exists"}, {"not": {"field": "owner_id", "op": "exists"}}],
}


def _grants() -> list[Grant]:
    """A salesperson's, and those of the ready role `pool`."""
    own = Grant(
        frozenset({"contacts", "activities"}),
        frozenset({"read", "create", "update"}),
        "own",
        WRITE,  # type: ignore[arg-type]  # the words are those of the vocabulary
    )
    masked: Any = {"open": "read", "personal": "masked"}
    pooled = Grant(frozenset({"contacts"}), frozenset({"read"}), "all", masked, UNCLAIMED)
    claims = Grant(frozenset({"claims"}), frozenset({"create", "update"}), "own", {"open": "write"})
    return [own, pooled, claims]


@pytest.fixture
def salesperson_grants() -> list[Grant]:
    return _grants()


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


@pytest.fixture
def salesperson(service: ServiceUnderTest, tenant: Tenant) -> Callable[..., Tenant]:
    """A client who acts for a user: of their own they see and do everything, of what nobody owns they see the mask."""

    def made(user_id: str | None = None) -> Tenant:
        return service.tenant(tenant.id, rights=Rights(user_id or UserId.new(), (), _grants(), admin=False))

    return made


@pytest.fixture
def manager(service: ServiceUnderTest, tenant: Tenant) -> Tenant:
    everything = Grant(frozenset({"*"}), frozenset(ACTIONS), "all", WRITE)  # type: ignore[arg-type]  # as above
    return service.tenant(tenant.id, rights=Rights(UserId.new(), (), [everything], admin=False))


@pytest.fixture
def later(service: ServiceUnderTest, tenant: Tenant) -> Callable[[timedelta], Awaitable[None]]:
    """Lets time pass for the tenant: all that is kept of it comes so much sooner."""

    async def pass_by(time: timedelta) -> None:
        await let_pass(service.urls.app, tenant.id, time)

    return pass_by
