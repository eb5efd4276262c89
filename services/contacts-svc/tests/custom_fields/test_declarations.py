"""Declaring fields: what makes sense, what stays as it is, and from when on it counts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from crm_contracts.registry import CUSTOM_FIELD
from crm_testkit.service import ServiceUnderTest, Tenant

Declare = Callable[..., Awaitable[dict[str, Any]]]
FIELD = {"resource": "contacts", "name": "level", "label": {"en": "Level"}, "type": "text"}
CHOICES = [{"value": "gold", "label": {"zh": "金"}}, {"value": "silver", "label": {"en": "Silver"}}]
SOME = {"type": "choice", "choices": CHOICES}


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"name": "Level"}, "/name", "format"),
        ({"resource": "deals"}, "/resource", "choice"),
        ({"label": {}}, "/label", "one_language"),
        ({"type": "choice"}, "/choices", "choices"),
        ({"choices": CHOICES}, "/choices", "choices"),
        ({**SOME, "choices": [*CHOICES, CHOICES[0]]}, "/choices/2/value", "repeated"),
        ({**SOME, "default": "platinum"}, "/default", "choice"),
        ({"default": 1}, "/default", "type"),
        ({"default": "abc", "rules": [{"kind": "length", "max": 2}]}, "/default", "too_long"),
        ({"rules": [{"kind": "integer"}]}, "/rules/0/kind", "other_type"),
        ({"rules": [{"kind": "pattern", "pattern": "("}]}, "/rules/0/pattern", "not_re2"),
        ({"rules": [{"kind": "pattern", "pattern": r"(a)\1"}]}, "/rules/0/pattern", "not_re2"),
        ({"rules": [{"kind": "pattern", "pattern": "((a{1000}){1000}){1000}"}]}, "/rules/0/pattern", "not_re2"),
        ({"rules": [{"kind": "length"}]}, "/rules/0/min", "rule_incomplete"),
        ({"rules": [{"kind": "pattern"}]}, "/rules/0/pattern", "rule_incomplete"),
        ({"rules": [{"kind": "length", "max": 2, "pattern": "a"}]}, "/rules/0/pattern", "other_kind"),
        ({"rules": [{"kind": "length", "max": 1.5}]}, "/rules/0/max", "count"),
        ({"rules": [{"kind": "length", "max": "2"}]}, "/rules/0/max", "count"),
        ({"rules": [{"kind": "length", "min": 3, "max": 2}]}, "/rules/0/min", "min_above_max"),
        ({"type": "number", "rules": [{"kind": "range", "min": "1"}]}, "/rules/0/min", "type"),
        ({"type": "money", "rules": [{"kind": "range", "min": 1}]}, "/rules/0/min", "format"),
        ({"type": "date", "rules": [{"kind": "range", "max": "2026-02-30"}]}, "/rules/0/max", "format"),
        (
            {"type": "date", "rules": [{"kind": "range", "min": "2026-02-02", "max": "2026-02-01"}]},
            "/rules/0/min",
            "min_above_max",
        ),
        ({"rules": [{"kind": "nonsense"}]}, "/rules/0/kind", "choice"),
    ],
)
async def test_what_makes_no_sense_is_told(tenant: Tenant, members: dict[str, Any], pointer: str, code: str) -> None:
    answer = await tenant.client.post("/v1/custom-fields", json=FIELD | members)
    assert answer.status_code == 422, answer.text
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]


async def test_a_name_is_taken_once_in_each_resource(tenant: Tenant, declare: Declare) -> None:
    field = await declare("level", "text")
    answer = await tenant.client.post("/v1/custom-fields", json=FIELD)
    assert (answer.status_code, answer.json()["code"]) == (409, "custom_field_name_taken")
    assert answer.json()["custom_field_id"] == field["id"]
    await declare("level", "number", resource="accounts")
    answers = await asyncio.gather(
        *(tenant.client.post("/v1/custom-fields", json={**FIELD, "name": "twice"}) for _ in range(5))
    )
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]


async def test_what_records_hang_on_cannot_be_changed(tenant: Tenant, declare: Declare) -> None:
    field = await declare("level", "choice", choices=CHOICES)
    path = f"/v1/custom-fields/{field['id']}"
    for patch, pointer, code in [
        ({"name": "rank"}, "/name", "fixed"),
        ({"resource": "accounts"}, "/resource", "fixed"),
        ({"type": "multi_choice"}, "/type", "fixed"),
        ({"choices": CHOICES[:1]}, "/choices", "choice_gone"),
    ]:
        answer = await tenant.client.patch(path, json=patch)
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]
    more = [{**CHOICES[0], "archived": True}, CHOICES[1], {"value": "bronze", "label": {"en": "Bronze"}}]
    changed = await tenant.client.patch(path, json={"choices": more, "label": {"zh": "级别"}, "default": "bronze"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["label"] == {"en": "level", "zh": "级别"}


async def test_a_deleted_field_leaves_its_values_as_undeclared_ones(tenant: Tenant, declare: Declare) -> None:
    field = await declare("level", "text")
    contact = await tenant.create("/v1/contacts", full_name="a", custom={"level": "gold"})
    path = f"/v1/contacts/{contact['id']}"
    assert (await tenant.client.delete(f"/v1/custom-fields/{field['id']}")).status_code == 204
    assert (await tenant.read(path))["custom"] == {"level": "gold"}
    free = await tenant.client.patch(path, json={"custom": {"level": 7, "other": "x"}})
    assert free.json()["custom"] == {"level": 7, "other": "x"}
    await declare("level", "number")
    changed = await tenant.client.patch(path, json={"custom": {"level": 8}})
    assert changed.json()["custom"] == {"level": 8, "other": "x"}


async def test_so_many_can_be_declared(tenant: Tenant) -> None:
    operations = [{"method": "create", "data": {**FIELD, "name": f"field_{n}"}} for n in range(201)]
    answer = await tenant.client.post("/v1/custom-fields/batch", json={"operations": operations})
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [201] * 200 + [409]
    assert results[200]["error"]["code"] == "too_many_custom_fields"


async def test_a_declaration_is_published(service: ServiceUnderTest, tenant: Tenant, declare: Declare) -> None:
    field = await declare("level", "text", sensitivity="personal", rules=[{"kind": "length", "max": 5}])
    (event,) = await service.events(CUSTOM_FIELD.name, key=field["id"])
    assert (event.type, event.entity) == ("crm.contacts.custom_field.created.v1", field)


async def test_it_counts_from_its_answer_on(tenant: Tenant, declare: Declare) -> None:
    """Also for what a process has remembered of it; whichever way a record is written."""
    field = await declare("level", "text")
    path = f"/v1/custom-fields/{field['id']}"
    contact = await tenant.create("/v1/contacts", full_name="a")
    for most in (1, 9) * 6:
        rules = [{"kind": "length", "max": most}]
        assert (await tenant.client.patch(path, json={"rules": rules})).status_code == 200
        body = {"full_name": "b", "custom": {"level": f"lev{most}"}}
        answers = await asyncio.gather(
            *(tenant.client.post("/v1/contacts", json=body) for _ in range(4)),
            tenant.client.patch(f"/v1/contacts/{contact['id']}", json={"custom": {"level": f"a{most}"}}),
        )
        assert {each.status_code for each in answers} == ({422} if most == 1 else {201, 200})


async def test_each_write_is_judged_by_one_declaration_and_none_by_an_old_one(tenant: Tenant, declare: Declare) -> None:
    """Two fields change to and fro together with what writers send: what a writer was told is what was in force."""
    field = await declare("level", "number", rules=[{"kind": "range", "max": 0}])
    path = f"/v1/custom-fields/{field['id']}"
    in_force, committed = 0, 0
    stop = False

    async def write(number: int) -> None:
        nonlocal committed
        while not stop:
            floor = in_force
            body = {"full_name": f"w{number}", "custom": {"level": -floor}}
            answer = await tenant.client.post("/v1/contacts", json=body)
            if answer.status_code == 201:
                committed += 1
                # it began when at least `floor` changes were answered, and each makes the bound lower
                assert answer.json()["custom"]["level"] <= -floor
            else:
                assert answer.status_code == 422
                assert in_force > floor or pending > floor

    pending = 0
    writers = [asyncio.create_task(write(number)) for number in range(4)]
    for step in range(1, 15):
        pending = step
        answer = await tenant.client.patch(path, json={"rules": [{"kind": "range", "max": -step}]})
        assert answer.status_code == 200
        in_force = step
        late = await tenant.client.post("/v1/contacts", json={"full_name": "late", "custom": {"level": -step + 1}})
        assert late.status_code == 422
        await asyncio.sleep(0.02)
    stop = True
    await asyncio.gather(*writers)
    assert committed
