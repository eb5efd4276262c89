"""One stack on each event log for all end-to-end tests."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.whole_stack import Relata, running_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def on_embedded() -> AsyncIterator[Relata]:
    async with running_stack("embedded") as relata:
        yield relata


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """Of this test process alone: two stacks on one broker would be one, and each would get a part of the other's events."""
    with RealKafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def on_kafka(kafka_broker: RealKafka) -> AsyncIterator[Relata]:
    async with running_stack("kafka", kafka_broker.bootstrap_servers) as relata:
        yield relata


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def relata(request: pytest.FixtureRequest) -> Relata:
    """The stack on either event log."""
    found = request.getfixturevalue(f"on_{request.param}")
    assert isinstance(found, Relata)
    return found
