"""Orders, writes, people's tags, rules and passing days in any order: who has which tag is what a few lines of Python say."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
import pytest
from crm_contracts.ids import new_id
from crm_contracts.registry import ORDER
from crm_kit.http.principal import Principal
from crm_testkit.passing_time import let_days_pass
from crm_testkit.service import ALL_SCOPES, ServiceUnderTest, Tenant
from crm_testkit.tagged_contacts import cny, days_ago, event
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

pytestmark = pytest.mark.long

Json = dict[str, Any]


@dataclass
class Person:
    """What the model knows of a contact. `taken`: the rules that hold, each with whether somebody took its tag away."""

    id: str
    own: set[str] = field(default_factory=set)
    source: str | None = None
    birthday: date | None = None
    age: int = 0
    taken: dict[str, bool] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@dataclass
class Placed:
    id: str
    whose: int | None
    total: int
    counts: bool
    days: float
    version: int = 1
    deleted: bool = False


Holds = Callable[[Person, list[Placed], set[str]], bool]


def _is_soon(born: date | None) -> bool:
    if born is None:
        return False
    days = [datetime.now(UTC).date() + timedelta(days=number) for number in range(8)]
    leap = (born.month, born.day) == (2, 29)
    return any(
        (each.month, each.day) == (born.month, born.day)
        or (leap and (each.month, each.day) == (2, 28) and (each + timedelta(days=1)).month == 3)
        for each in days
    )


SHOP = {"field": "source", "op": "eq", "value": "shop"}
RULES: Final[dict[str, tuple[str, Json, Holds]]] = {
    "shop": ("vip", SHOP, lambda it, orders, tags: it.source == "shop"),
    "high": (
        "vip",
        {"field": "orders.total.CNY", "op": "gte", "value": 1000},
        lambda it, orders, tags: sum(each.total for each in orders) >= 1000,
    ),
    "sleeping": (
        "sleeping",
        {
            "all": [
                {"field": "orders.count", "op": "gte", "value": 1},
                {"not": {"field": "orders.last_at", "op": "within_last", "value": "90d"}},
            ]
        },
        lambda it, orders, tags: bool(orders) and min(each.days for each in orders) > 90,
    ),
    "birthday": (
        "birthday",
        {"field": "birthday", "op": "anniversary_within_next", "value": "7d"},
        lambda it, orders, tags: _is_soon(it.birthday),
    ),
    "mixed": (
        "mixed",
        {
            "any": [
                {"all": [SHOP, {"field": "orders.count", "op": "eq", "value": 0}]},
                {"not": {"field": "created_at", "op": "within_last", "value": "100d"}},
            ]
        },
        lambda it, orders, tags: (it.source == "shop" and not orders) or it.age >= 100,
    ),
    "top": (
        "top",
        {
            "all": [
                {"field": "tag", "op": "eq", "value": "vip"},
                {"not": {"field": "tag", "op": "eq", "value": "sleeping"}},
            ]
        },
        lambda it, orders, tags: "vip" in tags and "sleeping" not in tags,
    ),
}
"""By name: its tag, its condition, and what that means; each behind those on whose tags it hangs."""

people, orders = st.integers(0, 1), st.integers(0, 1)
names = st.sampled_from(sorted(RULES))


class Tagging(RuleBasedStateMachine):
    service: ServiceUnderTest
    loop: asyncio.AbstractEventLoop

    @initialize()
    def begin(self) -> None:
        self.tenant = Tenant(self.service.tenant().id, httpx.AsyncClient())
        principal = Principal("key_test", self.tenant.id, "CN", ALL_SCOPES, None)
        headers = {"Authorization": f"Bearer {self.service.mint.token(principal)}"}
        self.client = httpx.Client(base_url=self.service.url, headers=headers, timeout=30)
        self.people = [Person(self._post("/v1/contacts", {"wechat": f"w{number}"})["id"]) for number in range(2)]
        self.orders: dict[int, Placed] = {}
        self.rules: dict[str, str] = {}
        self.active: set[str] = set()
        for name, (tag, where, _) in RULES.items():
            body = {"name": name, "tag": tag, "where": where, "time_zone": "UTC"}
            self.rules[name] = self._post("/v1/tag-rules", body)["id"]
            self.active.add(name)
        for number in range(2):
            self.orders[number] = Placed(new_id("order"), number, 600, True, 80.5)
            self._tell(self.orders[number])

    def _post(self, path: str, body: Json) -> Json:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def _patch(self, path: str, body: Json) -> Json:
        answer = self.client.patch(path, json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    @rule(
        number=orders,
        whose=people,
        total=st.sampled_from([1000, 600, 400]),
        counts=st.sampled_from([True, True, False]),
    )
    def order(self, number: int, whose: int, total: int, counts: bool) -> None:
        """Placed, or become another's, of another total, cancelled or back."""
        known = self.orders.get(number)
        if known is None or known.deleted:
            known = self.orders[number] = Placed(new_id("order"), whose, total, counts, 80.5)
        else:
            known.whose, known.total, known.counts, known.version = whose, total, counts, known.version + 1
        self._tell(known)

    @rule(number=orders, whose=people)
    def place_another(self, number: int, whose: int) -> None:
        if number not in self.orders:
            self.orders[number] = Placed(new_id("order"), whose, 400, True, 0.5)
            self._tell(self.orders[number])

    @rule(number=orders)
    def delete_order(self, number: int) -> None:
        if (known := self.orders.get(number)) is not None and not known.deleted:
            known.deleted, known.version = True, known.version + 1
            self._tell(known)

    @rule(number=orders, whose=people)
    def come_late(self, number: int, whose: int) -> None:
        """What is told once more, and something older of another content."""
        if (known := self.orders.get(number)) is not None:
            self._publish(known, known.version, known.whose)
            self._publish(known, max(known.version - 1, 1), whose)

    def _tell(self, order: Placed) -> None:
        self._publish(order, order.version, order.whose)
        asyncio.run(self._until_seen(order))
        self._decide()

    def _publish(self, order: Placed, version: int, whose: int | None) -> None:
        members = {
            "total": cny(f"{order.total}.00"),
            "status": "paid" if order.counts else "cancelled",
            "placed_at": days_ago(order.days),
            "deleted": order.deleted,
        }
        contact_id = self.people[whose].id if whose is not None else None
        told = event(self.tenant, ORDER, order.id, version, contact_id, members)
        asyncio.run_coroutine_threadsafe(self.service.publish((ORDER.name, told)), self.loop).result(30)

    async def _until_seen(self, order: Placed) -> None:
        """Or days might pass before it has come."""
        connection = await asyncpg.connect(self.service.urls.app)
        try:
            await connection.execute("select set_config('app.tenant_id', $1, false)", self.tenant.id)
            async with asyncio.timeout(30):
                while (
                    await connection.fetchval("select version from fact_copy where id = $1", order.id)
                ) != order.version:
                    await asyncio.sleep(0.02)
        finally:
            await connection.close()

    @rule(who=people, source=st.sampled_from(["shop", "fair", None]))
    def come_from(self, who: int, source: str | None) -> None:
        self._patch(f"/v1/contacts/{self.people[who].id}", {"source": source})
        self.people[who].source = source
        self._decide()

    @rule(who=people, ahead=st.sampled_from([3, 12, 300]))
    def be_born(self, who: int, ahead: int) -> None:
        born = datetime.now(UTC).date() + timedelta(days=ahead) - timedelta(days=round(30 * 365.25))
        self._patch(f"/v1/contacts/{self.people[who].id}", {"birthday": born.isoformat()})
        self.people[who].birthday = born
        self._decide()

    @rule(who=people, tags=st.sets(st.sampled_from(["own", "vip", "sleeping", "top", "mixed"])))
    def write_tags(self, who: int, tags: set[str]) -> None:
        it = self.people[who]
        by_rules_alone = it.tags - it.own
        it.own = tags - by_rules_alone
        for name in it.taken:
            tag = RULES[name][0]
            it.taken[name] = tag not in tags or (it.taken[name] and tag in by_rules_alone)
        self._patch(f"/v1/contacts/{it.id}", {"tags": sorted(tags)})
        self._decide()

    @rule(name=names)
    def switch(self, name: str) -> None:
        self.active ^= {name}
        self._patch(f"/v1/tag-rules/{self.rules[name]}", {"active": name in self.active})
        deadline = time.monotonic() + 30
        while self.client.get("/v1/tag-rules/evaluation").json()["pending"]:
            assert time.monotonic() < deadline, "the evaluation does not end"
            time.sleep(0.02)
        self._decide()

    @rule(days=st.sampled_from([4, 10, 45]))
    def pass_by(self, days: int) -> None:
        asyncio.run(let_days_pass(self.service.urls.app, self.tenant.id, days))
        for it in self.people:
            it.age += days
            it.birthday = it.birthday - timedelta(days=days) if it.birthday else None
        for placed in self.orders.values():
            placed.days += days
        self._decide()

    def _decide(self) -> None:
        """The oracle."""
        for number, it in enumerate(self.people):
            mine = [each for each in self.orders.values() if each.whose == number and each.counts and not each.deleted]
            it.tags = set(it.own)
            for name, (tag, _, holds) in RULES.items():
                if name in self.active and holds(it, mine, it.tags):
                    if not it.taken.setdefault(name, False):
                        it.tags.add(tag)
                else:
                    it.taken.pop(name, None)

    @invariant()
    def everybody_has_the_tags_that_they_should(self) -> None:
        """In the end: what comes by events, and with time alone, is waited for, also where it changes no tag."""
        for it in self.people:
            expected = it.tags, it.tags, {self.rules[name]: taken for name, taken in it.taken.items()}
            deadline = time.monotonic() + 20
            while (found := self._told(it)) != expected:
                assert time.monotonic() < deadline, (found, expected, it)
                time.sleep(0.02)

    def _told(self, it: Person) -> tuple[set[str], set[str], dict[str, bool]]:
        """The contact's tags; those of which reasons are told; which rules hold, and whether their tag was taken away."""
        tags = set(self.client.get(f"/v1/contacts/{it.id}").json()["tags"])
        told = self.client.get(f"/v1/contacts/{it.id}/tags").json()["data"]
        by_rule = {each["rule_id"]: each["taken"] for each in told if each["by"] == "rule"}
        return tags, {each["tag"] for each in told if not each["taken"]}, by_rule

    def teardown(self) -> None:
        self.client.close()


async def test_whatever_happens_in_whatever_order(service: ServiceUnderTest) -> None:
    machine = type("Machine", (Tagging,), {"service": service, "loop": asyncio.get_running_loop()})
    bounds = settings(max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=bounds)
