"""What `make bench` measures: each operation's requests, what it is set against, and the aim."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crm_local.stack import LocalStack
from dataset import Dataset
from load import request_bytes
from references import References

ReferenceName = Literal["R1", "R2", "R3", "R6"]


@dataclass(frozen=True)
class Requests:
    """What is sent to whom. `per_request`: things done by each, contacts say, where that is not one."""

    url: str
    requests: Sequence[bytes]
    per_request: int = 1


@dataclass(frozen=True)
class Operation:
    """`aims`: least ratio to each reference. `make` is called anew for each round: internal tokens live a minute."""

    name: str
    make: Callable[[], Requests]
    against: Sequence[ReferenceName] = ()
    aims: dict[ReferenceName, float] = field(default_factory=dict)
    connections: int = 16
    writes: bool = False
    times_as_long: int = 1
    rate_aim: float | None = None
    p95_aim: float | None = None


class Operations:
    """Of one stack, its references and one size of data."""

    def __init__(
        self, stack: LocalStack, references: References, dataset: Dataset, internal: Callable[[], str]
    ) -> None:
        self._gateway = stack.urls["gateway"]
        self._service = stack.urls["contacts"]
        self._references = references
        self._dataset = dataset
        self._internal = internal
        self._key = {"Authorization": f"Bearer {stack.dev['api_key']}"}

    def references(self) -> dict[ReferenceName, Callable[[], Requests]]:
        hello, bare = self._references.hello, self._references.database
        return {
            "R1": lambda: Requests(hello, [request_bytes("GET", f"{hello}/", {})]),
            "R2": lambda: Requests(
                bare, [request_bytes("GET", f"{bare}/view/{one}", {}) for one in self._dataset.customers]
            ),
            "R3": lambda: Requests(bare, [request_bytes("POST", f"{bare}/contact", _JSON, contact_body())]),
        }

    def all(self) -> list[Operation]:
        return [*self._reads(), *self._lists(), *self._writes()]

    def _reads(self) -> list[Operation]:
        return [
            Operation("customer view by id", lambda: self._get("customers"), ("R1", "R2"), {"R1": 0.6, "R2": 2.5}),
            Operation(
                "customer view, If-None-Match hit",
                lambda: self._get("customers", {"If-None-Match": 'W/"1"'}),
                ("R2",),
                {"R2": 2.8},
            ),
            Operation("contact by id, gateway", lambda: self._get("contacts"), ("R2",), {"R2": 0.5}),
            Operation("contact by id, service", lambda: self._get("contacts", at=self._service), ("R2",), {"R2": 1.0}),
        ]

    def _lists(self) -> list[Operation]:
        drawn = random.Random(1)
        lists = [
            f"/v1/contacts?lifecycle_stage={stage}&sort={sort}"
            for stage in ("lead", "customer")
            for sort in ("full_name", "-created_at", "updated_at")
        ]
        parts = ["晓梅", "建国", "欧阳", "王", "李伟", "Jennifer Lopez", "nnif", "ez", "Zzyzx", "mes Sm"]
        drawn.shuffle(parts)
        return [
            Operation("list of 50, filter and sort", lambda: self._asked(lists), connections=1, p95_aim=30.0),
            Operation("search by part of a name", lambda: self._searched(parts), connections=1, p95_aim=80.0),
        ]

    def _writes(self) -> list[Operation]:
        return [
            Operation("create contact, gateway", self._create, ("R3",), {"R3": 0.6}, writes=True),
            Operation(
                "create contact, service", lambda: self._create(self._service), ("R3",), {"R3": 1.0}, writes=True
            ),
            Operation(
                "batch upsert of 1,000, contacts",
                self._upsert,
                connections=2,
                writes=True,
                times_as_long=4,
                rate_aim=5_000,
            ),
        ]

    def _headers(self, url: str) -> dict[str, str]:
        return self._key if url == self._gateway else {"Authorization": f"Bearer {self._internal()}"}

    def _get(self, what: str, more: dict[str, str] | None = None, at: str | None = None) -> Requests:
        url = at or self._gateway
        headers = self._headers(url) | (more or {})
        return Requests(
            url, [request_bytes("GET", f"{url}/v1/{what}/{one}", headers) for one in self._dataset.customers]
        )

    def _asked(self, targets: Sequence[str]) -> Requests:
        return Requests(self._gateway, [request_bytes("GET", self._gateway + target, self._key) for target in targets])

    def _searched(self, parts: Sequence[str]) -> Requests:
        url = f"{self._gateway}/v1/contacts/search"
        bodies = [{"where": {"field": "full_name", "op": "contains", "value": part}, "limit": 50} for part in parts]
        return Requests(
            self._gateway, [request_bytes("POST", url, self._key | _JSON, json.dumps(body).encode()) for body in bodies]
        )

    def _create(self, at: str | None = None) -> Requests:
        url = at or self._gateway
        headers = self._headers(url) | _JSON | {"Idempotency-Key": "bench-#########"}
        return Requests(url, [request_bytes("POST", f"{url}/v1/contacts", headers, contact_body())])

    def _upsert(self) -> Requests:
        """Every thousand is new at first; half of the calls come back to what an earlier one made."""
        calls = [_upserts(call) for call in range(20)]
        url = f"{self._gateway}/v1/contacts/batch"
        requests = [request_bytes("POST", url, self._key | _JSON, body) for body in (*calls, *calls)]
        return Requests(self._gateway, requests, per_request=1_000)


_JSON = {"Content-Type": "application/json"}


def contact_body() -> bytes:
    """With the mark that the load generator replaces by a number."""
    contact = {
        "full_name": "客户 #########",
        "emails": [{"address": "c#########@example.com"}],
        "phones": [{"number": "+919#########"}],
        "tags": ["bench"],
    }
    return json.dumps(contact).encode()


def _upserts(call: int) -> bytes:
    drawn = random.randrange(10**9)
    operations = [
        {
            "method": "upsert",
            "match": "email",
            "data": {
                "full_name": f"客户 {number}",
                "emails": [{"address": f"u{drawn}-{number}@example.com"}],
                "phones": [{"number": f"+86138{(call * 1000 + number) % 10**8:08d}"}],
            },
        }
        for number in range(1_000)
    ]
    return json.dumps({"operations": operations}).encode()
