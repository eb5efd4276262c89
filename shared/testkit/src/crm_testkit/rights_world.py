"""A company whose records belong to different people, each record with its marks (`rights_matrix.py`)."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx
from crm_contracts.ids import TeamId

from crm_testkit.merged_document import Operation, operations_of
from crm_testkit.one_of_everything import (
    ACCOUNTS,
    ACTIVITIES,
    BODIES,
    CAMPAIGNS,
    CONSENTS,
    CONTACTS,
    CUSTOM_FIELDS,
    DATE_REMINDERS,
    DEALS,
    INVOICES,
    ORDERS,
    PAYMENTS,
    PIPELINES,
    POOLS,
    PRODUCTS,
    RELATIONSHIPS,
    SEGMENTS,
    TEAMS,
    TEMPLATES,
    TERRITORIES,
    TICKET_MESSAGES,
    TICKETS,
    USERS,
    create,
)
from crm_testkit.rights_matrix import (
    Marks,
    Matrix,
    MatrixOperation,
    MatrixRole,
    Probe,
)

EVERYBODY: Final = "everybody"

DISTANCES: Final[Mapping[str, str]] = {
    "mine": "own",
    "a mate's": "team",
    "our team's": "team",
    "a stranger's": "all",
    "nobody's": "all",
    EVERYBODY: "all",
}
"""Of each owner's records from me."""


