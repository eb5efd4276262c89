"""The operations of the gateway's OpenAPI document, and what their addresses tell of them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    spec: dict[str, Any]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Each path parameter's name and the collection before it."""
        segments = self.path.split("/")
        return [(s.strip("{}"), "/".join(segments[:i])) for i, s in enumerate(segments) if s.startswith("{")]

    @property
    def makes_something(self) -> bool:
        return self.method == "post" and "201" in self.spec["responses"]

    @property
    def lists(self) -> bool:
        return (
            self.method == "get"
            and not self.parameters
            and not self.path.endswith(("/lookup", "/export", "/evaluation", "/lifecycle"))
            and not self.open
        )

    @property
    def reads(self) -> bool:
        return self.method == "get" or bool(self.spec.get("x-relata-reads"))

    @property
    def takes_version(self) -> bool:
        """Whether it changes something, and only if that has the version that If-Match names."""
        named = any(parameter.get("name") == "If-Match" for parameter in self.spec["parameters"])
        return bool(self.parameters) and named

    @property
    def searches(self) -> bool:
        return self.method == "post" and self.path.endswith(("/search", "/.search"))

    @property
    def scim(self) -> bool:
        """By another standard: its lists have another shape, and no cursors."""
        return self.path.startswith("/scim/")

    @property
    def open(self) -> bool:
        """To anybody."""
        return self.spec.get("security") == []

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def operations_of(document: dict[str, Any]) -> list[Operation]:
    return [
        Operation(method, path, spec)
        for path, item in document["paths"].items()
        for method, spec in item.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
