"""How the tests of whole stacks are shared among workers, by `--dist loadgroup`."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those on Kafka go to one worker, since stacks on one broker share its consumer groups; the others go by file."""
    for item in items:
        group = "kafka" if item.get_closest_marker("kafka") else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
