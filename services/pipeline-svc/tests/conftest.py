"""One running pipeline-svc for all tests of this service."""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio
from crm_kit.db.provision import ServiceUrls
from crm_testkit.service import ServiceUnderTest, running_service
from pipeline_svc.manifest import MANIFEST


@pytest_asyncio.fixture(scope="session")
async def service(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path_factory: "object"
) -> AsyncIterator[ServiceUnderTest]:
    folder = tmp_path_factory.mktemp("pipeline")  # type: ignore[attr-defined]  # pytest's factory is private to it
    async with running_service(MANIFEST, postgres_database("pipeline"), event_log_database(), folder) as running:
        yield running
