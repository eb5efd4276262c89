"""After any sequence of writes the view that events built equals the one composed from the services.

A state machine over the running stack, through the public API alone, on both event logs.
"""

import asyncio
import time
import uuid
from typing import Any

import httpx
from crm_testkit.whole_stack import Relata, differences
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

_SETTLED_WITHIN = 20.0
_NAMES = st.sampled_from(["王伟", "欧阳晓梅", "Anna Bauer", "李娜", "José Ünal", "司马光"])
_AMOUNTS = st.sampled_from(["0", "9.90", "1000.00", "128000.00", "0.000001", "999999999999999"])
_CURRENCIES = st.sampled_from(["CNY", "USD", "JPY"])
_TIMES = st.sampled_from([f"2026-{month:02d}-01T08:00:00Z" for month in range(1, 11)])


class Company(RuleBasedStateMachine):
    """What a company's people and systems may do, in any order."""

    client: httpx.Client

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, list[str]] = {
            name: []
            for name in ("accounts", "contacts", "deals", "orders", "invoices", "payments", "tickets", "activities")
        }
        self.stages = [stage["id"] for stage in self._call("GET", "/v1/pipelines").json()["data"][0]["stages"]]
        segment = self._call("POST", "/v1/segments", {"name": "all"}).json()
        self.segment_id: str = segment["id"]

    def _call(
        self, method: str, path: str, body: Any = None, *, want: tuple[int, ...] = (200, 201, 204)
    ) -> httpx.Response:
        response = self.client.request(method, path, json=body)
        assert response.status_code in want, f"{method} {path} {body}: {response.status_code} {response.text}"
        return response

    def _make(self, resource: str, body: dict[str, Any]) -> None:
        self.made[resource].append(self._call("POST", f"/v1/{resource}", body).json()["id"])

    def _one(self, data: st.DataObject, resource: str) -> str:
        return data.draw(st.sampled_from(self.made[resource]), label=resource)

    def _about(self, data: st.DataObject) -> dict[str, str]:
        """A contact, an account, or both, of those that there are or were."""
        about = {"contact_id": self._one(data, "contacts")}
        if self.made["accounts"] and data.draw(st.booleans()):
            about["account_id"] = self._one(data, "accounts")
            if data.draw(st.booleans()):
                del about["contact_id"]
        return about

    def _money(self, data: st.DataObject) -> dict[str, str]:
        return {"amount": data.draw(_AMOUNTS), "currency": data.draw(_CURRENCIES)}

    @rule(data=st.data())
    def add_account(self, data: st.DataObject) -> None:
        self._make("accounts", {"name": data.draw(_NAMES)})

    @rule(data=st.data())
    def add_contact(self, data: st.DataObject) -> None:
        body: dict[str, Any] = {"full_name": data.draw(_NAMES), "tags": data.draw(st.lists(st.sampled_from("abc")))}
        if self.made["accounts"] and data.draw(st.booleans()):
            found = self.client.get(f"/v1/accounts/{(account := self._one(data, 'accounts'))}")
            if found.status_code == 200:
                body["account_id"] = account
        self._make("contacts", body)

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def change_contact(self, data: st.DataObject) -> None:
        patch: dict[str, Any] = {"title": data.draw(st.sampled_from([None, "经理", "CEO"]))}
        if data.draw(st.booleans()):
            accounts = [a for a in self.made["accounts"] if self.client.get(f"/v1/accounts/{a}").status_code == 200]
            patch["account_id"] = data.draw(st.sampled_from([None, *accounts]))
        self._call("PATCH", f"/v1/contacts/{self._one(data, 'contacts')}", patch, want=(200, 404))

    @precondition(lambda self: self.made["accounts"])
    @rule(data=st.data())
    def change_account(self, data: st.DataObject) -> None:
        self._call("PATCH", f"/v1/accounts/{self._one(data, 'accounts')}", {"name": data.draw(_NAMES)}, want=(200, 404))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data(), label=st.sampled_from(["friend", "spouse", "billing"]))
    def relate(self, data: st.DataObject, label: str) -> None:
        body = {"contact_id": self._one(data, "contacts"), "label": label}
        if self.made["accounts"] and data.draw(st.booleans()):
            body["account_id"] = self._one(data, "accounts")
        else:
            body |= {"related_contact_id": self._one(data, "contacts"), "inverse_label": label}
        self._call("POST", "/v1/relationships", body, want=(201, 409, 422))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def part(self, data: st.DataObject) -> None:
        query = f"of_contact_id={self._one(data, 'contacts')}&limit=1"
        for one in self._call("GET", f"/v1/relationships?{query}").json()["data"]:
            self._call("DELETE", f"/v1/relationships/{one['id']}")

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def add_deal(self, data: st.DataObject) -> None:
        self._make("deals", {"name": "框架", "amount": self._money(data), **self._about(data)})

    @precondition(lambda self: self.made["deals"])
    @rule(data=st.data())
    def move_deal(self, data: st.DataObject) -> None:
        body = {"stage_id": data.draw(st.sampled_from(self.stages))}
        self._call("POST", f"/v1/deals/{self._one(data, 'deals')}/move", body, want=(200, 404))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def add_order(self, data: st.DataObject) -> None:
        status = data.draw(st.sampled_from(["pending", "paid", "cancelled", "draft", "refunded"]))
        body = {
            "number": uuid.uuid4().hex,
            "total": self._money(data),
            "status": status,
            "placed_at": data.draw(_TIMES),
        }
        self._make("orders", {**body, **self._about(data)})

    @precondition(lambda self: self.made["orders"])
    @rule(data=st.data())
    def change_order(self, data: st.DataObject) -> None:
        patch = {
            "status": data.draw(st.sampled_from(["paid", "completed", "refunded"])),
            "contact_id": self._any_contact(data),
        }
        self._call("PATCH", f"/v1/orders/{self._one(data, 'orders')}", patch, want=(200, 404))

    @precondition(lambda self: self.made["orders"])
    @rule(data=st.data(), amounts=st.lists(_AMOUNTS, max_size=2))
    def refund_order(self, data: st.DataObject, amounts: list[str]) -> None:
        found = self.client.get(f"/v1/orders/{(order := self._one(data, 'orders'))}")
        if found.status_code == 200:
            currency = found.json()["total"]["currency"]
            refunds = [
                {"amount": {"amount": each, "currency": currency}, "at": data.draw(_TIMES), "external_id": f"{place}"}
                for place, each in enumerate(amounts)
            ]
            self._call("PATCH", f"/v1/orders/{order}", {"refunds": refunds}, want=(200, 422))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data(), status=st.sampled_from(["draft", "open", "open", "void", "uncollectible", "paid"]))
    def add_invoice(self, data: st.DataObject, status: str) -> None:
        due = data.draw(st.sampled_from([None, "2020-01-31", "2025-12-31", "2099-12-31"]))
        self._make("invoices", {"total": self._money(data), "status": status, "due_at": due, **self._about(data)})

    @precondition(lambda self: self.made["invoices"])
    @rule(data=st.data())
    def change_invoice(self, data: st.DataObject) -> None:
        patch = {
            "status": data.draw(st.sampled_from(["draft", "open", "void"])),
            "due_at": data.draw(st.sampled_from([None, "2020-01-31", "2099-12-31"])),
            "contact_id": self._any_contact(data),
        }
        self._call("PATCH", f"/v1/invoices/{self._one(data, 'invoices')}", patch, want=(200, 404))

    @precondition(lambda self: self.made["contacts"])
    @rule(
        data=st.data(),
        status=st.sampled_from(["succeeded", "succeeded", "pending"]),
        kind=st.sampled_from(["payment", "refund"]),
    )
    def pay(self, data: st.DataObject, status: str, kind: str) -> None:
        body = {"amount": self._money(data), "status": status, "kind": kind, **self._about(data)}
        if self.made["invoices"] and data.draw(st.booleans()):
            body["invoice_id"] = self._one(data, "invoices")
        answer = self._call("POST", "/v1/payments", body, want=(201, 422))
        if answer.status_code == 201:
            self.made["payments"].append(answer.json()["id"])

    def _any_contact(self, data: st.DataObject) -> str | None:
        return data.draw(st.sampled_from([None, *self.made["contacts"]]))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def add_ticket(self, data: st.DataObject) -> None:
        self._make("tickets", {"subject": "无法登录", "channel": "email", **self._about(data)})

    @precondition(lambda self: self.made["tickets"])
    @rule(data=st.data(), internal=st.booleans(), by_contact=st.booleans())
    def answer_ticket(self, data: st.DataObject, internal: bool, by_contact: bool) -> None:
        body: dict[str, Any] = {"body": "您好", "visibility": "internal" if internal else "public"}
        if by_contact and not internal:
            body["author"] = {"kind": "contact", "id": self._any_contact(data)}
        self._call("POST", f"/v1/tickets/{self._one(data, 'tickets')}/messages", body, want=(201, 404, 409, 422))

    @precondition(lambda self: self.made["tickets"])
    @rule(data=st.data(), verb=st.sampled_from(["solve", "reopen"]))
    def solve_or_reopen(self, data: st.DataObject, verb: str) -> None:
        self._call("POST", f"/v1/tickets/{self._one(data, 'tickets')}/{verb}", {}, want=(200, 404, 409))

    @precondition(lambda self: self.made["tickets"])
    @rule(data=st.data())
    def reassign_ticket(self, data: st.DataObject) -> None:
        patch = {"contact_id": self._any_contact(data)}
        self._call("PATCH", f"/v1/tickets/{self._one(data, 'tickets')}", patch, want=(200, 404, 409, 422))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def log_activity(self, data: st.DataObject) -> None:
        self._make("activities", {"kind": "call", "at": data.draw(_TIMES), "subject": "咨询", **self._about(data)})

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data(), status=st.sampled_from(["granted", "withdrawn"]), channel=st.sampled_from(["email", "sms"]))
    def record_consent(self, data: st.DataObject, status: str, channel: str) -> None:
        body = {"channel": channel, "purpose": "marketing", "status": status, "source": "form", "at": data.draw(_TIMES)}
        self._call("POST", f"/v1/contacts/{self._one(data, 'contacts')}/consents", body, want=(201, 404))

    @precondition(lambda self: self.made["contacts"])
    @rule(data=st.data())
    def join_segment(self, data: st.DataObject) -> None:
        path = f"/v1/segments/{self.segment_id}/members"
        self._call("POST", path, {"contact_ids": [self._one(data, "contacts")]}, want=(200, 422))

    @precondition(lambda self: any(self.made.values()))
    @rule(data=st.data())
    def delete_something(self, data: st.DataObject) -> None:
        resource = data.draw(st.sampled_from([name for name, ids in self.made.items() if ids]))
        self._call("DELETE", f"/v1/{resource}/{self._one(data, resource)}", want=(204, 404, 409))

    @precondition(lambda self: self.made["contacts"] or self.made["accounts"])
    @rule(data=st.data())
    def look_at_a_customer(self, data: st.DataObject) -> None:
        self._check(data.draw(st.sampled_from(self.made["contacts"] + self.made["accounts"])))

    def teardown(self) -> None:
        for customer_id in self.made["contacts"] + self.made["accounts"]:
            self._check(customer_id)

    def _check(self, customer_id: str) -> None:
        path, deadline = f"/v1/customers/{customer_id}", time.monotonic() + _SETTLED_WITHIN
        while True:
            live = self.client.get(path, params={"consistency": "live"})
            view = self.client.get(path)
            if view.status_code == live.status_code == 404:
                return
            if view.status_code == live.status_code == 200 and not differences(view.json(), live.json()):
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        assert view.status_code == live.status_code, f"{customer_id}: view {view.status_code}, live {live.status_code}"
        named = differences(view.json(), live.json())
        assert not named, "\n".join(f"{n}: view {view.json().get(n)}\n   live {live.json().get(n)}" for n in named)


async def test_the_view_equals_the_live_composition(relata: Relata) -> None:
    key = await relata.new_tenant_key()
    async with relata.client_of(key) as client:
        async with asyncio.timeout(20):
            while not (await client.get("/v1/pipelines")).json()["data"]:
                await asyncio.sleep(0.05)

    class OverThisStack(Company):
        client = relata.blocking_client(key)

    steps = settings(
        max_examples=12,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    # In a thread: the loop goes on supervising the stack.
    await asyncio.to_thread(run_state_machine_as_test, OverThisStack, settings=steps)
    OverThisStack.client.close()
