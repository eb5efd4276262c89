"""A grant with a condition on tickets reaches their messages too."""

from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.service import ServiceUnderTest


async def test_messages_are_reached_with_their_ticket(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = "contact_01jd3zq8w9e2vbx7k5m4n6p8qr"
    where = {"field": "kind", "op": "eq", "value": "billing"}
    fields = dict.fromkeys(("open", "commercial"), "write")
    grants = [Grant(frozenset(["tickets"]), frozenset(["read", "update", "create"]), "all", fields, where)]  # type: ignore[arg-type]  # the words are those of the vocabulary
    me = service.tenant(tenant.id, rights=Rights(UserId.new(), (), grants, admin=False))
    for kind, wanted in (("billing", 200), ("repair", 404)):
        ticket = await tenant.create("/v1/tickets", subject="x", kind=kind, contact_id=contact)
        path = f"/v1/tickets/{ticket['id']}/messages"
        await tenant.create(path, body="hello")
        answer = await me.client.get(path)
        assert answer.status_code == wanted
        if wanted == 200:
            assert [one["body"] for one in answer.json()["data"]] == ["hello"]
        said = await me.client.post(path, json={"body": "yes"})
        assert said.status_code == (201 if wanted == 200 else 404), said.text
