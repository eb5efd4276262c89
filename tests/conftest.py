"""How the tests of whole stacks are shared among workers, by `--dist loadgroup`."""

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)  # before pytest-xdist itself, which reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Those on Kafka go to one worker, since stacks on one broker share its consumer groups; the others go by file."""
    for item in items:
        group = "kafka" if item.get_closest_marker("kafka") else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
    yield
