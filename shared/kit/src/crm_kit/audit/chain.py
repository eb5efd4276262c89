"""The chain: what exactly is hashed. Pure; an outsider can do the same with any SHA-256 and any JSON library.

An entry's hash is the SHA-256 of these bytes: the JSON object with the members below, in RFC 8785's canonical form. All
values are texts, integers or null, hashes in lower-case hexadecimal, `at` in UTC with six digits of a second:

    {"action":…,"actor":…,"address":…,"at":"2026-11-28T04:24:18.000000Z","changes_digest":…,"entity_id":…,"format":1,
     "id":…,"previous_hash":…,"request_id":…,"resource":…,"sequence":…,"service":…,"tenant_id":…,"trace_id":…,
     "user_agent":…,"version":…,"via":…}

`previous_hash` is the hash of the entry before, 64 zeros in the first. `changes_digest` is the SHA-256 of the 16 bytes of
the entry's salt followed by its changes as they are stored (UTF-8), or null where it has none.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

FORMAT: Final = 1
GENESIS: Final = bytes(32)
SALT_BYTES: Final = 16

_TEXTS: Final = (
    "action", "actor", "address", "entity_id", "id", "request_id", "resource", "trace_id", "tenant_id", "user_agent", "via",
)  # fmt: skip


def canonical(entry: Mapping[str, Any], service: str, sequence: int, previous_hash: bytes) -> bytes:
    """The bytes that are hashed; `entry` is a row with its `changes_digest`."""
    digest: bytes | None = entry["changes_digest"]
    at: datetime = entry["at"]
    told = {name: entry[name] for name in _TEXTS}
    told |= {
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "changes_digest": None if digest is None else digest.hex(),
        "format": FORMAT,
        "previous_hash": previous_hash.hex(),
        "sequence": sequence,
        "service": service,
        "version": entry["version"],
    }
    # Without floats, and with names in ASCII, this is RFC 8785's form; the tests hold it against its reference.
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def entry_hash(entry: Mapping[str, Any], service: str, sequence: int, previous_hash: bytes) -> bytes:
    return hashlib.sha256(canonical(entry, service, sequence, previous_hash)).digest()


def changes_digest(salt: bytes, changes: str) -> bytes:
    return hashlib.sha256(salt + changes.encode()).digest()
