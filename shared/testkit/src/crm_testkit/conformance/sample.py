"""What the suite must be told of a resource, and the things it does with it."""

from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest
from crm_contracts.registry import Topic
from crm_kit.app import create_app
from crm_kit.manifest import Manifest

from crm_testkit.service import ServiceUnderTest, Tenant

Values = Mapping[str, str]
Json = dict[str, Any]


async def _nothing(_tenant: Tenant) -> Values:
    return {}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One resource.

    path: its collection, as OpenAPI names it; parameters in it are filled from what `prepare` returns.
    body: a body to create the n-th with; each n must give another entity. It sets `text`, and `clears` if given.
    patch: a patch that changes something. text: a member that takes any text; dotted, as are the next two.
    clears: a member that null clears. counter: a member that takes any small integer, such as `custom.n`.
    integer: a declared member of type integer. equals: a filter and the member of the entity that it finds by.
    standing: how many a tenant has of its own accord once it has made one; lists are then compared by number alone.
    upsert: a key of upserts whose members every body holds. created: the action of a creation's event.
    scopes: what it takes to read, and to write. shown_once: a member that the answer to the creation alone has.
    id_prefix: how its ids begin, where that is not the topic's entity.
    """

    path: str
    topic: Topic
    body: Callable[[int, Values], Json]
    patch: Json
    text: str
    prepare: Callable[[Tenant], Awaitable[Values]] = _nothing
    clears: str | None = None
    counter: str | None = None
    integer: str | None = None
    equals: tuple[str, str] | None = None
    upsert: str | None = None
    created: str = "created"
    standing: int = 0
    scopes: tuple[str, str] = ("read", "write")
    shown_once: str | None = None
    id_prefix: str | None = None

    @property
    def absent(self) -> str:
        """A well-formed id that nothing has."""
        return f"{self.prefix}_01jd3zq8w9e2vbx7k5m4n6p8qr"

    @property
    def prefix(self) -> str:
        return self.id_prefix or self.topic.entity

    def __str__(self) -> str:
        return self.path.rpartition("/")[2]


def member(document: Any, path: str) -> Any:
    """The member at a dotted path; None where there is none."""
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else (document or {}).get(step)
    return document


def with_member(document: Json, path: str, value: object) -> Json:
    """A copy with the member at a dotted path set."""
    changed = deepcopy(document)
    holder = changed
    *steps, last = path.split(".")
    for step in steps:
        if not isinstance(holder.get(step), dict):
            holder[step] = {}
        holder = holder[step]
    holder[last] = value
    return changed


_documents: dict[str, Json] = {}


def openapi(manifest: Manifest) -> Json:
    """The service's OpenAPI document."""
    if manifest.package not in _documents:
        _documents[manifest.package] = create_app(manifest, None).openapi()
    return _documents[manifest.package]


def offered(manifest: Manifest, path: str) -> frozenset[str]:
    """Which of create, list, search, batch, get, patch and delete a resource has."""
    paths = openapi(manifest)["paths"]
    where = {
        "create": (path, "post"),
        "list": (path, "get"),
        "search": (f"{path}/search", "post"),
        "batch": (f"{path}/batch", "post"),
        "get": (f"{path}/{{entity_id}}", "get"),
        "patch": (f"{path}/{{entity_id}}", "patch"),
        "delete": (f"{path}/{{entity_id}}", "delete"),
    }
    return frozenset(name for name, (at, method) in where.items() if method in paths.get(at, {}))


def offering(*operations: str, once: bool = False, **wanted: bool) -> Callable[[Any], Any]:
    """Runs a test only for samples whose resource has these operations, and that name these members.

    once: for the first of them alone, since the others would take the same way and the test is slow.
    """

    def mark(test: Any) -> Any:
        test.once = once
        test.offering = frozenset(operations)
        test.naming = frozenset(wanted)
        return test

    return mark


class Subject:
    """One resource of the running service, as one fresh tenant sees it."""

    def __init__(self, service: ServiceUnderTest, sample: Sample, tenant: Tenant, values: Values) -> None:
        self.service = service
        self.sample = sample
        self.tenant = tenant
        self.values = values
        self.path = sample.path.format(**values)
        self._numbers = iter(range(1, 1_000_000))

    @property
    def client(self) -> httpx.AsyncClient:
        return self.tenant.client

    def body(self, **changes: object) -> Json:
        body = deepcopy(self.sample.body(next(self._numbers), self.values))
        for path, value in changes.items():
            body = with_member(body, path, value)
        return body

    def with_text(self, value: object) -> Json:
        return with_member(self.body(), self.sample.text, value)

    async def create(self, body: Json | None = None) -> Json:
        """A new entity, as it is read from then on."""
        return self.as_read(await self.tenant.create(self.path, **(body or self.body())))

    def as_read(self, created: Json) -> Json:
        """The answer to a creation without what it alone shows."""
        once = self.sample.shown_once
        if once is None:
            return created
        assert created[once]
        return {name: value for name, value in created.items() if name != once}

    def at(self, entity: Json | str) -> str:
        return f"{self.path}/{entity if isinstance(entity, str) else entity['id']}"

    async def as_stranger(self) -> "Subject":
        """The same resource as another tenant sees it."""
        tenant = self.service.tenant()
        return Subject(self.service, self.sample, tenant, await self.sample.prepare(tenant))

    async def count(self) -> int:
        """How many entities the tenant has made; at most 200."""
        return max(0, len((await self.tenant.read(self.path, limit=200))["data"]) - self.sample.standing)

    def require_own_alone(self) -> None:
        """Skips a test that compares whole lists where a tenant has entities that it did not make."""
        if self.sample.standing:
            pytest.skip("a tenant has some of its own accord")


class ResourceSuite:
    """Base of the suites: each test that asks for a `subject` runs once for every resource that fits.

    `without_sample` says of every other resource why a tenant cannot have one made.
    """

    manifest: ClassVar[Manifest]
    samples: ClassVar[tuple[Sample, ...]]
    without_sample: ClassVar[Mapping[str, str]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "sample" not in metafunc.fixturenames:
            return
        needs: frozenset[str] = getattr(metafunc.function, "offering", frozenset())
        names: frozenset[str] = getattr(metafunc.function, "naming", frozenset())
        fitting = [
            sample
            for sample in self.samples
            if needs <= offered(self.manifest, sample.path) and all(getattr(sample, name) for name in names)
        ]
        if getattr(metafunc.function, "once", False):
            fitting = fitting[:1]
        metafunc.parametrize("sample", fitting, ids=str)

    @pytest.fixture
    async def subject(self, service: ServiceUnderTest, sample: Sample) -> Subject:
        tenant = service.tenant()
        return Subject(service, sample, tenant, await sample.prepare(tenant))
