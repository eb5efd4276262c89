"""What one tenant has taken out, another takes in, and has the same."""

from typing import Any

import pytest
from crm_testkit.exporting import file_of
from crm_testkit.importing import counts, imported
from crm_testkit.service import ServiceUnderTest, Tenant
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

_ALPHABET = "a Z=+-@'\"\n\t,;|、0𠮷😀é王[]{}\\"
_TEXT = st.text(_ALPHABET, min_size=1, max_size=12).filter(lambda text: text == text.strip())
_SOMETIMES = st.none() | _TEXT
_CONTACT = st.fixed_dictionaries(
    {
        "full_name": _TEXT,
        "first_name": _SOMETIMES,
        "title": _SOMETIMES,
        "wechat": _SOMETIMES,
        "source": _SOMETIMES,
        "birthday": st.none() | st.dates().filter(lambda day: 1900 < day.year < 9000).map(lambda day: day.isoformat()),
        "language": st.sampled_from([None, "zh-CN"]),
        "tags": st.lists(_TEXT, max_size=3, unique=True),
        "external_ids": st.dictionaries(st.sampled_from(["erp", "shop.cn"]), _TEXT, max_size=2),
        "address": st.none() | st.fixed_dictionaries({"city": _TEXT, "postal_code": st.sampled_from([None, "010000"])}),
        "emails": st.lists(st.sampled_from(["a|b@example.com", "李@example.com", "c@example.com"]), max_size=2, unique=True),
        "phones": st.lists(st.sampled_from(["+8613800138000", "+8613900139000"]), max_size=2, unique=True),
        "custom": st.fixed_dictionaries(
            {
                "note": _TEXT,
                "n": st.integers(-(2**53) + 1, 2**53 - 1),
                "ok": st.booleans(),
                "j": st.dictionaries(_TEXT, st.integers(0, 9), max_size=2),
            }
        ),
    }
)  # fmt: skip
_FIELDS = {"note": "text", "n": "number", "ok": "boolean", "j": "json", "price": "money", "some": "multi_choice"}


async def _with_fields(tenant: Tenant) -> Tenant:
    for name, kind in _FIELDS.items():
        choices = [{"value": value, "label": {"en": value}} for value in ("a", "b")] if kind == "multi_choice" else []
        await tenant.create(
            "/v1/custom-fields", resource="contacts", name=name, label={"en": name}, type=kind, choices=choices
        )
    return tenant


def _said(contact: dict[str, Any]) -> dict[str, Any]:
    """What a table tells of a contact: in it an e-mail has an order, and no more; a number no label."""
    members = {name: value for name, value in contact.items() if name not in ("id", "created_at", "updated_at")}
    emails = sorted(contact["emails"], key=lambda each: not each["primary"])
    return members | {
        "emails": [each["address"] for each in emails],
        "phones": [each["number"] for each in contact["phones"]],
        "custom": {name: value for name, value in contact["custom"].items() if value != {}},
    }


async def _all(tenant: Tenant) -> list[dict[str, Any]]:
    return (await tenant.read("/v1/contacts", limit=200, sort="created_at"))["data"]  # type: ignore[no-any-return]  # as JSON is


@pytest.mark.parametrize("format_", ["csv", "ndjson", "xlsx"])
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # each try is two tenants and two jobs: nobody waits for the smallest
)
@given(contacts=st.lists(_CONTACT, min_size=1, max_size=4))
async def test_contacts_are_the_same_elsewhere(
    service: ServiceUnderTest, format_: str, contacts: list[dict[str, Any]]
) -> None:
    here, there = await _with_fields(service.tenant()), await _with_fields(service.tenant())
    for number, contact in enumerate(contacts):
        given_ids = {system: f"{value}{number}" for system, value in contact["external_ids"].items()}
        filled = {name: value for name, value in contact.items() if value is not None}
        more = {"price": {"amount": "1999.00", "currency": "CNY"}, "some": ["a", "b"]} if number == 0 else {}
        body = filled | {
            "external_ids": given_ids,
            "emails": [{"address": address} for address in contact["emails"]],
            "phones": [{"number": number_} for number_ in contact["phones"]],
            "custom": contact["custom"] | more,
        }
        if "address" in body:
            body["address"] = {name: value for name, value in body["address"].items() if value is not None}
        await here.create("/v1/contacts", **body)
    content = await file_of(here.client, format=format_)
    taken = await imported(there.client, content, filename=f"x.{format_}", on_match="create")
    assert counts(taken) == {"created": len(contacts)}, taken
    assert [_said(contact) for contact in await _all(there)] == [_said(contact) for contact in await _all(here)]


@pytest.mark.parametrize("format_", ["csv", "ndjson", "xlsx"])
async def test_whom_they_belong_to_goes_along(service: ServiceUnderTest, format_: str) -> None:
    here, there = service.tenant(), service.tenant()
    group = await here.create("/v1/accounts", name="云帆集团", external_ids={"erp": "0001"})
    account = await here.create("/v1/accounts", name="云帆", domain="yunfan.example.com", size=5, parent_id=group["id"])
    await here.create("/v1/contacts", full_name="王伟", account_id=account["id"], phones=[{"number": "+8613800138000"}])
    for resource in ("accounts", "contacts"):
        content = await file_of(here.client, resource, format=format_)
        taken = await imported(there.client, content, filename=f"x.{format_}", resource=resource)
        assert counts(taken)["created"] == (2 if resource == "accounts" else 1), taken
    accounts = {each["id"]: each for each in (await there.read("/v1/accounts"))["data"]}
    by_name = {each["name"]: each for each in accounts.values()}
    assert accounts[by_name["云帆"]["parent_id"]]["name"] == "云帆集团"
    assert (by_name["云帆"]["size"], by_name["云帆集团"]["external_ids"]) == (5, {"erp": "0001"})
    [contact] = await _all(there)
    assert contact["account_id"] == by_name["云帆"]["id"]
