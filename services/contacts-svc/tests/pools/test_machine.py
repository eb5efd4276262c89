"""Claims, releases, work and passing days in any order: who has what is what a few lines of arithmetic say."""

import asyncio
import time
from datetime import timedelta
from typing import Any, Final

import httpx
from crm_contracts.ids import UserId
from crm_kit.http.principal import Principal
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.passing_time import let_pass
from crm_testkit.service import ALL_SCOPES, ServiceUnderTest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

USERS: Final = [UserId.new() for _ in range(3)]
HOLD, A_DAY, RETURN, RECLAIM = 2, 3, 10 * 24, 3 * 24
"""How many one holds, how many one claims in 24 hours; after how many hours a contact returns, and can be claimed again."""

users = st.integers(0, len(USERS) - 1)
contacts = st.integers(0, 3)


class Claiming(RuleBasedStateMachine):
    service: ServiceUnderTest
    grants: list[Grant]

    @initialize()
    def begin(self) -> None:
        tenant = self.service.tenant()
        self.tenant_id = tenant.id
        self.system = self._client(None)
        self.people = [self._client(user_id) for user_id in USERS]
        limits = {"hold_limit": HOLD, "claim_limit_per_day": A_DAY}
        times = {"return_after_days": RETURN // 24, "reclaim_after_days": RECLAIM // 24}
        pool = self.system.post("/v1/pools", json={"name": "公海", **limits, **times}).json()
        self.ids = [
            self.system.post("/v1/contacts", json={"full_name": "王伟", "pool_id": pool["id"]}).json()["id"]
            for _ in range(4)
        ]
        self.now = 0
        self.owner: list[int | None] = [None] * 4
        self.returns_at: list[int] = [0] * 4
        self.lost: dict[tuple[int, int], int] = {}
        self.claims: list[list[int]] = [[] for _ in USERS]

    def _client(self, user_id: str | None) -> httpx.Client:
        rights = Rights(user_id, (), self.grants, admin=False) if user_id is not None else None
        principal = Principal(user_id or "key_test", self.tenant_id, "CN", ALL_SCOPES, rights)
        headers = {"Authorization": f"Bearer {self.service.mint.token(principal)}"}
        return httpx.Client(base_url=self.service.url, headers=headers, timeout=30)

    @rule(user=users, contact=contacts)
    def claim(self, user: int, contact: int) -> None:
        answer = self.people[user].post(f"/v1/contacts/{self.ids[contact]}/claim", json={})
        told = answer.json().get("code", "claimed")
        assert told == self._expected(user, contact), answer.text
        if told == "claimed":
            self.owner[contact], self.returns_at[contact] = user, self.now + RETURN
            self.claims[user].append(self.now)

    def _expected(self, user: int, contact: int) -> str:
        if self.owner[contact] is not None:
            return "already_claimed"
        if (lost := self.lost.get((user, contact))) is not None and self.now < lost + RECLAIM:
            return "claimed_lately"
        if self.owner.count(user) >= HOLD:
            return "hold_limit_reached"
        lately = [at for at in self.claims[user] if self.now < at + 24]
        return "claim_limit_reached" if len(lately) >= A_DAY else "claimed"

    @rule(user=users, contact=contacts)
    def release(self, user: int, contact: int) -> None:
        answer = self.people[user].post(f"/v1/contacts/{self.ids[contact]}/release", json={"reason": "x"})
        if self.owner[contact] == user:
            assert answer.status_code == 200, answer.text
            self._lose(contact)
        else:
            expected = "not_claimed" if self.owner[contact] is None else "not_found"
            assert answer.json()["code"] == expected, answer.text

    def _lose(self, contact: int) -> None:
        user = self.owner[contact]
        assert user is not None
        self.lost[user, contact], self.owner[contact] = self.now, None

    @rule(user=users, contact=contacts, title=st.sampled_from("ab"))
    def work(self, user: int, contact: int, title: str) -> None:
        answer = self.people[user].patch(f"/v1/contacts/{self.ids[contact]}", json={"title": title})
        assert (answer.status_code == 200) == (self.owner[contact] == user), answer.text
        if answer.status_code == 200:
            self.returns_at[contact] = self.now + RETURN

    @rule(hours=st.sampled_from([7, 25, 73, 150, 241]))
    def pass_by(self, hours: int) -> None:
        asyncio.run(let_pass(self.service.urls.app, self.tenant_id, timedelta(hours=hours)))
        self.now += hours
        for contact, owner in enumerate(self.owner):
            if owner is not None and self.returns_at[contact] <= self.now:
                self._lose(contact)
                deadline = time.monotonic() + 30
                while self._read(contact)["owner_id"] is not None:
                    assert time.monotonic() < deadline, "it has not come back"
                    time.sleep(0.05)

    def _read(self, contact: int) -> dict[str, Any]:
        found: dict[str, Any] = self.system.get(f"/v1/contacts/{self.ids[contact]}").json()
        return found

    @invariant()
    def everybody_has_what_they_should(self) -> None:
        for contact, owner in enumerate(self.owner):
            found = self._read(contact)
            assert found["owner_id"] == (USERS[owner] if owner is not None else None)
            assert (found["returns_at"] is None) == (owner is None)

    def teardown(self) -> None:
        for client in (self.system, *self.people):
            client.close()


async def test_whatever_happens_in_whatever_order(service: ServiceUnderTest, salesperson_grants: list[Grant]) -> None:
    machine = type("Machine", (Claiming,), {"service": service, "grants": salesperson_grants})
    bounds = settings(max_examples=6, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=bounds)
