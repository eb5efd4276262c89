"""The running toy service, one for a whole test session."""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from pytest import TempPathFactory

from crm_testkit.service import ServiceUnderTest, running_service
from crm_testkit.toy_service.manifest import MANIFEST


@pytest_asyncio.fixture(scope="session")
async def toy(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: TempPathFactory,
) -> AsyncIterator[ServiceUnderTest]:
    folder = tmp_path_factory.mktemp("toy")
    async with running_service(MANIFEST, postgres_database("toy"), event_log_database(), folder) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def service(toy: ServiceUnderTest) -> ServiceUnderTest:
    """The name that the conformance suite asks for."""
    return toy
