"""One running gateway, before stand-ins for the four services, for all tests of the gateway."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_testkit.door import Door, Keyholder, running_door
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST


@pytest_asyncio.fixture(scope="session")
async def door(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("gateway")
    database = postgres_database("gateway")
    # Issuers of the tests are on this machine, and so is everybody who guesses in them.
    options: dict[str, Any] = {
        "outbound_trusted_hosts": "127.0.0.1",
        "failed_attempts_quota": 100_000,
        "issuer_keys_pause_seconds": 0.5,
    }
    async with running_door(MANIFEST, make_authenticator, database, event_log_database(), folder, **options) as running:
        yield running


@pytest_asyncio.fixture
async def tenant(door: Door) -> Keyholder:
    for stand_in in door.behind.values():
        stand_in.reset()
    return await door.tenant()
