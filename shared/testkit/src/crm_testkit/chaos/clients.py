"""Clients as integrations should be: an Idempotency-Key for every POST, patience, and a good memory."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from crm_testkit.chaos.history import History, Refusal

_ATTEMPT_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 25.0
_AGAIN: Final = frozenset({409, 429, 500, 502, 503, 504})
_POOL: Final = 12
"""Contacts that a tenant's writers change all the time, so that they meet on the same rows."""


class UnexpectedAnswer(Exception):
    """A status that no fault explains."""


class Writer:
    """Writes for one tenant until told to stop; what it was told goes into the history.

    `rest`: seconds after each step. `attempt`: seconds that it waits for an answer.
    """

    def __init__(
        self,
        url: str,
        key: str,
        history: History,
        shared: list[str],
        seed: str,
        stop: asyncio.Event,
        *,
        rest: float = 0,
        attempt: float = _ATTEMPT_SECONDS,
    ) -> None:
        self._client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=attempt)
        self._history = history
        self._shared = shared
        self._random = random.Random(seed)
        self._stop = stop
        self._rest = rest

    async def run(self) -> None:
        async with self._client:
            while not self._stop.is_set():
                await self._random.choices(self._steps(), self._weights)[0]()
                await asyncio.sleep(self._rest)

    _weights: Final = (8, 6, 10, 6, 6, 4, 4, 1)

    def _steps(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self._batch,
            self._contact,
            self._patch,
            self._deal,
            self._order,
            self._ticket,
            self._activity,
            self._delete,
        ]

    def _mark(self) -> str:
        return f"{self._history.tenant_id[-8:]}-{uuid.UUID(int=self._random.getrandbits(128))}"

    async def _batch(self) -> None:
        marks = [self._mark() for _ in range(self._random.randint(5, 40))]
        operations = [{"method": "create", "data": {"full_name": mark}} for mark in marks]
        answer = await self._insist("POST", "/v1/contacts/batch", {"operations": operations}, (200,))
        results = answer.json()["results"] if answer else [{}] * len(marks)
        for mark, result in zip(marks, results, strict=True):
            told = (str(result["id"]), int(result["version"])) if "id" in result else None
            self._history.note("create", "contacts", mark, told)

    async def _contact(self) -> None:
        mark = self._mark()
        told = await self._create("contacts", mark, {"full_name": mark, "emails": [{"address": f"{mark}@example.com"}]})
        if told and len(self._shared) < _POOL:
            self._shared.append(told[0])

    async def _patch(self) -> None:
        if not self._shared:
            return
        contact_id, mark = self._random.choice(self._shared), self._mark()
        answer = await self._insist("PATCH", f"/v1/contacts/{contact_id}", {"title": mark}, (200, 404))
        if answer is None or answer.status_code == 200:
            self._history.note("update", "contacts", mark, _told(answer), entity_id=contact_id)

    async def _deal(self) -> None:
        mark = self._mark()
        told = await self._create("deals", mark, {"name": mark, **self._about()})
        if told is None:
            return
        note = self._mark()
        answer = await self._insist("PATCH", f"/v1/deals/{told[0]}", {"next_step": note}, (200,))
        self._history.note("update", "deals", note, _told(answer), entity_id=told[0])

    async def _order(self) -> None:
        mark = self._mark()
        total = {"amount": f"{self._random.randint(1, 999)}.00", "currency": "CNY"}
        await self._create("orders", mark, {"number": mark, "total": total, **self._about()})

    async def _ticket(self) -> None:
        mark = self._mark()
        told = await self._create("tickets", mark, {"subject": mark, "channel": "email", **self._about()})
        if told is not None and self._random.random() < 0.5:
            body = {"body": self._mark(), "visibility": "public"}
            await self._insist("POST", f"/v1/tickets/{told[0]}/messages", body, (201,))

    async def _activity(self) -> None:
        mark = self._mark()
        body = {"kind": "note", "direction": "inbound", "at": "2026-10-02T08:00:00Z", "subject": mark}
        if self._shared:
            await self._create("activities", mark, {**body, **self._about()})

    async def _delete(self) -> None:
        mark = self._mark()
        told = await self._create("contacts", mark, {"full_name": mark})
        if told is None:
            return
        answer = await self._insist("DELETE", f"/v1/contacts/{told[0]}", None, (204, 404))
        self._history.note("delete", "contacts", mark, (told[0], 0) if answer else None, entity_id=told[0])

    def _about(self) -> dict[str, str]:
        return {"contact_id": self._random.choice(self._shared)} if self._shared else {}

    async def _create(self, resource: str, mark: str, body: dict[str, Any]) -> tuple[str, int] | None:
        told = _told(await self._insist("POST", f"/v1/{resource}", body, (201,)))
        self._history.note("create", resource, mark, told)
        return told

    async def _insist(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        wanted: tuple[int, ...],
        *,
        form: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        """The answer; None where there was none in all the time. Raises UnexpectedAnswer."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                response = await self._client.request(method, path, json=body, data=form, headers=headers)
            except httpx.TransportError as error:
                self._history.unanswered.append(f"{method} {path}: {type(error).__name__} {error}")
                await asyncio.sleep(0.05)
                continue
            if response.status_code in wanted:
                return response
            self._history.refusals.append(Refusal.of(response))
            if response.status_code not in _AGAIN:
                raise UnexpectedAnswer(f"{method} {path}: {response.status_code} {response.text[:300]}")
            await asyncio.sleep(0.05)
        return None


def _told(answer: httpx.Response | None) -> tuple[str, int] | None:
    if answer is None:
        return None
    entity = answer.json()
    return str(entity["id"]), int(entity["version"])
