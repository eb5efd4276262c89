"""Whether every operation shows each role what it may see, and no more: taken from the OpenAPI document itself.

Records of several owners hold a mark in a member of each sensitivity. What an operation answers to who may see everything
is compared with what it answers to a role: of the marks exactly those must be left that the role may see. What it may see is
told here a second time, in the simplest way there is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

import httpx

Json = dict[str, Any]

LEVELS: Final = ("own", "team", "all")
_NAMED_ALONE: Final = ("audit-log", "dead-letters")
_EVERYBODYS: Final = ("access",)
"""Whoever asks there is told of themselves."""

SENSITIVITIES: Final = ("open", "personal", "commercial", "private")


@dataclass(frozen=True)
class MatrixRole:
    """A role as the API writes it."""

    name: str
    grants: Sequence[Mapping[str, Any]]
    admin: bool = False

    def _reaching(self, resource: str, action: str, distance: str) -> Iterator[Mapping[str, Any]]:
        for grant in self.grants:
            named = resource in grant["resources"] or ("*" in grant["resources"] and resource not in _NAMED_ALONE)
            if named and action in grant["actions"] and LEVELS.index(grant["records"]) >= LEVELS.index(distance):
                yield grant

    def may(self, resource: str, action: str, distance: str = "own") -> bool:
        actions = ["create", "update", "delete", "assign"] if action == "write" else [action]
        return resource in _EVERYBODYS or any(
            True for each in actions for _ in self._reaching(resource, each, distance)
        )

    def sees(self, resource: str, sensitivity: str, distance: str) -> bool:
        """In clear."""
        return any(
            grant["fields"].get(sensitivity) in ("read", "write")
            for grant in self._reaching(resource, "read", distance)
        )


@dataclass(frozen=True)
class Mark:
    resource: str
    sensitivity: str
    whose: str


@dataclass
class Marks:
    """Texts that stand in one member of one record each."""

    of: dict[str, Mark] = field(default_factory=dict)

    def new(self, resource: str, sensitivity: str, whose: str, text: str = "") -> str:
        text = text or f"zq{len(self.of):03}x{sensitivity[:2]}"
        self.of[text] = Mark(resource, sensitivity, whose)
        return text

    def found_in(self, text: str) -> set[str]:
        return {mark for mark in self.of if mark in text}


@dataclass(frozen=True)
class MatrixOperation:
    """One request; `path` is filled in."""

    method: str
    path: str
    permission: str
    body: Json | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Probe:
    """A filter that finds one record by a mark of it, as everything is told."""

    operation: MatrixOperation
    mark: str


@dataclass
class Matrix:
    """Compares one role after another with who may see everything."""

    marks: Marks
    everything: httpx.AsyncClient
    findings: list[str] = field(default_factory=list)
    compared: int = 0
    _there: dict[str, set[str]] = field(default_factory=dict)

    async def reading(
        self,
        client: httpx.AsyncClient,
        role: MatrixRole,
        distances: Mapping[str, str],
        operation: MatrixOperation,
        *,
        lasts: bool,
    ) -> None:
        """`distances`: how far each owner's records are from whom the client acts for. `lasts`: whether what is there stays
        the same from one role to the next.
        """
        there = await self._marks_in(operation, lasts=lasts)
        answer = await client.request(operation.method, operation.path, json=operation.body)
        self.compared += 1
        wanted = {mark for mark in there if self._is_seen(role, self.marks.of[mark], distances)}
        found = self.marks.found_in(answer.text)
        if not self._may(role, operation):
            wanted = set()
            if answer.status_code not in (403, 404):
                self._find(role, operation, f"answers {answer.status_code} without {operation.permission}")
        elif answer.status_code not in (200, 404) or (answer.status_code == 404 and wanted):
            self._find(role, operation, f"answers {answer.status_code}: {answer.text[:300]}")
        for mark in sorted(found - wanted):
            self._find(role, operation, f"shows {self.marks.of[mark]}")
        for mark in sorted(wanted - found):
            self._find(role, operation, f"keeps back {self.marks.of[mark]}")

    async def _marks_in(self, operation: MatrixOperation, *, lasts: bool) -> set[str]:
        """Of what is there, as everything is told."""
        key = f"{operation} {operation.body}"
        if not lasts or key not in self._there:
            whole = await self.everything.request(operation.method, operation.path, json=operation.body)
            self._there[key] = self.marks.found_in(whole.text)
        return self._there[key]

    async def probes(self, operations: Iterable[tuple[MatrixOperation, Json]], whose: str) -> list[Probe]:
        """Of lists and searches, the filters by which a marked member of this owner's records can be asked for."""
        found = []
        for operation, spec in operations:
            names = [one["name"] for one in spec["parameters"] if one["in"] == "query" and one["name"] not in _PAGING]
            resource = operation.permission.partition(":")[0]
            for mark, about in self.marks.of.items():
                for name in names if (about.resource, about.whose) == (resource, whose) else ():
                    for value in (mark, f"{mark}@example.com", f"+86{mark}", f"erp:{mark}"):
                        asked = await self.everything.get(operation.path, params={name: value})
                        if asked.status_code == 200 and len(asked.json()["data"]) == 1:
                            found += [Probe(one, mark) for one in _asking(operation, name, value)]
        return found

    async def filtering(
        self, client: httpx.AsyncClient, role: MatrixRole, distances: Mapping[str, str], probe: Probe
    ) -> None:
        """Who does not see the member must not find the record by it."""
        if self._is_seen(role, self.marks.of[probe.mark], distances):
            await self.reading(client, role, distances, probe.operation, lasts=True)
            return
        answer = await client.request(probe.operation.method, probe.operation.path, json=probe.operation.body)
        self.compared += 1
        if answer.status_code != 403 and (answer.status_code != 200 or answer.json()["data"]):
            self._find(role, probe.operation, f"finds by {self.marks.of[probe.mark]}: {answer.status_code}")

    async def changing(
        self, client: httpx.AsyncClient, role: MatrixRole, operation: MatrixOperation, distance: str
    ) -> None:
        """With a version that no record has, or a body that is none: who may is told so, and nothing changes."""
        resource, _, action = operation.permission.rpartition(":")
        answer = await client.request(
            operation.method, operation.path, json=operation.body, headers={"If-Match": '"999999"'}
        )
        self.compared += 1
        done = {412, 422}
        wanted = self._allowed(role, resource, action, distance, done) if resource else done if role.admin else {403}
        if answer.status_code not in wanted:
            self._find(role, operation, f"answers {answer.status_code}, not {wanted}, at distance {distance}")
        for mark in sorted(self.marks.found_in(answer.text)):
            self._find(role, operation, f"shows {self.marks.of[mark]}")

    async def batch(
        self, client: httpx.AsyncClient, role: MatrixRole, operation: MatrixOperation, records: Mapping[str, str]
    ) -> None:
        """A patch of nothing to each record; `records`: ids, and how far each is."""
        resource = operation.permission.partition(":")[0]
        body = {"operations": [{"method": "update", "id": entity_id, "data": {}} for entity_id in records]}
        answer = await client.post(operation.path, json=body)
        self.compared += 1
        if not role.may(resource, "write"):
            if answer.status_code != 403:
                self._find(role, operation, f"answers {answer.status_code} without any writing")
            return
        for (entity_id, distance), result in zip(records.items(), answer.json()["results"], strict=True):
            wanted = self._allowed(role, resource, "update", distance, {200})
            if result["status"] not in wanted:
                self._find(role, operation, f"answers {result} of {entity_id} at distance {distance}, not {wanted}")
        for mark in sorted(self.marks.found_in(answer.text)):
            self._find(role, operation, f"shows {self.marks.of[mark]}")

    def _allowed(self, role: MatrixRole, resource: str, action: str, distance: str, done: set[int]) -> set[int]:
        seen = role.may(resource, "read", distance)
        if seen and role.may(resource, action, distance):
            return done
        return {403} if seen or not role.may(resource, action) else {404}

    def _is_seen(self, role: MatrixRole, mark: Mark, distances: Mapping[str, str]) -> bool:
        return role.sees(mark.resource, mark.sensitivity, distances[mark.whose])

    def _may(self, role: MatrixRole, operation: MatrixOperation) -> bool:
        resource, _, action = operation.permission.rpartition(":")
        if action == "admin":
            return role.admin
        if resource == "customers":
            kinds = {"contact": ["contacts"], "account": ["accounts"]}
            kind = next((kind for kind in kinds if f"/{kind}_" in operation.path), None)
            shown = kinds[kind] if kind else ["contacts", "accounts"]
            return role.may(resource, action) and any(role.may(each, "read") for each in shown)
        return role.may(resource, action) or (resource in _NAMED_ALONE and role.admin)

    def _find(self, role: MatrixRole, operation: MatrixOperation, what: str) -> None:
        self.findings.append(f"{role.name}: {operation} {what}")


_PAGING: Final = frozenset({"limit", "cursor", "sort"})


def _asking(operation: MatrixOperation, name: str, value: str) -> list[MatrixOperation]:
    """The same filter as a parameter of the list and as a condition of the search."""
    where = {"field": name, "op": "in", "value": [value]}
    path = operation.path.partition("?")[0]
    listed = replace(operation, path=f"{path}?{urlencode({name: value})}")
    searched = replace(operation, method="POST", path=f"{path}/search", body={"where": where})
    negated = replace(searched, body={"where": {"all": [{"not": {"not": where}}]}})
    return [listed, searched, negated]


def shown(findings: Iterable[str]) -> str:
    return "\n".join(list(findings)[:60])
