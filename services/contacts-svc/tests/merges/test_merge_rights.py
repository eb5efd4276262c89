"""Merging shows nobody what they may not see, and takes from nobody what they may not take."""

from typing import Any

import pytest
from crm_contracts.ids import UserId
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.service import ServiceUnderTest, Tenant

_ME, _OTHER = UserId.new(), UserId.new()
_ALL_FIELDS = {"open": "write", "personal": "write", "commercial": "write", "private": "write"}
_MERGING = frozenset({"contacts", "merges"})


def _somebody(service: ServiceUnderTest, tenant: Tenant, *grants: Grant) -> Tenant:
    return service.tenant(tenant.id, rights=Rights(_ME, (), grants, admin=False))


def _grant(level: Any, fields: Any, *actions: str) -> Grant:
    return Grant(_MERGING, frozenset(actions or ACTIONS), level, fields)


@pytest.mark.parametrize(
    ("grants", "status"),
    [
        ([_grant("all", _ALL_FIELDS)], 201),
        ([_grant("own", _ALL_FIELDS)], 422),  # the other is not there for them
        ([_grant("own", _ALL_FIELDS), _grant("all", _ALL_FIELDS, "read")], 403),  # nor may they delete it
        ([_grant("all", {"open": "write", "personal": "masked"})], 403),
        ([_grant("all", _ALL_FIELDS, "read", "update")], 403),
        ([_grant("all", _ALL_FIELDS, "read", "delete")], 403),
    ],
)
async def test_it_takes_the_right_to_see_and_to_take_all_of_them(
    service: ServiceUnderTest, grants: list[Grant], status: int
) -> None:
    tenant = service.tenant()
    mine = await tenant.create("/v1/contacts", full_name="王伟", owner_id=_ME)
    other = await tenant.create("/v1/contacts", full_name="Wang Wei", owner_id=_OTHER, title="Buyer")
    said = {"channel": "email", "purpose": "news", "status": "granted", "source": "form"}
    await tenant.create(f"/v1/contacts/{other['id']}/consents", **said)
    me = _somebody(service, tenant, *grants)
    for dry_run in (True, False):
        answer = await me.client.post(
            f"/v1/contacts/{mine['id']}/merge", json={"from": [other["id"]], "dry_run": dry_run}
        )
        assert answer.status_code == (200 if dry_run and status == 201 else status), answer.text
        assert status == 201 or "Buyer" not in answer.text


async def test_who_does_not_see_the_one_that_is_left_is_not_told_of_it(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    left = await tenant.create("/v1/contacts", full_name="王伟", owner_id=_OTHER)
    gone = await tenant.create("/v1/contacts", full_name="Wang Wei", owner_id=_ME)
    made = await tenant.client.post(f"/v1/contacts/{left['id']}/merge", json={"from": [gone["id"]]})
    merge = made.json()["merge"]
    me = _somebody(service, tenant, _grant("own", _ALL_FIELDS))
    assert (await me.client.get(f"/v1/contacts/{gone['id']}")).status_code == 404
    assert (await me.client.get(f"/v1/merges/{merge['id']}")).status_code == 404
    assert (await me.client.post(f"/v1/merges/{merge['id']}/undo")).status_code == 404
    assert (await me.read("/v1/merges"))["data"] == []
