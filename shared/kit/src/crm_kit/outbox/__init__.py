"""Events leave through the outbox: written in the entity's transaction, relayed in order, deleted when acknowledged."""

from crm_kit.outbox.emit import EntityEvents
from crm_kit.outbox.relay import Relay
from crm_kit.outbox.table import OUTBOX, SHARDS, shard_of

__all__ = ["OUTBOX", "SHARDS", "EntityEvents", "Relay", "shard_of"]
