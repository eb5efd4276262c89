"""The week itself: every step is a call that any client could make."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from crm_local.demo.careful import CarefulClient, DemoFailed
from crm_local.demo.mailbox import Mailbox
from crm_local.demo.people import ANSWERS, QUESTIONS, Cast

Step = Callable[[], Awaitable[None]]
Progress = Callable[[str, int, int], None]

_AT_ONCE = 8
_SETTLED_SECONDS = 60.0
_VOLATILE = frozenset({"as_of", "version", "sources", "degraded"})
_UNSUBSCRIBE = re.compile(r"<(https?://[^>]+)>")


@dataclass
class Week:
    """Plays the week through `client`; remembers what it made."""

    client: CarefulClient
    mailbox: Mailbox
    cast: Cast
    people: int
    progress: Progress
    monday: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=7))
    accounts: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    deals: list[dict[str, Any]] = field(default_factory=list)
    closed_deal_ids: set[str] = field(default_factory=set)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    campaign: dict[str, Any] = field(default_factory=dict)
    unsubscribed_id: str = ""

    async def play(self) -> None:
        """Raises DemoFailed."""
        random = self.cast.random
        await self._each("Companies", [partial(self._company, body) for body in self.cast.companies()])
        await self._each("Contacts", [partial(self._contact, number) for number in range(self.people)])
        self.stages = (await self._pipeline())["stages"]
        some = random.sample(self.contacts, max(1, len(self.contacts) // 3))
        await self._each("Deals", [partial(self._deal, contact) for contact in some])
        await self._each(
            "Deals move", [partial(self._move, deal) for deal in random.sample(self.deals, len(self.deals) * 2 // 3)]
        )
        buyers = random.choices(self.contacts, k=len(self.contacts) // 2)
        await self._each("Orders", [partial(self._order, number, contact) for number, contact in enumerate(buyers)])
        askers = random.sample(self.contacts, max(1, len(self.contacts) // 5))
        await self._each("Tickets", [partial(self._ticket, contact) for contact in askers])
        await self._each(
            "Activities", [partial(self._activity, contact) for contact in random.sample(self.contacts, len(some))]
        )
        await self._each("Consents", [partial(self._consent, contact) for contact in self.contacts])
        await self._campaign()
        await self._unsubscribe()
        await self._each("Views checked", [partial(self._check, contact["id"]) for contact in self.contacts])

    async def _each(self, title: str, steps: Iterable[Step]) -> None:
        waiting = list(steps)
        limit, done = asyncio.Semaphore(_AT_ONCE), 0

        async def one(step: Step) -> None:
            nonlocal done
            async with limit:
                await step()
            done += 1
            self.progress(title, done, len(waiting))

        async with asyncio.TaskGroup() as group:
            for step in waiting:
                group.create_task(one(step))

    def _moment(self) -> str:
        return (self.monday + timedelta(seconds=self.cast.random.randint(0, 6 * 86_400))).isoformat()

    async def _company(self, body: dict[str, object]) -> None:
        self.accounts.append(await self.client.post("/v1/accounts", body))

    async def _contact(self, number: int) -> None:
        person = self.cast.person(number)
        body: dict[str, Any] = {
            "full_name": person.name,
            "emails": [{"address": person.email, "primary": True}],
            "source": self.cast.random.choice(["展会", "官网", "转介绍", "trade fair"]),
            "tags": self.cast.random.sample(["vip", "新客户", "经销商", "newsletter"], self.cast.random.randint(0, 2)),
        }
        if person.phone:
            body["phones"] = [{"number": person.phone}]
        if self.cast.random.random() < 0.6:
            body["account_id"] = self.cast.random.choice(self.accounts)["id"]
        self.contacts.append(await self.client.post("/v1/contacts", body))

    async def _pipeline(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while not (found := (await self.client.get("/v1/pipelines"))["data"]):
                await asyncio.sleep(0.1)
        pipeline: dict[str, Any] = found[0]
        return pipeline

    async def _deal(self, contact: dict[str, Any]) -> None:
        amount = f"{self.cast.random.randint(5, 400) * 1000}.00"
        body = {
            "name": self.cast.random.choice(["年度框架", "净水项目", "滤芯批发", "Service contract"]),
            "contact_id": contact["id"],
            "account_id": contact["account_id"],
            "amount": {"amount": amount, "currency": "CNY"},
        }
        self.deals.append(await self.client.post("/v1/deals", {name: value for name, value in body.items() if value}))

    async def _move(self, deal: dict[str, Any]) -> None:
        for stage in self.cast.random.sample(self.stages[1:], self.cast.random.randint(1, 2)):
            body = {"stage_id": stage["id"]}
            if stage["kind"] == "lost":
                body["lost_reason"] = "价格"
            await self.client.post(f"/v1/deals/{deal['id']}/move", body, want=200)
            (self.closed_deal_ids.discard if stage["kind"] == "open" else self.closed_deal_ids.add)(deal["id"])

    async def _order(self, number: int, contact: dict[str, Any]) -> None:
        body = {
            "number": f"SO-{1000 + number}",
            "source": "shop",
            "contact_id": contact["id"],
            "lines": self.cast.lines(),
            "status": self.cast.random.choice(["paid", "paid", "completed", "pending"]),
            "placed_at": self._moment(),
        }
        self.orders.append(await self.client.post("/v1/orders", body))

    async def _ticket(self, contact: dict[str, Any]) -> None:
        random = self.cast.random
        ticket = await self.client.post(
            "/v1/tickets", {"subject": random.choice(QUESTIONS), "contact_id": contact["id"], "channel": "email"}
        )
        self.tickets.append(ticket)
        path = f"/v1/tickets/{ticket['id']}/messages"
        author = {"kind": "contact", "id": contact["id"]}
        await self.client.post(
            path, {"body": f"{ticket['subject']}。请帮忙看一下。", "visibility": "public", "author": author}
        )
        await self.client.post(path, {"body": random.choice(ANSWERS), "visibility": "public"})
        if random.random() < 0.5:
            await self.client.post(f"/v1/tickets/{ticket['id']}/solve", {}, want=200)

    async def _activity(self, contact: dict[str, Any]) -> None:
        random = self.cast.random
        body = {
            "kind": random.choice(["call", "meeting", "visit", "note"]),
            "direction": random.choice(["inbound", "outbound"]),
            "at": self._moment(),
            "subject": random.choice(["咨询价格", "产品演示", "售后回访", "Follow-up"]),
            "contact_id": contact["id"],
        }
        await self.client.post("/v1/activities", body)

    async def _consent(self, contact: dict[str, Any]) -> None:
        status = "granted" if self.cast.random.random() < 0.6 else "withdrawn"
        body = {"channel": "email", "purpose": "marketing", "status": status, "source": "form", "wording": "v1"}
        await self.client.post(f"/v1/contacts/{contact['id']}/consents", body)

    async def _campaign(self) -> None:
        segment = await self.client.post("/v1/segments", {"name": "全部客户"})
        ids = [contact["id"] for contact in self.contacts]
        for start in range(0, len(ids), 1000):
            await self.client.post(
                f"/v1/segments/{segment['id']}/members", {"contact_ids": ids[start : start + 1000]}, want=200
            )
        template = await self.client.post(
            "/v1/templates",
            {
                "name": "秋季保养",
                "channel": "email",
                "subject": "{{ contact.full_name }}，秋季滤芯优惠",
                "body_text": "您好 {{ contact.full_name }}：\n\n本周滤芯八折。\n\n退订：{{ unsubscribe_url }}\n",
                "body_html": "<p>您好 {{ contact.full_name }}：</p><p>本周滤芯八折。</p>"
                '<p><a href="{{ unsubscribe_url }}">退订</a></p>',
            },
        )
        body = {"name": "秋季保养", "channel": "email", "segment_id": segment["id"], "template_id": template["id"]}
        campaign = await self.client.post("/v1/campaigns", body)
        await self.client.post(f"/v1/campaigns/{campaign['id']}/schedule", {}, want=200)
        async with asyncio.timeout(180):
            while (now := await self.client.get(f"/v1/campaigns/{campaign['id']}"))["status"] != "sent":
                self.progress("Mails sent", len(self.mailbox.messages), max(len(self.mailbox.messages), 1))
                await asyncio.sleep(0.2)
        self.campaign = now

    async def _unsubscribe(self) -> None:
        """One reader has had enough: their mail program calls the link of RFC 8058."""
        if not self.mailbox.messages:
            raise DemoFailed("the campaign sent no mail")
        mail = self.mailbox.messages[0]
        link = _UNSUBSCRIBE.search(str(mail["List-Unsubscribe"]))
        if link is None:
            raise DemoFailed("a mail has no List-Unsubscribe link")
        await self.client.follow(link.group(1), {"List-Unsubscribe": "One-Click"})
        address = str(mail["To"]).split("<")[-1].rstrip(">").strip()
        found = (await self.client.get("/v1/contacts", email=address))["data"]
        self.unsubscribed_id = found[0]["id"]
        async with asyncio.timeout(_SETTLED_SECONDS):
            while (await self.client.get(f"/v1/customers/{self.unsubscribed_id}"))["consents"]["email"][
                "marketing"
            ] != "withdrawn":
                await asyncio.sleep(0.05)
        self.progress("Unsubscribed", 1, 1)

    async def _check(self, contact_id: str) -> None:
        """The contact's view holds everything that was acknowledged, once, and says what the services say."""
        mine = [deal["id"] for deal in self.deals if deal["contact_id"] == contact_id]
        expected = (
            Counter(deal_id for deal_id in mine if deal_id not in self.closed_deal_ids),
            sum(order["contact_id"] == contact_id for order in self.orders),
            sum(ticket["contact_id"] == contact_id for ticket in self.tickets),
        )
        view = await self.settled(contact_id)
        found = (
            Counter(deal["id"] for deal in view["sales"]["open_deals"]),
            view["sales"]["orders"]["count"],
            sum(view["support"]["counts"].values()),
        )
        if found != expected:
            raise DemoFailed(f"the view of {contact_id} has deals, orders and tickets {found}, not {expected}")

    async def settled(self, customer_id: str) -> dict[str, Any]:
        """The customer's view, once it says the same as the services themselves. Raises DemoFailed."""
        end = asyncio.get_running_loop().time() + _SETTLED_SECONDS
        while True:
            view = await self.client.get(f"/v1/customers/{customer_id}")
            live = await self.client.get(f"/v1/customers/{customer_id}", consistency="live")
            differing = [name for name in {*view, *live} - _VOLATILE if view.get(name) != live.get(name)]
            if not differing and "degraded" not in live:
                return view
            if asyncio.get_running_loop().time() > end:
                raise DemoFailed(f"the view of {customer_id} does not become what the services say: {differing}")
            await asyncio.sleep(0.1)