@dataclass
class Company:
    """`me` and a mate are of one team, whose parent `boss` leads; a stranger is of another. `ids`: by owner, then collection.

    `collections`: those that `client` can reach.
    """

    client: httpx.AsyncClient
    collections: frozenset[str] = frozenset(BODIES)
    marks: Marks = field(default_factory=Marks)
    me: str = ""
    boss: str = ""
    ids: dict[str, dict[str, str]] = field(default_factory=dict)

    async def settle(self) -> None:
        region = await self._make(TEAMS, {"name": "region"})
        ours = await self._make(TEAMS, {"name": "ours", "parent_id": region})
        theirs = await self._make(TEAMS, {"name": "theirs"})
        self.me = await self._user("me", ours)
        mate = await self._user("mate", ours)
        stranger = await self._user("stranger", theirs)
        self.boss = await self._user("boss", region, manager=True)
        await self.own(self.me, mate, stranger, ours, theirs)
        self.ids[EVERYBODY] = await self._settings() | {TEAMS: ours, USERS: self.me}

    async def own(self, me: str, mate: str, stranger: str, ours: str, theirs: str) -> None:
        """Makes a customer for each owner, with what belongs to them."""
        for whose, given in {
            "mine": {"owner_id": me},
            "a mate's": {"owner_id": mate},
            "our team's": {"team_id": ours},
            "a stranger's": {"owner_id": stranger, "team_id": theirs},
            "nobody's": {},
        }.items():
            self.ids[whose] = await self._customer(whose, given)

    def _mark(self, resource: str, sensitivity: str, whose: str, text: str = "") -> str:
        return self.marks.new(resource, sensitivity, whose, text)

    async def _make(self, collection: str, body: dict[str, Any], ids: Mapping[str, str] | None = None) -> str:
        return str((await create(self.client, collection, body, ids or {}))["id"])

    async def _user(self, name: str, team_id: str, *, manager: bool = False) -> str:
        mark = self._mark("users", "personal", EVERYBODY)
        body = {"name": self._mark("users", "open", EVERYBODY), "email": f"{mark}@example.com"}
        return await self._make(USERS, {**body, "teams": [{"team_id": team_id, "manager": manager}]})

    async def _customer(self, whose: str, given: Mapping[str, str]) -> dict[str, str]:
        mark = partial(self._mark_of, whose)
        ids: dict[str, str] = {}
        make = partial(self._make_known, ids)
        await make(
            ACCOUNTS,
            {
                "name": mark("accounts", "open"),
                "external_ids": {"erp": mark("accounts", "commercial")},
                "custom": {"x": mark("accounts", "private")},
                **given,
            },
        )
        number = f"1380013{len(self.ids):04}"
        await make(
            CONTACTS,
            {
                "full_name": mark("contacts", "personal"),
                "emails": [{"address": f"{mark('contacts', 'personal')}@example.com"}],
                "phones": [{"number": f"+86{self._mark('contacts', 'personal', whose, number)}"}],
                "wechat": mark("contacts", "personal"),
                "external_ids": {"erp": mark("contacts", "personal")},
                "source": mark("contacts", "open"),
                "custom": {"x": mark("contacts", "private")},
                "account_id": ids[ACCOUNTS],
                **given,
            },
        )
        about = {"contact_id": ids[CONTACTS]}
        consent = {"channel": "email", "purpose": "marketing", "status": "granted"}
        private = {"evidence": {"x": mark("consents", "private")}}
        await make(CONSENTS, {**consent, "source": mark("consents", "open"), **private})
        await make(
            ACTIVITIES,
            {
                "kind": "call",
                "subject": mark("activities", "commercial"),
                "data": {"x": mark("activities", "private")},
                **about,
            },
        )
        role = {"account_id": ids[ACCOUNTS], "label": mark("relationships", "open")} if ACCOUNTS in ids else None
        if role is not None:
            await make(RELATIONSHIPS, {**role, "note": mark("relationships", "personal"), **about})
        await self._business(whose, ids)
        return ids

    async def _business(self, whose: str, ids: dict[str, str]) -> None:
        """What other services know of the customer."""
        mark = partial(self._mark_of, whose)
        make, about = partial(self._make_known, ids), {"contact_id": ids[CONTACTS]}
        await make(
            DEALS,
            {
                "name": mark("deals", "open"),
                "next_step": mark("deals", "commercial"),
                "amount": {
                    "amount": self._mark("deals", "commercial", whose, f"7301{len(self.ids)}.77"),
                    "currency": "CNY",
                },
                "custom": {"x": mark("deals", "private")},
                **about,
            },
        )
        price = {"amount": self._mark("orders", "commercial", whose, f"8402{len(self.ids)}.88"), "currency": "CNY"}
        await make(
            ORDERS,
            {
                "number": mark("orders", "open"),
                "lines": [{"name": mark("orders", "commercial"), "quantity": "1", "unit_price": price}],
                "custom": {"x": mark("orders", "private")},
                **about,
            },
        )
        owed = {"amount": self._mark("invoices", "commercial", whose, f"9503{len(self.ids)}.99"), "currency": "CNY"}
        await make(
            INVOICES,
            {
                "number": mark("invoices", "open"),
                "lines": [{"name": mark("invoices", "commercial"), "quantity": "1", "unit_price": owed}],
                "custom": {"x": mark("invoices", "private")},
                **about,
            },
        )
        await make(
            PAYMENTS,
            {
                "amount": {"amount": "1.00", "currency": "CNY"},
                "method": mark("payments", "open"),
                "reference": mark("payments", "commercial"),
                "custom": {"x": mark("payments", "private")},
                **about,
            },
        )
        await make(
            TICKETS,
            {
                "subject": mark("tickets", "commercial"),
                "kind": mark("tickets", "open"),
                "custom": {"x": mark("tickets", "private")},
                **about,
            },
        )
        await make(TICKET_MESSAGES, {"body": mark("tickets", "commercial")})

    def _mark_of(self, whose: str, resource: str, sensitivity: str) -> str:
        return self._mark(resource, sensitivity, whose)

    async def _make_known(self, ids: dict[str, str], collection: str, body: dict[str, Any]) -> None:
        if collection in self.collections:
            ids[collection] = await self._make(collection, body, ids)

    async def _settings(self) -> dict[str, str]:
        def named(resource: str) -> str:
            return self._mark(resource, "open", EVERYBODY)

        ids: dict[str, str] = {}
        ids[PIPELINES] = await self._make(PIPELINES, {"name": named("pipelines")})
        territory = {
            "resource": "contacts",
            "where": {"field": "source", "op": "eq", "value": "x"},
            "team_id": TeamId.new(),
        }
        ids[TERRITORIES] = await self._make(TERRITORIES, {"name": named("territories"), **territory})
        declared = {"resource": "activities", "name": "x", "type": "text"}
        ids[CUSTOM_FIELDS] = await self._make(CUSTOM_FIELDS, {"label": {"en": named("custom-fields")}, **declared})
        reminder = {"field": "birthday", "at": "00:00", "time_zone": "UTC"}
        ids[DATE_REMINDERS] = await self._make(DATE_REMINDERS, {"name": named("date-reminders"), **reminder})
        ids[POOLS] = await self._make(POOLS, {"name": named("pools")})
        secret = {"custom": {"x": self._mark("products", "private", EVERYBODY)}}
        ids[PRODUCTS] = await self._make(PRODUCTS, {"name": named("products"), **secret})
        ids[TEMPLATES] = await self._make(TEMPLATES, {"name": named("templates"), "subject": "x", "body_text": "x"})
        ids[SEGMENTS] = await self._make(SEGMENTS, {"name": named("segments")})
        about = {"segment_id": ids[SEGMENTS], "template_id": ids[TEMPLATES]}
        ids[CAMPAIGNS] = await self._make(CAMPAIGNS, {"name": named("campaigns"), **about})
        return ids


