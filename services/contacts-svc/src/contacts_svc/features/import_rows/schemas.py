"""How an import takes its rows in, and what becomes of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from contacts_svc.features.import_columns.rules import ImportResource
from contacts_svc.features.import_rows.rules import Columns, Fault, Json

OnMatch = Literal["update", "fill", "skip", "create"]
Likely = Literal["allow", "report", "refuse"]
Outcome = Literal["created", "updated", "unchanged", "duplicate", "conflict", "rejected"]


@dataclass(frozen=True, slots=True)
class Terms:
    """`columns`: of a table; None of NDJSON. `match`: what a record is found by, the surest first."""

    import_id: str
    resource: ImportResource
    columns: Columns | None
    match: Mapping[ImportResource, Sequence[str]]
    on_match: OnMatch
    duplicates: Likely
    defaults: Mapping[str, Any]
    create_accounts: bool
    dry_run: bool
    language: str


@dataclass
class Result:
    """As the table of results keeps it."""

    row: int
    resource: str
    outcome: Outcome
    entity_id: str | None = None
    version: int | None = None
    before: Json | None = None
    after: Json | None = None
    problem: Json | None = None
    reference: Json | None = None
    place: int = 0

    def stored(self, import_id: str) -> Mapping[str, Any]:
        return {"import_id": import_id, "reverted": None, **self.__dict__}


@dataclass
class ParsedRow:
    """A row that was read and, where it has no faults, validated: `data` is then what the API would take."""

    number: int
    resource: ImportResource
    data: Any = None
    account: Any = None
    reference: Json = field(default_factory=dict)
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
