"""What services and consumers agree on: ids, value types, the event envelope, entities, topics.

Pydantic only, no I/O. An entity's class here is both its HTTP representation and the `entity` of its events.
"""
