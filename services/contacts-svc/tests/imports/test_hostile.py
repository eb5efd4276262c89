"""Whatever a file holds, and however it is said to be written, it is told and spoils nothing."""

import orjson
import pytest
from crm_testkit.importing import counts, imported, rows_of, upload
from crm_testkit.service import ServiceUnderTest

ROWS = [
    {"resource": []},
    {"resource": {"a": 1}},
    {"full_name": "x", "account": {"domain": ["a"]}},
    {"full_name": "x", "account": {"domain": 5}},
    {"full_name": "x", "account": {"external_ids": {"erp": {"a": 1}}}},
    {"full_name": "x", "account": {"external_ids": [1]}},
    {"full_name": "x", "account": {"colour": "red"}},
    {"full_name": "x", "account": 1},
    {"full_name": "x", "tags": 5},
    {"full_name": "x", "tags": [{}]},
    {"full_name": {"a": 1}},
    {"resource": "accounts", "name": "x", "parent": {"domain": [[]]}},
    {"emails": "a@x.com"},
    {},
]


async def test_a_line_of_odd_types_is_rejected_alone(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    content = b"\n".join(map(orjson.dumps, [*ROWS, {"full_name": "王伟"}]))
    found = await imported(tenant.client, content, defaults={"tags": ["2026"]})
    assert (found["status"], counts(found)) == ("succeeded", {"created": 1, "rejected": len(ROWS)}), found
    told = await rows_of(tenant.client, found["id"], outcome="rejected")
    assert [row["row"] for row in told] == list(range(1, len(ROWS) + 1))


async def test_what_a_column_says_of_a_company_is_held_to_its_form(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    account = await tenant.create("/v1/accounts", name="云帆", domain="yunfan.example.com")
    content = "姓名,公司域名\n王伟,https://WWW.YunFan.example.com/\n李娜,not a domain\n".encode()
    found = await imported(tenant.client, content)
    assert counts(found) == {"created": 1, "rejected": 1}, found
    [contact] = (await tenant.read("/v1/contacts"))["data"]
    assert contact["account_id"] == account["id"]
    [row] = await rows_of(tenant.client, found["id"], outcome="rejected")
    assert row["problem"]["errors"][0]["column"] == "公司域名"


async def test_what_no_database_holds_is_no_fault_of_ours(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    content = b"na\0me,email,ti\0tle\nA\0B,a@x.com,x\nB,b@x.com,\0\n"
    found = await imported(tenant.client, content, mapping={"na\ufffdme": "full_name", "ti\ufffdtle": "title"})
    assert counts(found) == {"rejected": 2}, found


@pytest.mark.parametrize(
    "encoding", ["idna", "undefined", "punycode", "unicode_escape", "utf-7", "rot13", "a\0b", "x" * 41]
)
async def test_an_odd_encoding_is_refused_or_read(service: ServiceUnderTest, encoding: str) -> None:
    answer = await upload(
        service.tenant().client, "name,email\n王,a@x.com\n\\ud800,b@x.com\n".encode(), encoding=encoding
    )
    assert answer.status_code in (201, 422), answer.text
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["pointer"] == "/encoding"
