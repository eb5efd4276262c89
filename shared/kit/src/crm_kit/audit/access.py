"""Reads and exports that must be told of: noted by the endpoint, written by its route before anything is answered."""

from collections.abc import Mapping

from starlette.requests import HTTPConnection

from crm_kit.audit.entries import Entry, entry

_NOTED = "crm_audit_noted"


def note_access(
    request: HTTPConnection,
    action: str,
    *,
    resource: str,
    entity_id: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Notes that the caller reads something sensitive (`read`) or takes data out (`exported`).

    `TransactionRoute` writes it: with the request's own transaction, or, where that only reads, in one of its own after
    it. Nothing is answered before, so nobody has read what is not told of; an entry may tell of an answer that got lost.
    Nothing is written for a request that fails.
    """
    noted(request).append(entry(resource, action, entity_id=entity_id, details=details))


def noted(request: HTTPConnection) -> list[Entry]:
    """What was noted of this request so far."""
    found: list[Entry] = request.scope.setdefault(_NOTED, [])
    return found
