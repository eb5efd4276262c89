"""Clients that read and never ask twice: whatever is not answered, or by an error of ours, is kept."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
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

    async def ask(self, client: httpx.AsyncClient, method: str, path: str, **how: Any) -> httpx.Response | None:
        """The answer, once; None where there was none."""
        try:
            answer = await client.request(method, path, **how)
        except httpx.TransportError as error:
            self.faults.append(f"{method} {path}: {type(error).__name__} {error}")
            return None
        self.answers[answer.status_code] += 1
        if not answer.is_success and answer.status_code != _NOT_THERE:
            self.faults.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer


def client_of(url: str, key: str) -> httpx.AsyncClient:
    limits = httpx.Limits(keepalive_expiry=_KEPT_SECONDS)
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, limits=limits)


@asynccontextmanager
async def reading(load: Load, url: str, asked: Asked) -> AsyncIterator[None]:
    """One reader for each tenant of the load reads while the block lasts."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for key in load.told:
            group.create_task(_read(load, url, key, asked, stop))
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
