"""A person of whom nothing may be done but storing: nobody changes, merges, deletes or takes out what is held."""

from datetime import UTC, datetime
from typing import Any

from crm_testkit.jobs import ended
from crm_testkit.service import Tenant
from crm_testkit.writers import until

REQUESTS = "/v1/privacy-requests"


async def restricted(tenant: Tenant, contact: dict[str, Any]) -> dict[str, Any]:
    return await tenant.create(REQUESTS, kind="restriction", contact_id=contact["id"], reason="DSR-7")


async def test_only_who_has_it_changes_until_it_is_lifted(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="李娜", title="经理")
    path = f"/v1/contacts/{contact['id']}"
    request = await restricted(tenant, contact)
    assert (request["status"], request["job_id"]) == ("succeeded", None)
    assert (await tenant.read(path))["restricted"] is True

    for change in ({"title": "总监"}, {"tags": ["vip"]}, {"do_not_contact": True}):
        answer = await tenant.client.patch(path, json=change)
        assert (answer.status_code, answer.json()["code"]) == (409, "processing_restricted"), change
    assert (await tenant.client.delete(path)).json()["code"] == "processing_restricted"
    moved = await tenant.client.patch(path, json={"owner_id": "user_01jd3zq8w9e2vbx7k5m4n6p8qr"})
    assert moved.status_code == 200, moved.text
    again = await tenant.client.post(REQUESTS, json={"kind": "restriction", "contact_id": contact["id"]})
    assert again.status_code == 409

    lifted = await tenant.client.post(f"{REQUESTS}/{request['id']}/lift")
    assert lifted.json()["status"] == "lifted"
    assert (await tenant.client.patch(path, json={"title": "总监"})).status_code == 200
    assert (await tenant.client.post(f"{REQUESTS}/{request['id']}/lift")).json()["code"] == "not_restricted"


async def test_it_is_not_merged_and_stands_in_no_export(tenant: Tenant) -> None:
    contact, other = [await tenant.create("/v1/contacts", full_name=name) for name in ("李娜", "李四")]
    await restricted(tenant, contact)
    for into, taken in ((contact, other), (other, contact)):
        answer = await tenant.client.post(f"/v1/contacts/{into['id']}/merge", json={"from": [taken["id"]]})
        assert answer.json()["code"] == "processing_restricted"
    export = await tenant.create("/v1/exports", resource="contacts", columns=["full_name"])
    await ended(tenant.client, f"/v1/exports/{export['id']}")
    file = (await tenant.client.get(f"/v1/exports/{export['id']}/file")).text
    assert "李四" in file
    assert "李娜" not in file


async def test_a_request_is_about_a_contact_that_is_there(tenant: Tenant) -> None:
    contact, other = [await tenant.create("/v1/contacts", full_name="李娜") for _ in range(2)]
    await tenant.client.post(f"/v1/contacts/{contact['id']}/merge", json={"from": [other["id"]]})
    for wrong in (other["id"], "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"):
        answer = await tenant.client.post(REQUESTS, json={"kind": "erasure", "contact_id": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/contact_id")
    stranger = await tenant.client.post(REQUESTS, json={"kind": "forgetting", "contact_id": contact["id"]})
    assert stranger.status_code == 422


async def test_an_erasure_goes_on_whoever_wants_to_cancel_it(tenant: Tenant) -> None:
    contact = await tenant.create("/v1/contacts", full_name="李娜", emails=[{"address": "Li.Na@example.com"}])
    request = await tenant.create(REQUESTS, kind="erasure", contact_id=contact["id"])
    assert (await tenant.client.get(f"/v1/contacts/{contact['id']}")).json()["code"] == "erased"
    assert (await tenant.read(f"/internal/jobs/{request['job_id']}"))["status"] in ("pending", "running")
    answer = await tenant.client.post(f"/internal/jobs/{request['job_id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "erasure_not_stoppable")


async def test_what_is_logged_of_it_is_stored_and_nothing_else(tenant: Tenant) -> None:
    contact, other = [await tenant.create("/v1/contacts", full_name=name) for name in ("李娜", "李四")]
    mine, theirs = [
        await tenant.create("/v1/activities", kind="call", subject=f"of {each['full_name']}", contact_id=each["id"])
        for each in (contact, other)
    ]
    account = await tenant.create("/v1/accounts", name="云帆")
    await tenant.create("/v1/activities", kind="note", subject="of nobody", account_id=account["id"])
    related = await tenant.create(
        "/v1/relationships", contact_id=contact["id"], account_id=account["id"], label="buyer"
    )
    request = await restricted(tenant, contact)
    paths = {f"/v1/activities/{mine['id']}": {"subject": "x"}, f"/v1/relationships/{related['id']}": {"note": "x"}}
    for path, change in paths.items():
        for answer in (await tenant.client.patch(path, json=change), await tenant.client.delete(path)):
            assert (answer.status_code, answer.json()["code"]) == (409, "processing_restricted"), path
        assert (await tenant.client.get(path)).status_code == 200
    export = await tenant.create("/v1/exports", resource="activities", columns=["subject"])
    await ended(tenant.client, f"/v1/exports/{export['id']}")
    file = (await tenant.client.get(f"/v1/exports/{export['id']}/file")).text
    assert sorted(file.split()[1:]) == sorted("of nobody of 李四".split())
    logged = await tenant.client.post("/v1/activities", json={"kind": "call", "contact_id": contact["id"]})
    assert logged.status_code == 201, "they may call"
    assert (await tenant.client.delete(f"/v1/activities/{theirs['id']}")).status_code == 204
    await tenant.client.post(f"{REQUESTS}/{request['id']}/lift")
    for path, change in paths.items():
        assert (await tenant.client.patch(path, json=change)).status_code == 200


async def test_no_reminder_tells_of_its_birthday(tenant: Tenant) -> None:
    today = datetime.now(UTC).date().isoformat()
    contact, other = [await tenant.create("/v1/contacts", full_name="李娜", birthday=today) for _ in range(2)]
    await restricted(tenant, contact)
    await tenant.create("/v1/date-reminders", name="生日", field="birthday", at="00:00", time_zone="UTC")

    async def told() -> bool:
        return bool((await tenant.read("/v1/date-occurrences"))["data"])

    await until(told)
    assert [each["contact_id"] for each in (await tenant.read("/v1/date-occurrences"))["data"]] == [other["id"]]
