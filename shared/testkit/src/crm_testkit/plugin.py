"""The pytest plugin: a root conftest.py names it in `pytest_plugins`."""

from crm_testkit.kafka_broker import kafka_broker
from crm_testkit.postgres import event_log_database, open_folder, postgres_database, postgres_server

__all__ = ["event_log_database", "kafka_broker", "open_folder", "postgres_database", "postgres_server"]
