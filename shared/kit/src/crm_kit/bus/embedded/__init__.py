"""The event log on PostgreSQL, for one machine: the default in development, in CI and in small installations."""

from crm_kit.bus.embedded.log import EmbeddedEventLog

__all__ = ["EmbeddedEventLog"]
