"""Rows that match nobody, and are probably contacts that are there or stand before them in the file."""

from typing import Any

import pytest
from crm_testkit.importing import act, counts, imported, rows_of, upload
from crm_testkit.service import ServiceUnderTest, Tenant

_HEADER = "姓名,邮箱,生日,公司"
_THERE: dict[str, Any] = {
    "full_name": "Katharina Schneider",
    "emails": [{"address": "katharina.schneider@example.com"}],
    "birthday": "1987-03-12",
}
_SAME = "Katarina Schneider,kschneider@example.org,1987-03-12,"
_OTHER = "Ursula Winter,u.winter@example.net,1961-08-30,"


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()


def _file(*rows: str) -> bytes:
    return "\n".join([_HEADER, *rows]).encode()


async def _names(tenant: Tenant) -> list[str]:
    return sorted(each["full_name"] for each in (await tenant.read("/v1/contacts", limit=200))["data"])


async def test_who_is_probably_there_is_left_out_and_told(tenant: Tenant) -> None:
    there = await tenant.create("/v1/contacts", **_THERE)
    found = await imported(tenant.client, _file(_SAME, _OTHER), duplicates="refuse")
    assert counts(found) == {"duplicate": 1, "created": 1, "probable_duplicates": 1}
    first, second = await rows_of(tenant.client, found["id"])
    assert (first["outcome"], first["id"], second["outcome"]) == ("duplicate", there["id"], "created")
    assert first["problem"]["code"] == "duplicate_contacts"
    assert there["id"] in first["problem"]["detail"]
    [candidate] = first["problem"]["candidates"]
    assert candidate["id"] == there["id"]
    assert candidate["score"] > 0.5
    assert {"name", "birthday"} <= {each["field"] for each in candidate["why"]}
    assert await _names(tenant) == ["Katharina Schneider", "Ursula Winter"]


async def test_reported_ones_are_created_and_told(tenant: Tenant) -> None:
    there = await tenant.create("/v1/contacts", **_THERE)
    found = await imported(tenant.client, _file(_SAME, _OTHER), duplicates="report")
    assert counts(found) == {"created": 2, "probable_duplicates": 1}
    first, second = await rows_of(tenant.client, found["id"])
    assert [each["id"] for each in first["problem"]["candidates"]] == [there["id"]]
    assert (first["outcome"], second["problem"]) == ("created", None)
    assert await rows_of(tenant.client, found["id"], problem="duplicate_contacts") == [first]
    table = await tenant.client.get(f"/v1/imports/{found['id']}/rows.csv", params={"problem": "duplicate_contacts"})
    assert "Katarina" in table.text
    assert "Ursula" not in table.text


async def test_by_default_nobody_is_compared(tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", **_THERE)
    found = await imported(tenant.client, _file(_SAME))
    assert (found["duplicates"], counts(found)) == ("allow", {"created": 1})


async def test_rows_of_one_file_are_compared_with_one_another(tenant: Tenant) -> None:
    far = [f"Person {n} Nobody{n},n{n}@example.com,," for n in range(150)]
    unread = "Without A Day,x@example.com,nonsense,"
    again = "Katharina Schnieder,kat@example.net,1987-03-12,"
    rows = [_SAME, unread, _OTHER, again, *far, _SAME.replace("org", "net")]
    found = await imported(tenant.client, _file(*rows), duplicates="refuse")
    told = {each["row"]: each["id"] for each in await rows_of(tenant.client, found["id"], outcome="duplicate")}
    created = {each["row"]: each["id"] for each in await rows_of(tenant.client, found["id"], outcome="created")}
    assert told == {5: created[2], 156: created[2]}


async def test_a_row_stands_for_nobody_once_it_was_undone(tenant: Tenant) -> None:
    """The company of the third row has to be taken back with it: what stands beside it is taken in anew, one by one."""
    rule = {"condition": {"field": "full_name", "op": "ne", "value": "Nobody Wanted"}, "code": "unwanted"}
    await tenant.create("/v1/validation-rules", resource="contacts", message={"en": "Not them", "zh": "不要"}, **rule)
    unwanted = "Nobody Wanted,nobody@example.com,1970-02-02,Acme"
    like_it = "Nobody Wantedd,nowanted@example.com,1970-02-02,"
    found = await imported(
        tenant.client, _file(_SAME, unwanted, like_it, _SAME.replace("org", "net")), duplicates="refuse"
    )
    rows = await rows_of(tenant.client, found["id"])
    assert [each["outcome"] for each in rows] == ["created", "rejected", "created", "duplicate"]
    assert rows[3]["id"] == rows[0]["id"]
    assert [each["id"] for each in rows[3]["problem"]["candidates"]] == [rows[0]["id"]]
    there = await tenant.read("/v1/contacts", limit=200)
    assert {rows[0]["id"], rows[2]["id"]} == {each["id"] for each in there["data"]}


async def test_a_plan_tells_them_and_its_run_does_as_it_told(tenant: Tenant) -> None:
    there = await tenant.create("/v1/contacts", **_THERE)
    twice = "Wei Wang,wei@example.com,1990-05-01,Acme"
    alike = "Wang Wei,ww@example.org,1990-05-01,Acme"
    planned = await imported(tenant.client, _file(_SAME, twice, alike), duplicates="refuse", dry_run="true")
    assert counts(planned) == {"duplicate": 2, "created": 1, "accounts_created": 1, "probable_duplicates": 2}
    rows = {each["row"]: each for each in await rows_of(tenant.client, planned["id"]) if each["resource"] == "contacts"}
    assert (rows[2]["id"], rows[4]["id"]) == (there["id"], None)
    assert [each["id"] for each in rows[4]["problem"]["candidates"]] == ["row:3"]
    assert await _names(tenant) == ["Katharina Schneider"]
    done = await act(tenant.client, planned["id"], "run")
    assert counts(done) == counts(planned)
    rows = {each["row"]: each for each in await rows_of(tenant.client, done["id"]) if each["resource"] == "contacts"}
    assert rows[4]["id"] == rows[3]["id"]
    changed = await act(tenant.client, done["id"], "revert")
    assert changed["reverted"]["deleted"] == 2


async def test_who_matches_is_no_duplicate_and_a_choice_that_is_none_is_refused(tenant: Tenant) -> None:
    await tenant.create("/v1/contacts", **_THERE)
    same = "Katharina Schneider,katharina.schneider@example.com,,"
    found = await imported(tenant.client, _file(same), duplicates="refuse")
    assert counts(found) == {"unchanged": 1}
    answer = await upload(tenant.client, _file(same), duplicates="perhaps")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/duplicates"), answer.text
