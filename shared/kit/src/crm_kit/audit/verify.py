"""Verification of the chains: what was altered, removed, reordered or inserted since it was sealed.

It trusts nothing of the database but what the hashes confirm. Whoever may write as the tables' owner can make a whole
chain anew, or cut its end off together with the head; that is found by an anchor, a head that was kept elsewhere.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import text

from crm_kit.audit.chain import GENESIS, changes_digest, entry_hash
from crm_kit.audit.entries import read_changes
from crm_kit.audit.erasure import ERASED
from crm_kit.audit.sealer import anchor
from crm_kit.db.session import Database

_BATCH: Final = 1000
_MAX_FAULTS: Final = 1000
"""Of one chain: who finds so many need not know the rest."""

_LOOKS: Final = 3
"""While entries go on being sealed one look may find an entry neither among the unsealed nor, yet, in the chain."""

FaultKind = Literal["altered", "reordered", "inserted", "removed", "payload", "head", "base", "anchor"]

_UNTOLD: Final[dict[FaultKind, str]] = {
    "payload": "before and after are gone, and no erasure tells why",
    "base": "entries up to here are gone, and no purge tells of it",
}

_TENANTS = text("select tenant_id from audit_head union select distinct tenant_id from audit_entry order by 1")
_ENTRIES = text(
    "select * from audit_entry where tenant_id = :tenant_id and sequence > :after order by sequence limit :n"
)
_HEAD = text("select * from audit_head where tenant_id = :tenant_id")
_END = text(
    "select h.sequence, h.hash, h.base_sequence,"
    " (select max(e.sequence) from audit_entry e where e.tenant_id = :tenant_id) as last"
    " from (select) one left join audit_head h on h.tenant_id = :tenant_id"
)
_UNSEALED = text(
    "select action, entity_id, changes from audit_unsealed"
    " where tenant_id = :tenant_id and (action = 'erased' or action = 'purged' and resource = 'audit_entry')"
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a chain once was: its hash at a sequence number."""

    tenant_id: str
    sequence: int
    hash: bytes

    @classmethod
    def parse(cls, given: str) -> "Anchor":
        """As `anchor` writes it. Raises ValueError."""
        tenant_id, sequence, digest = given.rsplit(":", 2)
        if not tenant_id or not sequence.isdecimal() or len(digest) != 64:
            raise ValueError(given)
        return cls(tenant_id, int(sequence), bytes.fromhex(digest))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a chain; `sequence` says where."""

    kind: FaultKind
    sequence: int
    detail: str


@dataclass(slots=True)
class Report:
    """What became of one chain: how many entries were looked at, its end, and its faults."""

    tenant_id: str
    entries: int = 0
    head: str = ""
    faults: list[Fault] = field(default_factory=list)

    def add(self, kind: FaultKind, sequence: int, detail: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(Fault(kind, sequence, detail))


async def verify(
    system: Database, service: str, *, tenant_id: str | None = None, anchors: Sequence[Anchor] = ()
) -> AsyncIterator[Report]:
    """Each chain of this service's database, or one tenant's, while entries go on being written and sealed."""
    async with system.read(None) as session:
        known = set((await session.scalars(_TENANTS)).all())
    known |= {each.tenant_id for each in anchors}
    for each in sorted(known if tenant_id is None else {tenant_id}):
        yield await _Walk(system, service, each, [one for one in anchors if one.tenant_id == each]).run()


class _Walk:
    """One walk along one chain."""

    def __init__(self, system: Database, service: str, tenant_id: str, anchors: Sequence[Anchor]) -> None:
        self._system = system
        self._service = service
        self._tenant_id = tenant_id
        self._anchors = {each.sequence: each.hash for each in anchors}
        self._report = Report(tenant_id)
        self._sequence = 0
        self._hash: bytes = GENESIS
        self._base: tuple[int, bytes] = (0, GENESIS)
        self._broken: list[Mapping[str, Any]] = []
        self._bare: dict[str | None, int] = {}
        self._purged: list[Mapping[str, Any] | None] = []

    async def run(self) -> Report:
        await self._begin()
        for _ in range(_LOOKS):
            await self._walk_on()
            if not self._untold():
                break
            await self._note_unsealed()
        self._tell_broken()
        await self._check_end()
        for kind, sequence in self._untold():
            self._report.add(kind, sequence, _UNTOLD[kind])
        for sequence in self._anchors:
            self._report.add("anchor", sequence, "there is no such entry any more: the chain was cut or made anew")
        self._report.head = anchor(self._tenant_id, self._sequence, self._hash)
        self._report.faults.sort(key=lambda fault: fault.sequence)
        return self._report

    async def _fetch(self, statement: Any, **values: object) -> Sequence[Mapping[str, Any]]:
        async with self._system.read(None) as session:
            found = await session.execute(statement, {"tenant_id": self._tenant_id, **values})
            return [dict(row) for row in found.mappings()]

    async def _walk_on(self) -> None:
        while rows := await self._fetch(_ENTRIES, after=self._sequence, n=_BATCH):
            if rows[0]["sequence"] > self._sequence + 1:
                await self._begin()  # their time may have come meanwhile
            for row in rows:
                if row["sequence"] > self._sequence:
                    self._check(row)

    async def _begin(self) -> None:
        """Goes to where the chain begins, if that lies ahead: after what was removed in its time."""
        head = await self._fetch(_HEAD)
        if not head or (head[0]["base_sequence"] <= self._sequence and self._report.entries):
            return
        self._base = self._sequence, self._hash = head[0]["base_sequence"], bytes(head[0]["base_hash"])
        if self._sequence == 0 and self._hash != GENESIS:
            self._report.add("base", 0, "nothing was removed, yet the chain begins with a hash")
        for sequence in [one for one in self._anchors if one < self._sequence]:
            del self._anchors[sequence]  # removed in its time: nothing is left to compare it with
        self._match_anchor(self._sequence, self._hash)

    def _check(self, row: Mapping[str, Any]) -> None:
        sequence: int = row["sequence"]
        self._report.entries += 1
        if sequence > self._sequence + 1:
            self._report.add("removed", self._sequence + 1, f"{sequence - self._sequence - 1} entries are missing here")
        elif row["previous_hash"] != self._hash and self._is_itself(row, sequence):
            self._report.add("inserted", sequence, "it is whole, and does not follow from the entry before it")
        if not self._is_itself(row, sequence):
            self._note_broken(row)
        self._check_payload(row)
        if row["action"] == ERASED:
            self._bare.pop(row["entity_id"], None)
        self._note_purge(row)
        self._sequence, self._hash = sequence, bytes(row["hash"])
        self._match_anchor(sequence, self._hash)

    def _is_itself(self, row: Mapping[str, Any], sequence: int) -> bool:
        return entry_hash(row, self._service, sequence, row["previous_hash"]) == bytes(row["hash"])

    def _check_payload(self, row: Mapping[str, Any]) -> None:
        changes, salt, digest = row["changes"], row["salt"], row["changes_digest"]
        if changes is None and salt is None:
            if digest is not None:
                self._bare[row["entity_id"]] = row["sequence"]
        elif changes is None or salt is None or changes_digest(bytes(salt), changes) != digest:
            self._report.add("altered", row["sequence"], f"{row['id']}: before and after are not what was sealed")

    def _note_purge(self, row: Mapping[str, Any]) -> None:
        if row["action"] == "purged" and row["resource"] == "audit_entry":
            self._purged.append(read_changes(row["changes"]))

    def _match_anchor(self, sequence: int, found: bytes) -> None:
        expected = self._anchors.pop(sequence, found)
        if expected != found:
            self._report.add("anchor", sequence, f"it was {expected.hex()} and is {found.hex()}")

    def _note_broken(self, row: Mapping[str, Any]) -> None:
        if len(self._broken) < _MAX_FAULTS:
            self._broken.append(row)

    def _tell_broken(self) -> None:
        """An entry that would be right in or beside the place of a broken one was moved; any other was altered."""
        places = {row["sequence"] + step for row in self._broken for step in (-1, 0, 1)}
        for row in self._broken:
            sequence = row["sequence"]
            sealed_as = next((place for place in places if place != sequence and self._is_itself(row, place)), None)
            if sealed_as is None:
                self._report.add("altered", sequence, f"{row['id']}: it is not what was sealed")
            else:
                self._report.add("reordered", sequence, f"{row['id']}: it was sealed as {sealed_as}")

    async def _check_end(self) -> None:
        """Once more, at one moment: the sealer may have gone on since."""
        end = (await self._fetch(_END))[0]
        if end["sequence"] is None:
            if self._report.entries:
                self._report.add("head", self._sequence, "the chain has no head")
            return
        last = end["last"] if end["last"] is not None else end["base_sequence"]
        if last > end["sequence"]:
            self._report.add("inserted", end["sequence"] + 1, f"entries follow the head, {end['sequence']}")
        elif last < end["sequence"]:
            self._report.add("removed", last + 1, f"the chain ends before its head, {end['sequence']}")
        elif end["sequence"] == self._sequence and end["hash"] != self._hash:
            self._report.add("head", self._sequence, "the head is not the hash of the last entry")

    async def _note_unsealed(self) -> None:
        """An erasure or a purge may be told of by an entry that is not sealed yet; one that is by now comes with a look."""
        for row in await self._fetch(_UNSEALED):
            if row["action"] == ERASED:
                self._bare.pop(row["entity_id"], None)
            else:
                self._purged.append(read_changes(row["changes"]))

    def _untold(self) -> list[tuple[FaultKind, int]]:
        """What may go, and must be told of: values by an erasure, old entries by a purge."""
        found: list[tuple[FaultKind, int]] = [("payload", sequence) for sequence in self._bare.values()]
        told = [
            (purge["sequence"]["after"], purge["hash"]["after"])
            for purge in self._purged
            if purge is not None and {"sequence", "hash"} <= purge.keys()
        ]
        sequence, digest = self._base
        if sequence and (sequence, digest.hex()) not in told:
            found.append(("base", sequence))
        return found
