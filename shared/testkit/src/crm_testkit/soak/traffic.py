"""A steady mixture of what clients of several tenants do, right and wrong.

Half of what is written changes a fixed set of entities, half makes new ones; the latter can be left out. So memory that
follows the number of entities is told from memory that follows the number of requests.
"""

import itertools
import random
import secrets
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

_RECENT: Final = 40
_RESOURCES: Final = ("contacts", "deals", "orders", "tickets")
_Step = Callable[["Tenant"], Awaitable[None]]


class UnexpectedAnswer(Exception):
    """A status that the request does not call for."""


@dataclass(slots=True)
class Tenant:
    """A tenant's key, its fixed entities by collection, and its newest ones."""

    key: str
    fixed: dict[str, list[str]] = field(default_factory=dict)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=_RECENT))
    tickets: deque[str] = field(default_factory=lambda: deque(maxlen=_RECENT))


class Traffic:
    """What is sent is drawn from the seed. An asynchronous context manager: its connections live as long."""

    def __init__(self, url: str, keys: Sequence[str], seed: str) -> None:
        self._url = url
        self._tenants = [Tenant(key) for key in keys]
        self._dice = random.Random(seed)
        self._numbers = itertools.count()
        self.answers: Counter[int] = Counter()
        """By status."""
        self.created = 0
        """Entities, of every kind."""

    async def __aenter__(self) -> "Traffic":
        timeout = aiohttp.ClientTimeout(total=60)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def through(self, url: str) -> None:
        """From now on by this gateway."""
        self._url = url

    @property
    def requests(self) -> int:
        return sum(self.answers.values())

    async def prepare(self, customers: int) -> None:
        """Makes each tenant's fixed entities: so many contacts, each with a deal, an order and a ticket."""
        for tenant in self._tenants:
            for _ in range(customers):
                contact_id = await self._new_contact(tenant)
                tenant.fixed.setdefault("contacts", []).append(contact_id)
                for resource in _RESOURCES[1:]:
                    made = await self._create(tenant, resource, self._body(resource, contact_id))
                    tenant.fixed.setdefault(resource, []).append(made)

    async def write(self, *, growing: bool) -> None:
        """One write. Raises UnexpectedAnswer, and aiohttp's errors."""
        steps = self._growing if growing and self._dice.random() < 0.5 else self._changing
        await self._one_of(steps())

    async def read(self) -> None:
        """One read, or a request that must be refused; raises as `write`."""
        await self._one_of(self._reading())

    async def _one_of(self, steps: dict[_Step, int]) -> None:
        (step,) = self._dice.choices(list(steps), list(steps.values()))
        await step(self._dice.choice(self._tenants))

    # --- writes

    def _growing(self) -> dict[_Step, int]:
        return {
            self._make_contact: 6,
            self._make_about: 12,
            self._make_message: 3,
            self._make_activity: 4,
            self._make_consent: 3,
            self._make_batch: 1,
            self._make_and_delete: 1,
        }

    def _changing(self) -> dict[_Step, int]:
        return {
            self._change_contact: 12,
            self._change_deal: 4,
            self._change_order: 3,
            self._change_ticket: 4,
            self._write_badly: 2,
            self._write_stale: 1,
        }

    async def _make_contact(self, tenant: Tenant) -> None:
        tenant.recent.append(await self._new_contact(tenant))

    async def _make_about(self, tenant: Tenant) -> None:
        resource = self._dice.choice(_RESOURCES[1:])
        made = await self._create(tenant, resource, self._body(resource, self._some(tenant)))
        if resource == "tickets":
            tenant.tickets.append(made)

    async def _make_message(self, tenant: Tenant) -> None:
        ticket_id = self._dice.choice(tenant.tickets or tenant.fixed["tickets"])
        await self._create(tenant, f"tickets/{ticket_id}/messages", {"body": "登录时报 500", "visibility": "public"})

    async def _make_activity(self, tenant: Tenant) -> None:
        body = {"kind": "note", "subject": f"Note {next(self._numbers)}", "contact_id": self._some(tenant)}
        await self._create(tenant, "activities", body)

    async def _make_consent(self, tenant: Tenant) -> None:
        status = self._dice.choice(("granted", "withdrawn"))
        body = {"channel": "email", "purpose": "marketing", "status": status, "source": "form"}
        await self._create(tenant, f"contacts/{self._some(tenant)}/consents", body)

    async def _make_batch(self, tenant: Tenant) -> None:
        operations = [{"method": "create", "data": {"full_name": f"批量 {next(self._numbers)}"}} for _ in range(10)]
        await self._send(tenant, "POST", "contacts/batch", {"operations": operations}, keyed=True)
        self.created += len(operations)

    async def _make_and_delete(self, tenant: Tenant) -> None:
        await self._send(tenant, "DELETE", f"contacts/{await self._new_contact(tenant)}", expected=(204,))

    async def _change_contact(self, tenant: Tenant) -> None:
        change = {"title": f"T{next(self._numbers)}", "tags": [f"t{self._dice.randrange(50)}"]}
        await self._change(tenant, "contacts", change)

    async def _change_deal(self, tenant: Tenant) -> None:
        await self._change(tenant, "deals", {"next_step": f"N{next(self._numbers)}"})

    async def _change_order(self, tenant: Tenant) -> None:
        await self._change(tenant, "orders", {"total": self._money()})

    async def _change_ticket(self, tenant: Tenant) -> None:
        await self._change(tenant, "tickets", {"priority": self._dice.choice(("low", "normal", "high"))})

    async def _change(self, tenant: Tenant, resource: str, change: dict[str, Any]) -> None:
        await self._send(tenant, "PATCH", f"{resource}/{self._fixed(tenant, resource)}", change)

    async def _write_stale(self, tenant: Tenant) -> None:
        path = f"contacts/{self._fixed(tenant, 'contacts')}"
        await self._send(tenant, "PATCH", path, {"title": "x"}, headers={"If-Match": '"999999"'}, expected=(412,))

    async def _write_badly(self, tenant: Tenant) -> None:
        bad: list[Any] = [
            b'{"full_name": ',
            {"full_name": 7},
            {"full_name": "x", f"unknown_{uuid.uuid4().hex}": 1},
            {"full_name": "x", "emails": [{"address": f"{uuid.uuid4().hex} at example"}]},
            {"full_name": "长" * 5000},
        ]
        await self._send(tenant, "POST", "contacts", self._dice.choice(bad), expected=(400, 422))

    # --- reads

    def _reading(self) -> dict[_Step, int]:
        return {
            self._view: 14,
            self._live_view: 1,
            self._timeline: 2,
            self._entity: 5,
            self._list: 5,
            self._search: 3,
            self._unknown: 2,
            self._read_badly: 2,
            self._wrong_key: 2,
            self._cold_key: 1,
            self._odd_method: 1,
        }

    async def _view(self, tenant: Tenant) -> None:
        await self._send(tenant, "GET", f"customers/{self._some(tenant)}", expected=(200, 404))

    async def _live_view(self, tenant: Tenant) -> None:
        await self._send(tenant, "GET", f"customers/{self._some(tenant)}?consistency=live")

    async def _timeline(self, tenant: Tenant) -> None:
        await self._send(tenant, "GET", f"customers/{self._fixed(tenant, 'contacts')}/timeline")

    async def _entity(self, tenant: Tenant) -> None:
        resource = self._dice.choice(_RESOURCES)
        await self._send(tenant, "GET", f"{resource}/{self._fixed(tenant, resource)}")

    async def _list(self, tenant: Tenant) -> None:
        resource = self._dice.choice(_RESOURCES)
        path = f"{resource}?limit={self._dice.randint(1, 50)}&sort={self._dice.choice(('id', '-id', '-updated_at'))}"
        cursor = orjson.loads(await self._send(tenant, "GET", path)).get("next_cursor")
        if cursor:
            await self._send(tenant, "GET", f"{path}&cursor={cursor}")

    async def _search(self, tenant: Tenant) -> None:
        names = [
            {"field": "full_name", "op": "eq", "value": f"客户 {self._dice.randrange(10_000)}"}
            for _ in range(self._dice.randint(1, 6))
        ]
        await self._send(tenant, "POST", "contacts/search", {"where": {self._dice.choice(("all", "any")): names}})

    async def _unknown(self, tenant: Tenant) -> None:
        prefix = self._dice.choice(_RESOURCES)
        unknown = f"{prefix.removesuffix('s')}_0{secrets.token_hex(13)[:25]}"
        await self._send(tenant, "GET", f"{prefix}/{unknown}", expected=(404,))

    async def _read_badly(self, tenant: Tenant) -> None:
        path = self._dice.choice(
            (f"contacts?{uuid.uuid4().hex}=1", f"deals?cursor={uuid.uuid4().hex}", "orders?limit=x")
        )
        await self._send(tenant, "GET", path, expected=(400, 422))

    async def _wrong_key(self, tenant: Tenant) -> None:
        wrong = Tenant(tenant.key[:-20] + secrets.token_hex(10))
        await self._send(wrong, "GET", "contacts", expected=(401,))

    async def _cold_key(self, tenant: Tenant) -> None:
        """A key that is made, used once and revoked."""
        answer = await self._send(tenant, "POST", "api-keys", {"name": "短", "scopes": ["read"]}, expected=(201,))
        made = orjson.loads(answer)
        await self._send(Tenant(made["key"]), "GET", "contacts?limit=1")
        await self._send(tenant, "DELETE", f"api-keys/{made['id']}", expected=(204,))

    async def _odd_method(self, tenant: Tenant) -> None:
        method = secrets.token_hex(4).upper()
        await self._send(tenant, method, "contacts", expected=(400, 404, 405, 501))

    # --- the wire

    async def _new_contact(self, tenant: Tenant) -> str:
        number = next(self._numbers)
        emails = [{"address": f"c{number}.{uuid.uuid4().hex[:8]}@example.com", "primary": True}]
        return await self._create(tenant, "contacts", {"full_name": f"客户 {number}", "emails": emails})

    def _body(self, resource: str, contact_id: str) -> dict[str, Any]:
        number, about = next(self._numbers), {"contact_id": contact_id}
        match resource:
            case "deals":
                return {"name": f"框架 {number}", "amount": self._money(), **about}
            case "orders":
                return {"number": f"SO-{uuid.uuid4().hex}", "total": self._money(), **about}
            case _:
                return {"subject": f"无法登录 {number}", "channel": "email", **about}

    def _money(self) -> dict[str, str]:
        return {"amount": f"{self._dice.randint(1, 9999)}.00", "currency": "CNY"}

    def _fixed(self, tenant: Tenant, resource: str) -> str:
        return self._dice.choice(tenant.fixed[resource])

    def _some(self, tenant: Tenant) -> str:
        """One of the newest contacts: so what there is about each of them stays little."""
        return self._dice.choice(tenant.recent or tenant.fixed["contacts"])

    async def _create(self, tenant: Tenant, path: str, body: dict[str, Any]) -> str:
        answer = await self._send(tenant, "POST", path, body, keyed=True, expected=(201,))
        self.created += 1
        return str(orjson.loads(answer)["id"])

    async def _send(
        self,
        tenant: Tenant,
        method: str,
        path: str,
        body: Any = None,
        *,
        keyed: bool = False,
        headers: dict[str, str] | None = None,
        expected: tuple[int, ...] = (200,),
    ) -> bytes:
        sent = {"Authorization": f"Bearer {tenant.key}", **(headers or {})}
        if self._dice.random() < 0.3:
            sent["Accept-Language"] = "zh-CN"
        if keyed:
            sent["Idempotency-Key"] = str(uuid.uuid4())
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self._session.request(method, f"{self._url}/v1/{path}", data=content, headers=sent) as answer:
            found = await answer.read()
        self.answers[answer.status] += 1
        if answer.status not in expected:
            raise UnexpectedAnswer(f"{method} /v1/{path}: {answer.status} {found[:300].decode(errors='replace')}")
        return found
