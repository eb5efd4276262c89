"""Which prefix belongs to which service, and what each operation needs: read from the merged document."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from crm_kit.http.uploads import UPLOADS

from gateway.documents.packaged import openapi
from gateway.upstream import SERVICES, Service

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_SHARED = frozenset({"digests"})
"""Prefixes below which each next segment is a prefix of its own."""


class ContestedPrefix(ValueError):
    """Two services, or a service and the gateway, have paths below one prefix."""


@dataclass(frozen=True, slots=True)
class RouteTable:
    """`services`: by the prefix (`prefix_of`). `uploads`: the paths that take files.

    `permissions`: by prefix and path, literal ones before those with parameters, what each method needs; None where
    the operation is open to anybody.
    """

    services: Mapping[str, Service]
    uploads: frozenset[str]
    permissions: Mapping[str, Sequence[tuple[re.Pattern[str], Mapping[str, str | None]]]]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Raises ContestedPrefix."""
        owners: dict[str, str] = {}
        uploads = {path for path, item in document["paths"].items() if item.get("post", {}).get(UPLOADS)}
        permissions: dict[str, list[tuple[re.Pattern[str], dict[str, str | None]]]] = {}
        for path, item in sorted(document["paths"].items(), key=lambda path_and_item: "{" in path_and_item[0]):
            if not path.startswith("/v1/"):
                continue
            prefix, needed = prefix_of(path) or "", dict[str, str | None]()
            for method, operation in item.items():
                if method not in _METHODS:
                    continue
                owner = operation["x-relata-service"]
                if owners.setdefault(prefix, owner) != owner:
                    raise ContestedPrefix(f"/v1/{prefix} belongs to {owners[prefix]} and to {owner}")
                needed[method.upper()] = operation.get("x-relata-permission")
            permissions.setdefault(prefix, []).append((_pattern(path), needed))
        services = {prefix: owner for prefix, owner in owners.items() if owner in SERVICES}
        return cls(services, frozenset(uploads), permissions)

    def methods_at(self, path: str) -> tuple[str, ...]:
        """What the address takes; nothing where there is none."""
        return tuple(sorted(self._needed(path)))

    def permission(self, method: str, path: str) -> str | None:
        """What a request needs; None for an operation that is open to anybody.

        Where there is no such operation it is what any other of its kind would need: nobody is told by it what there is.
        """
        needed = self._needed(path)
        method = "GET" if method == "HEAD" else method
        if method in needed:
            return needed[method]
        return f"{path.split('/')[2]}:{'read' if method == 'GET' else 'write'}"

    def _needed(self, path: str) -> Mapping[str, str | None]:
        candidates = self.permissions.get(prefix_of(path) or "", ())
        return next((needed for pattern, needed in candidates if pattern.fullmatch(path)), {})


def prefix_of(path: str) -> str | None:
    """`contacts` of `/v1/contacts/…`, `digests/orders` of `/v1/digests/orders`, as sent: an encoded prefix is none."""
    parts = path.split("/", 4)
    if len(parts) < 3 or parts[0] or parts[1] != "v1":
        return None
    return "/".join(parts[2:4]) if parts[2] in _SHARED else parts[2]


def _pattern(template: str) -> re.Pattern[str]:
    segments = ("[^/]+" if segment.startswith("{") else re.escape(segment) for segment in template.split("/"))
    return re.compile("/".join(segments))


@cache
def packaged_table() -> RouteTable:
    """Of the document that this release serves."""
    return RouteTable.from_document(openapi())
