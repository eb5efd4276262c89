"""What becomes of rows: matching, references, workbooks, lines of JSON, rights."""

import io
import zipfile
from datetime import date
from typing import Any
from xml.sax.saxutils import escape

import orjson
import pytest
from crm_testkit.importing import act, counts, imported, rows_of, upload
from crm_testkit.service import ServiceUnderTest, Tenant


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


async def _all(tenant: Tenant, resource: str = "contacts") -> list[dict[str, Any]]:
    page = await tenant.read(f"/v1/{resource}", limit=200, sort="created_at")
    data: list[dict[str, Any]] = page["data"]
    return data


def workbook(rows: list[list[Any]], sheets: tuple[str, ...] = ("Sheet1",)) -> bytes:
    """The smallest file that is an XLSX: each sheet holds the rows, its name in the first cell of a blank first line."""

    def cell(value: Any) -> str:
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    data = "".join("<row>" + "".join(map(cell, row)) + "</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    names = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
    )  # fmt: skip
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n, _ in enumerate(sheets, 1)
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels"'
            ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1"'
            f' Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        for n, _ in enumerate(sheets, 1):
            archive.writestr(
                f"xl/worksheets/sheet{n}.xml", f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>'
            )
    return file.getvalue()


async def test_a_workbook_is_read_as_its_writer_reads_it(tenant: Tenant) -> None:
    content = workbook([["姓名", "手机", "邮编"], ["王伟", 13800138000, "010020"]], ("People", "Other"))
    found = await imported(tenant.client, content, filename="people.xlsx", sheet="Other")
    assert (found["format"], found["sheet"], counts(found)) == ("xlsx", "Other", {"created": 1}), found
    [contact] = await _all(tenant)
    assert (contact["phones"][0]["number"], contact["address"]["postal_code"]) == ("+8613800138000", "010020")
    for wrong, form, pointer in (
        (content, {"sheet": "Third"}, "/sheet"),
        (b"PK\x03\x04 no workbook", {}, "/file"),
        (b"\xd0\xcf\x11\xe0 an old one", {}, "/format"),
        (content[: len(content) // 2], {}, "/file"),
    ):
        answer = await upload(tenant.client, wrong, filename="people.xlsx", **form)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text


async def test_lines_of_json_may_hold_both_and_refer_to_what_comes_later(tenant: Tenant) -> None:
    lines = [
        {"full_name": "王伟", "emails": [{"address": "w@x.com"}], "account": {"external_ids": {"erp": "A1"}}},
        {"full_name": "李娜", "emails": [{"address": "l@x.com"}], "account": {"external_ids": {"erp": "A9"}}},
        {"resource": "accounts", "name": "子公司", "parent": {"external_ids": {"erp": "A1"}}},
        {"resource": "accounts", "name": "云帆", "external_ids": {"erp": "A1"}},
        {"full_name": "陈静", "colour": "red"},
    ]
    content = b"\n".join(map(orjson.dumps, lines)) + b'\n{"full_name": \n[1]\n'
    expected = {"created": 4, "rejected": 3, "unlinked": 1}
    planned = await imported(tenant.client, content, dry_run=True)
    assert (planned["format"], counts(planned)) == ("ndjson", expected), planned
    done = await act(tenant.client, planned["id"], "run")
    assert counts(done) == expected, done
    accounts = {account["name"]: account for account in await _all(tenant, "accounts")}
    contacts = {contact["full_name"]: contact for contact in await _all(tenant)}
    assert contacts["王伟"]["account_id"] == accounts["子公司"]["parent_id"] == accounts["云帆"]["id"]
    assert contacts["李娜"]["account_id"] is None
    rejected = await rows_of(tenant.client, done["id"], outcome="rejected")
    assert [row["row"] for row in rejected] == [5, 6, 7]
    assert rejected[0]["problem"]["errors"][0]["pointer"] == "/colour"
    reverted = await act(tenant.client, done["id"], "revert")
    assert (reverted["status"], await _all(tenant), await _all(tenant, "accounts")) == ("reverted", [], [])


async def test_a_number_alone_joins_nobody_of_another_name(tenant: Tenant) -> None:
    first = await imported(
        tenant.client, "姓名,电话\n王伟,13800138000\n李娜,13800138000\n王伟,+86 138 0013 8000\n".encode()
    )
    assert counts(first) == {"created": 2, "unchanged": 1}, first
    many = await imported(tenant.client, "姓名,邮箱\n甲,a@x.com\n".encode())
    await tenant.create("/v1/contacts", full_name="乙", emails=[{"address": "A@x.com"}])
    again = await imported(tenant.client, "姓名,邮箱\n丙,a@x.com\n".encode())
    assert (counts(many), counts(again)) == ({"created": 1}, {"conflict": 1})
    [conflict] = await rows_of(tenant.client, again["id"])
    assert (conflict["problem"]["code"], len(conflict["problem"]["candidates"])) == ("several_match", 2)


async def test_what_is_there_is_filled_skipped_or_replaced(tenant: Tenant) -> None:
    before = await tenant.create("/v1/contacts", full_name="王伟", title="经理", emails=[{"address": "w@x.com"}])
    content = "姓名,邮箱,职位,来源\n王 伟,w@x.com,总监,展会\n".encode()
    skipped = await imported(tenant.client, content, on_match="skip")
    assert (counts(skipped), (await _all(tenant))[0]["version"]) == ({"duplicate": 1}, 1)
    filled = await imported(tenant.client, content, on_match="fill")
    [contact] = await _all(tenant)
    assert (counts(filled), contact["title"], contact["source"]) == ({"updated": 1}, "经理", "展会")
    replaced = await imported(tenant.client, content)
    [contact] = await _all(tenant)
    assert (counts(replaced), contact["title"], contact["id"]) == ({"updated": 1}, "总监", before["id"])
    doubled = await imported(tenant.client, content, on_match="create")
    assert (counts(doubled), len(await _all(tenant))) == ({"created": 1}, 2)


async def test_custom_fields_are_read_by_their_type(tenant: Tenant) -> None:
    for name, type_, more in (
        ("budget", "money", {}),
        ("level", "choice", {"choices": [{"value": "gold", "label": {"en": "Gold", "zh": "金卡"}}]}),
        ("since", "date", {}),
        ("seats", "number", {}),
    ):
        await tenant.create(
            "/v1/custom-fields",
            resource="contacts",
            name=name,
            type=type_,
            label={"en": name.title(), "zh": f"{name}中"},
            **more,
        )
    content = (
        '姓名,Budget,level中,Since,seats\n甲,"CNY 1,999.00",金卡,2020年1月2日,12\n乙,很多,铂金,05/06/2020,x\n'.encode()
    )
    found = await imported(tenant.client, content)
    assert counts(found) == {"created": 1, "rejected": 1}, found
    [contact] = await _all(tenant)
    money = {"amount": "1999.00", "currency": "CNY"}
    assert contact["custom"] == {"budget": money, "level": "gold", "since": "2020-01-02", "seats": 12}
    [row] = await rows_of(tenant.client, found["id"], outcome="rejected")
    assert row["problem"]["errors"][0]["column"] == "Since", row


async def test_who_may_do_less_imports_less(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    theirs = await tenant.create("/v1/contacts", full_name="王伟", emails=[{"address": "w@x.com"}], owner_id=None)
    reader = service.tenant(tenant.id, scopes=frozenset({"read", "imports:write"}))
    refused = await upload(reader.client, b"name\nx\n")
    assert (refused.status_code, refused.json()["missing_permission"]) == (403, "contacts:create")
    only_contacts = service.tenant(tenant.id, scopes=frozenset({"read", "imports:write", "contacts:write"}))
    found = await imported(only_contacts.client, "姓名,邮箱,公司\n李娜,l@x.com,云帆\n王伟,w@x.com,\n".encode())
    assert counts(found) == {"rejected": 1, "unchanged": 1}, found
    [row] = await rows_of(only_contacts.client, found["id"], outcome="rejected")
    assert (row["problem"]["missing_permission"], theirs["version"]) == ("accounts:create", 1)


async def test_a_download_can_be_mended_and_imported_again(tenant: Tenant) -> None:
    content = '姓名,邮箱,职位\n王伟,w@x.com,"=HYPERLINK(""http://x"")"\n李娜,not an address,经理\n'.encode()
    found = await imported(tenant.client, content)
    assert counts(found) == {"created": 1, "rejected": 1}
    answer = await tenant.client.get(f"/v1/imports/{found['id']}/rows.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "'=HYPERLINK" in answer.text
    assert answer.text.startswith("\ufeff姓名,邮箱,职位,relata:row,relata:outcome,relata:id,relata:problem\r\n")
    rejected = await tenant.client.get(f"/v1/imports/{found['id']}/rows.csv", params={"outcome": "rejected"})
    assert rejected.text.count("\r\n") == 2, rejected.text
    assert "邮箱: Must be an e-mail address" in rejected.text
    mended = rejected.text.replace("not an address", "l@x.com").encode()
    again = await imported(tenant.client, mended)
    assert counts(again) == {"created": 1}, again
    assert {contact["title"] for contact in await _all(tenant)} == {'=HYPERLINK("http://x")', "经理"}


async def test_its_file_is_forgotten_with_it(tenant: Tenant) -> None:
    found = await imported(tenant.client, b"name,email\nx,x@x.com\n")
    assert date.fromisoformat(found["expires_at"][:10]) > date.fromisoformat(found["created_at"][:10])
    deleted = await tenant.client.delete(f"/v1/imports/{found['id']}")
    assert deleted.status_code == 204
    for path in ("", "/rows", "/rows.csv"):
        assert (await tenant.client.get(f"/v1/imports/{found['id']}{path}")).status_code == 404
    assert len(await _all(tenant)) == 1


async def test_another_action_waits_its_turn(tenant: Tenant) -> None:
    planned = await imported(tenant.client, b"name,email\nx,x@x.com\n", dry_run=True)
    nothing = await tenant.client.post(f"/v1/imports/{planned['id']}/revert")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_revert")
    done = await act(tenant.client, planned["id"], "run", mapping={"name": "last_name"})
    assert (await _all(tenant))[0]["last_name"] == "x"
    again = await tenant.client.post(f"/v1/imports/{done['id']}/run", json={})
    assert (again.status_code, again.json()["code"]) == (409, "import_done")
    wrong = await tenant.client.post(f"/v1/imports/{planned['id']}/run", json={"mapping": {"name": "nope"}})
    assert wrong.status_code in (409, 422)
