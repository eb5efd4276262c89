"""What a service's entities are at this moment, and publishing it once more: for who keeps copies and compares them."""

from crm_kit.states.digest import digest_of, said

__all__ = ["digest_of", "said"]
