"""A receiver for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio
from crm_testkit.door import Keyholder
from crm_testkit.stand_in import running_stand_in
from crm_testkit.webhooks import Hooks


@pytest_asyncio.fixture
async def hooks(tenant: Keyholder) -> AsyncIterator[Hooks]:
    async with running_stand_in() as receiver:
        yield Hooks(tenant.client, receiver)
