"""The pytest plugin: a root conftest.py names it in `pytest_plugins`."""

import logging
import os

import pytest
import structlog
from hypothesis import settings

# A deadline would measure the machine, which other tests share, and not the rule.
# In CI the examples are the same each time: what fails there fails on account of the change. Everywhere else they are new ones.
settings.register_profile("relata", deadline=None)
settings.register_profile("relata-ci", settings.get_profile("relata"), derandomize=True, database=None)
settings.load_profile("relata-ci" if os.environ.get("CI") else "relata")

pytest.register_assert_rewrite("crm_testkit.conformance", "crm_testkit.service")

from crm_testkit.kafka_broker import kafka_broker  # noqa: E402  # after the rewriting is set up
from crm_testkit.postgres import event_log_database, open_folder, postgres_database, postgres_server  # noqa: E402  # as above
from crm_testkit.smtp import mail_server  # noqa: E402  # as above

__all__ = ["event_log_database", "kafka_broker", "mail_server", "open_folder", "postgres_database", "postgres_server"]


def pytest_configure() -> None:
    """Warnings and errors in plain lines: rich's tracebacks with all local values take seconds each."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is long comes first; all else stays as it was collected."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
