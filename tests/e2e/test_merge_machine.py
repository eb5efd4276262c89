"""Contacts are merged, given back and worked with in any order, and whatever refers to them is where it belongs.

A state machine over the running stack, through the public API alone. The model knows of every entity where it was at home
and which merges stand; what a contact holds and what refers to it follow from that.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
from crm_testkit.whole_stack import Relata, differences
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

_SETTLED_WITHIN = 30.0
_REFERRING = ("deals", "orders", "invoices", "payments", "tickets", "activities")


@dataclass
class _Merge:
    id: str
    into: str
    taken: list[str]


@dataclass
class _Model:
    """`held`: tags and addresses by the contact where each was written. `home`: of each entity, by its path."""

    contacts: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    merges: list[_Merge] = field(default_factory=list)
    returned: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)

    def place(self, contact: str) -> str:
        for merge in reversed(self.merges):
            if contact in merge.taken:
                return self.place(merge.into)
        return contact

    @property
    def present(self) -> list[str]:
        return [one for one in self.contacts if self.place(one) == one and one not in self.deleted]

    def holds(self, contact: str) -> set[str]:
        return {what for what, home in self.held.items() if self.place(home) == contact}

    def moved_by(self, merge: _Merge) -> set[str]:
        """What refers elsewhere because of it."""
        taken = set(merge.taken)
        while below := {one for each in self.merges if each.into in taken for one in each.taken} - taken:
            taken |= below
        return {path.rpartition("/")[2] for path, home in self.home.items() if home in taken}


class Merging(RuleBasedStateMachine):
    """What may be done with contacts that turn out to be one, or not."""

    client: httpx.Client

    def __init__(self) -> None:
        super().__init__()
        self.model = _Model()

    def _call(self, method: str, path: str, body: Any = None, *, want: int = 200) -> Any:
        response = self.client.request(method, path, json=body)
        assert response.status_code == want, f"{method} {path} {body}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def _one(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.model.present), label="contact")

    @initialize()
    def some_contacts(self) -> None:
        for _ in range(3):
            self.add_contact()

    @rule()
    def add_contact(self) -> None:
        tag, address = uuid.uuid4().hex, f"{uuid.uuid4().hex}@example.com"
        body = {"full_name": "王伟", "tags": [tag], "emails": [{"address": address}]}
        contact = self._call("POST", "/v1/contacts", body, want=201)["id"]
        self.model.contacts.append(contact)
        self.model.held |= {tag: contact, address: contact}

    @precondition(lambda self: self.model.present)
    @rule(data=st.data())
    def write_to_contact(self, data: st.DataObject) -> None:
        """A tag more, and sometimes one of its own less."""
        contact, tag = self._one(data), uuid.uuid4().hex
        tags = self._call("GET", f"/v1/contacts/{contact}")["tags"]
        own = [one for one in tags if self.model.held[one] == contact]
        gone = data.draw(st.sampled_from([None, *sorted(own)]), label="gone")
        self._call("PATCH", f"/v1/contacts/{contact}", {"tags": [*(one for one in tags if one != gone), tag]})
        if gone is not None:
            del self.model.held[gone]
        self.model.held[tag] = contact

    @precondition(lambda self: self.model.present)
    @rule(data=st.data(), resource=st.sampled_from(_REFERRING))
    def add_reference(self, data: st.DataObject, resource: str) -> None:
        contact = self._one(data)
        about: dict[str, dict[str, Any]] = {
            "deals": {"name": "框架", "amount": {"amount": "10", "currency": "CNY"}},
            "orders": {"number": uuid.uuid4().hex, "total": {"amount": "5", "currency": "CNY"}, "status": "paid"},
            "invoices": {"total": {"amount": "5", "currency": "CNY"}},
            "payments": {"amount": {"amount": "5", "currency": "CNY"}},
            "tickets": {"subject": "无法登录", "channel": "email", "message": {"body": "您好"}},
            "activities": {"kind": "call", "subject": "咨询"},
        }
        made = self._call("POST", f"/v1/{resource}", {**about[resource], "contact_id": contact}, want=201)
        self.model.home[f"/v1/{resource}/{made['id']}"] = self._written(made, contact)

    @precondition(lambda self: self.model.present and self.model.home)
    @rule(data=st.data())
    def give_to_another(self, data: st.DataObject) -> None:
        path, contact = data.draw(st.sampled_from(sorted(self.model.home)), label="what"), self._one(data)
        self._until(lambda: self._is_placed(path), f"{path} is not where it belongs")
        if self._call("GET", path)["contact_id"] != contact:
            self.model.home[path] = self._written(self._call("PATCH", path, {"contact_id": contact}), contact)

    def _written(self, answer: dict[str, Any], contact: str) -> str:
        """A service that has not heard of an undoing yet says where it put what names the returned contact; there it stays."""
        found: str = answer["contact_id"]
        assert found == contact or contact in self.model.returned, answer
        return found

    @precondition(lambda self: len(self.model.present) > 1)
    @rule(data=st.data(), number=st.integers(1, 2))
    def merge(self, data: st.DataObject, number: int) -> None:
        into = self._one(data)
        others = [one for one in self.model.present if one != into]
        taken = data.draw(st.lists(st.sampled_from(others), min_size=1, max_size=number, unique=True), label="taken")
        made = self._call("POST", f"/v1/contacts/{into}/merge", {"from": taken}, want=201)
        self.model.merges.append(_Merge(made["merge"]["id"], into, taken))

    @precondition(lambda self: self.model.merges)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        merge = data.draw(st.sampled_from(self.model.merges), label="merge")
        path = f"/v1/merges/{merge.id}/undo"
        if self.model.place(merge.into) != merge.into:
            self._call("POST", path, want=409)
            return
        self._call("POST", path)
        self.model.merges.remove(merge)
        self.model.returned |= set(merge.taken)

    @precondition(lambda self: len(self.model.present) > 2)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        contact = self._one(data)
        self._call("DELETE", f"/v1/contacts/{contact}", want=204)
        self.model.deleted.add(contact)

    def teardown(self) -> None:
        for path in self.model.home:
            self._until(partial(self._is_placed, path), f"{path} is not where it belongs")
        for merge in self.model.merges:
            untold = partial(self._untold, merge)
            self._until(lambda untold=untold: not untold(), f"what {merge.id} moved is not told", untold)  # type: ignore[misc]  # bound at once
        for contact in self.model.contacts:
            self._check_contact(contact)
            self._until(partial(self._views_agree, contact), f"the views of {contact} differ")
        for merge in list(reversed(self.model.merges)):
            self._call("POST", f"/v1/merges/{merge.id}/undo")
            self.model.merges.remove(merge)
        for contact in self.model.contacts:
            self._check_contact(contact)
        for path in self.model.home:
            self._until(partial(self._is_placed, path), f"{path} has not come home")

    def _until(self, holds: Callable[[], bool], otherwise: str, seen: Callable[[], object] = str) -> None:
        deadline = time.monotonic() + _SETTLED_WITHIN
        while not holds():
            assert time.monotonic() < deadline, f"{otherwise} {seen()} {self.model}"
            time.sleep(0.05)

    def _is_placed(self, path: str) -> bool:
        found: str = self._call("GET", path)["contact_id"]
        return found == self.model.place(self.model.home[path])

    def _untold(self, merge: _Merge) -> set[str]:
        """What is told and has not moved, or has moved and is not told."""
        data = self._call("GET", f"/v1/moved-references/{merge.id}?limit=200")["data"]
        return {each["id"] for each in data} ^ self.model.moved_by(merge)

    def _check_contact(self, contact: str) -> None:
        place = self.model.place(contact)
        if place in self.model.deleted:
            self._call("GET", f"/v1/contacts/{contact}", want=404)
        elif place != contact:
            assert self._call("GET", f"/v1/contacts/{contact}", want=410)["merged_into"] == place
        else:
            found = self._call("GET", f"/v1/contacts/{contact}")
            held = {*found["tags"], *(email["address"] for email in found["emails"])}
            assert held == self.model.holds(contact)
            merged = {one for merge in self.model.merges if merge.into == contact for one in merge.taken}
            assert set(found["merged_from"]) == merged

    def _views_agree(self, contact: str) -> bool:
        view, live = (
            self.client.get(f"/v1/customers/{contact}", params=params, follow_redirects=True)
            for params in ({}, {"consistency": "live"})
        )
        place = self.model.place(contact)
        if place in self.model.deleted:
            return view.status_code == live.status_code == 404
        if view.status_code != 200 or live.status_code != 200:
            return False
        return view.json()["id"] == live.json()["id"] == place and not differences(view.json(), live.json())


async def test_whoever_is_merged_and_given_back_everything_is_where_it_belongs(relata: Relata) -> None:
    key = await relata.new_tenant_key()
    async with relata.client_of(key) as client:
        async with asyncio.timeout(20):
            while not (await client.get("/v1/pipelines")).json()["data"]:
                await asyncio.sleep(0.05)

    class OverThisStack(Merging):
        client = relata.blocking_client(key)

    steps = settings(
        max_examples=6,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.generate],  # each shrinking step takes seconds, and would outlast the test
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    # In a thread: the loop goes on supervising the stack.
    await asyncio.to_thread(run_state_machine_as_test, OverThisStack, settings=steps)
    OverThisStack.client.close()
