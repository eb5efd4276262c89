"""A company whose records belong to different people, each record with its marks (`rights_matrix.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from crm_testkit.one_of_everything import (
    ACCOUNTS,
    ACTIVITIES,
    CAMPAIGNS,
    CONSENTS,
    CONTACTS,
    DEALS,
    ORDERS,
    PIPELINES,
    SEGMENTS,
    TEAMS,
    TEMPLATES,
    TICKET_MESSAGES,
    TICKETS,
    USERS,
    create,
)
from crm_testkit.rights_matrix import Marks

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
    """`me` and a mate are of one team, whose parent `boss` leads; a stranger is of another. `ids`: by owner, then collection."""

    client: httpx.AsyncClient
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
        for whose, given in {
            "mine": {"owner_id": self.me},
            "a mate's": {"owner_id": mate},
            "our team's": {"team_id": ours},
            "a stranger's": {"owner_id": stranger, "team_id": theirs},
            "nobody's": {},
        }.items():
            self.ids[whose] = await self._customer(whose, given)
        self.ids[EVERYBODY] = await self._settings() | {TEAMS: ours, USERS: self.me}

    def _mark(self, resource: str, sensitivity: str, whose: str, text: str = "") -> str:
        return self.marks.new(resource, sensitivity, whose, text)

    async def _make(self, collection: str, body: dict[str, Any], ids: Mapping[str, str] | None = None) -> str:
        return str((await create(self.client, collection, body, ids or {}))["id"])

    async def _user(self, name: str, team_id: str, *, manager: bool = False) -> str:
        mark = self._mark("users", "personal", EVERYBODY)
        body = {"name": self._mark("users", "open", EVERYBODY), "email": f"{mark}@example.com"}
        return await self._make(USERS, {**body, "teams": [{"team_id": team_id, "manager": manager}]})

    async def _customer(self, whose: str, given: Mapping[str, str]) -> dict[str, str]:
        def mark(resource: str, sensitivity: str) -> str:
            return self._mark(resource, sensitivity, whose)

        ids: dict[str, str] = {}
        ids[ACCOUNTS] = await self._make(
            ACCOUNTS,
            {
                "name": mark("accounts", "open"),
                "external_ids": {"erp": mark("accounts", "commercial")},
                "custom": {"x": mark("accounts", "private")},
                **given,
            },
        )
        number = f"1380013{len(self.ids):04}"
        ids[CONTACTS] = await self._make(
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
        ids[CONSENTS] = await self._make(CONSENTS, {**consent, "source": mark("consents", "open"), **private}, ids)
        ids[ACTIVITIES] = await self._make(
            ACTIVITIES,
            {
                "kind": "call",
                "subject": mark("activities", "commercial"),
                "data": {"x": mark("activities", "private")},
                **about,
            },
        )
        ids[DEALS] = await self._make(
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
        ids[ORDERS] = await self._make(
            ORDERS,
            {
                "number": mark("orders", "open"),
                "lines": [{"name": mark("orders", "commercial"), "quantity": "1", "unit_price": price}],
                "custom": {"x": mark("orders", "private")},
                **about,
            },
        )
        ids[TICKETS] = await self._make(
            TICKETS,
            {
                "subject": mark("tickets", "commercial"),
                "kind": mark("tickets", "open"),
                "custom": {"x": mark("tickets", "private")},
                **about,
            },
        )
        ids[TICKET_MESSAGES] = await self._make(TICKET_MESSAGES, {"body": mark("tickets", "commercial")}, ids)
        return ids

    async def _settings(self) -> dict[str, str]:
        def named(resource: str) -> str:
            return self._mark(resource, "open", EVERYBODY)

        ids: dict[str, str] = {}
        ids[PIPELINES] = await self._make(PIPELINES, {"name": named("pipelines")})
        ids[TEMPLATES] = await self._make(TEMPLATES, {"name": named("templates"), "subject": "x", "body_text": "x"})
        ids[SEGMENTS] = await self._make(SEGMENTS, {"name": named("segments")})
        about = {"segment_id": ids[SEGMENTS], "template_id": ids[TEMPLATES]}
        ids[CAMPAIGNS] = await self._make(CAMPAIGNS, {"name": named("campaigns"), **about})
        return ids