_TOGETHER: Final = 5
"""Requests of which none waits for another."""

_NEVER_ASKED: Final = ("/v1/tenants", "/v1/customers/lookup")
"""The first are the installation's administrator's; the second says nothing without a parameter, and is tried elsewhere."""

_BODIES: Final[Mapping[str, dict[str, Any]]] = {
    "refund_order": {"amount": {"amount": "1.00", "currency": "CNY"}, "at": "2026-10-05T09:00:00Z"},
    "move_deal": {"stage_id": "stage_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    "add_segment_members": {"contact_ids": ["contact_01jd3zq8w9e2vbx7k5m4n6p8qr"]},
    "release_contact": {"reason": "x"},
    "check_access": {"checks": [{"action": "read", "resource": "deals"}]},
}
"""Of operations that would refuse an empty one before they look for the record."""


def _places(operation: Operation, company: Company) -> Iterator[tuple[str, str]]:
    """Where an operation is tried: once on a collection, else on each owner's records."""
    path = operation.path
    if not operation.parameters:
        takes_limit = any(parameter.get("name") == "limit" for parameter in operation.spec["parameters"])
        yield EVERYBODY, f"{path}?limit=200" if takes_limit else path
        return
    for whose, ids in company.ids.items():
        for known in [ids] if not path.startswith("/v1/customers/") else _as_customers(ids):
            place = path
            for name, collection in operation.parameters:
                place = place.replace(f"{{{name}}}", known.get(collection, ""))
            if all(place.split("/")[1:]):
                yield whose, place
                if path == "/v1/customers/{customer_id}":
                    yield whose, f"{place}?consistency=live"


def _as_customers(ids: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"/v1/customers": ids[kind]} for kind in (CONTACTS, ACCOUNTS) if kind in ids]


class Trial:
    """All that is tried with a role: each operation of a document, on each owner's records, and every filter."""

    def __init__(self, company: Company, document: dict[str, Any]) -> None:
        self.matrix = Matrix(company.marks, company.client)
        self._company = company
        self._operations = [
            one
            for one in operations_of(document)
            if one.path.startswith("/v1/") and not one.open and not one.path.startswith(_NEVER_ASKED)
        ]
        self._probes: list[Probe] = []

    async def prepare(self) -> None:
        searched = {one.path.removesuffix("/search") for one in self._operations if one.path.endswith("/search")}
        lists = [one for one in self._operations if one.method == "get" and one.path in searched]
        self._probes = await self.matrix.probes([(_asked(one, one.path), one.spec) for one in lists], "a stranger's")

    async def of(self, role: MatrixRole, client: httpx.AsyncClient) -> None:
        for begin in range(0, len(self._probes), _TOGETHER):
            some = self._probes[begin : begin + _TOGETHER]
            await asyncio.gather(*(self.matrix.filtering(client, role, DISTANCES, probe) for probe in some))
        for operation in self._operations:
            places = _places(operation, self._company)
            await asyncio.gather(*(self._try(client, role, operation, *place) for place in places))

    async def _try(
        self, client: httpx.AsyncClient, role: MatrixRole, operation: Operation, whose: str, place: str
    ) -> None:
        asked = _asked(operation, place)
        if operation.reads:
            await self.matrix.reading(client, role, DISTANCES, asked, lasts=whose != EVERYBODY)
        elif operation.takes_version:
            await self.matrix.changing(client, role, asked, DISTANCES[whose])
        elif operation.path.endswith("/batch") and ":" in asked.permission:
            await self._batch(client, role, operation)

    async def _batch(self, client: httpx.AsyncClient, role: MatrixRole, operation: Operation) -> None:
        collection = operation.path.removesuffix("/batch")
        ids = self._company.ids
        if records := {known[collection]: DISTANCES[whose] for whose, known in ids.items() if collection in known}:
            await self.matrix.batch(client, role, _asked(operation, operation.path), records)


def _asked(operation: Operation, place: str) -> MatrixOperation:
    method = operation.method.upper()
    body = _BODIES.get(operation.spec["operationId"], {}) if method in ("POST", "PATCH") else None
    return MatrixOperation(method, place, operation.spec["x-relata-permission"], body)
