"""What clients did and what they were told."""

from dataclasses import dataclass, field
from typing import Final, Literal

import httpx

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that was no acknowledgement. `is_clean`: it says in the documented form that one should try again.

    `is_ours`: a 5xx, clean or not.
    """

    what: str
    is_clean: bool
    is_ours: bool

    @classmethod
    def of(cls, answer: httpx.Response) -> "Refusal":
        request = answer.request
        what = f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:300]}"
        is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        asks_again = answer.status_code in (409, 429) or (answer.status_code == 503 and "retry-after" in answer.headers)
        return cls(what, is_problem and asks_again, answer.status_code >= 500)


@dataclass(slots=True)
class History:
    """The writes of one tenant, and what its clients were refused."""

    tenant_id: str
    writes: list[Write] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    """Requests that got no answer: refused, cut off or too late. Each was repeated."""

    @property
    def acknowledged(self) -> int:
        return sum(write.acknowledged for write in self.writes)

    def note(
        self, kind: Kind, resource: str, mark: str, told: tuple[str, int] | None, *, entity_id: str | None = None
    ) -> None:
        """`told`: id and version out of the answer, None where there was none."""
        found, version = told or (entity_id, None)
        self.writes.append(Write(self.tenant_id, kind, resource, mark, found, version, told is not None))
