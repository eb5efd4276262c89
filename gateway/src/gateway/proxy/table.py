"""Which prefix belongs to which service, and which operations need no credential: read from the merged document."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gateway.upstream import SERVICES, Service

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


class ContestedPrefix(ValueError):
    """Two services, or a service and the gateway, have paths below one prefix."""


@dataclass(frozen=True, slots=True)
class RouteTable:
    """`services`: by the first path segment below `/v1`. `public`: method and path of operations open to anybody.

    `methods`: by path, literal ones before those with parameters.
    """

    services: Mapping[str, Service]
    public: tuple[tuple[str, re.Pattern[str]], ...]
    methods: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Raises ContestedPrefix."""
        owners: dict[str, str] = {}
        public: list[tuple[str, re.Pattern[str]]] = []
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method not in _METHODS or not path.startswith("/v1/"):
                    continue
                owner = operation["x-relata-service"]
                prefix = path.split("/")[2]
                if owners.setdefault(prefix, owner) != owner:
                    raise ContestedPrefix(f"/v1/{prefix} belongs to {owners[prefix]} and to {owner}")
                if owner in SERVICES and operation.get("security") == []:
                    public.append((method.upper(), _pattern(path)))
        services = {prefix: owner for prefix, owner in owners.items() if owner in SERVICES}
        paths = sorted(document["paths"].items(), key=lambda path_and_item: "{" in path_and_item[0])
        methods = tuple(
            (_pattern(path), tuple(m.upper() for m in sorted(item) if m in _METHODS)) for path, item in paths
        )
        return cls(services, tuple(public), methods)

    def methods_at(self, path: str) -> tuple[str, ...]:
        """What the address takes; nothing where there is none."""
        return next((methods for pattern, methods in self.methods if pattern.fullmatch(path)), ())

    def is_public(self, method: str, path: str) -> bool:
        return any(method == known and pattern.fullmatch(path) for known, pattern in self.public)


def _pattern(template: str) -> re.Pattern[str]:
    segments = ("[^/]+" if segment.startswith("{") else re.escape(segment) for segment in template.split("/"))
    return re.compile("/".join(segments))
