"""Values are judged as they were declared, on every way in, and each fault says where it is and what is wrong."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from crm_testkit.service import ServiceUnderTest, Tenant

Declare = Callable[..., Awaitable[dict[str, Any]]]
CHOICES = [
    {"value": "gold", "label": {"en": "Gold", "zh": "金"}},
    {"value": "silver", "label": {"en": "Silver", "zh": "银"}},
    {"value": "bronze", "label": {"en": "Bronze"}, "archived": True},
]
CNY = {"amount": "1999.00", "currency": "CNY"}


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["pointer"]: each["code"] for each in answer.json()["errors"]}


async def a_contact(tenant: Tenant, **custom: Any) -> dict[str, Any]:
    return await tenant.create("/v1/contacts", full_name="王伟", custom=custom)


async def create(tenant: Tenant, **custom: Any) -> httpx.Response:
    return await tenant.client.post("/v1/contacts", json={"full_name": "王伟", "custom": custom})


async def change(tenant: Tenant, contact: Mapping[str, Any], **custom: Any) -> httpx.Response:
    return await tenant.client.patch(f"/v1/contacts/{contact['id']}", json={"custom": custom})


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", ["", "a", "王" * 10_000], [1, True, ["a"], {"a": 1}, "王" * 10_001]),
        ("number", [0, -1, 1.5, 2**53 - 1], ["1", True, 1e300, [1]]),
        ("money", [CNY, {"amount": "-1", "currency": "JPY"}], ["1 CNY", 1, {"amount": 1, "currency": "CNY"}, {}]),
        ("date", ["2026-02-28", "1990-12-31"], ["2026-02-29", "2026-2-1", "28.02.2026", 20260228, "0999-01-01"]),
        ("choice", ["gold", "silver"], ["bronze", "platinum", "", 1, ["gold"]]),
        ("multi_choice", [[], ["gold"], ["silver", "gold"]], ["gold", ["gold", "gold"], ["bronze"], [1], {}]),
        ("link", ["https://example.com", "https://例子.cn:8443/a?b=c#d"], ["http://example.com", "https://", "x", 1]),
        ("boolean", [True, False], ["true", 1, 0]),
        ("json", [{"a": [1, {"b": None}]}, [], "x", 1.5], [{"a": "x" * 17_000}]),
    ],
)
async def test_a_value_is_of_its_type(
    tenant: Tenant, declare: Declare, kind: str, good: list[Any], bad: list[Any]
) -> None:
    await declare("value", kind, **({"choices": CHOICES} if "choice" in kind else {}))
    for value in good:
        assert (await a_contact(tenant, value=value))["custom"] == {"value": value}
    for value in bad:
        told = faults(await create(tenant, value=value))
        assert {pointer[: len("/custom/value")] for pointer in told} == {"/custom/value"}, (value, told)


async def test_without_declarations_all_is_as_it_was(tenant: Tenant, declare: Declare) -> None:
    await declare("level", "text", resource="accounts")
    values = {"a": 1, "b": ["x", True], "c": "text"}
    assert (await a_contact(tenant, **values))["custom"] == values
    for value in ({"a": 1}, [{"a": 1}], [[1]], list(range(101))):
        assert faults(await create(tenant, deep=value)) == {"/custom/deep": "not_plain"}


async def test_a_name_that_nobody_declared_is_refused_where_some_are(tenant: Tenant, declare: Declare) -> None:
    before = await a_contact(tenant, colour="青", level=7)
    await declare("level", "text")
    assert faults(await create(tenant, colour="青")) == {"/custom/colour": "undeclared"}
    assert faults(await change(tenant, before, colour="red")) == {"/custom/colour": "undeclared"}
    assert faults(await change(tenant, before, level=8)) == {"/custom/level": "type"}
    assert (await change(tenant, before, colour="青", level=7)).status_code == 200
    renamed = await tenant.client.patch(f"/v1/contacts/{before['id']}", json={"full_name": "李娜"})
    assert renamed.json()["custom"] == {"colour": "青", "level": 7}
    cleared = await change(tenant, before, colour=None, level="gold")
    assert cleared.json()["custom"] == {"level": "gold"}


async def test_a_patch_merges_and_null_clears(tenant: Tenant, declare: Declare) -> None:
    await declare("budget", "money")
    await declare("level", "text")
    contact = await a_contact(tenant, budget=CNY, level="a")
    changed = await change(tenant, contact, budget={"amount": "5"})
    assert changed.json()["custom"] == {"budget": {"amount": "5", "currency": "CNY"}, "level": "a"}
    assert faults(await change(tenant, contact, budget={"currency": None})) == {"/custom/budget/currency": "required"}
    assert (await change(tenant, contact, budget=None)).json()["custom"] == {"level": "a"}


async def test_what_is_required_is_there_from_the_beginning_and_never_lost(tenant: Tenant, declare: Declare) -> None:
    older = await a_contact(tenant)
    await declare("level", "text", required=True)
    assert faults(await create(tenant)) == {"/custom/level": "required"}
    assert faults(await create(tenant, level="")) == {"/custom/level": "required"}
    answer = await tenant.client.patch(f"/v1/contacts/{older['id']}", json={"full_name": "李娜"})
    assert answer.status_code == 200
    contact = await a_contact(tenant, level="gold")
    assert faults(await change(tenant, contact, level=None)) == {"/custom/level": "required"}
    cleared = await tenant.client.patch(f"/v1/contacts/{contact['id']}", json={"custom": None})
    assert faults(cleared) == {"/custom/level": "required"}


async def test_a_default_is_for_new_records_that_were_given_none(tenant: Tenant, declare: Declare) -> None:
    older = await a_contact(tenant)
    await declare("level", "choice", choices=CHOICES, default="silver", required=True)
    assert (await a_contact(tenant))["custom"] == {"level": "silver"}
    assert (await a_contact(tenant, level=None))["custom"] == {"level": "silver"}
    assert (await a_contact(tenant, level="gold"))["custom"] == {"level": "gold"}
    assert (await change(tenant, older)).json()["custom"] == {}


async def test_an_archived_field_keeps_its_values_and_takes_no_others(tenant: Tenant, declare: Declare) -> None:
    field = await declare("level", "text", default="a", required=True)
    contact = await a_contact(tenant, level="gold")
    answer = await tenant.client.patch(f"/v1/custom-fields/{field['id']}", json={"archived": True})
    assert answer.status_code == 200
    assert (await a_contact(tenant))["custom"] == {}
    assert faults(await create(tenant, level="gold")) == {"/custom/level": "archived"}
    assert faults(await change(tenant, contact, level="silver")) == {"/custom/level": "archived"}
    assert (await change(tenant, contact, level="gold")).status_code == 200
    assert (await change(tenant, contact, level=None)).json()["custom"] == {}


async def test_an_archived_choice_is_kept_and_not_taken(tenant: Tenant, declare: Declare) -> None:
    field = await declare("levels", "multi_choice", choices=[{**each, "archived": False} for each in CHOICES])
    contact = await a_contact(tenant, levels=["bronze", "gold"])
    await tenant.client.patch(f"/v1/custom-fields/{field['id']}", json={"choices": CHOICES})
    assert (await change(tenant, contact, levels=["bronze"])).json()["custom"] == {"levels": ["bronze"]}
    assert faults(await create(tenant, levels=["bronze"])) == {"/custom/levels/0": "choice"}


RULES: list[tuple[str, dict[str, Any], list[Any], list[Any], str]] = [
    (
        "text",
        {"kind": "pattern", "pattern": "[A-Z]{2}[0-9]{4}"},
        ["AB1234"],
        ["AB12345", "ab1234", "x" * 1001],
        "pattern",
    ),
    ("text", {"kind": "length", "min": 2}, ["王伟"], ["王"], "too_short"),
    ("link", {"kind": "length", "max": 21}, ["https://example.com/a"], ["https://example.com/ab"], "too_long"),
    ("number", {"kind": "range", "min": 0, "max": 1.5}, [0, 1.5], [-0.1, 2], "range"),
    ("number", {"kind": "integer"}, [5, 5.0], [5.5], "integer"),
    ("money", {"kind": "range", "min": "0"}, [CNY], [{"amount": "-0.01", "currency": "CNY"}], "range"),
    ("money", {"kind": "currencies", "currencies": ["CNY", "HKD"]}, [CNY], [{**CNY, "currency": "USD"}], "currency"),
    ("date", {"kind": "range", "max": "2026-12-31"}, ["2026-12-31"], ["2027-01-01"], "range"),
    ("date", {"kind": "not_in_future"}, ["2000-01-01"], ["8999-01-01"], "future"),
    ("date", {"kind": "not_in_past"}, ["8999-01-01"], ["2000-01-01"], "past"),
    ("multi_choice", {"kind": "items", "min": 1}, [["gold"]], [[]], "too_short"),
    ("multi_choice", {"kind": "items", "max": 1}, [[]], [["gold", "silver"]], "too_long"),
]


@pytest.mark.parametrize(("kind", "rule", "good", "bad", "code"), RULES)
async def test_a_value_keeps_to_the_rules_of_its_field(
    tenant: Tenant, declare: Declare, kind: str, rule: dict[str, Any], good: list[Any], bad: list[Any], code: str
) -> None:
    await declare("value", kind, rules=[rule], **({"choices": CHOICES} if "choice" in kind else {}))
    for value in good:
        await a_contact(tenant, value=value)
    for value in bad:
        told = faults(await create(tenant, value=value))
        assert told == {"/custom/value": code}, value


async def test_a_rule_speaks_for_itself_in_the_readers_language(tenant: Tenant, declare: Declare) -> None:
    message = {"en": "A customer number is two letters and four digits", "zh": "客户编号为两个字母加四位数字"}
    await declare("number", "text", rules=[{"kind": "pattern", "pattern": "[A-Z]{2}[0-9]{4}", "message": message}])
    await declare("code", "text", rules=[{"kind": "length", "max": 1, "message": {"zh": "仅一个字符"}}])
    for language, number, code in (("en", message["en"], "仅一个字符"), ("zh-CN", message["zh"], "仅一个字符")):
        body = {"full_name": "王伟", "custom": {"number": "x", "code": "xx"}}
        answer = await tenant.client.post("/v1/contacts", json=body, headers={"Accept-Language": language})
        told = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
        assert told == {"/custom/number": number, "/custom/code": code}


async def test_no_pattern_takes_long(tenant: Tenant, declare: Declare) -> None:
    """Of those that make other engines go on for years."""
    for place, pattern in enumerate(["(x+x+)+y", "(.*a){25}", "(?:(?:a|b|[^c])*c?){20}d", "(a|aa)+$"]):
        await declare(f"value_{place}", "text", rules=[{"kind": "pattern", "pattern": pattern}])
        for text in ("x" * 10_000, "a" * 999 + "!", "aaaaaaaaa" * 100 + "b"):
            answer = await tenant.client.post(
                "/v1/contacts", json={"full_name": "a", "custom": {f"value_{place}": text}}, timeout=2
            )
            assert answer.status_code in (201, 422)


async def test_it_holds_for_each_operation_of_a_batch(tenant: Tenant, declare: Declare) -> None:
    await declare("level", "choice", choices=CHOICES, required=True)
    contact = await a_contact(tenant, level="gold")

    def upsert(address: str, **custom: Any) -> dict[str, Any]:
        data = {"emails": [{"address": address}], "custom": custom}
        return {"method": "upsert", "match": "email", "data": data}

    operations = [
        {"method": "create", "data": {"full_name": "a", "custom": {"level": "gold"}}},
        {"method": "create", "data": {"full_name": "a", "custom": {"level": "platinum"}}},
        {"method": "create", "data": {"full_name": "a"}},
        {"method": "update", "id": contact["id"], "data": {"custom": {"level": None}}},
        {"method": "update", "id": contact["id"], "data": {"custom": {"level": "silver"}}},
        upsert("a@example.com", level="gold"),
        upsert("a@example.com", level="x"),
        upsert("b@example.com"),
    ]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 422, 422, 422, 200, 201, 422, 422]
    told = [each["pointer"] for result in results for each in result.get("error", {}).get("errors", [])]
    assert told == ["/custom/level"] * 5


@pytest.mark.parametrize(
    ("resource", "path", "body"),
    [
        ("accounts", "/v1/accounts", {"name": "云帆"}),
        ("activities", "/v1/activities", {"kind": "note", "contact_id": "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"}),
    ],
)
async def test_accounts_and_activities_have_theirs(
    tenant: Tenant, declare: Declare, resource: str, path: str, body: dict[str, Any]
) -> None:
    await declare("seats", "number", resource=resource, required=True)
    assert faults(await tenant.client.post(path, json=body)) == {"/custom/seats": "required"}
    made = await tenant.create(path, **body, custom={"seats": 12})
    changed = await tenant.client.patch(f"{path}/{made['id']}", json={"custom": {"seats": "many"}})
    assert faults(changed) == {"/custom/seats": "type"}
    found = await tenant.read(path, **{"custom.seats": 12})
    assert [one["id"] for one in found["data"]] == [made["id"]]


async def test_what_one_tenant_declares_is_nothing_to_another(service: ServiceUnderTest, declare: Declare) -> None:
    await declare("level", "number", required=True)
    assert (await a_contact(service.tenant(), level="gold"))["custom"] == {"level": "gold"}


async def test_both_paths_of_a_creation_tell_the_same(
    service: ServiceUnderTest, tenant: Tenant, declare: Declare
) -> None:
    await declare("level", "number", required=True, default=1)
    for custom in ({}, {"level": 2}, {"level": "x"}, {"other": 1}):
        body = {"full_name": "王伟", "custom": custom}
        fast = await tenant.client.post("/v1/contacts", json=body)
        ordinary = await tenant.client.post("/v1/contacts", json=body, headers={"Range": "bytes=0-"})
        assert fast.status_code == ordinary.status_code
        for member in ("custom", "errors", "code"):
            assert fast.json().get(member) == ordinary.json().get(member)
