"""The pytest plugin: a root conftest.py names it in `pytest_plugins`."""

import pytest

pytest.register_assert_rewrite("crm_testkit.conformance", "crm_testkit.service")

from crm_testkit.kafka_broker import kafka_broker  # noqa: E402  # after the rewriting is set up
from crm_testkit.postgres import event_log_database, open_folder, postgres_database, postgres_server  # noqa: E402  # as above
from crm_testkit.smtp import mail_server  # noqa: E402  # as above

__all__ = ["event_log_database", "kafka_broker", "mail_server", "open_folder", "postgres_database", "postgres_server"]
