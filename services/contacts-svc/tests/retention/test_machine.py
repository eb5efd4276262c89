"""Writes, holds, rules and passing days in any order: nothing is touched before it is due or under a hold, and all that is due is done."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
import pytest
from crm_kit.http.principal import Principal
from crm_testkit.passing_time import let_pass
from crm_testkit.service import ALL_SCOPES, ServiceUnderTest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

pytestmark = pytest.mark.long

A_DAY: Final = 24
_GONE: Final = {"erase": "erased", "delete": "not_found"}
_THROUGH: Final = (
    "select not exists (select from timer where kind = 'retention_rule' and due_at <= now() + interval '5 s')"
    " and not exists (select from retention_run where status = 'running')"
)
sources = st.sampled_from("ab")
anybody = st.integers(0, 99)
after = st.sampled_from([2, 3, 5])
"""Days: short beside the hours that pass at a time, so that runs come just before and just after what is due."""

what = {
    "counted_from": st.sampled_from(["created_at", "updated_at", "last_activity_at"]),
    "days": after,
    "action": st.sampled_from(["archive", "delete", "erase"]),
    "source": st.none() | sources,
    "hours": st.sampled_from([25, 60]),
}


@dataclass
class Person:
    """`fate`: `there`, `archived`, or the code of what is answered."""

    id: str
    source: str
    times: dict[str, int]
    fate: str = "there"
    hold: str | None = None
    hold_until: int | None = None
    restricted: str | None = None


@dataclass
class Model:
    counted_from: str = "created_at"
    after: int = 0
    action: str = "archive"
    source: str | None = None
    active: bool = False
    effective_at: int = 0
    next_run: int = 0
    people: list[Person] = field(default_factory=list)


class Retaining(RuleBasedStateMachine):
    service: ServiceUnderTest

    @initialize(**what)
    def begin(self, **rule: Any) -> None:
        tenant = self.service.tenant()
        self.tenant_id = tenant.id
        principal = Principal("key_test", tenant.id, "CN", ALL_SCOPES)
        headers = {"Authorization": f"Bearer {self.service.mint.token(principal)}"}
        self.client = httpx.Client(base_url=self.service.url, headers=headers, timeout=60)
        self.now = 0
        self.model = Model()
        self.rule_path: str | None = None
        for source in "aab":
            self.come(source)
        self._make(**rule)

    def _post(self, path: str, expected: int = 201, **body: Any) -> dict[str, Any]:
        answer = self.client.post(path, json=body)
        assert answer.status_code == expected, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _somebody(self, number: int) -> Person | None:
        there = [each for each in self.model.people if each.fate in ("there", "archived")]
        return there[number % len(there)] if there else None

    @rule(source=sources)
    def come(self, source: str) -> None:
        made = self._post("/v1/contacts", full_name="王伟", source=source)
        times = dict.fromkeys(("created_at", "updated_at", "last_activity_at"), self.now)
        self.model.people.append(Person(made["id"], source, times))

    @rule(number=anybody)
    def call(self, number: int) -> None:
        if (person := self._somebody(number)) is not None:
            self._post("/v1/activities", kind="call", contact_id=person.id)
            person.times["last_activity_at"] = self.now

    @rule(number=anybody)
    def rename(self, number: int) -> None:
        if (person := self._somebody(number)) is not None and person.restricted is None:
            answer = self.client.patch(f"/v1/contacts/{person.id}", json={"title": f"{time.monotonic()}"})
            assert answer.status_code == 200, answer.text
            person.times["updated_at"] = self.now

    @rule(number=anybody, hours=st.sampled_from([None, 50, 130]))
    def hold(self, number: int, hours: int | None) -> None:
        person = self._somebody(number)
        if person is None or person.hold is not None:
            return
        until = None if hours is None else (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
        person.hold = self._post("/v1/legal-holds", contact_id=person.id, reason="x", until=until)["id"]
        person.hold_until = None if hours is None else self.now + hours

    @rule(number=anybody)
    def release(self, number: int) -> None:
        person = self._somebody(number)
        if person is not None and person.hold is not None:
            self._post(f"/v1/legal-holds/{person.hold}/release", expected=200)
            person.hold = None

    @rule(number=anybody)
    def restrict_or_lift(self, number: int) -> None:
        person = self._somebody(number)
        if person is None:
            return
        if person.restricted is None:
            asked = self._post("/v1/privacy-requests", kind="restriction", contact_id=person.id)
            person.restricted = asked["id"]
        else:
            self._post(f"/v1/privacy-requests/{person.restricted}/lift", expected=200)
            person.restricted = None
        person.times["updated_at"] = self.now

    @rule(**what)
    @precondition(lambda self: self.rule_path is None)
    def make_rule(self, **rule: Any) -> None:
        self._make(**rule)

    def _make(self, counted_from: str, days: int, action: str, source: str | None, hours: int) -> None:
        where = None if source is None else {"field": "source", "op": "eq", "value": source}
        at = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
        body = {
            "resource": "contacts",
            "counted_from": counted_from,
            "after_days": days,
            "action": action,
            "where": where,
        }
        made = self._post("/v1/retention-rules", name="x", reason="x", effective_at=at, **body)
        self.rule_path = f"/v1/retention-rules/{made['id']}"
        m = self.model
        m.counted_from, m.after, m.action, m.source = counted_from, days * A_DAY, action, source
        m.active, m.effective_at = True, self.now + hours
        m.next_run = m.effective_at

    @rule(days=after)
    @precondition(lambda self: self.rule_path is not None)
    def change_days(self, days: int) -> None:
        m = self.model
        before = m.after
        self._patch(after_days=days)
        if days * A_DAY == before:
            return
        m.after = days * A_DAY
        if m.active and m.after < before:
            m.effective_at = max(m.effective_at, self.now + 7 * A_DAY)
        if m.active:
            m.next_run = max(self.now, m.effective_at)
            self._settle()

    @rule(chance=st.integers(0, 3))
    @precondition(lambda self: self.rule_path is not None)
    def switch(self, chance: int) -> None:
        m = self.model
        if m.active and chance:  # seldom off: nothing happens then
            return
        m.active = not m.active
        self._patch(active=m.active)
        if m.active:
            m.effective_at = max(m.effective_at, self.now + 7 * A_DAY)
            m.next_run = m.effective_at

    @rule(chance=st.integers(0, 5))
    @precondition(lambda self: self.rule_path is not None)
    def drop_rule(self, chance: int) -> None:
        if chance:
            return
        assert self.client.delete(str(self.rule_path)).status_code == 204
        self.rule_path, self.model.active = None, False

    def _patch(self, **members: Any) -> None:
        answer = self.client.patch(str(self.rule_path), json=members)
        assert answer.status_code == 200, answer.text

    @rule(hours=st.sampled_from([7, 25, 31, 170]))
    def pass_by(self, hours: int) -> None:
        self._pass(hours)

    @rule()
    def pass_a_day(self) -> None:
        self._pass(25)

    def _pass(self, hours: int) -> None:
        asyncio.run(let_pass(self.service.urls.app, self.tenant_id, timedelta(hours=hours)))
        self.now += hours
        self._settle()

    def _settle(self) -> None:
        """What is due by the model is done by it, and by the service."""
        asyncio.run(self._until_through())
        m = self.model
        if m.active and m.next_run <= self.now:
            m.next_run = self.now + A_DAY
            for person in m.people:
                if self._is_taken(person):
                    self._take(person)

    def _is_taken(self, person: Person) -> bool:
        m = self.model
        held = person.hold is not None and (person.hold_until is None or person.hold_until > self.now)
        there = ("there",) if m.action == "archive" else ("there", "archived")
        return (
            person.fate in there
            and not held
            and person.restricted is None
            and m.source in (None, person.source)
            and person.times[m.counted_from] <= self.now - m.after
        )

    def _take(self, person: Person) -> None:
        if self.model.action == "archive":
            person.fate, person.times["updated_at"] = "archived", self.now
        else:
            person.fate = _GONE[self.model.action]

    async def _until_through(self) -> None:
        connection = await asyncpg.connect(self.service.urls.app)
        try:
            await connection.execute("select set_config('app.tenant_id', $1, false)", self.tenant_id)
            async with asyncio.timeout(60):
                while not await connection.fetchval(_THROUGH):
                    await asyncio.sleep(0.02)
        finally:
            await connection.close()

    @invariant()
    def everybody_is_where_they_should_be(self) -> None:
        for person in self.model.people:
            answer = self.client.get(f"/v1/contacts/{person.id}")
            found = answer.json()
            fate = found.get("code") or ("archived" if found["archived_at"] is not None else "there")
            assert fate == person.fate, (fate, person, self.model, self.now)

    def teardown(self) -> None:
        self.client.close()


async def test_whatever_happens_in_whatever_order(service: ServiceUnderTest) -> None:
    machine = type("Machine", (Retaining,), {"service": service})
    bounds = settings(max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=bounds)
