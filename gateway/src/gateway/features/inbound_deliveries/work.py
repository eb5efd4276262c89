"""A delivery that is being worked on, and what has come of it so far."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_contracts.inbound import InboundSource

from gateway.features.inbound_deliveries.calling import Calls
from gateway.inbound.mappings import Planned
from gateway.inbound.merging import Digest, Disagreement, Policy

Json = dict[str, Any]
ReadApplied = Callable[[str, str], Awaitable[tuple[str | None, Any]]]
"""From a resource and a key to what was applied of it (`record_id`, `said`)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What stands here of a planned record. `outcome`: created, updated, unchanged, stale or erased."""

    id: str | None
    outcome: str


@dataclass(slots=True)
class Results:
    """`records`: by the place of what was planned. `applied`: rows to be kept, by resource and key."""

    records: dict[int, Record] = field(default_factory=dict)
    applied: dict[tuple[str, str], Json] = field(default_factory=dict)
    disagreements: list[tuple[str, str, Disagreement]] = field(default_factory=list)
    faults: list[Json] = field(default_factory=list)
    contact_ids: set[str] = field(default_factory=set)
    refs: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Work:
    """`received_at` stands for the sender's time where that is not told; `sent_at`, and then `payload`, its rank, decides between two
    of one time. `is_fetched`: nobody sent it, it was asked for.
    """

    delivery_id: str
    source: InboundSource
    owned_by_others: Mapping[str, set[str]]
    planned: list[Planned]
    calls: Calls
    digest: Digest
    read_applied: ReadApplied
    is_gone: Callable[[str], Awaitable[bool]]
    received_at: datetime
    sent_at: datetime | None
    payload: str
    is_fetched: bool
    results: Results

    def time_of(self, planned: Planned) -> str:
        """Comparable as text; of two payloads of one time always the same one is the newer."""
        at = planned.at or self.received_at
        return f"{_fixed(at)}|{_fixed(self.sent_at or at)}|{self.payload}"

    def policy(self, resource: str) -> Callable[[str], Policy]:
        record = self.source.system_of_record
        owns, yields = set(record.owns.get(resource, ())), set(record.yields.get(resource, ()))
        others = self.owned_by_others.get(resource, set())

        def of(member: str) -> Policy:
            if _named(owns, member):
                return "owned"
            if _named(yields, member):
                return "yielded"
            return "owned_by_another" if _named(others, member) else "shared"

        return of

    async def applied(self, resource: str, key: str) -> tuple[str | None, Json]:
        """What was applied of a record, or is about to be."""
        row = self.results.applied.get((resource, key))
        if row is not None:
            return row["record_id"], row["said"]
        record_id, said = await self.read_applied(resource, key)
        return record_id, said or {}

    def apply(self, resource: str, key: str, record_id: str | None, said: Json) -> None:
        self.results.applied[(resource, key)] = {
            "resource": resource, "key": key, "record_id": record_id, "said": said
        }  # fmt: skip

    def disagree(self, resource: str, record_id: str, found: list[Disagreement]) -> None:
        self.results.disagreements += [(resource, record_id, one) for one in found]


def _named(members: set[str], member: str) -> bool:
    """A member is named by itself, or by what it is a part of."""
    return member in members or member.partition(".")[0] in members


def _fixed(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")
