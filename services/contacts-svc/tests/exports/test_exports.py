"""Records leave as files: what is in them, in what order, how written, how long."""

import asyncio
import csv
import io
from typing import Any
from urllib.parse import unquote

import asyncpg
import orjson
import pytest
from crm_testkit.exporting import exported, file_of
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest, Tenant
from python_calamine import CalamineWorkbook

AWKWARD = {
    "full_name": '=cmd|"x" 𠮷野😀',
    "title": 'a,b;"c"\nd',
    "source": "'=x",
    "wechat": "+x",
    "phones": [{"number": "+8613800138000", "label": None}, {"number": "+8613900139000", "label": None}],
    "emails": [{"address": "b@example.com"}, {"address": "a@example.com", "primary": True}],
    "tags": ["vip", "a,b"],
    "birthday": "1990-01-02",
    "external_ids": {"erp.cn": "007", "shop": "12345678901234567890"},
    "address": {"city": "杭州", "postal_code": "010000"},
}


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


def rows_of(content: bytes, encoding: str = "utf-8-sig", delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(encoding), newline=""), delimiter=delimiter))


async def people(tenant: Tenant, count: int, **members: Any) -> None:
    operations = [{"method": "create", "data": {"full_name": f"王{n}", **members}} for n in range(count)]
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    assert {result["status"] for result in answer.json()["results"]} == {201}, answer.text


async def test_all_pages_come_once_in_the_order_of_creation(tenant: Tenant) -> None:
    for _ in range(2):
        await people(tenant, 650)
    found = await exported(tenant.client, columns=["id", "full_name"])
    assert (found["status"], found["rows"]) == ("succeeded", 1300), found
    rows = rows_of((await tenant.client.get(found["file"])).content)
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == 1300
    assert ids == sorted(ids)
    job = await tenant.client.get(f"/internal/jobs/{found['job_id']}")
    assert job.json()["progress"] == {"done": 1300, "total": 1300}
    sorted_by_name = rows_of(await file_of(tenant.client, columns=["full_name"], sort=["-full_name"]))
    names = [row["full_name"] for row in sorted_by_name]
    assert names == sorted(names, reverse=True)
    assert len(names) == 1300


async def test_a_condition_over_declared_and_custom_fields_chooses(tenant: Tenant) -> None:
    await tenant.create(
        "/v1/custom-fields", resource="contacts", name="level", label={"en": "Level"}, type="number", sensitivity="open"
    )
    await tenant.create("/v1/contacts", full_name="王伟", custom={"level": 3}, address={"city": "杭州"})
    await tenant.create("/v1/contacts", full_name="李娜", custom={"level": 1}, address={"city": "杭州"})
    where = {
        "all": [
            {"field": "custom.level", "op": "gt", "value": 2},
            {"field": "address.city", "op": "eq", "value": "杭州"},
        ]
    }
    content = await file_of(tenant.client, where=where, columns=["full_name", "custom.level"], sort=["custom.level"])
    assert rows_of(content) == [{"full_name": "王伟", "custom.level": "3"}]


@pytest.mark.parametrize(
    ("asked", "encoding", "delimiter"),
    [
        ({}, "utf-8-sig", ","),
        ({"encoding": "utf-8", "delimiter": ";"}, "utf-8", ";"),
        ({"encoding": "gb18030", "delimiter": "\t"}, "gb18030", "\t"),
    ],
)
async def test_csv_is_written_as_asked_for(
    tenant: Tenant, asked: dict[str, str], encoding: str, delimiter: str
) -> None:
    await tenant.create("/v1/contacts", **AWKWARD)
    content = await file_of(tenant.client, **asked)
    assert content.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    [row] = rows_of(content, encoding, delimiter)
    assert row["full_name"] == "'" + str(AWKWARD["full_name"])
    assert row["title"] == AWKWARD["title"]
    assert (row["source"], row["wechat"]) == ("''=x", "'+x")
    assert row["phone"] == "'+8613800138000; +8613900139000"
    assert row["email"] == "a@example.com; b@example.com"
    assert row["tags"] == '["vip","a,b"]'
    assert (row["external_ids.erp.cn"], row["external_ids.shop"]) == ("007", "12345678901234567890")
    assert (row["birthday"], row["address.postal_code"]) == ("1990-01-02", "010000")


