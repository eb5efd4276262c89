"""A file is taken in, planned, taken back."""

from typing import Any

import pytest
from crm_testkit.importing import act, counts, imported, rows_of, upload
from crm_testkit.service import ServiceUnderTest, Tenant

_PEOPLE = """姓名,手机,邮箱,公司,生日,标签,备注
王伟,138 0013 8000,wang.wei@example.com,云帆科技,1990/1/2,"vip;老客户",x
李娜,+86 139 0013 9000,li.na@example.com,云帆科技,1988年3月4日,,
欧阳晓梅,,ouyang@example.com,,,潜在,
""".encode()


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def _contacts(tenant: Tenant) -> dict[str, dict[str, Any]]:
    page = await tenant.read("/v1/contacts", limit=200)
    return {contact["full_name"]: contact for contact in page["data"]}


async def test_a_chinese_file_is_understood_without_a_word(tenant: Tenant) -> None:
    found = await imported(tenant.client, _PEOPLE.decode().encode("gb18030"), filename="客户.csv")
    assert (found["status"], counts(found)) == ("succeeded", {"created": 3, "accounts_created": 1}), found
    assert (found["format"], found["encoding"], found["delimiter"]) == ("csv", "gb18030", ",")
    assert {column["name"]: column["target"] for column in found["columns"]} == {
        "姓名": "full_name", "手机": "phone", "邮箱": "email", "公司": "account.name", "生日": "birthday", "标签": "tags",
        "备注": None,
    }  # fmt: skip
    contacts = await _contacts(tenant)
    wang = contacts["王伟"]
    assert (wang["last_name"], wang["first_name"], wang["birthday"]) == ("王", "伟", "1990-01-02")
    assert wang["phones"] == [{"number": "+8613800138000", "label": "mobile"}]
    assert (wang["tags"], contacts["李娜"]["birthday"]) == (["vip", "老客户"], "1988-03-04")
    account = await tenant.read(f"/v1/accounts/{wang['account_id']}")
    assert account["name"] == "云帆科技"
    assert contacts["李娜"]["account_id"] == account["id"]


async def test_a_dry_run_tells_what_the_run_then_does(tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", full_name="王伟", emails=[{"address": "Wang.Wei@example.com"}])
    content = _PEOPLE + "李娜,,li.na@example.com,,,,\n,not a number,,,,,\n".encode()
    planned = await imported(tenant.client, content, dry_run=True)
    expected = {"created": 2, "updated": 1, "unchanged": 1, "rejected": 1, "accounts_created": 1}
    assert (planned["status"], counts(planned)) == ("planned", expected), planned
    assert len(await _contacts(tenant)) == 1
    done = await act(tenant.client, planned["id"], "run")
    assert (done["status"], counts(done)) == ("succeeded", expected), done
    contacts = await _contacts(tenant)
    assert (len(contacts), contacts["王伟"]["phones"][0]["number"]) == (3, "+8613800138000")
    [rejected] = await rows_of(tenant.client, done["id"], outcome="rejected")
    assert (rejected["row"], rejected["problem"]["errors"][0]["column"]) == (6, "手机"), rejected


async def test_what_was_taken_in_is_taken_back(tenant: Tenant) -> None:
    before = await tenant.create(
        "/v1/contacts", full_name="王伟", emails=[{"address": "wang.wei@example.com"}], tags=["neu"], custom={"a": 1}
    )
    done = await imported(tenant.client, _PEOPLE)
    assert counts(done) == {"created": 2, "updated": 1, "accounts_created": 1}
    contacts = await _contacts(tenant)
    assert contacts["王伟"]["tags"] == ["neu", "vip", "老客户"]
    changed = await tenant.client.patch(f"/v1/contacts/{contacts['李娜']['id']}", json={"title": "Buyer"})
    assert changed.status_code == 200
    reverted = await act(tenant.client, done["id"], "revert")
    # The company stays: a contact that somebody has changed since belongs to it.
    assert reverted["status"] == "reverted"
    told = {name: number for name, number in reverted["reverted"].items() if number}
    assert told == {"deleted": 1, "restored": 1, "changed_since": 1, "in_use": 1}, told
    contacts = await _contacts(tenant)
    assert set(contacts) == {"王伟", "李娜"}
    ignored = ("version", "updated_at")
    assert {name: value for name, value in contacts["王伟"].items() if name not in ignored} == {
        name: value for name, value in before.items() if name not in ignored
    }


async def test_what_is_wrong_with_the_form_is_told(tenant: Tenant) -> None:
    for form, pointer in (
        ({"mapping": {"手机": "telefon"}}, "/mapping/手机"),
        ({"mapping": {"nope": "email"}}, "/mapping/nope"),
        ({"mapping": {"姓名": "title", "公司": "title"}}, "/mapping/姓名"),
        ({"match": ["domain"]}, "/match/0"),
        ({"on_match": "merge"}, "/on_match"),
        ({"encoding": "klingon"}, "/encoding"),
        ({"format": "xlsx"}, "/file"),
        ({"colour": "red"}, "/colour"),
        ({"mapping": "no json"}, "/mapping"),
    ):
        answer = await upload(tenant.client, _PEOPLE, **form)
        assert answer.status_code == 422, (form, answer.text)
        assert pointer in [error["pointer"] for error in answer.json()["errors"]], (form, answer.text)
    empty = await upload(tenant.client, b"")
    assert (empty.status_code, empty.json()["errors"][0]["pointer"]) == (422, "/file"), empty.text
    without = await tenant.client.post("/v1/imports", data={"resource": "contacts"}, files={"other": b"x"})
    assert without.status_code == 422, without.text
    plain = await tenant.client.post("/v1/imports", json={"file": "x"})
    assert plain.status_code == 415, plain.text
