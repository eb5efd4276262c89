"""What clients did and what they were told."""

from dataclasses import dataclass, field
from typing import Final, Literal

MARKED: Final = {
    "contacts": "full_name",
    "deals": "name",
    "orders": "number",
    "tickets": "subject",
    "activities": "subject",
}
"""The member of each resource that carries the mark of the write that made the entity."""

Kind = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a client. `mark` is unique among all writes, and part of what it wrote.

    `acknowledged` is False where the client gave up without an answer: it may have taken effect, once at most.
    """

    tenant_id: str
    kind: Kind
    resource: str
    mark: str
    entity_id: str | None
    version: int | None
    acknowledged: bool


@dataclass(slots=True)
class History:
    """The writes of one tenant."""

    tenant_id: str
    writes: list[Write] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return sum(write.acknowledged for write in self.writes)

    def note(
        self, kind: Kind, resource: str, mark: str, told: tuple[str, int] | None, *, entity_id: str | None = None
    ) -> None:
        """`told`: id and version out of the answer, None where there was none."""
        found, version = told or (entity_id, None)
        self.writes.append(Write(self.tenant_id, kind, resource, mark, found, version, told is not None))
