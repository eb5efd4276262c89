"""The keys of external ids. Pure."""

from collections.abc import Mapping


def external_key(system: str, value: str) -> str:
    """`shop:4711`. A colon within the system's name is escaped, so that no two ids share a key."""
    return f"{system.replace(':', '%3A')}:{value}"


def external_keys(external_ids: Mapping[str, str]) -> list[str]:
    return sorted(external_key(system, value) for system, value in external_ids.items())
