"""A file is taken in, planned, taken back."""

from typing import Any

import httpx
import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Access, Grant
from crm_testkit.importing import act, counts, imported, rows_of, upload
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_PEOPLE = """姓名,手机,邮箱,公司,生日,标签,备注
王伟,138 0013 8000,wang.wei@example.com,云帆科技,1990/1/2,"vip;老客户",x
李娜,+86 139 0013 9000,li.na@example.com,云帆科技,1988年3月4日,,
欧阳晓梅,,ouyang@example.com,,,潜在,
""".encode()


_WRITE: dict[str, Access] = dict.fromkeys(("open", "personal", "commercial", "private"), "write")


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


async def test_a_repeated_request_is_one_import(tenant: Tenant) -> None:
    async def send(content: bytes, **form: str) -> httpx.Response:
        return await tenant.client.post(
            "/v1/imports", files={"file": ("x.csv", content)}, data=form, headers={"Idempotency-Key": "once"}
        )

    first, again = await send(_PEOPLE), await send(_PEOPLE)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["idempotent-replayed"] == "true"
    for other in (await send(_PEOPLE + b"x"), await send(_PEOPLE, dry_run="true")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused"), other.text
    assert counts(await ended(tenant.client, f"/v1/imports/{first.json()['id']}")) == {
        "created": 3,
        "accounts_created": 1,
    }


_NAMES = st.sampled_from(["王伟", "李娜", "Ann Lee", ""])
_MAILS = st.sampled_from(["a@x.com", "A@x.com", "b@x.com", "no address", ""])
_PHONES = st.sampled_from(["13800138000", "+86 138 0013 8000", "13900139000", "1", ""])
_COMPANIES = st.sampled_from(["云帆", "海川", ""])
_ROW = st.tuples(_NAMES, _MAILS, _PHONES, _COMPANIES, st.sampled_from(["E1", "E2", ""]), st.sampled_from(["甲", ""]))


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    there=st.lists(_ROW, max_size=3),
    rows=st.lists(_ROW, min_size=1, max_size=8),
    on_match=st.sampled_from(["update", "fill", "skip"]),
)
async def test_whatever_the_rows_the_plan_is_what_is_done_and_all_of_it_is_taken_back(
    service: ServiceUnderTest, there: list[tuple[str, ...]], rows: list[tuple[str, ...]], on_match: str
) -> None:
    tenant = service.tenant()
    header = "姓名,邮箱,电话,公司,external_ids.erp,职位"

    def content(lines: list[tuple[str, ...]]) -> bytes:
        return "\n".join([header, *map(",".join, [*lines, ("-", "", "", "", "", "")])]).encode()

    await imported(tenant.client, content(there), on_match="update")
    before = await _states(tenant)
    planned = await imported(tenant.client, content(rows), on_match=on_match, dry_run=True)
    assert await _states(tenant) == before
    done = await act(tenant.client, planned["id"], "run")
    assert counts(done) == counts(planned), await rows_of(tenant.client, done["id"])
    told = await rows_of(tenant.client, done["id"])
    made = {row["id"] for row in told if row["outcome"] == "created"}
    after = await _states(tenant)
    assert made == after.keys() - before.keys()
    if any(counts(done).get(name) for name in ("created", "updated", "accounts_created")):
        reverted = await act(tenant.client, planned["id"], "revert")
        assert reverted["status"] == "reverted"
        assert {name for name, number in reverted["reverted"].items() if number} <= {"deleted", "restored"}, reverted
    assert await _states(tenant) == before


async def _states(tenant: Tenant) -> dict[str, Any]:
    """Every contact and account, without what changes with each version."""
    found = {}
    for resource in ("contacts", "accounts"):
        for record in (await tenant.read(f"/v1/{resource}", limit=200))["data"]:
            found[record["id"]] = {
                name: value for name, value in record.items() if name not in ("version", "updated_at")
            }
    return found


async def test_who_has_rights_of_their_own_imports_too(service: ServiceUnderTest, tenant: Tenant) -> None:
    mine = Grant(frozenset({"imports", "contacts"}), frozenset(("read", "create", "update")), "own", _WRITE)
    some = service.tenant(tenant.id, rights=Rights(UserId.new(), (), [mine], admin=False))
    done = await imported(some.client, b"name,email\nx,x@x.com\n")
    assert (done["status"], counts(done)) == ("succeeded", {"created": 1}), done
    other = service.tenant(tenant.id, rights=Rights(UserId.new(), (), [mine], admin=False))
    assert (await other.client.get(f"/v1/imports/{done['id']}")).status_code == 404
