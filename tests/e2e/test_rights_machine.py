"""People, teams, roles, transfers and shares in any order: every way to a record answers as the model.

Get, list, search, batch, the customer view as it is stored and live, the list of customers and the timeline. The model
(`crm_testkit/rights_model.py`) is told the same and knows nothing of how it is done. There is no stream and no export of
records yet.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from crm_testkit.rights_model import ROLES, Json, Model, Person, own_roles
from crm_testkit.whole_stack import Relata, bearer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

pytestmark = pytest.mark.long

_SETTLED_WITHIN = 20.0
_HELD = st.lists(st.sampled_from(sorted(ROLES)), max_size=2, unique=True)
_PAST, _FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
_SOON = timedelta(seconds=1.5)
_NAMES: Final = {"contacts": "full_name", "accounts": "name", "deals": "name"}
_CALLED: Final = "欧阳晓梅"


class Office(RuleBasedStateMachine):
    """People come, move, are promoted, hand over, share and delete; somebody looks."""

    relata: Relata

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ends_at = datetime.now(UTC)
        key = self.blocking_tenant()
        self.client = self.relata.blocking_client(key)
        self.role_ids: dict[str, str] = {}

    blocking_tenant: Any

    def _call(self, method: str, path: str, body: Any = None) -> Json:
        answer = self.client.request(method, path, json=body)
        assert answer.status_code in (200, 201, 204), f"{method} {path} {body}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    @initialize(data=st.data())
    def open(self, data: st.DataObject) -> None:
        """Enough of everything that each rule finds something to change."""
        for name, grants in own_roles():
            self.role_ids[name] = self._call("POST", "/v1/roles", {"name": name, "grants": grants})["id"]
        self._team(None)
        self._team(next(iter(self.model.parents)))
        self._team(None)
        for _ in range(3):
            self._hire()
        for user in sorted(self.model.people):
            self._promote(data, user, data.draw(st.sampled_from(["sales", "sales_manager", "fair"])))
        self.win_an_account(data)  # type: ignore[call-arg]  # a rule is a method too
        for _ in range(3):
            self.meet_a_contact(data)  # type: ignore[call-arg]  # as above
        self.begin_a_deal(data)  # type: ignore[call-arg]  # as above

    def _team(self, parent: str | None) -> None:
        made = self._call("POST", "/v1/teams", {"name": uuid.uuid4().hex, "parent_id": parent})
        self.model.parents[made["id"]] = parent

    def _hire(self) -> None:
        made = self._call("POST", "/v1/users", {"name": "x", "email": f"{uuid.uuid4().hex}@example.com"})
        self.model.people[made["id"]] = Person()

    def _pick(self, data: st.DataObject, among: Any) -> str:
        return str(data.draw(st.sampled_from(sorted(among))))

    def _maybe(self, data: st.DataObject, among: Any) -> str | None:
        return data.draw(st.sampled_from([None, *sorted(among)]))

    def _record(self, data: st.DataObject, *kinds: str) -> tuple[str, str]:
        """The kind and id of one that there is."""
        found = [(kind, id_) for kind in kinds for id_ in sorted(self.model.records[kind])]
        return data.draw(st.sampled_from(found))

    @rule(data=st.data())
    def found_a_team(self, data: st.DataObject) -> None:
        if len(self.model.parents) < 4:
            self._team(self._maybe(data, self.model.parents))

    @rule(data=st.data())
    def move_a_team(self, data: st.DataObject) -> None:
        team, parent = self._pick(data, self.model.parents), self._maybe(data, self.model.parents)
        if not self.model.is_below(parent, team):
            self._call("PATCH", f"/v1/teams/{team}", {"parent_id": parent})
            self.model.parents[team] = parent

    @rule(data=st.data(), roles=_HELD)
    def promote(self, data: st.DataObject, roles: list[str]) -> None:
        self._promote(data, self._pick(data, self.model.people), *roles)

    def _promote(self, data: st.DataObject, user: str, *roles: str) -> None:
        """Roles of theirs, and another place among the teams."""
        joined = data.draw(st.sets(st.sampled_from(sorted(self.model.parents)), min_size=1, max_size=2))
        teams = {team: data.draw(st.booleans()) for team in sorted(joined)}
        body = {
            "roles": [self.role_ids.get(role, role) for role in roles],
            "teams": [{"team_id": team, "manager": leads} for team, leads in teams.items()],
        }
        self._call("PATCH", f"/v1/users/{user}", body)
        self.model.people[user] = Person(list(roles), teams)

    def _whose(self, data: st.DataObject) -> Json:
        return {"owner_id": self._maybe(data, self.model.people), "team_id": self._maybe(data, self.model.parents)}

    def _create(self, kind: str, body: Json) -> None:
        made = self._call("POST", f"/v1/{kind}", {_NAMES[kind]: _CALLED, **body})
        self.model.records[kind][made["id"]] = body

    @rule(data=st.data())
    def win_an_account(self, data: st.DataObject) -> None:
        self._create("accounts", self._whose(data))

    @rule(data=st.data())
    def meet_a_contact(self, data: st.DataObject) -> None:
        known = {"account_id": self._maybe(data, self.model.records["accounts"])}
        self._create("contacts", {**self._whose(data), **known, "source": self._source(data)})

    def _source(self, data: st.DataObject) -> str | None:
        return data.draw(st.sampled_from(["web", "fair", None]))

    @precondition(lambda self: self.model.records["contacts"])
    @rule(data=st.data())
    def begin_a_deal(self, data: st.DataObject) -> None:
        contact = self._pick(data, self.model.records["contacts"])
        self._create("deals", {**self._whose(data), "contact_id": contact})

    @precondition(lambda self: self.model.records["contacts"])
    @rule(data=st.data())
    def transfer(self, data: st.DataObject) -> None:
        kind, record = self._record(data, "contacts", "accounts", "deals")
        patch = self._whose(data)
        if kind == "contacts" and data.draw(st.booleans()):
            patch |= {"account_id": self._maybe(data, self.model.records["accounts"]), "source": self._source(data)}
        self._call("PATCH", f"/v1/{kind}/{record}", patch)
        self.model.records[kind][record] |= patch

    @precondition(lambda self: any(self.model.records.values()))
    @rule(data=st.data(), follow=st.sets(st.sampled_from(["contacts", "deals"])))
    def hand_over(self, data: st.DataObject, follow: set[str]) -> None:
        """All accounts of somebody, or all that they have, to somebody else."""
        leaver, heir = self._pick(data, self.model.people), self._maybe(data, self.model.people)
        kinds = data.draw(st.sampled_from([["accounts"], ["contacts"], ["accounts", "contacts", "deals"]]))
        body = {"resources": kinds, "from_user_id": leaver, "to": {"owner_id": heir}, "follow": sorted(follow)}
        made = self._call("POST", "/v1/transfers", body)
        deadline = time.monotonic() + _SETTLED_WITHIN
        while made["status"] in ("pending", "running") and time.monotonic() < deadline:
            time.sleep(0.05)
            made = self._call("GET", f"/v1/transfers/{made['id']}")
        moved = self.model.hand_over(kinds, leaver, heir, follow)
        assert (made["status"], made["moved"]) == ("succeeded", moved), f"{body} {made}"

    @precondition(lambda self: self.model.records["contacts"] or self.model.records["accounts"])
    @rule(
        data=st.data(), access=st.sampled_from(["read", "write"]), until=st.sampled_from([None, _PAST, _FUTURE, _SOON])
    )
    def share(self, data: st.DataObject, access: str, until: str | timedelta | None) -> None:
        kind, record = self._record(data, "contacts", "accounts", "deals")
        grantee = self._maybe(data, {*self.model.people, *self.model.parents})
        if isinstance(until, timedelta):
            self.ends_at = datetime.now(UTC) + until
            until = self.ends_at.isoformat()
        shares: list[Json] = []
        if grantee is not None:
            one = {"user_id": None, "team_id": None, "user_id" if grantee in self.model.people else "team_id": grantee}
            shares = [{**one, "access": access, "until": until}]
        self._call("PATCH", f"/v1/{kind}/{record}", {"shares": shares})
        self.model.records[kind][record]["shares"] = shares

    @precondition(lambda self: self.model.records["contacts"])
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        kind, record = self._record(data, "contacts", "accounts", "deals")
        self._call("DELETE", f"/v1/{kind}/{record}")
        del self.model.records[kind][record]

    @rule(data=st.data())
    def somebody_looks(self, data: st.DataObject) -> None:
        self._look(self._pick(data, self.model.people))

    def teardown(self) -> None:
        for user in self.model.people:
            self._look(user)
        self.client.close()

    def _look(self, user: str) -> None:
        """By a key made now, which no process remembers with what was before."""
        body = {"name": "x", "scopes": ["read", "write", "admin"], "user_id": user}
        key = self._call("POST", "/v1/api-keys", body)["key"]
        time.sleep(max(0.0, (self.ends_at - datetime.now(UTC)).total_seconds()))
        deadline = time.monotonic() + _SETTLED_WITHIN  # services hear of owners and teams by events
        with httpx.Client(base_url=self.relata.gateway_url, headers=bearer(key), timeout=60) as client:
            while (wrong := list(self._wrong(client, user))) and time.monotonic() < deadline:
                time.sleep(0.1)
        assert not wrong, "\n".join(wrong)

    def _wrong(self, client: httpx.Client, user: str) -> Iterator[str]:
        now, model = datetime.now(UTC), self.model
        for kind, records in model.records.items():
            seen = {one for one, record in records.items() if model.reads(user, kind, record, now)}
            yield from _differences(f"{user} {kind}", seen, client, kind)
            for one in records:
                yield from self._wrong_of(client, user, kind, one, now)
            yield from self._wrong_batch(client, user, kind, now)
        customers = {
            one
            for kind in ("contacts", "accounts")
            for one, record in model.records[kind].items()
            if model.reads(user, kind, record, now)
        }
        found = _ids(client.get("/v1/customers", params={"limit": 200}))
        if found != customers:
            yield f"{user} customers: {sorted(found ^ customers)}"

    def _wrong_of(self, client: httpx.Client, user: str, kind: str, one: str, now: datetime) -> Iterator[str]:
        model, record, person = self.model, self.model.records[kind][one], self.model.people[user]
        reads = model.reads(user, kind, record, now)
        missing = 404 if person.given(kind) else 403
        asked = {"get": f"/v1/{kind}/{one}"}
        if kind != "deals":
            asked |= {"view": f"/v1/customers/{one}", "live": f"/v1/customers/{one}?consistency=live"}
            asked |= {"timeline": f"/v1/customers/{one}/timeline"}
        for how, path in asked.items():
            answer = client.get(path)
            if answer.status_code != (200 if reads else missing):
                yield f"{user} {how} {one}: {answer.status_code}, reads {reads}"
            elif reads and how != "timeline":
                shown = answer.json() if how == "get" else answer.json()["profile"]
                if (shown[_NAMES[kind]] == _CALLED) != (clear := model.reads(user, kind, record, now, clear=True)):
                    yield f"{user} {how} {one}: shows {shown[_NAMES[kind]]}, clear {clear}"
        patched = client.patch(f"/v1/{kind}/{one}", json={}, headers={"If-Match": '"999999"'}).status_code
        if patched != (wanted := self._outcome(user, kind, record, now, 412)):
            yield f"{user} patch {one}: {patched}, not {wanted}"

    def _outcome(self, user: str, kind: str, record: Json, now: datetime, done: int) -> int:
        """What a change is answered that is `done` where it may be."""
        model = self.model
        if not any(given.change for given in model.people[user].given(kind)):
            return 403
        reads = model.reads(user, kind, record, now)
        return done if reads and model.changes(user, kind, record, now) else 403 if reads else 404

    def _wrong_batch(self, client: httpx.Client, user: str, kind: str, now: datetime) -> Iterator[str]:
        """Of changes that change nothing."""
        records = self.model.records[kind]
        operations = [{"method": "update", "id": one, "data": {}} for one in records]
        answer = client.post(f"/v1/{kind}/batch", json={"operations": operations})
        if not any(given.change for given in self.model.people[user].given(kind)):
            if answer.status_code != 403:
                yield f"{user} batch {kind}: {answer.status_code}"
        elif operations:
            found = [result["status"] for result in answer.json()["results"]]
            wanted = [self._outcome(user, kind, record, now, 200) for record in records.values()]
            if found != wanted:
                yield f"{user} batch {kind}: {found}, not {wanted}"


def _differences(about: str, seen: set[str], client: httpx.Client, kind: str) -> Iterator[str]:
    answers = {
        "list": client.get(f"/v1/{kind}", params={"limit": 200}),
        "search": client.post(f"/v1/{kind}/search", json={"limit": 200}),
    }
    for how, answer in answers.items():
        if (found := _ids(answer)) != seen:
            yield f"{about} {how}: {sorted(found ^ seen)}"


def _ids(answer: httpx.Response) -> set[str]:
    """Of a refusal none; anything else is no answer."""
    assert answer.status_code in (200, 403), answer.text
    return {one["id"] for one in answer.json()["data"]} if answer.status_code == 200 else set()


async def test_rights_are_as_the_model_says_whatever_happens(on_embedded: Relata) -> None:
    loop = asyncio.get_running_loop()

    class OverThisStack(Office):
        relata = on_embedded

        def blocking_tenant(self) -> str:
            made = asyncio.run_coroutine_threadsafe(on_embedded.new_tenant_key("Office"), loop)
            return made.result(30)

    steps = settings(
        max_examples=20,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking waits for what never settles, each time anew
    )
    await asyncio.to_thread(run_state_machine_as_test, OverThisStack, settings=steps)
