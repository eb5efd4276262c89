"""Events come in through consumers: a batch's effects and its position in one transaction."""

from crm_kit.inbox.applying import Consumer, newest
from crm_kit.inbox.consumer import ConsumerRunner
from crm_kit.inbox.projection import LIVE_SCHEMA, Projection
from crm_kit.inbox.tables import CONSUMER_POSITION, PARKED_EVENT

__all__ = ["CONSUMER_POSITION", "LIVE_SCHEMA", "PARKED_EVENT", "Consumer", "ConsumerRunner", "Projection", "newest"]