async def test_ndjson_holds_members_as_the_api_has_them(tenant: Tenant) -> None:
    made = await tenant.create("/v1/contacts", **AWKWARD)
    columns = ["full_name", "emails.0.address", "external_ids.erp.cn", "address.city", "tags", "created_at", "title"]
    content = await file_of(tenant.client, format="ndjson", columns=columns)
    assert [orjson.loads(line) for line in content.splitlines()] == [
        {
            "full_name": AWKWARD["full_name"],
            "emails.0.address": "b@example.com",
            "external_ids.erp.cn": "007",
            "address.city": "杭州",
            "tags": ["vip", "a,b"],
            "created_at": made["created_at"],
            "title": AWKWARD["title"],
        }
    ]
    nobody = {"field": "full_name", "op": "eq", "value": "nobody"}
    assert await file_of(tenant.client, format="ndjson", where=nobody) == b""


async def test_a_workbook_has_true_dates_and_loses_no_digit(tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", **AWKWARD)
    account = await tenant.create("/v1/accounts", name="云帆", size=250, external_ids={"erp": "0042"})
    columns = ["full_name", "birthday", "created_at", "external_ids.shop", "external_ids.erp.cn", "phone", "tags"]
    content = await file_of(tenant.client, format="xlsx", columns=columns)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    assert book.sheet_names == ["contacts"]
    header, row = book.get_sheet_by_index(0).to_python()
    assert header == columns
    assert row[0] == AWKWARD["full_name"]
    assert row[1].isoformat() == "1990-01-02"
    assert type(row[2]).__name__ == "datetime"
    assert row[3:] == ["12345678901234567890", "007", "+8613800138000; +8613900139000", '["vip","a,b"]']
    content = await file_of(tenant.client, "accounts", format="xlsx", columns=["id", "size", "external_ids.erp"])
    [_, row] = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert row == [account["id"], 250.0, "0042"]


async def test_a_text_too_long_for_a_workbook_is_cut_and_counted(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    await tenant.create("/v1/activities", kind="note", body="x" * 40_000, contact_id=contact["id"])
    found = await exported(tenant.client, "activities", format="xlsx", columns=["body", "kind"])
    assert (found["status"], found["cut"]) == ("succeeded", 1), found
    content = (await tenant.client.get(found["file"])).content
    [_, row] = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert (len(row[0]), row[1]) == (32_767, "note")
    [row] = rows_of(await file_of(tenant.client, "activities"))
    assert (row["body"], row["kind"], row["contact_id"]) == ("x" * 40_000, "note", contact["id"])


async def test_the_file_is_named_in_any_script_and_kept_by_its_tag(tenant: Tenant) -> None:
    await people(tenant, 1)
    found = await exported(tenant.client, filename="客户 2026")
    answer = await tenant.client.get(found["file"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    plain, _, encoded = answer.headers["content-disposition"].partition("; filename*=UTF-8''")
    assert plain == 'attachment; filename="__ 2026.csv"'
    assert unquote(encoded) == "客户 2026.csv"
    assert int(answer.headers["content-length"]) == found["size"]
    again = await tenant.client.get(found["file"], headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    chinese = await tenant.client.post(
        "/v1/exports", json={"resource": "contacts"}, headers={"Accept-Language": "zh-CN"}
    )
    assert chinese.json()["filename"].startswith("联系人-")


async def test_what_is_wrong_is_told_with_its_place(tenant: Tenant) -> None:
    for asked, pointer, code in (
        ({"columns": ["full_name", "nope"]}, "/columns/1", "unknown_column"),
        ({"columns": ["emails.first"]}, "/columns/0", "unknown_column"),
        ({"columns": ["address."]}, "/columns/0", "unknown_column"),
        ({"columns": ["address.moon"]}, "/columns/0", "unknown_column"),
        ({"columns": ["account.size"]}, "/columns/0", "unknown_column"),
        ({"columns": ["custom.Level"]}, "/columns/0", "unknown_column"),
        ({"columns": ["full_name", "full_name"]}, "/columns/1", "repeated"),
        ({"columns": []}, "/columns", "too_short"),
        ({"where": {"field": "nope", "op": "eq", "value": 1}}, "/where/field", "unknown_field"),
        ({"sort": ["nope"]}, "/sort", "invalid_sort"),
        ({"format": "pdf"}, "/format", "choice"),
        ({"format": "xlsx", "encoding": "gb18030"}, "", "csv_only"),
        ({"encoding": "latin-1"}, "/encoding", "choice"),
        ({"filename": "a/b"}, "/filename", "file_name"),
        ({"filename": " a"}, "/filename", "file_name"),
        ({"colour": 1}, "/colour", "unknown_field"),
        ({"resource": "deals"}, "/resource", "choice"),
    ):
        answer = await tenant.client.post(
            "/v1/exports", json={"resource": "contacts", **asked}, headers={"Accept-Language": "zh-CN"}
        )
        assert answer.status_code == 422, (asked, answer.text)
        found = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
        assert (pointer, code) in found, (asked, answer.text)


async def test_it_is_deleted_with_its_file_and_told_in_the_audit_log(tenant: Tenant) -> None:
    await people(tenant, 3)
    found = await exported(tenant.client, columns=["full_name", "source"])
    answer = await tenant.client.get(found["file"])
    assert answer.status_code == 200
    told = (await tenant.client.get("/internal/audit-log", params={"action": "exported", "limit": 10})).json()["data"]
    by_resource = {entry["resource"]: entry for entry in told}
    changes = by_resource["contact"]["changes"]
    assert changes["rows"]["after"] == 3
    assert changes["columns"]["after"] == ["full_name", "source"]
    assert changes["shown"]["after"] == ["open", "personal"]
    assert by_resource["contact"]["actor"] == "key_test"
    assert by_resource["export"]["entity_id"] == found["id"]
    assert (await tenant.client.delete(f"/v1/exports/{found['id']}")).status_code == 204
    assert (await tenant.client.get(found["file"])).status_code == 404
    assert (await tenant.client.get("/v1/exports")).json()["data"] == []


async def test_what_is_cancelled_has_no_file(tenant: Tenant) -> None:
    for _ in range(3):
        await people(tenant, 900)
    started = (await tenant.client.post("/v1/exports", json={"resource": "contacts"})).json()
    busy = await tenant.client.delete(f"/v1/exports/{started['id']}")
    assert (busy.status_code, busy.json()["code"]) == (409, "export_busy"), busy.text
    early = await tenant.client.get(f"/v1/exports/{started['id']}/file")
    assert (early.status_code, early.json()["code"]) == (409, "export_busy"), early.text
    cancelled = await tenant.client.post(f"/internal/jobs/{started['job_id']}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    found = await ended(tenant.client, f"/v1/exports/{started['id']}")
    assert (found["status"], found["file"], found["size"]) == ("cancelled", None, None)
    none = await tenant.client.get(f"/v1/exports/{started['id']}/file")
    assert (none.status_code, none.json()["code"]) == (409, "no_export_file")


async def test_after_its_time_file_and_condition_are_forgotten(service: ServiceUnderTest, tenant: Tenant) -> None:
    await people(tenant, 2)
    where = {"field": "full_name", "op": "eq", "value": "王1"}
    found = await exported(tenant.client, where=where)
    assert (found["rows"], found["where"]) == (1, where)
    connection = await asyncpg.connect(service.urls.app)
    try:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant.id)
            timers = await connection.execute("update timer set due_at = now() where key = $1", found["id"])
            assert timers == "UPDATE 1"
        async with asyncio.timeout(20):
            while (found := await ended(tenant.client, f"/v1/exports/{found['id']}"))["status"] != "expired":
                await asyncio.sleep(0.05)
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", tenant.id)
            assert await connection.fetchval("select count(*) from export_piece where export_id = $1", found["id"]) == 0
    finally:
        await connection.close()
    assert (found["file"], found["size"], found["where"], found["rows"]) == (None, None, None, 1)
    gone = await tenant.client.get(f"/v1/exports/{found['id']}/file")
    assert (gone.status_code, gone.json()["code"]) == (409, "no_export_file")
    assert (await tenant.client.delete(f"/v1/exports/{found['id']}")).status_code == 204
