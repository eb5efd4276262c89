"""Clients that read and never ask twice: whatever is not answered, or by an error of ours, is kept."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from crm_testkit.rolling.load import Load

_KEPT_SECONDS: Final = 2.0
"""An idle connection is not used again later than that: less than `SHUTDOWN_DELAY_SECONDS`, as a balancer's must be."""
_REST_SECONDS: Final = 0.1
_NOT_THERE: Final = 404
"""Of a view that is younger than the projection."""


@dataclass(slots=True)
class Asked:
    """How often which status was answered, and what went wrong.

    `degraded`: live views that had to do without a service, which was not in time.
    """

    answers: Counter[int] = field(default_factory=Counter)
    degraded: int = 0
    faults: list[str] = field(default_factory=list)

    async def ask(
        self, client: httpx.AsyncClient, method: str, path: str, *, may_refuse: bool = False, **how: Any
    ) -> httpx.Response | None:
        """The answer, once; None where there was none. `may_refuse`: another 4xx than 404 is no fault."""
        try:
            answer = await client.request(method, path, **how)
        except httpx.TransportError as error:
            self.faults.append(f"{method} {path}: {type(error).__name__} {error}")
            return None
        self.answers[answer.status_code] += 1
        is_refusal = answer.is_client_error and (may_refuse or answer.status_code == _NOT_THERE)
        if not (answer.is_success or is_refusal):
            self.faults.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer


def client_of(url: str, key: str) -> httpx.AsyncClient:
    limits = httpx.Limits(keepalive_expiry=_KEPT_SECONDS)
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, limits=limits)


@asynccontextmanager
async def reading(load: Load, url: str, asked: Asked) -> AsyncIterator[None]:
    """One reader for each tenant of the load reads while the block lasts, and one whatever can be read without an id."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for key in load.told:
            group.create_task(_read(load, url, key, asked, stop))
        group.create_task(_read_all_there_is(url, next(iter(load.told)), asked, stop))
        try:
            yield
        finally:
            stop.set()


async def _read(load: Load, url: str, key: str, asked: Asked, stop: asyncio.Event) -> None:
    """Views, composed and stored, lists and searches; a view's version never falls."""
    newest: dict[str, int] = {}
    async with client_of(url, key) as client:
        for number in itertools.count():
            if stop.is_set():
                return
            contacts = load.busiest(key)
            if contacts:
                contact_id = contacts[number % len(contacts)]
                view = await asked.ask(client, "GET", f"/v1/customers/{contact_id}")
                if view is not None and view.status_code == 200:
                    version = int(view.json()["version"])
                    if version < newest.get(contact_id, 0):
                        asked.faults.append(f"view {contact_id}: version {version} after {newest[contact_id]}")
                    newest[contact_id] = max(version, newest.get(contact_id, 0))
                await _one_more(client, contact_id, number, asked)
            await asyncio.sleep(_REST_SECONDS)


async def _one_more(client: httpx.AsyncClient, contact_id: str, number: int, asked: Asked) -> None:
    turn = number % 5
    if turn == 0:
        live = await asked.ask(client, "GET", f"/v1/customers/{contact_id}", params={"consistency": "live"})
        asked.degraded += bool(live is not None and live.is_success and live.json().get("degraded"))
    elif turn == 1:
        await asked.ask(client, "GET", f"/v1/customers/{contact_id}/timeline")
    elif turn == 2:
        await asked.ask(client, "GET", "/v1/contacts", params={"limit": "20"})
    elif turn == 3:
        where = {"field": "contact_id", "op": "eq", "value": contact_id}
        await asked.ask(client, "POST", "/v1/deals/search", json={"where": where})
    else:
        await asked.ask(client, "GET", f"/v1/contacts/{contact_id}")


async def _read_all_there_is(url: str, key: str, asked: Asked, stop: asyncio.Event) -> None:
    """Every list of the document that stands there at the beginning: a table that a release cannot read any more is seen."""
    async with client_of(url, key) as client:
        document = await asked.ask(client, "GET", "/openapi.json")
        for path in itertools.cycle(_lists_of(document.json() if document is not None else {"paths": {}})):
            if stop.is_set():
                return
            await asked.ask(client, "GET", path, may_refuse=True)
            await asyncio.sleep(_REST_SECONDS)


def _lists_of(document: Mapping[str, Any]) -> list[str]:
    """Paths that name nothing and are read to an end."""
    return [
        path
        for path, operations in document["paths"].items()
        if "get" in operations and "{" not in path and "application/json" in _content_of(operations["get"])
    ]


def _content_of(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = operation["responses"].get("200", {}).get("content", {})
    return found
